// SPDX-License-Identifier: MIT
// A file of its own: the page's content security policy allows no inline script.
window.addEventListener('load', () => {
    window.SwaggerUIBundle({
        url: '../openapi.json',
        dom_id: '#ui',
        deepLinking: true,
        persistAuthorization: false,
        // The default validator is another site; this page talks to its own gateway only.
        validatorUrl: null,
    });
});
