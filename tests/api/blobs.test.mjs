// SPDX-License-Identifier: MIT
// Blobs: every size that could go wrong, ranges, quotas, and who may read what, when.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { expect, manifest, sha256 } from '../support/actors.mjs';
import { eventually } from '../support/stack.mjs';
import { World } from '../support/world.mjs';

const MIB = 1 << 20;
const QUOTA = 24 * MIB;
const octets = { 'content-type': 'application/octet-stream' };
let w, stack, sql, one, two, client;

before(async () => {
    w = await World.up({ OGPU_BLOB_QUOTA_BYTES: String(QUOTA) });
    ({ stack, sql, one, two } = w);
    client = await w.client();
});
after(() => w?.down());

const on = (http, url) => Object.assign(Object.create(http), { url });
const put = (http, bytes, query = '') => http.put(`/v1/blobs/${sha256(bytes)}${query}`, bytes, octets);
const pathOf = (bytes) => `/v1/blobs/${sha256(bytes)}`;

/** A body in chunks, without a length. */
function chunked(http, path, pieces) {
    const at = new URL(http.url);
    return new Promise((done, failed) => {
        const req = request({ host: at.hostname, port: at.port, method: 'PUT', path, headers: { ...octets, authorization: `Bearer ${http.token}`, 'transfer-encoding': 'chunked' } }, (res) => {
            let text = '';
            res.on('data', (d) => { text += d; });
            res.on('end', () => { answered = true; done({ status: res.statusCode, json: JSON.parse(text) }); });
        });
        let answered = false;
        req.on('error', (e) => (answered ? undefined : failed(e)));
        pieces.forEach((p) => req.write(p));
        req.end();
    });
}

test('every size comes back as it was, from the other gateway', async () => {
    for (const n of [0, 1, 65535, 65536, MIB - 1, MIB, MIB + 1, 3 * MIB + 17]) {
        const bytes = randomBytes(n);
        expect(await put(client, bytes), 201);
        assert.equal(expect(await put(client, bytes), 200).size, n);
        const back = await on(client, two).get(pathOf(bytes));
        assert.equal(back.status, 200);
        assert.ok(back.bytes.equals(bytes), `${n} bytes`);
        assert.equal(back.headers.get('etag'), `"${sha256(bytes)}"`);
        assert.equal(back.headers.get('content-length'), String(n));
    }
});

test('chunked uploads', async () => {
    const pieces = [randomBytes(10), randomBytes(MIB), randomBytes(1), randomBytes(300_000)];
    const whole = Buffer.concat(pieces);
    assert.equal((await chunked(client, pathOf(whole), pieces)).status, 201);
    assert.ok((await client.get(pathOf(whole))).bytes.equals(whole));
});

test('ranges, tags and heads', async () => {
    const bytes = randomBytes(2 * MIB);
    const end = bytes.length - 1;
    expect(await put(client, bytes), 201);
    const path = pathOf(bytes);
    for (const [range, first, last] of [['0-0', 0, 0], ['5-', 5, end], ['-7', end - 6, end], [`${MIB - 3}-${MIB + 3}`, MIB - 3, MIB + 3], ['9-99999999999', 9, end]]) {
        const part = await client.get(path, { range: `bytes=${range}` });
        assert.equal(part.status, 206);
        assert.ok(part.bytes.equals(bytes.subarray(first, last + 1)), range);
        assert.equal(part.headers.get('content-range'), `bytes ${first}-${last}/${bytes.length}`);
        assert.equal(part.headers.get('content-digest'), null);
    }
    const beyond = await client.get(path, { range: `bytes=${bytes.length}-` });
    assert.equal(beyond.json.code, 'BAD_RANGE');
    assert.equal(beyond.headers.get('content-range'), `bytes */${bytes.length}`);
    assert.equal((await client.get(path, { range: 'bytes=0-1,4-5' })).bytes.length, bytes.length);
    assert.equal((await client.get(path, { 'if-none-match': `"${sha256(bytes)}"` })).status, 304);
    assert.equal((await client.get(path, { 'if-none-match': '"other"' })).status, 200);
    const head = await client.call('HEAD', path);
    assert.equal(head.status, 200);
    assert.equal(head.bytes.length, 0);
    assert.equal(head.headers.get('content-length'), String(bytes.length));
});

test('bytes that are not their digest leave nothing', async () => {
    const bytes = randomBytes(1000);
    const wrong = await client.put(`/v1/blobs/${'ab'.repeat(32)}`, bytes, octets);
    assert.equal(wrong.json.code, 'DIGEST_MISMATCH');
    assert.equal((await client.get(`/v1/blobs/${'ab'.repeat(32)}`)).status, 404);
    assert.equal((await client.get(pathOf(bytes))).status, 404);
});

test('an upload that breaks off leaves nothing', async () => {
    const bytes = randomBytes(2 * MIB);
    const at = new URL(one);
    await new Promise((done) => {
        const req = request({ host: at.hostname, port: at.port, method: 'PUT', path: pathOf(bytes), headers: { ...octets, authorization: `Bearer ${client.token}`, 'content-length': bytes.length } });
        req.on('error', done);
        req.write(bytes.subarray(0, MIB + 5), () => req.destroy());
    });
    assert.equal((await client.get(pathOf(bytes))).status, 404);
    expect(await put(client, bytes), 201);
});

test('a quota bounds what one account holds, not what is there already', async () => {
    const hoarder = await w.client(0n);
    const first = randomBytes(QUOTA - 10);
    expect(await put(hoarder, first), 201);
    const more = await put(hoarder, randomBytes(11));
    assert.equal(more.status, 429);
    assert.equal(more.json.code, 'QUOTA_EXCEEDED');
    expect(await put(hoarder, first), 200);
    expect(await put(hoarder, randomBytes(10)), 201);
});

