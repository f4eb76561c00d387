// SPDX-License-Identifier: MIT
// Bytes by digest: stored whole or not at all, counted against a quota, read in ranges, sealed until the verdict.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { Http, expect, sha256 } from '../support/actors.mjs';
import { eventually } from '../support/stack.mjs';
import { World, raw } from '../support/world.mjs';

const QUOTA = 4_000_000;
const octets = { 'content-type': 'application/octet-stream' };
let w, client, source, provider;

before(async () => {
    w = await World.up({ OGPU_BLOB_QUOTA_BYTES: String(QUOTA), OGPU_POOL_THREADS: '16' });
    client = await w.client();
    source = await w.source(client);
    provider = await w.provider(source);
});
after(() => w?.down());

const path = (bytes) => `/v1/blobs/${sha256(bytes)}`;
const upload = (http, bytes) => http.put(path(bytes), bytes, octets);
const auth = (http = client) => ({ authorization: `Bearer ${http.token}` });
const files = () => readdirSync(w.stack.env.OGPU_BLOB_DIR, { recursive: true, withFileTypes: true }).filter((f) => f.isFile()).map((f) => f.name);
const rows = async () => Number((await w.sql.query('SELECT count(*) AS n FROM blob'))[0].n);

test('what was stored on one gateway is read on the other, byte for byte', async () => {
    for (const n of [0, 1, 15, 16, 17, 65535, 65536, 65537, 1_000_003]) {
        const bytes = randomBytes(n);
        const made = await upload(client, bytes);
        assert.deepEqual(expect(made, 201), { sha256: sha256(bytes), size: n });
        assert.equal(made.headers.get('location'), path(bytes));
        const got = await raw(w.two, { path: path(bytes), headers: auth() });
        assert.equal(got.status, 200);
        assert.ok(got.bytes.equals(bytes), String(n));
        assert.equal(got.headers.get('content-length'), String(n));
        assert.equal(got.headers.get('content-digest'), `sha-256=:${Buffer.from(sha256(bytes), 'hex').toString('base64')}:`);
        assert.deepEqual(expect(await upload(client, bytes), 200), made.json);
        const head = await raw(w.one, { method: 'HEAD', path: path(bytes), headers: auth() });
        assert.equal(head.headers.get('content-length'), String(n));
    }
});

test('ranges', async () => {
    const bytes = randomBytes(1000);
    expect(await upload(client, bytes), 201);
    const get = (range, more = {}) => raw(w.one, { path: path(bytes), headers: { ...auth(), range, ...more } });
    const parts = {
        'bytes=0-0': [0, 0], 'bytes=0-99': [0, 99], 'bytes=999-999': [999, 999], 'bytes=999-': [999, 999], 'bytes=0-': [0, 999], 'bytes=500-5000': [500, 999],
        'bytes=-1': [999, 999], 'bytes=-100': [900, 999], 'bytes=-1000': [0, 999], 'bytes=-99999': [0, 999], 'Bytes=1-2': [1, 2], 'bytes=0-99999999999999999999999': [0, 999], 'bytes=007-0008': [7, 8],
    };
    for (const [range, [from, to]] of Object.entries(parts)) {
        const reply = await get(range);
        assert.equal(reply.status, 206, range);
        assert.equal(reply.headers.get('content-range'), `bytes ${from}-${to}/1000`);
        assert.ok(reply.bytes.equals(bytes.subarray(from, to + 1)), range);
        assert.equal(reply.headers.get('content-digest'), null);
    }
    for (const range of ['bytes=1000-', 'bytes=1000-1001', 'bytes=-0', 'bytes=99999999999999999999999-']) {
        const reply = await get(range);
        assert.equal(reply.status, 416, range);
        assert.equal(reply.headers.get('content-range'), 'bytes */1000');
        assert.equal(reply.json.code, 'BAD_RANGE');
    }
    // RFC 9110: what is no valid range, or several, is as if it were not there.
    for (const range of ['bytes=0-1,5-6', 'bytes=0-0,-1', 'bytes=5-1', 'bytes=-', 'bytes=', 'bytes', 'bytes=a-b', 'items=0-1', 'bytes=0-1x', 'bytes= 0-1', 'bytes=0--1', 'bytes=1-2-3', 'bytes=0x0-1', '']) {
        const reply = await get(range);
        assert.equal(reply.status, 200, range);
        assert.ok(reply.bytes.equals(bytes), range);
    }
    assert.equal((await get('bytes=0-1', { 'if-none-match': `"${sha256(bytes)}"` })).status, 304);
    const head = await raw(w.one, { method: 'HEAD', path: path(bytes), headers: { ...auth(), range: 'bytes=0-1' } });
    assert.ok([200, 206].includes(head.status) && head.bytes.length === 0);
});

