// SPDX-License-Identifier: MIT
// Claims over two gateways with Redis up, flushed, full of garbage and away, and with a gateway killed: work is always found.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Provider, canonical, expect, sha256 } from '../support/actors.mjs';
import { eventually, sleep } from '../support/stack.mjs';
import { World, domain } from '../support/world.mjs';

let w, stack, sql, one, two, client, source;

before(async () => {
    w = await World.up({ OGPU_LEASE_S: '20' });
    ({ stack, sql, one, two } = w);
    client = await w.client();
    source = await w.source(client);
});
after(() => w?.down());

const redis = (...words) => execFileSync('redis-cli', ['-u', stack.env.REDIS_URL, ...words], { encoding: 'utf8' }).trim();

const worker = (url) => w.provider(source, url);

const submit = async (over = {}) => expect(await client.post('/v1/tasks', { source: source.id, input: {}, reward: '1000000000000', racers: 1, ...over }), 201);

/** Submits after the claim waits; how long until it has the task, in ms. */
async function pickUp(p) {
    const waiting = p.claim(25);
    await sleep(300);
    const began = Date.now();
    const task = await submit();
    const claim = expect(await waiting, 200);
    assert.equal(claim.task, task.id);
    const ms = Date.now() - began;
    expect(await p.answer(claim, Buffer.from(randomUUID())), 202);
    assert.equal(expect(await client.get(`${task.urls.self}?wait=20`), 200).status, 'succeeded');
    return ms;
}

test('a waiting claim on the other gateway hears the bell', async () => {
    const p = await worker();
    await pickUp(p);
    let ms = Infinity; // the best of some: without the bell none comes before the tick, half a second later
    for (let i = 0; i < 10 && ms >= 500; i++) ms = Math.min(ms, await pickUp(p));
    assert.ok(ms < 500, `${ms} ms`);
});

test('one slot goes to one of many', async () => {
    const workers = await Promise.all(Array.from({ length: 6 }, () => worker(Math.random() < 0.5 ? one : two)));
    const waiting = workers.map((p) => p.claim(3));
    await sleep(200);
    const task = await submit({ racers: 2 });
    const claims = (await Promise.all(waiting)).filter((r) => r.status === 200).map((r) => r.json);
    assert.deepEqual(claims.map((c) => c.task), [task.id, task.id]);
    assert.deepEqual(claims.map((c) => c.epoch).sort(), [1, 2]);
    await sql.query("UPDATE task SET expires_at = ogpu_now() WHERE id = (SELECT id FROM task ORDER BY id DESC LIMIT 1)");
    assert.equal(expect(await client.get(`${task.urls.self}?wait=20`), 200).status, 'expired');
});

test('the same claim_ref re-reads its attempt; an operator never races itself', async () => {
    const p = await worker();
    const task = await submit({ racers: 2 });
    const ref = randomUUID();
    const first = expect(await p.claim(10, { claim_ref: ref }), 200);
    const again = expect(await p.claim(0, { claim_ref: ref }), 200);
    assert.equal(again.attempt, first.attempt);
    const twin = new Provider(one, domain, undefined, p.master);
    await twin.register();
    await twin.offer(source);
    assert.equal((await twin.claim(2)).status, 204);
    const other = await worker(one);
    assert.equal(expect(await other.claim(10), 200).task, task.id);
    expect(await p.answer(first, Buffer.from('a')), 202);
    assert.equal(expect(await client.get(`${task.urls.self}?wait=10`), 200).status, 'succeeded');
});

