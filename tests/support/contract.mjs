// SPDX-License-Identifier: MIT
// Judges HTTP exchanges by the bundled OpenAPI document, and remembers which operations and statuses were seen.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(fileURLToPath(new URL('../../tools/package.json', import.meta.url)));
const { default: Ajv } = require('ajv/dist/2020.js');
const { default: addFormats } = require('ajv-formats');

const METHODS = ['get', 'put', 'post', 'delete', 'patch'];
// What any operation may answer without naming it: the document's own words about `default`.
const ANY = [429, 500, 503, 504];
// Pages for people: the page behind a problem's type, and the way to /docs/.
const OUTSIDE = /^\/(docs|problems\/[^/]*)$/;
const escape = (s) => encodeURIComponent(s.replaceAll('~', '~0').replaceAll('/', '~1'));

/** "/v1/tasks/{task}" as an expression; a literal path is preferred over one with parameters. */
function templates(paths) {
    return Object.keys(paths)
        .map((path) => ({
            path,
            holes: (path.match(/\{/g) ?? []).length,
            match: new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{[^}]*\}/g, '[^/]*')}$`),
        }))
        .sort((a, b) => a.holes - b.holes);
}

export class Contract {
    /** @param {string} build the build folder, which holds gen/openapi.json */
    constructor(build) {
        this.document = JSON.parse(readFileSync(join(build, 'gen/openapi.json'), 'utf8'));
        this.templates = templates(this.document.paths);
        this.ajv = new Ajv({ strict: false, allErrors: true });
        addFormats(this.ajv);
        for (const name of ['typeid', 'wei', 'address', 'sha256', 'bytes65', 'line']) this.ajv.addFormat(name, true);
        this.ajv.addSchema({ ...this.document, $id: 'contract' });
        this.seen = new Set();
        this.validators = new Map();
    }

    resolve(node) {
        return node?.$ref ? node.$ref.slice(2).split('/').reduce((n, k) => n[k], this.document) : node;
    }

    /** The operation of a request, or undefined. HEAD is answered by GET's. */
    find(method, url) {
        const path = url.split('?')[0];
        const wanted = method === 'HEAD' ? 'get' : method.toLowerCase();
        const hit = this.templates.find((t) => t.match.test(path) && this.document.paths[t.path][wanted]);
        return hit && { path: hit.path, method: wanted, operation: this.document.paths[hit.path][wanted] };
    }

    /**
     * @param {{method: string, url: string, status: number, headers: Headers, bytes: Uint8Array}} x url: path and query
     * @returns {string[]} what does not fit; empty when all does
     */
    check(x) {
        const hit = this.find(x.method, x.url);
        const { status } = x;
        // Where there is no operation, the answer must at least be our problem document.
        if (!hit && status < 400 && OUTSIDE.test(x.url)) return [];
        if (!hit) return status === 404 || status === 405 ? this.body(x, this.resolve({ $ref: '#/components/responses/Problem' }), null) : ['no such operation'];
        const { operation, path, method } = hit;
        const key = operation.responses[status] ? String(status) : 'default';
        this.seen.add(`${operation.operationId} ${key === 'default' ? `${status} (default)` : key}`);
        if (key === 'default' && !ANY.includes(status)) return [`status ${status} is not documented for ${operation.operationId}`];
        const at = ['paths', path, method, 'responses', key];
        const found = this.resolve(operation.responses[key]);
        const where = operation.responses[key].$ref ? operation.responses[key].$ref.slice(2).split('/') : at;
        return this.body(x, found, where).map((text) => `${operation.operationId} ${status}: ${text}`);
    }

    body(x, response, where) {
        const out = [];
        for (const [name, header] of Object.entries(response.headers ?? {})) {
            if (this.resolve(header).required && !x.headers.get(name)) out.push(`header ${name} is missing`);
        }
        const media = (x.headers.get('content-type') ?? '').split(';')[0].trim();
        const content = response.content ?? {};
        if (Object.keys(content).length === 0) return x.bytes.length ? [...out, 'a body where none is documented'] : out;
        if (x.method === 'HEAD') return out;
        if (!content[media]) return [...out, `content type ${media || 'missing'} is not documented`];
        if (!/json$/.test(media)) return out;
        const at = where ?? ['components', 'responses', 'Problem'];
        const validate = this.validator([...at, 'content', media, 'schema']);
        const value = JSON.parse(Buffer.from(x.bytes).toString('utf8'));
        if (!validate(value)) out.push(...validate.errors.map((e) => `${e.instancePath || '/'} ${e.message} ${JSON.stringify(e.params)}`));
        return out;
    }

    validator(tokens) {
        const $ref = `contract#/${tokens.map(escape).join('/')}`;
        if (!this.validators.has($ref)) this.validators.set($ref, this.ajv.compile({ $ref }));
        return this.validators.get($ref);
    }

    /** Every "operation status" that the document names. */
    documented() {
        return Object.values(this.document.paths).flatMap((item) => METHODS.filter((m) => item[m])
            .flatMap((m) => Object.keys(item[m].responses).filter((s) => s !== 'default')
                .map((s) => `${item[m].operationId} ${s}`)));
    }

    /** What the document names and no exchange showed. */
    missing() {
        return this.documented().filter((k) => !this.seen.has(k));
    }
}
