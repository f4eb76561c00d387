// SPDX-License-Identifier: MIT
// Images from a registry (OCI distribution), by digest: anonymous, with a bearer token, with storage
// behind a redirect; and registries that lie, stall or send other bytes.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { createServer } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';
import { image, layerOf, sha256 } from '../../tools/oci_image.mjs';
import { Bench, hostile, manifestOf } from '../worker/support.mjs';

const layer = layerOf([{ path: '/bin/hostile', data: hostile }]);
const config = { Entrypoint: ['/bin/hostile', 'look'] };
let bench, server, port, seen, rules;
let serial = 0;

/** An image of its own for each test, so that no cache answers. */
function fresh() {
    const packed = gzipSync(layer);
    return image([{ bytes: packed, diff: layer, type: 'application/vnd.oci.image.layer.v1.tar+gzip' }],
        { ...config, Env: [`SERIAL=${++serial}`] });
}

function serve(made, changes = {}) {
    rules = { blobs: new Map(made.blobs), token: null, redirect: false, ...changes };
    seen = [];
}

/** A byte now and then, for as long as somebody listens. */
function drip(response, bytes) {
    let at = 0;
    response.writeHead(200, { 'content-length': bytes.length });
    const timer = setInterval(() => response.write(bytes.subarray(at, ++at)), 20);
    response.on('close', () => clearInterval(timer));
}

function answer(request, response) {
    const { url, headers } = request;
    seen.push({ url, auth: headers.authorization, accept: headers.accept });
    const send = (status, body = '', more = {}) => response.writeHead(status, more).end(body);
    if (url.startsWith('/token')) {
        const query = new URL(url, 'http://x').searchParams;
        if (query.get('service') !== 'test' || query.get('scope') !== 'repository:demo/x:pull') return send(400);
        return send(200, JSON.stringify({ token: rules.token }));
    }
    const [, kind, digest] = /^\/(?:v2\/demo\/x\/(manifests|blobs)|storage)\/sha256:([0-9a-f]{64})$/.exec(url) ?? [];
    if (!digest) return send(404);
    if (kind && rules.runs_out === kind) Object.assign(rules, { token: 'renewed', runs_out: null });
    if (rules.token && kind && headers.authorization !== `Bearer ${rules.token}`) {
        const challenge = `Bearer realm="http://127.0.0.1:${port}/token",service="test",scope="repository:demo/x:pull"`;
        return send(401, '{}', { 'www-authenticate': rules.challenge ?? challenge });
    }
    if (rules.redirect && kind === 'blobs') return send(307, '', { location: rules.location ?? `http://127.0.0.1:${port}/storage/sha256:${digest}` });
    if (rules.drip && kind === 'blobs') return drip(response, rules.blobs.get(digest));
    return rules.blobs.has(digest) ? send(200, rules.blobs.get(digest)) : send(404);
}

before(async () => {
    bench = new Bench('crun', { OGPU_IMAGE_MB: '16' });
    server = createServer(answer);
    await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
    port = server.address().port;
});
beforeEach(() => serve({ blobs: [] }));
after(() => {
    server.close();
    server.closeAllConnections();
    bench.close();
});

const reference = (digest) => `127.0.0.1:${port}/demo/x@${digest}`;
const pull = (made, digest = made.digest, ref = reference(digest)) =>
    bench.try({ ...manifestOf(made), image: { digest, reference: ref } }, Buffer.alloc(0), { archive: '-' });
const refused = async (made, pattern, ...more) => {
    const r = await pull(made, ...more);
    assert.equal(r.end, 'refused', JSON.stringify(r));
    assert.match(r.stderr, pattern);
};

test('anonymous', async () => {
    const made = fresh();
    serve(made);
    const r = await pull(made);
    assert.equal(r.end, 'ok', r.stderr);
    assert.match(seen[0].accept, /image\.manifest\.v1\+json/);
    assert.deepEqual(seen.map((s) => s.url.split('/')[4]), ['manifests', 'blobs', 'blobs']);
});

test('a bearer token is fetched when asked for, and not given to the storage behind a redirect', async () => {
    const made = fresh();
    serve(made, { token: 'abc.def', redirect: true });
    assert.equal((await pull(made)).end, 'ok');
    assert.equal(seen.filter((s) => s.url.startsWith('/token')).length, 1);
    const storage = seen.filter((s) => s.url.startsWith('/storage'));
    assert.equal(storage.length, 2);
    assert.ok(storage.every((s) => s.auth === undefined));
});

