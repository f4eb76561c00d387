// SPDX-License-Identifier: MIT
// One whole task life over HTTP, two gateways on real PostgreSQL and Redis: what is done on one is seen on the other.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { canonical, expect, sha256 } from '../support/actors.mjs';
import { eventually } from '../support/stack.mjs';
import { World } from '../support/world.mjs';

const REWARD = 10n ** 15n;
let w, sql, two, client;

before(async () => {
    w = await World.up({ OGPU_LEASE_S: '8' });
    ({ sql, two } = w);
    client = await w.client();
});
after(() => w?.down());

const onTwo = (http) => Object.assign(Object.create(http), { url: two });

const publish = () => w.source(client);
const worker = (source) => w.provider(source);

const submit = (source, over = {}, headers = {}) =>
    client.post('/v1/tasks', { source: source.id, input: { b: 1, a: 'é' }, reward: REWARD.toString(), ...over }, headers);

const balances = async () => expect(await client.get('/v1/account'), 200).balances;

test('a task from submit to its accepted result', async () => {
    const source = await publish();
    const p = await worker(source);
    const before_ = await balances();
    const waiting = p.claim(20);
    const made = await submit(source);
    const task = expect(made, 201);
    assert.equal(task.status, 'queued');
    assert.equal(made.headers.get('location'), task.urls.self);
    assert.equal(task.input_digest, sha256(canonical({ b: 1, a: 'é' })));
    assert.equal((await balances()).frozen, (BigInt(before_.frozen) + REWARD).toString());

    const claim = expect(await waiting, 200);
    assert.equal(claim.task, task.id);
    assert.equal(sha256(claim.input), claim.input_digest);
    assert.equal(sha256(canonical(claim.manifest)), claim.manifest_hash);
    assert.equal(expect(await p.post(claim.urls.heartbeat), 200).stop, false);

    const done = onTwo(client).get(`${task.urls.self}?wait=20`);
    const bytes = Buffer.from('hello');
    assert.equal(expect(await p.answer(claim, bytes), 202).status, 'verifying');
    const final = expect(await done, 200);
    assert.equal(final.status, 'succeeded');
    assert.equal(final.settlement.status, 'pending');

    const result = expect(await client.get(task.urls.result), 200);
    assert.equal(result.provider, p.id);
    const file = await client.get(result.outputs[0].url);
    assert.deepEqual(file.bytes, bytes);
    assert.equal(file.headers.get('content-digest'), `sha-256=:${Buffer.from(sha256(bytes), 'hex').toString('base64')}:`);
    const part = await client.get(result.outputs[0].url, { range: 'bytes=1-2' });
    assert.equal(part.status, 206);
    assert.equal(part.bytes.toString(), 'el');
    assert.equal(part.headers.get('content-range'), 'bytes 1-2/5');

    const events = expect(await client.get(task.urls.events), 200).data.map((e) => e.type);
    assert.deepEqual(events, ['created', 'claimed', 'responded', 'accepted']);
    const [attempt] = expect(await client.get(task.urls.attempts), 200).data;
    assert.equal(attempt.status, 'won');
    const kinds = expect(await client.get('/v1/account/ledger'), 200).data.slice(0, 2).map((e) => e.kind);
    assert.deepEqual(kinds, ['accept', 'freeze']);
    const now = await balances();
    assert.equal(BigInt(now.available), BigInt(before_.available) - REWARD);
    assert.equal(now.frozen, before_.frozen);
});

test('a replay answers the same bytes, another body is refused', async () => {
    const source = await publish();
    const key = { 'idempotency-key': `k-${Date.now()}` };
    const first = await submit(source, {}, key);
    const again = await onTwo(client).post('/v1/tasks', { source: source.id, input: { b: 1, a: 'é' }, reward: REWARD.toString() }, { 'idempotency-key': `"${key['idempotency-key']}"` });
    expect(first, 201);
    expect(again, 201);
    assert.equal(again.headers.get('idempotency-replayed'), 'true');
    assert.deepEqual(again.bytes, first.bytes);
    const other = await submit(source, { reward: (REWARD + 1n).toString() }, key);
    assert.equal(other.status, 422);
    assert.equal(other.json.code, 'IDEMPOTENCY_KEY_REUSED');
});

test('a lapsed lease opens the slot for another, and the late answer is refused', async () => {
    const source = await publish();
    const [p, q] = [await worker(source), await worker(source)];
    const task = expect(await submit(source, { racers: 1 }), 201);
    const claim = expect(await p.claim(10), 200);
    const second = expect(await q.claim(20), 200);
    assert.equal(second.task, task.id);
    assert.equal(second.epoch, 2);
    assert.equal(expect(await p.post(claim.urls.heartbeat), 200).stop, true);
    const late = await p.post(claim.urls.respond, await p.responseBody(claim, [{ name: 'a', media_type: 'text/plain', size: 1, sha256: sha256('x') }]));
    assert.equal(late.json.code, 'LEASE_LOST');
    assert.equal(expect(await q.answer(second, Buffer.from('x')), 202).status, 'verifying');
    assert.equal(expect(await client.get(`${task.urls.self}?wait=10`), 200).status, 'succeeded');
});