test('a claim nobody waits for any more gives its attempt back', async () => {
    const p = await worker();
    const gone = new AbortController();
    const hung = fetch(`${two}/v1/claims?wait=25`, {
        method: 'POST', signal: gone.signal, body: JSON.stringify({ claim_ref: randomUUID() }),
        headers: { authorization: `Bearer ${p.token}`, 'content-type': 'application/json' },
    }).catch(() => 'gone');
    await sleep(300);
    gone.abort();
    assert.equal(await hung, 'gone');
    const task = await submit();
    const claim = expect(await p.claim(25), 200);
    assert.equal(claim.task, task.id);
    const states = expect(await client.get(task.urls.attempts), 200).data.map((a) => a.status);
    assert.ok(states.every((s) => s === 'live' || s === 'released'), states.join());
    expect(await p.answer(claim, Buffer.from('b')), 202);
    assert.equal(expect(await client.get(`${task.urls.self}?wait=10`), 200).status, 'succeeded');
});

test('a task that its operator cannot serve is offered to others, not to it again and again', async () => {
    const [p, q] = [await worker(), await worker()];
    const older = await submit();
    const younger = await submit();
    const first = expect(await p.claim(10), 200);
    assert.equal(first.task, older.id);
    const why = { code: 'image_unavailable', message: 'no route to the registry', released: true };
    expect(await p.post(first.urls.fail, why), 200);
    const next = expect(await p.claim(10), 200);
    assert.equal(next.task, younger.id);
    expect(await p.answer(next, Buffer.from('younger')), 202);
    assert.equal((await p.claim(1)).status, 204);
    const others = expect(await q.claim(10), 200);
    assert.equal(others.task, older.id);
    expect(await q.post(others.urls.fail, { ...why, code: 'draining' }), 200);
    await sql.query('UPDATE attempt SET held_until = ogpu_now() WHERE held_until > ogpu_now()');
    redis('FLUSHALL'); // by its clock nothing is over
    const again = expect(await p.claim(15), 200);
    assert.equal(again.task, older.id);
    expect(await p.answer(again, Buffer.from('older')), 202);
    assert.equal(expect(await client.get(`${older.urls.self}?wait=10`), 200).status, 'succeeded');
    await eventually(() => redis('EXISTS', 'ogpu:book') === '1', 'the book is whole again', 15_000);
});

test('FLUSHALL loses no work', async () => {
    const p = await worker();
    const tasks = [await submit(), await submit(), await submit()];
    redis('FLUSHALL');
    const got = new Set();
    for (let i = 0; i < tasks.length; i++) {
        const claim = expect(await p.claim(10), 200);
        got.add(claim.task);
        expect(await p.answer(claim, Buffer.from(`flush ${i}`)), 202);
    }
    assert.deepEqual(got, new Set(tasks.map((t) => t.id)));
    await eventually(() => redis('EXISTS', 'ogpu:book') === '1', 'the book is whole again', 15_000);
});

test('garbage in the book is thrown out', async () => {
    const p = await worker();
    redis('ZADD', `{${source.id}}:slots`, '1', 'garbage', '2', `${'ab'.repeat(16)}:0`, '3', `${'cd'.repeat(16)}:9`);
    const task = await submit();
    const claim = expect(await p.claim(10), 200);
    assert.equal(claim.task, task.id);
    expect(await p.answer(claim, Buffer.from('c')), 202);
    expect(await client.get(`${task.urls.self}?wait=10`), 200);
    redis('SET', `{${source.id}}:slots`, 'not a set');
    const hidden = await submit();
    const found = expect(await p.claim(10), 200);
    assert.equal(found.task, hidden.id);
    expect(await p.answer(found, Buffer.from('d')), 202);
    redis('DEL', `{${source.id}}:slots`);
});

test('a full Redis costs time, not work', async () => {
    const p = await worker();
    redis('CONFIG', 'SET', 'maxmemory', '1');
    try {
        const task = await submit();
        const claim = expect(await p.claim(15), 200);
        assert.equal(claim.task, task.id);
        expect(await p.answer(claim, Buffer.from('full')), 202);
        assert.equal(expect(await client.get(`${task.urls.self}?wait=10`), 200).status, 'succeeded');
    } finally {
        redis('CONFIG', 'SET', 'maxmemory', '0');
    }
    await eventually(() => redis('EXISTS', 'ogpu:book') === '1', 'the book is whole again', 15_000);
    await pickUp(p);
});

