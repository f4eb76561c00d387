// SPDX-License-Identifier: MIT
// How a race ends: the first that passes is paid less the fee, the others stop; too many failures give the money back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { expect } from '../support/actors.mjs';
import { eventually } from '../support/stack.mjs';
import { World } from '../support/world.mjs';

const REWARD = 10n ** 15n + 3n;
const FEE = REWARD * 250n / 10_000n;
let w, sql, one, client, source;

before(async () => {
    w = await World.up({ OGPU_ATTEMPTS_MAX: '2', OGPU_FEE_BPS: '250', OGPU_LEASE_S: '20' });
    ({ sql, one } = w);
    client = await w.client();
    source = await w.source(client);
});
after(() => w?.down());

const worker = (url) => w.provider(source, url);

const submit = async (over = {}) => expect(await client.post('/v1/tasks', { source: source.id, input: {}, reward: REWARD.toString(), ...over }), 201);
const balances = async () => expect(await client.get('/v1/account'), 200).balances;
const attempts = async (task) => expect(await client.get(task.urls.attempts), 200).data;
const earned = async (p) => {
    const [row] = await sql.query('SELECT payable FROM balance b JOIN account a ON a.id = b.account_id WHERE a.address = $1', [Buffer.from(p.master.address.slice(2), 'hex')]);
    return BigInt(row.payable);
};

const audit = () => assert.equal(w.audit(), '');

test('the first that passes is paid less the fee, the others are told to stop', async () => {
    const [p, q, r] = [await worker(), await worker(one), await worker()];
    const task = await submit({ racers: 3 });
    assert.equal(task.fee, FEE.toString());
    const claims = [];
    for (const x of [p, q, r]) {
        claims.push(expect(await x.claim(10), 200));
    }
    assert.deepEqual(claims.map((c) => c.epoch), [1, 2, 3]);
    expect(await q.answer(claims[1], Buffer.from('first')), 202);
    const done = expect(await client.get(`${task.urls.self}?wait=10`), 200);
    assert.equal(done.status, 'succeeded');
    assert.equal(done.result.provider, q.id);
    assert.deepEqual((await attempts(task)).map((a) => a.status), ['beaten', 'won', 'beaten']);
    const beat = expect(await p.post(claims[0].urls.heartbeat), 200);
    assert.deepEqual([beat.stop, beat.reason], [true, 'beaten']);
    const late = await r.put(claims[2].urls.blobs.replace('{sha256}', 'ab'.repeat(32)), Buffer.from('x'), { 'content-type': 'application/octet-stream' });
    assert.equal(late.json.code, 'LEASE_LOST');
    assert.deepEqual(await Promise.all([p, q, r].map(earned)), [0n, REWARD - FEE, 0n]);
    const kinds = expect(await client.get('/v1/account/ledger?limit=3'), 200).data.map((e) => [e.kind, e.amount]);
    assert.deepEqual(new Map(kinds), new Map([['fee', FEE.toString()], ['accept', (REWARD - FEE).toString()], ['freeze', REWARD.toString()]]));
    audit();
});

test('too many failures end the task and give the reward back', async () => {
    const before_ = await balances();
    const [p, q] = [await worker(), await worker(one)];
    const task = await submit({ racers: 1 });
    const first = expect(await p.claim(10), 200);
    assert.equal(expect(await p.post(first.urls.fail, { code: 'out_of_memory', message: 'killed at 64 MiB' }), 200).status, 'failed');
    assert.equal(expect(await p.post(first.urls.fail, { code: 'out_of_memory', message: 'killed at 64 MiB' }), 200).status, 'failed');
    const second = expect(await q.claim(10), 200);
    assert.equal(second.task, task.id);
    expect(await q.post(second.urls.fail, { code: 'exit_1', message: 'said no' }), 200);
    const done = expect(await client.get(`${task.urls.self}?wait=10`), 200);
    assert.equal(done.status, 'failed');
    assert.equal(done.error.code, 'attempts_exhausted');
    assert.match(done.error.message, /said no/);
    assert.deepEqual((await attempts(task)).map((a) => a.error.code), ['out_of_memory', 'exit_1']);
    assert.deepEqual(await balances(), before_);
    assert.equal((await client.get(task.urls.result)).json.code, 'TASK_CLOSED');
    audit();
});

test('what is given back costs nothing, and its provider may try again', async () => {
    const p = await worker();
    const task = await submit({ racers: 1 });
    for (let i = 0; i < 4; i++) {
        const claim = expect(await p.claim(15), 200);
        assert.equal(claim.task, task.id);
        assert.equal(expect(await p.post(claim.urls.fail, { code: 'draining', message: '', released: true }), 200).status, 'released');
    }
    const last = expect(await p.claim(15), 200);
    assert.equal(last.epoch, 5);
    expect(await p.answer(last, Buffer.from('at last')), 202);
    assert.equal(expect(await client.get(`${task.urls.self}?wait=10`), 200).status, 'succeeded');
    audit();
});

test('a wrong response counts as a failure, the next one wins', async () => {
    const [p, q] = [await worker(), await worker(one)];
    const task = await submit({ racers: 2 });
    const [a, b] = [expect(await p.claim(10), 200), expect(await q.claim(10), 200)];
    const sha = await p.upload(a, Buffer.from('three'));
    const lied = [{ name: 'o', media_type: 'text/plain', size: 3, sha256: sha }];
    expect(await p.post(a.urls.respond, await p.responseBody(a, lied)), 202);
    await eventually(async () => (await attempts(task))[0].status === 'rejected', 'the rejection');
    expect(await q.answer(b, Buffer.from('right')), 202);
    const done = expect(await client.get(`${task.urls.self}?wait=10`), 200);
    assert.deepEqual([done.status, done.result.provider], ['succeeded', q.id]);
    assert.deepEqual((await attempts(task)).map((x) => x.status), ['rejected', 'won']);
    const record = expect(await p.get(`/v1/providers/${p.id}`), 200).record;
    assert.deepEqual(record, { accepted: 0, rejected: 1, lapsed: 0 });
    audit();
});

test('outputs beyond the limits of the source are rejected', async () => {
    const p = await worker();
    const task = await submit({ racers: 1 });
    const claim = expect(await p.claim(10), 200);
    const outputs = [];
    for (let i = 0; i < 5; i++) {
        outputs.push({ name: `f${i}`, media_type: 'text/plain', size: 1, sha256: await p.upload(claim, Buffer.from(String(i))) });
    }
    expect(await p.post(claim.urls.respond, await p.responseBody(claim, outputs)), 202);
    const [attempt] = await eventually(async () => {
        const list = await attempts(task);
        return list[0].status === 'rejected' && list;
    }, 'the rejection');
    assert.match(attempt.error.message, /5 files, the source allows 4/);
    const q = await worker();
    expect(await q.answer(expect(await q.claim(10), 200), Buffer.from('ok')), 202);
    assert.equal(expect(await client.get(`${task.urls.self}?wait=10`), 200).status, 'succeeded');
    audit();
});

test('every exchange fitted and the books are right', () => w.verify());
