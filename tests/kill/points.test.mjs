// SPDX-License-Identifier: MIT
// A gateway dies at each of its named points; the other one goes on, and the books still hold.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Http, expect } from '../support/actors.mjs';
import { freePort } from '../support/free_port.mjs';
import { build, eventually, sleep } from '../support/stack.mjs';
import { World } from '../support/world.mjs';

const REWARD = '1000000000000';
let w, stack, sql, safe, client, source, victim;

before(async () => {
    w = await World.up({ OGPU_LEASE_S: '2', OGPU_FEE_BPS: '100' });
    ({ stack, sql, one: safe } = w);
    client = await w.client();
    source = await w.source(client);
});
after(async () => {
    await victim?.end();
    await w?.down();
});

/** A third gateway that will die at `point`; ended() tells the signal. */
async function doomed(point) {
    const at = `127.0.0.1:${await freePort()}`;
    const log = openSync(join(stack.run, 'log/victim.log'), 'a');
    const child = spawn(join(build, 'tests/kill/ogpu-gateway'), [], {
        env: { ...process.env, ...stack.env, ...w.settings, OGPU_LISTEN: at, OGPU_KILLPOINT: point }, stdio: ['ignore', log, log],
    });
    const over = new Promise((done) => child.on('exit', (code, signal) => done(signal ?? code)));
    const url = `http://${at}`;
    const v = { url, ended: () => Promise.race([over, sleep(20_000).then(() => 'still alive')]), end: async () => { child.kill('SIGKILL'); await over; } };
    if (!/^o[14]/.test(point)) {
        await eventually(async () => (await new Http(url).get('/readyz')).status === 200, 'the victim serves');
    }
    victim = v;
    return v;
}

const submit = (http, key, over = {}) =>
    http.post('/v1/tasks', { source: source.id, input: {}, reward: REWARD, racers: 1, ...over }, { 'idempotency-key': key });

const worker = (url = safe) => w.provider(source, url);

/** The task is answered through the safe gateway, whatever became of the victim. */
async function finish(task) {
    const final = await eventually(async () => {
        const p = await worker();
        const claim = await p.claim(5);
        if (claim.status === 200) {
            await p.answer(claim.json, Buffer.from('done'));
        }
        const now = expect(await client.get(`${task.urls.self}?wait=3`), 200);
        return now.status === 'succeeded' && now;
    }, `the end of ${task.id}`, 40_000);
    return final;
}

const audit = () => assert.equal(w.audit(), '');
const broken = (promise) => promise.then((r) => `answered ${r.status}`, () => 'broken');

test('submit, killed with COMMIT on its way: the key makes one task, whichever way it went', async () => {
    for (let i = 0; i < 4; i++) {
        const v = await doomed('g4');
        const key = `kill-g4-${i}`;
        assert.equal(await broken(submit(Object.assign(new Http(v.url, client.token)), key)), 'broken');
        assert.equal(await v.ended(), 'SIGKILL');
        const task = expect(await submit(client, key), 201);
        assert.equal(expect(await submit(client, key), 201).id, task.id);
        const rows = await sql.query('SELECT count(*) FROM idempotency WHERE key = $1', [key]);
        assert.equal(rows[0].count, 1n);
        await finish(task);
    }
    audit();
});

test('respond, killed before its answer: the response stands', async () => {
    const task = expect(await submit(client, 'kill-respond'), 201);
    const v = await doomed('g5');
    const p = await worker();
    const claim = expect(await p.claim(10), 200);
    const sha = await p.upload(claim, Buffer.from('r'));
    const body = await p.responseBody(claim, [{ name: 'r', media_type: 'text/plain', size: 1, sha256: sha }]);
    p.url = v.url;
    assert.equal(await broken(p.post(claim.urls.respond, body)), 'broken');
    assert.equal(await v.ended(), 'SIGKILL');
    p.url = safe;
    assert.equal(expect(await p.post(claim.urls.respond, body), 202).status, 'verifying');
    assert.equal(expect(await client.get(`${task.urls.self}?wait=20`), 200).status, 'succeeded');
    audit();
});