test('If-Range never joins parts of different bytes', async () => {
    const bytes = randomBytes(100);
    expect(await upload(client, bytes), 201);
    for (const tag of [`"${sha256(bytes)}"`, '"another"', `W/"${sha256(bytes)}"`, 'Sun, 22 Nov 2026 00:00:00 GMT']) {
        const reply = await raw(w.one, { path: path(bytes), headers: { ...auth(), range: 'bytes=10-19', 'if-range': tag } });
        // The bytes of a digest never change, so that a part is right whatever the condition; the whole would be too.
        assert.ok(reply.status === 206 ? reply.bytes.equals(bytes.subarray(10, 20)) : reply.status === 200 && reply.bytes.equals(bytes), tag);
    }
});

test('an empty blob has no ranges', async () => {
    const empty = Buffer.alloc(0);
    await upload(client, empty);
    assert.equal((await raw(w.one, { path: path(empty), headers: auth() })).bytes.length, 0);
    for (const range of ['bytes=0-0', 'bytes=0-', 'bytes=-1', 'bytes=-0']) {
        const reply = await raw(w.one, { path: path(empty), headers: { ...auth(), range } });
        assert.equal(reply.status, 416, range);
        assert.equal(reply.headers.get('content-range'), 'bytes */0');
    }
});

test('other bytes than the digest says leave nothing behind', async () => {
    const [had, known] = [files().length, await rows()];
    for (const [digest, bytes] of [['cd'.repeat(32), Buffer.from('x')], [sha256('xy'), Buffer.from('x')], [sha256(''), Buffer.from('x')], [sha256('x'), Buffer.alloc(0)], ['00'.repeat(32), randomBytes(500_000)]]) {
        const reply = await client.put(`/v1/blobs/${digest}`, bytes, octets);
        assert.equal(reply.status, 400);
        assert.equal(reply.json.code, 'DIGEST_MISMATCH');
        assert.equal((await client.get(`/v1/blobs/${digest}`)).status, digest === sha256('') ? 200 : 404);
    }
    for (const digest of ['x', 'AB'.repeat(32), 'ab'.repeat(31), `${'ab'.repeat(32)}0`, '../../etc/passwd', '%2e%2e']) {
        assert.equal((await raw(w.one, { method: 'PUT', path: `/v1/blobs/${digest}`, headers: { ...auth(), ...octets }, body: 'x' })).status, 404, digest);
    }
    assert.equal(files().length, had);
    assert.equal(await rows(), known);
});

test('an upload that breaks off leaves nothing behind', async () => {
    const [had, known] = [files().length, await rows()];
    const bytes = randomBytes(600_000);
    const at = new URL(w.one);
    const half = (head, body) => new Promise((done) => {
        const socket = connect(at.port, at.hostname, () => {
            socket.write(`PUT ${path(bytes)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${client.token}\r\n${head}\r\n\r\n`);
            socket.write(body, () => setTimeout(() => { socket.destroy(); done(); }, 100));
        });
        socket.on('error', () => {});
    });
    await half(`Content-Length: ${bytes.length}`, bytes.subarray(0, 300_000));
    await half(`Content-Length: ${bytes.length}`, bytes.subarray(0, bytes.length - 1));
    await half('Transfer-Encoding: chunked', Buffer.concat([Buffer.from('493e0\r\n'), bytes.subarray(0, 300_000), Buffer.from('\r\n')]));
    await eventually(() => files().length === had, 'the end of the temporary files', 10_000);
    assert.equal(await rows(), known);
    assert.equal((await client.get(path(bytes))).status, 404);
    expect(await upload(client, bytes), 201);
});