/** The answer to an upload of which only the head is sent. */
function announce(http, path, headers) {
    const at = new URL(http.url);
    return new Promise((done, failed) => {
        const req = request({ host: at.hostname, port: at.port, method: 'PUT', path, headers: { ...octets, authorization: `Bearer ${http.token}`, ...headers } });
        req.on('error', failed);
        req.on('continue', () => { req.destroy(); done({ status: 100 }); });
        req.on('response', (res) => {
            let text = '';
            res.on('data', (d) => { text += d; });
            res.on('end', () => { req.destroy(); done({ status: res.statusCode, json: JSON.parse(text) }); });
        });
        req.flushHeaders();
    });
}

const stored = () => readdirSync(stack.env.OGPU_BLOB_DIR, { recursive: true, withFileTypes: true }).filter((f) => f.isFile()).map((f) => statSync(join(f.parentPath ?? f.path, f.name)).size).reduce((a, b) => a + b, 0);

test('the quota is judged before the bytes are read when their length is told', async () => {
    const owner = await w.client(0n);
    const first = randomBytes(QUOTA - MIB);
    expect(await put(owner, first), 201);
    const fits = pathOf(randomBytes(1));
    for (const expects of [{}, { expect: '100-continue' }]) {
        const over = await announce(owner, fits, { 'content-length': MIB + 1, ...expects });
        assert.deepEqual([over.status, over.json.code], [429, 'QUOTA_EXCEEDED']);
        assert.match(over.json.detail, new RegExp(`${MIB} bytes left`));
    }
    assert.equal((await announce(owner, fits, { 'content-length': MIB, expect: '100-continue' })).status, 100);
    assert.equal((await announce(owner, pathOf(first), { 'content-length': first.length, expect: '100-continue' })).status, 100, 'held already');
    const long = await announce(owner, fits, { 'content-length': 2 ** 32 + 1 });
    assert.deepEqual([long.status, long.json.code], [413, 'TOO_LARGE']);
    const reader = await w.client(0n, 'account:read');
    assert.equal((await announce(reader, fits, { 'content-length': MIB })).status, 403);
});

test('without a length no more than the quota has left is stored', async () => {
    const owner = await w.client(0n);
    expect(await put(owner, randomBytes(QUOTA - MIB)), 201);
    const was = stored();
    const rows = async () => Number((await sql.query('SELECT count(*) AS n FROM blob'))[0].n);
    const had = await rows();
    const much = randomBytes(20 * MIB);
    const pieces = Array.from({ length: 320 }, (_, i) => much.subarray(i * 65536, (i + 1) * 65536));
    for (const url of [one, two]) {
        const reply = await chunked(on(owner, url), pathOf(much), pieces);
        assert.deepEqual([reply.status, reply.json.code], [429, 'QUOTA_EXCEEDED']);
    }
    await eventually(() => stored() === was, 'nothing of it is left');
    assert.equal(await rows(), had);
    const fits = randomBytes(MIB);
    assert.equal((await chunked(owner, pathOf(fits), [fits])).status, 201);
});

test('inputs are for live attempts, outputs for the client after the verdict, images for providers', async () => {
    const [input, image, output] = [randomBytes(100), randomBytes(100), randomBytes(100)];
    expect(await put(client, input), 201);
    expect(await put(client, image), 201);
    const thief = await w.client();
    assert.equal((await thief.get(pathOf(input))).status, 404);
    const theirs = await thief.post('/v1/sources', { manifest: manifest({ image: { digest: `sha256:${'ab'.repeat(32)}`, blob: sha256(image) } }) });
    assert.equal(theirs.json.code, 'BLOB_NOT_FOUND');
    const source = expect(await client.post('/v1/sources', { manifest: manifest({ image: { digest: `sha256:${'ab'.repeat(32)}`, blob: sha256(image) } }) }), 201);
    const [p, q] = [await w.provider(source), await w.provider(source, one)];
    assert.ok((await q.get(pathOf(image))).bytes.equals(image));
    const body = { source: source.id, input: {}, reward: '1000000000000', input_blobs: [sha256(input)], racers: 1 };
    assert.equal((await thief.post('/v1/tasks', body)).json.code, 'BLOB_NOT_FOUND');
    const task = expect(await client.post('/v1/tasks', body), 201);
    assert.equal((await p.get(pathOf(input))).status, 404);
    const claim = expect(await p.claim(10), 200);
    assert.deepEqual(claim.input_blobs, [sha256(input)]);
    assert.ok((await p.get(pathOf(input))).bytes.equals(input));
    assert.equal((await q.get(pathOf(input))).status, 404);

    const attempt = `?attempt=${claim.attempt}`;
    assert.equal((await put(p, output)).status, 422);
    assert.equal((await put(client, output, attempt)).status, 422);
    assert.equal((await put(q, output, attempt)).json.code, 'ATTEMPT_NOT_FOUND');
    expect(await put(p, output, attempt), 201);
    assert.ok((await p.get(pathOf(output))).bytes.equals(output));
    assert.equal((await client.get(pathOf(output))).status, 404);
    const outputs = [{ name: 'o', media_type: 'application/octet-stream', size: 100, sha256: sha256(output) }];
    expect(await p.post(claim.urls.respond, await p.responseBody(claim, outputs)), 202);
    expect(await client.get(`${task.urls.self}?wait=10`), 200);
    assert.ok((await client.get(pathOf(output))).bytes.equals(output));
    assert.equal((await put(p, randomBytes(5), attempt)).json.code, 'LEASE_LOST');
    assert.equal((await p.get(pathOf(input))).status, 404);
});

test('every exchange fitted and the books are right', () => w.verify());