test('forged, swapped and missing outputs lose nothing', async () => {
    const source = await publish();
    const [p, q] = [await worker(source), await worker(source)];
    const task = expect(await submit(source, { racers: 1 }), 201);
    const claim = expect(await p.claim(10), 200);
    const sha = await p.upload(claim, Buffer.from('real'));
    const outputs = [{ name: 'a', media_type: 'text/plain', size: 4, sha256: sha }];
    const forged = { ...(await q.responseBody(claim, outputs)) };
    assert.equal((await p.post(claim.urls.respond, forged)).json.code, 'BAD_SIGNATURE');
    const absent = [{ ...outputs[0], sha256: 'ab'.repeat(32) }];
    assert.equal((await p.post(claim.urls.respond, await p.responseBody(claim, absent))).json.code, 'OUTPUT_NOT_UPLOADED');
    assert.equal((await p.post(claim.urls.respond, { ...(await p.responseBody(claim, outputs)), epoch: 7 })).json.code, 'BAD_SIGNATURE');
    assert.equal((await q.post(claim.urls.respond, await q.responseBody(claim, outputs))).json.code, 'ATTEMPT_NOT_FOUND');
    // A size that is not the bytes' is signed and stored, and falls at the checks.
    const lied = [{ ...outputs[0], size: 5 }];
    expect(await p.post(claim.urls.respond, await p.responseBody(claim, lied)), 202);
    const attempt = await eventually(async () => {
        const [a] = expect(await client.get(task.urls.attempts), 200).data;
        return a.status === 'rejected' && a;
    }, 'the rejection');
    assert.match(attempt.error.message, /has 4 bytes, not 5/);
    const next = expect(await q.claim(10), 200);
    assert.equal(next.task, task.id);
    expect(await q.answer(next, Buffer.from('y')), 202);
    assert.equal(expect(await client.get(`${task.urls.self}?wait=10`), 200).status, 'succeeded');
});

test('cancel and expiry give the reward back', async () => {
    const source = await publish();
    const before_ = await balances();
    const task = expect(await submit(source), 201);
    assert.equal(expect(await client.post(task.urls.cancel), 200).status, 'canceled');
    assert.equal(expect(await client.post(task.urls.cancel), 200).status, 'canceled');
    const short = expect(await submit(source, { expires_in_s: 1 }), 201);
    assert.equal(expect(await onTwo(client).get(`${short.urls.self}?wait=15`), 200).status, 'expired');
    assert.deepEqual(await balances(), before_);
});

test('outputs are sealed before the verdict, tasks and blobs are their owner\'s', async () => {
    const source = await publish();
    const p = await worker(source);
    const stranger = await w.client(0n);
    const task = expect(await submit(source), 201);
    assert.equal((await stranger.get(task.urls.self)).json.code, 'TASK_NOT_FOUND');
    const claim = expect(await p.claim(10), 200);
    const sha = await p.upload(claim, Buffer.from('sealed'));
    assert.equal((await client.get(`/v1/blobs/${sha}`)).status, 404);
    assert.equal((await stranger.get(`/v1/blobs/${sha}`)).status, 404);
    const wrong = await p.put(claim.urls.blobs.replace('{sha256}', 'cd'.repeat(32)), Buffer.from('sealed'), { 'content-type': 'application/octet-stream' });
    assert.equal(wrong.json.code, 'DIGEST_MISMATCH');
    expect(await p.answer(claim, Buffer.from('sealed')), 202);
    expect(await client.get(`${task.urls.self}?wait=10`), 200);
    assert.equal((await client.get(`/v1/blobs/${sha}`)).status, 200);
    assert.equal((await stranger.get(`/v1/blobs/${sha}`)).status, 404);
});

test('lists come in pages that no other list takes', async () => {
    const source = await publish();
    for (let i = 0; i < 5; i++) {
        expect(await submit(source), 201);
    }
    const seen = [];
    let path = `/v1/tasks?limit=2&status=queued&source=${source.id}`;
    while (path) {
        const page = await client.get(path);
        seen.push(...expect(page, 200).data.map((t) => t.id));
        path = page.headers.get('link')?.match(/^<([^>]+)>; rel="next"$/)?.[1];
    }
    assert.equal(seen.length, 5);
    assert.deepEqual(seen, [...new Set(seen)].sort().reverse());
    const { next_cursor } = expect(await client.get(`/v1/tasks?limit=1`), 200);
    assert.equal((await client.get(`/v1/sources?cursor=${next_cursor}`)).json.code, 'BAD_CURSOR');
    assert.equal((await client.get(`/v1/tasks?cursor=${next_cursor}x`)).json.code, 'BAD_CURSOR');
});

test('every exchange fitted and the books are right', () => w.verify());
