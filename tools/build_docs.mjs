// SPDX-License-Identifier: MIT
// Copies Swagger UI from its pinned npm package and our page around it into $BUILD/docs.
import { copyFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const out = join(resolve(root, process.env.BUILD || 'build'), 'docs');
const swagger = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));

mkdirSync(out, { recursive: true });
for (const name of ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png']) {
    copyFileSync(join(swagger, name), join(out, name));
}
// The licence asks to travel with the copy.
for (const name of ['LICENSE', 'NOTICE']) copyFileSync(join(swagger, name), join(out, `${name}.txt`));
// start.js first and index.html last: make takes the page for the whole.
for (const name of ['start.js', 'index.html']) {
    copyFileSync(join(root, 'web/docs', name), join(out, name));
}