test('chunked uploads are stored as others are', async () => {
    const bytes = randomBytes(200_000);
    const reply = await new Promise((done, failed) => {
        const at = new URL(w.one);
        const req = request({ host: at.hostname, port: at.port, method: 'PUT', path: path(bytes), headers: { ...auth(), ...octets, 'transfer-encoding': 'chunked' } }, (res) => { res.resume(); res.on('end', () => done(res.statusCode)); });
        req.on('error', failed);
        for (let i = 0; i < bytes.length; i += 7_777) {
            req.write(bytes.subarray(i, i + 7_777));
        }
        req.end();
    });
    assert.equal(reply, 201);
    assert.ok((await client.get(path(bytes))).bytes.equals(bytes));
});

test('the quota is of the owner, and what is held already costs nothing', async () => {
    const fresh = await w.client();
    const [a, b, c] = [randomBytes(QUOTA - 10), randomBytes(11), randomBytes(10)];
    expect(await upload(fresh, a), 201);
    for (const http of [fresh, new Http(w.two, fresh.token)]) {
        const full = await upload(http, b);
        assert.equal(full.status, 429);
        assert.equal(full.json.code, 'QUOTA_EXCEEDED');
        assert.equal(full.json.error.type, 'rate_limit_error');
        assert.ok(Number(full.headers.get('retry-after')) >= 1);
        assert.equal((await http.get(path(b))).status, 404);
    }
    expect(await upload(fresh, a), 200);
    expect(await upload(fresh, c), 201);
    assert.equal((await upload(fresh, randomBytes(1))).status, 429);
    // Their length was told: they were not even read.
    assert.deepEqual(await w.sql.query('SELECT 1 FROM blob WHERE digest = $1', [Buffer.from(sha256(b), 'hex')]), []);
    assert.ok(!files().some((name) => name.includes(sha256(b))));
    expect(await upload(await w.client(), b), 201);
});

test('a hundred uploads at once, room for one', async () => {
    for (let round = 0; round < 4; round++) {
        const racer = await w.client();
        expect(await upload(racer, randomBytes(QUOTA - 1000)), 201);
        const all = await Promise.all(Array.from({ length: 100 }, (_, i) => upload(new Http(i % 2 ? w.one : w.two, racer.token), randomBytes(1000))));
        assert.deepEqual([201, 429].map((s) => all.filter((r) => r.status === s).length), [1, 99]);
    }
});

test('outputs are sealed before the verdict, and a beaten one for ever', async () => {
    const [p, q] = [await w.provider(source), await w.provider(source)];
    const task = expect(await w.submit(client, source, { racers: 2 }), 201);
    const [mine, theirs] = [expect(await p.claim(20), 200), expect(await q.claim(20), 200)];
    const [won, lost] = [randomBytes(40), randomBytes(40)];
    const both = [await p.upload(mine, won), await q.upload(theirs, lost)];
    const reads = async (http, sha) => (await http.get(`/v1/blobs/${sha}`)).status;
    assert.deepEqual([await reads(p, both[0]), await reads(q, both[0]), await reads(client, both[0]), await reads(client, both[1])], [200, 404, 404, 404]);
    expect(await p.answer(mine, won), 202);
    assert.equal(expect(await client.get(`${task.urls.self}?wait=20`), 200).status, 'succeeded');
    assert.deepEqual([await reads(client, both[0]), await reads(client, both[1]), await reads(q, both[0]), await reads(p, both[1])], [200, 404, 404, 404]);
});

test('inputs are read by who has the task, while it has it', async () => {
    const input = randomBytes(64);
    expect(await upload(client, input), 201);
    const task = expect(await w.submit(client, source, { input_blobs: [sha256(input)] }), 201);
    assert.equal((await provider.get(path(input))).status, 404);
    const claim = expect(await provider.claim(20), 200);
    assert.equal(claim.task, task.id);
    assert.deepEqual(claim.input_blobs, [sha256(input)]);
    assert.ok((await provider.get(path(input))).bytes.equals(input));
    assert.equal((await (await w.provider(source)).get(path(input))).status, 404);
    expect(await provider.post(claim.urls.fail, { code: 'no', message: '' }), 200);
    assert.equal((await provider.get(path(input))).status, 404);
    assert.equal((await provider.put(path(input), input, octets)).json.code, 'VALIDATION_ERROR');
    assert.equal((await client.put(`${path(input)}?attempt=${claim.attempt}`, input, octets)).json.code, 'VALIDATION_ERROR');
});

test('every exchange fitted and the books are right', () => w.verify());