test('without Redis the database finds, within two seconds', async () => {
    const p = await worker();
    w.shell('stop redis');
    await eventually(async () => /"redis":"failing"/.test((await client.get('/readyz')).bytes.toString()), 'Redis is missed', 10_000);
    assert.equal((await client.get('/readyz')).status, 200);
    const ms = [];
    for (let i = 0; i < 4; i++) {
        ms.push(await pickUp(p));
    }
    const older = await submit();
    const first = expect(await p.claim(10), 200);
    assert.equal(first.task, older.id);
    expect(await p.post(first.urls.fail, { code: 'image_refused', message: '', released: true }), 200);
    await pickUp(p);
    expect(await client.post(older.urls.cancel, {}), 200);
    assert.ok(Math.max(...ms) <= 2000, ms.join(' '));
    const port = new URL(stack.env.REDIS_URL).port;
    w.shell(`spawn redis TERM redis-server --bind 127.0.0.1 --port ${port} --save '' --appendonly no --dir "$RUN" --daemonize no`);
    await eventually(() => redis('EXISTS', 'ogpu:book') === '1', 'the book is whole again', 20_000);
    await pickUp(p);
});

test('a killed gateway takes nothing with it', async () => {
    const p = await worker(one);
    const task = await submit();
    const claim = expect(await p.claim(10), 200);
    const sha = await p.upload(claim, Buffer.from('e'));
    const pid = Number(readFileSync(join(stack.run, 'pid/gateway-1'), 'utf8').split(' ')[0]);
    process.kill(pid, 'SIGKILL');
    p.url = two;
    client.url = two;
    const outputs = [{ name: 'o', media_type: 'text/plain', size: 1, sha256: sha }];
    expect(await p.post(claim.urls.respond, await p.responseBody(claim, outputs)), 202);
    assert.equal(expect(await client.get(`${task.urls.self}?wait=20`), 200).status, 'succeeded');
    w.shell(`export OGPU_GATEWAY_1=${stack.env.OGPU_GATEWAY_1} OGPU_PUBLIC_URL= OGPU_BLOB_DIR="$RUN/blobs" OGPU_DOCS_DIR=; start_gateway 1`);
    client.url = one;
});

test('an orphaned check is adopted', async () => {
    const p = await worker(two);
    const task = await submit();
    const claim = expect(await p.claim(10), 200);
    expect(await p.answer(claim, Buffer.from('f')), 202);
    const done = expect(await client.get(`${task.urls.self}?wait=20`), 200);
    assert.equal(done.status, 'succeeded');
    // The same response as its gateway would have left it: stored, unchecked, its time over.
    const next = await submit();
    const again = expect(await p.claim(10), 200);
    assert.equal(again.task, next.id);
    const [{ id }] = await sql.query('SELECT id FROM task ORDER BY id DESC LIMIT 1');
    const sha = await p.upload(again, Buffer.from('g'));
    const body = await p.responseBody(again, [{ name: 'o', media_type: 'text/plain', size: 1, sha256: sha }]);
    const [attempt] = await sql.query('SELECT id, provider_id, epoch FROM attempt WHERE task_id = $1', [id]);
    await sql.write('response_submit', {
        id: randomUUID(), attempt: attempt.id, provider: attempt.provider_id, epoch: attempt.epoch, signature: Buffer.from(body.signature.slice(2), 'hex'),
        outputs: JSON.stringify([{ media_type: 'text/plain', name: 'o', sha256: sha, size: 1 }]),
        output_digest: Buffer.from(sha256(canonical(body.outputs)), 'hex'),
        blobs: Buffer.from(sha, 'hex'), check_s: 0,
    });
    assert.equal(expect(await client.get(`${next.urls.self}?wait=20`), 200).status, 'succeeded');
});

test('every exchange fitted and the books are right', () => w.verify());
