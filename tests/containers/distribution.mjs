// SPDX-License-Identifier: MIT
// Debian's docker-registry on a free port of loopback with storage of its own, the push half of the
// OCI distribution API, and a token service of the kind that it trusts (distribution's token
// authentication: ES256, the key named by its libtrust fingerprint).
import { execFileSync, spawn } from 'node:child_process';
import { X509Certificate, createHash, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Debian's package brings it; it is no service here, each test starts its own. */
const program = '/usr/bin/docker-registry';
const issuer = 'tests';
/** With a space, as many have it: it must arrive encoded. */
const service = 'registry of the tests';

/**
 * A registry process. `token`: {realm, certificate} of a token service, none for anonymous access.
 * Resolves when it listens: {host, storage, logged, close}.
 */
export async function distribution(dir, token) {
    const storage = join(dir, 'storage');
    mkdirSync(storage, { recursive: true });
    const config = {
        version: 0.1,
        log: { level: 'info', accesslog: { disabled: true } },
        storage: { filesystem: { rootdirectory: storage } },
        http: { addr: '127.0.0.1:0' },
        ...token && { auth: { token: { realm: token.realm, service, issuer, rootcertbundle: token.certificate } } },
    };
    const file = join(dir, 'registry.yml'); // JSON is YAML
    writeFileSync(file, JSON.stringify(config));
    const child = spawn(program, ['serve', file], { stdio: ['ignore', 'ignore', 'pipe'], env: { OTEL_TRACES_EXPORTER: 'none' } });
    const logged = [];
    const gone = once(child, 'exit');
    const port = await new Promise((done, fail) => {
        child.on('error', fail);
        child.on('exit', () => fail(new Error(`docker-registry ended: ${logged.slice(-3).join('\n')}`)));
        createInterface(child.stderr).on('line', (line) => {
            logged.push(line);
            const [, n] = /listening on 127\.0\.0\.1:(\d+)/.exec(line) ?? [];
            if (n) done(Number(n));
        });
    });
    const close = async () => {
        child.kill('SIGKILL');
        await gone;
    };
    return { host: `127.0.0.1:${port}`, storage, logged, close };
}

async function expected(response, status, what) {
    if (response.status !== status) throw new Error(`${what}: ${response.status} ${await response.text()}`);
    return response;
}

/** Pushes bytes as a blob of the repository. */
async function pushBlob(base, digest, body, headers) {
    const begun = await expected(await fetch(`${base}/blobs/uploads/`, { method: 'POST', headers }), 202, 'upload');
    const at = new URL(begun.headers.get('location'), base);
    at.searchParams.set('digest', `sha256:${digest}`);
    await expected(await fetch(at, { method: 'PUT', body, headers: { ...headers, 'content-type': 'application/octet-stream' } }), 201, 'blob');
}

/** Pushes a document (a manifest or an index) under its digest. */
export async function pushDocument(host, name, digest, body, type, headers = {}) {
    const url = `http://${host}/v2/${name}/manifests/${digest}`;
    await expected(await fetch(url, { method: 'PUT', body, headers: { ...headers, 'content-type': type } }), 201, 'manifest');
}

/** Pushes an image of tools/oci_image.mjs by the distribution API. */
export async function push(host, name, made, headers = {}) {
    const document = made.blobs.get(made.digest.slice(7));
    for (const [digest, body] of made.blobs) {
        if (body !== document) await pushBlob(`http://${host}/v2/${name}`, digest, body, headers);
    }
    await pushDocument(host, name, made.digest, document, JSON.parse(document).mediaType, headers);
}

/** libtrust's fingerprint: 240 bits of the key's SHA-256 as twelve groups in base 32. */
function fingerprint(publicKey) {
    const bits = [...createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest().subarray(0, 30)]
        .map((byte) => byte.toString(2).padStart(8, '0')).join('');
    return bits.match(/.{20}/g).map((group) => group.match(/.{5}/g)
        .map((five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[parseInt(five, 2)]).join('')).join(':');
}

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/**
 * A token service: {realm, certificate, asked, rules, tokenFor, close}. It gives anyone the right to
 * pull what he asks for; `rules` {lifetime, actions, name} change what its tokens say.
 */
export async function tokens(dir) {
    mkdirSync(dir, { recursive: true });
    const certificate = join(dir, 'tokens.pem');
    const keyFile = join(dir, 'tokens.key');
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
        '-subj', '/CN=tokens', '-keyout', keyFile, '-out', certificate], { stdio: 'ignore' });
    const key = readFileSync(keyFile);
    const kid = fingerprint(new X509Certificate(readFileSync(certificate)).publicKey);
    const rules = { lifetime: 300, actions: ['pull'] };
    const asked = [];
    const tokenFor = (name, actions, lifetime = 300) => {
        const now = Math.floor(Date.now() / 1000);
        const claims = { iss: issuer, sub: '', aud: service, jti: randomUUID(), iat: now - 7200, nbf: now - 7200, exp: now + lifetime,
            access: [{ type: 'repository', name, actions }] };
        const text = `${part({ typ: 'JWT', alg: 'ES256', kid })}.${part(claims)}`;
        return `${text}.${sign('sha256', text, { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
    };
    const server = createServer((request, response) => {
        const query = new URL(request.url, 'http://x').searchParams;
        asked.push({ service: query.get('service'), scope: query.get('scope'), authorization: request.headers.authorization });
        const [, name] = /^repository:(.+):pull$/.exec(query.get('scope')) ?? [];
        if (query.get('service') !== service || !name) {
            response.writeHead(400).end();
            return;
        }
        response.end(JSON.stringify({ token: tokenFor(rules.name ?? name, rules.actions, rules.lifetime) }));
    });
    await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
    const close = () => {
        server.close();
        server.closeAllConnections();
    };
    return { realm: `http://127.0.0.1:${server.address().port}/token`, certificate, asked, rules, tokenFor, close };
}