test('a token that runs out during a pull is renewed; a service\'s name arrives whole', async () => {
    const made = fresh();
    serve(made, { token: 'first', runs_out: 'blobs' });
    assert.equal((await pull(made)).end, 'ok');
    assert.deepEqual(seen.map((s) => s.url.split('/')[1] === 'v2' ? s.auth : 'token'),
        [undefined, 'token', 'Bearer first', 'Bearer first', 'token', 'Bearer renewed', 'Bearer renewed']);
    serve(fresh(), { token: 'x', challenge: `Bearer realm="http://127.0.0.1:${port}/token?a=b",service="a&b c=d#\u00e9"` });
    await refused(fresh(), /token service answered 400/);
    assert.equal(seen[1].url, '/token?a=b&service=a%26b%20c%3Dd%23%E9');
});

test('an index chooses the variant of this machine', async () => {
    const made = fresh();
    const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
    const row = (digest, arch) => ({ mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 1,
        platform: { os: 'linux', architecture: arch } });
    const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json',
        manifests: [row(`sha256:${'0'.repeat(64)}`, 's390x'), row(made.digest, architecture)] }));
    serve({ blobs: [...made.blobs, [sha256(index), index]] });
    assert.equal((await pull(made, `sha256:${sha256(index)}`)).end, 'ok');
    const other = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [row(made.digest, 's390x')] }));
    serve({ blobs: [...made.blobs, [sha256(other), other]] });
    await refused(made, /no variant for this machine/, `sha256:${sha256(other)}`);
});

test('other bytes than the digest says: manifest, layer', async () => {
    const made = fresh();
    const spoil = (digest, bytes) => serve({ blobs: [...made.blobs].map(([d, b]) => (d === digest ? [d, bytes] : [d, b])) });
    spoil(made.digest.slice(7), Buffer.from('{"schemaVersion":2}'));
    await refused(made, /digest_mismatch: registry sent other bytes/);
    const [big] = [...made.blobs].sort((a, b) => b[1].length - a[1].length);
    spoil(big[0], Buffer.concat([big[1], Buffer.from('x')]));
    await refused(made, /digest_mismatch: registry sent other bytes/);
});

test('missing, forbidden, going round in circles, asking for passwords', async () => {
    const made = fresh();
    await refused(made, /blob_not_found: registry answered 404/);
    serve(made, { token: 'x', challenge: 'Basic realm="private"' });
    await refused(made, /credentials that we do not have/);
    serve(made, { redirect: true, location: `http://127.0.0.1:${port}/v2/demo/x/blobs/sha256:${[...made.blobs.keys()][0]}` });
    await refused(made, /round in circles/);
    serve(made, { redirect: true, location: 'file:///etc/passwd' });
    await refused(made, /registry answered 307/);
});

test('more than we take', async () => {
    const big = Buffer.alloc(24 << 20, 1);
    const made = image([layer, big], config);
    serve(made);
    await refused(made, /too_large/);
});

test('a registry that drips: one bound for all of the image, and nothing is left of it', async () => {
    const made = image([layer, Buffer.alloc(1 << 20, 1)], config);
    serve(made, { drip: true });
    const before_ = bench.env;
    bench.env = { ...bench.env, OGPU_PULL_S: '2' };
    try {
        await refused(made, /timeout: registry takes too long for the image/);
    } finally {
        bench.env = before_;
    }
    assert.deepEqual(readdirSync(join(bench.dir, 'work/images/tmp')), []);
});

test('a reference that is no reference, or names another digest', async () => {
    const made = fresh();
    serve(made);
    await refused(made, /bad_manifest/, made.digest, `127.0.0.1:${port}/demo/x:latest`);
    await refused(made, /bad_manifest/, made.digest, reference(`sha256:${'0'.repeat(64)}`));
    assert.equal(seen.length, 0);
});

test('a registry elsewhere is spoken to over TLS only', async () => {
    const made = fresh();
    serve(made);
    const r = await pull(made, made.digest, `registry.invalid/demo/x@${made.digest}`);
    assert.match(r.stderr, /peer: .*registry\.invalid/);
});