for (const point of ['g5', 'g6']) {
    test(`submit, killed at ${point}: the key answers for the one task`, async () => {
        const v = await doomed(point);
        const key = `kill-${point}`;
        const there = Object.assign(new Http(v.url, client.token));
        assert.equal(await broken(submit(there, key)), 'broken');
        assert.equal(await v.ended(), 'SIGKILL');
        const again = await submit(client, key);
        const task = expect(again, 201);
        assert.equal(again.headers.get('idempotency-replayed'), 'true');
        const rows = await sql.query('SELECT count(*) FROM idempotency WHERE key = $1', [key]);
        assert.equal(rows[0].count, 1n);
        await finish(task);
        audit();
    });

    test(`claim, killed at ${point}: the lease frees the slot`, async () => {
        const task = expect(await submit(client, `kill-claim-${point}`), 201);
        const v = await doomed(point);
        const p = await worker();
        p.url = v.url;
        assert.equal(await broken(p.claim(10)), 'broken');
        assert.equal(await v.ended(), 'SIGKILL');
        const [{ status }] = expect(await client.get(task.urls.attempts), 200).data;
        assert.equal(status, 'live');
        await finish(task);
        audit();
    });
}

for (const point of ['v1', 'v2', 'v3', 'v4']) {
    test(`checks, killed at ${point}: another gateway decides`, async () => {
        const task = expect(await submit(client, `kill-${point}`), 201);
        const v = await doomed(point);
        const p = await worker();
        const claim = expect(await p.claim(10), 200);
        assert.equal(claim.task, task.id);
        p.url = v.url;
        // The answer may still come, or not: what counts is the row.
        await broken(p.answer(claim, Buffer.from(point)));
        assert.equal(await v.ended(), 'SIGKILL');
        // The orphan is due after half a minute; the test does not wait that long.
        await sql.query("UPDATE response SET check_until = ogpu_now() WHERE state = 'checking'");
        assert.equal(expect(await client.get(`${task.urls.self}?wait=20`), 200).status, 'succeeded');
        audit();
    });
}

for (const point of ['o1', 'o2', 'o3']) {
    test(`expiry, killed at ${point}: refunded once`, async () => {
        const before_ = expect(await client.get('/v1/account'), 200).balances;
        const tasks = [];
        for (let i = 0; i < 5; i++) {
            tasks.push(expect(await submit(client, `kill-${point}-${i}`, { expires_in_s: 1 }), 201));
        }
        // The safe gateway's keeper may be first: the victim then has nothing to die for.
        const v = await doomed(point);
        for (const task of tasks) {
            assert.equal(expect(await client.get(`${task.urls.self}?wait=20`), 200).status, 'expired');
        }
        await v.end();
        assert.deepEqual(expect(await client.get('/v1/account'), 200).balances, before_);
        audit();
    });
}

test('killed half way through a resync: the book is filled by another', async () => {
    const tasks = [];
    for (let i = 0; i < 3; i++) {
        tasks.push(expect(await submit(client, `kill-o4-${i}`), 201));
    }
    execFileSync('redis-cli', ['-u', stack.env.REDIS_URL, 'FLUSHALL']);
    const v = await doomed('o4');
    assert.equal(await v.ended(), 'SIGKILL');
    for (const task of tasks) {
        await finish(task);
    }
    audit();
});

test('stopped past its lease: the late answer is refused, the other one paid', async () => {
    const task = expect(await submit(client, 'stop-1'), 201);
    const v = await doomed('g6:1:stop');
    const p = await worker();
    p.url = v.url;
    const hung = p.claim(10).catch(() => undefined);
    await sleep(3500);
    const q = await worker();
    const claim = expect(await q.claim(10), 200);
    assert.equal(claim.task, task.id);
    assert.equal(claim.epoch, 2);
    expect(await q.answer(claim, Buffer.from('s')), 202);
    assert.equal(expect(await client.get(`${task.urls.self}?wait=20`), 200).status, 'succeeded');
    await v.end();
    await hung;
    audit();
});

test('every exchange fitted and the books are right', () => w.verify());
