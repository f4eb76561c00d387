// SPDX-License-Identifier: MIT
// A host for egress tests: names that mean what the test says (a hosts file that only the worker
// sees), servers on loopback, and manifests that ask for a network.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createServer as createTcp } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { image, layerOf } from '../../tools/oci_image.mjs';
import { Bench, worker } from '../worker/support.mjs';

const own = Object.values(networkInterfaces()).flat().find((a) => !a.internal && a.family === 'IPv4')?.address ?? '127.0.0.2';

/** Names, and what each is there for. */
const names = {
    'mirror.egress.test': ['127.0.0.1'],         // the operator's own: OGPU_PRIVATE_EGRESS
    'a.below.egress.test': ['127.0.0.1'],        // the same, by a wildcard
    'loopback.egress.test': ['127.0.0.1'],       // asked for, agreed to, and not public
    'lan.egress.test': ['10.1.2.3'],
    'metadata.egress.test': ['169.254.169.254'],
    'six.egress.test': ['::1'],
    'unique.egress.test': ['fd00::1'],
    'mapped.egress.test': ['::ffff:127.0.0.1'],
    'rebound.egress.test': ['8.8.8.8', '127.0.0.1'],
    'own.egress.test': [own],
    'other.egress.test': ['127.0.0.1'],          // agreed to by the provider, not asked for
};
export const notPublic = ['loopback', 'lan', 'metadata', 'six', 'unique', 'mapped', 'rebound', 'own'].map((n) => `${n}.egress.test`);

/** A worker that takes these names from a file of its own. */
export function withNames(dir) {
    const hosts = join(dir, 'hosts');
    const path = join(dir, 'worker-with-names');
    const lines = Object.entries(names).flatMap(([name, list]) => list.map((address) => `${address} ${name}`));
    writeFileSync(hosts, `127.0.0.1 localhost\n${lines.join('\n')}\n`);
    writeFileSync(path, `#!/bin/sh\nexec unshare -m sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' '${hosts}' '${worker}' "$@"\n`);
    chmodSync(path, 0o755);
    return path;
}

/** What a provider who agrees sets; `ports` are the test's servers. */
export const terms = (ports) => ({
    OGPU_EGRESS: 'listed',
    OGPU_EGRESS_HOSTS: ['*.egress.test', ...ports.map((p) => `*.egress.test:${p}`)].join(','),
    OGPU_PRIVATE_EGRESS: ports.flatMap((p) => [`mirror.egress.test:${p}`, `*.below.egress.test:${p}`]).join(','),
});

export function benchWith(runtime, ports, env = {}) {
    const bench = new Bench(runtime, { ...terms(ports), ...env });
    bench.program = withNames(bench.dir);
    return bench;
}

/** `egress` of a manifest: every name but other.egress.test, at this port. */
export const wants = (port, changes = {}) => ({
    hosts: ['mirror.egress.test', '*.below.egress.test', ...notPublic].map((name) => `${name}:${port}`), max_bytes: 1 << 20, ...changes,
});

const listening = async (server) => {
    await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
    return server;
};

/** A web server that remembers what reached it. */
export async function web() {
    const seen = [];
    const server = await listening(createHttp((request, response) => {
        let body = '';
        request.on('data', (bytes) => { body += bytes; });
        request.on('end', () => {
            seen.push({ method: request.method, url: request.url, headers: request.headers, body });
            response.end(request.url.startsWith('/big') ? 'y'.repeat(300000) : `hello ${request.url}`);
        });
    }));
    return { port: server.address().port, seen, close: () => { server.closeAllConnections(); server.close(); } };
}

/** Counts the bytes of each connection, answers none. */
export async function sink() {
    const counts = [];
    const server = await listening(createTcp((socket) => {
        const at = counts.push(0) - 1;
        socket.on('data', (bytes) => { counts[at] += bytes.length; });
        socket.on('error', () => {});
    }));
    return { port: server.address().port, counts, close: () => server.close() };
}

/** A TLS server with a certificate for mirror.egress.test: {port, ca, close}. */
export async function tls(dir) {
    const [key, cert] = [join(dir, 'tls.key'), join(dir, 'tls.pem')];
    const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
        '-subj', '/CN=mirror.egress.test', '-addext', 'subjectAltName=DNS:mirror.egress.test', '-keyout', key, '-out', cert]);
    if (made.status !== 0) throw new Error(`${made.stderr}`);
    const server = await listening(createHttps({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
        response.end(JSON.stringify({ over: 'tls', url: request.url }));
    }));
    return { port: server.address().port, ca: readFileSync(cert), close: () => { server.closeAllConnections(); server.close(); } };
}

/** The machine's own curl, as a source: a client that knows proxies from the environment only. */
export function curlImage(ca) {
    const libraries = spawnSync('ldd', ['/usr/bin/curl'], { encoding: 'utf8' }).stdout.match(/\/\S+(?= \()/g);
    const files = ['/usr/bin/curl', ...libraries].filter((path) => existsSync(path)).map((path) => ({ path, data: readFileSync(path), mode: 0o755 }));
    return image([layerOf([...files, { path: '/ca.pem', data: ca }])], { Entrypoint: ['/usr/bin/curl'] });
}
