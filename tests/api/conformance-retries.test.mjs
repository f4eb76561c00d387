// SPDX-License-Identifier: MIT
// Idempotency-Key: one effect and one reply, whichever gateway, however often, however late; bound to account and request.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Http, expect, manifest } from '../support/actors.mjs';
import { World, raw } from '../support/world.mjs';

let w, client, source, provider;

before(async () => {
    w = await World.up();
    client = await w.client();
    source = await w.source(client);
    provider = await w.provider(source);
});
after(() => w?.down());

const at = (url, http = client) => new Http(url, http.token);
const both = (i) => at(i % 2 ? w.one : w.two);
const key = () => ({ 'idempotency-key': randomUUID() });
const order = (over = {}) => ({ source: source.id, input: { n: 1 }, reward: '1000000000000', ...over });
const count = async (table) => Number((await w.sql.query(`SELECT count(*) AS n FROM ${table}`))[0].n);

/** A reply without what is each exchange's own. */
const parts = (reply) => ({ status: reply.status, bytes: reply.bytes.toString(), location: reply.headers.get('location'), etag: reply.headers.get('etag') });
const replayed = (reply) => reply.headers.get('idempotency-replayed') === 'true';

// What makes something under a key: the call, the table that grows, the body and another one.
const makers = {
    task: { path: '/v1/tasks', table: 'task', body: () => order(), other: () => order({ reward: '2000000000000' }) },
    source: { path: '/v1/sources', table: 'source', body: () => ({ manifest: manifest() }), other: () => ({ manifest: manifest({ name: 'other' }) }) },
    withdrawal: { path: '/v1/withdrawals', table: 'withdrawal', body: () => ({ amount: '1000000000000' }), other: () => ({ amount: '2000000000000' }) },
};

for (const [what, m] of Object.entries(makers)) {
    test(`100 at once with one key over both gateways make one ${what}`, async () => {
        const [was, k] = [await count(m.table), key()];
        const replies = await Promise.all(Array.from({ length: 100 }, (_, i) => both(i).post(m.path, m.body(), k)));
        assert.equal(await count(m.table), was + 1);
        const [first] = replies;
        for (const reply of replies) {
            expect(reply, 201);
            assert.deepEqual(parts(reply), parts(first));
        }
        assert.equal(replies.filter((r) => !replayed(r)).length, 1);
    });

    test(`a ${what}'s key: another body, another account, another path, the other spelling`, async () => {
        const k = key();
        const first = await at(w.one).post(m.path, m.body(), k);
        expect(first, 201);
        const was = await count(m.table);
        for (const url of [w.one, w.two]) {
            const other = await at(url).post(m.path, m.other(), k);
            assert.equal(other.status, 422);
            assert.equal(other.json.code, 'IDEMPOTENCY_KEY_REUSED');
            const quoted = await at(url).post(m.path, m.body(), { 'idempotency-key': `"${k['idempotency-key']}"` });
            assert.deepEqual(parts(quoted), parts(first));
            assert.ok(replayed(quoted));
        }
        for (const [name, n] of Object.entries(makers).filter(([name]) => name !== what)) {
            assert.equal((await client.post(n.path, n.body(), k)).json.code, 'IDEMPOTENCY_KEY_REUSED', name);
        }
        assert.equal(await count(m.table), was);
        const someone = await w.client();
        const theirs = await someone.post(m.path, m.body(), k);
        expect(theirs, 201);
        assert.ok(!replayed(theirs));
        assert.notEqual(theirs.json.id, first.json.id);
        assert.equal(await count(m.table), was + 1);
    });
}

test('another key of the account retries as well as the first', async () => {
    const k = key();
    const first = await client.post('/v1/tasks', order(), k);
    const again = await w.key(client).post('/v1/tasks', order(), k);
    assert.deepEqual(parts(again), parts(first));
    assert.ok(replayed(again));
});

test('the same request in other bytes is another request', async () => {
    const k = key();
    const text = JSON.stringify(order());
    const send = (body) => raw(w.one, { method: 'POST', path: '/v1/tasks', headers: { authorization: `Bearer ${client.token}`, 'content-type': 'application/json', ...k }, body });
    expect(await send(text), 201);
    assert.equal((await send(text.replace(',', ', '))).json.code, 'IDEMPOTENCY_KEY_REUSED');
    assert.ok(replayed(await send(text)));
});

test('after the task moved on, and the source was retired, the first reply comes again', async () => {
    const s = await w.source(client, { name: 'moves on' });
    const p = await w.provider(s);
    const [k, body] = [key(), order({ source: s.id, racers: 1, metadata: { order: '17' } })];
    const first = await client.post('/v1/tasks', body, k);
    const task = expect(first, 201);
    const claim = expect(await p.claim(20), 200);
    expect(await p.answer(claim, Buffer.from('x')), 202);
    assert.equal(expect(await client.get(`${task.urls.self}?wait=20`), 200).status, 'succeeded');
    expect(await client.post(s.urls.retire), 200);
    for (const url of [w.one, w.two]) {
        const again = await at(url).post('/v1/tasks', body, k);
        assert.deepEqual(parts(again), parts(first));
        assert.ok(replayed(again));
        assert.equal(again.json.status, 'queued');
    }
    const sourceKey = key();
    const made = await client.post('/v1/sources', { manifest: manifest() }, sourceKey);
    expect(await client.post(made.json.urls.retire), 200);
    await (await w.provider()).offer(source);
    const again = await at(w.two).post('/v1/sources', { manifest: manifest() }, sourceKey);
    assert.deepEqual(parts(again), parts(made));
});

test('a refusal is kept as well: 402 stays 402 when the money has come', async () => {
    const poor = await w.client(0n);
    const k = key();
    const first = await poor.post('/v1/tasks', order(), k);
    assert.equal(first.status, 402);
    assert.ok(!replayed(first));
    await w.deposit(poor.account.address, 10n ** 18n);
    for (const url of [w.one, w.two]) {
        const again = await at(url, poor).post('/v1/tasks', order(), k);
        assert.equal(again.status, 402);
        assert.ok(replayed(again));
        assert.deepEqual({ ...again.json, request_id: 0, error: { ...again.json.error, request_id: 0 } }, { ...first.json, request_id: 0, error: { ...first.json.error, request_id: 0 } });
    }
    expect(await poor.post('/v1/tasks', order(), key()), 201);
});

test('what was refused before it ran is not kept', async () => {
    const k = key();
    assert.equal((await client.post('/v1/tasks', { ...order(), racers: 9 }, k)).status, 422);
    assert.equal((await raw(w.one, { method: 'POST', path: '/v1/tasks', headers: { authorization: `Bearer ${client.token}`, 'content-type': 'application/json', ...k }, body: '{' })).status, 400);
    assert.equal((await new Http(w.one).post('/v1/tasks', order(), k)).status, 401);
    const made = await client.post('/v1/tasks', order(), k);
    expect(made, 201);
    assert.ok(!replayed(made));
});

test('keys of every form', async () => {
    const form = async (value, task = order()) => raw(w.one, {
        method: 'POST', path: '/v1/tasks', headers: { authorization: `Bearer ${client.token}`, 'content-type': 'application/json', 'idempotency-key': value }, body: JSON.stringify(task),
    });
    const same = async (a, b) => {
        const [x, y] = [await form(a), await form(b)];
        assert.deepEqual(parts(x), parts(y), `${a} ${b}`);
        assert.ok(replayed(y));
    };
    const tag = randomUUID();
    await same(`${tag}-a`, `"${tag}-a"`);
    await same(`"${tag}\\"q\\\\"`, `${tag}"q\\`);
    await same(`"${tag} with blanks"`, `"${tag} with blanks"`);
    await same(`${tag}!#$%&'()*+,-./:;<=>?@[]^_{|}~`, `"${tag}!#$%&'()*+,-./:;<=>?@[]^_{|}~"`);
    await same(tag.padEnd(255, 'x'), `"${tag.padEnd(255, 'x')}"`);
    expect(await form('A'), 201);
    assert.ok(!replayed(await form('a'))); // keys differ by case
    const bad = ['', '""', '"open', 'with blank', `"${tag}"x`, '"a\\n"', '"a\\"', 'ä', '"ä"', '"a"b"', 'x'.repeat(256), `"${'x'.repeat(256)}"`, ['a', 'b'], 'a\tb'];
    const was = await count('task');
    for (const value of bad) {
        const reply = await form(value);
        assert.equal(reply.status, 400, `${value}: ${reply.bytes}`);
        assert.ok(Array.isArray(value) || reply.json.code === 'BAD_IDEMPOTENCY_KEY', `${value}: ${reply.bytes}`);
    }
    assert.equal(await count('task'), was);
});

test('what is the same when done twice takes a key and needs none', async () => {
    const task = expect(await client.post('/v1/tasks', order()), 201);
    const k = key();
    const replies = await Promise.all(Array.from({ length: 20 }, (_, i) => both(i).post(task.urls.cancel, {}, k)));
    for (const reply of replies) {
        assert.equal(expect(reply, 200).status, 'canceled');
        assert.deepEqual(parts(reply), parts(replies[0]));
    }
    const [{ n }] = await w.sql.query(`SELECT count(*) AS n FROM ledger_entry WHERE kind = 'refund' AND amount = 1000000000000 AND at > now() - interval '1 minute'`);
    assert.equal(Number(n), 1);
    assert.equal((await client.post(task.urls.cancel, {}, { 'idempotency-key': '' })).status, 400);
});

// Every operation that takes a key binds it to one request: what must be in this table is what the contract says.
const keyed = {
    createTask: async () => ['/v1/tasks', order()],
    createSource: async () => ['/v1/sources', { manifest: manifest() }],
    createWithdrawal: async () => ['/v1/withdrawals', { amount: '1000000000000' }],
    cancelTask: async () => [expect(await client.post('/v1/tasks', order()), 201).urls.cancel, {}],
    retireSource: async () => [(await w.source(client, { name: 'to retire' })).urls.retire, {}],
};

test('a key is bound to its request at every operation that takes one', async () => {
    const takers = Object.values(w.contract.document.paths).flatMap((item) => Object.values(item)).filter((o) => o.parameters?.some((p) => w.contract.resolve(p).name === 'Idempotency-Key'));
    assert.deepEqual(takers.map((o) => o.operationId).sort(), Object.keys(keyed).sort());
    for (const [what, make] of Object.entries(keyed)) {
        const k = key();
        const [path, body] = await make();
        const first = await at(w.one).post(path, body, k);
        assert.ok(first.status === 200 || first.status === 201, what);
        assert.ok(!replayed(first), what);
        const again = await at(w.two).post(path, body, k);
        assert.deepEqual(parts(again), parts(first), what);
        assert.ok(replayed(again), what);
        for (const [name, other] of Object.entries(keyed)) {
            const [elsewhere, given] = await other();
            const reused = await both(name.length).post(elsewhere, given, k);
            assert.equal(reused.status, name === what && /^create/.test(name) ? first.status : 422, `${name} with the key of ${what}`);
            assert.ok(reused.status !== 422 || reused.json.code === 'IDEMPOTENCY_KEY_REUSED');
        }
    }
});

test('cancel and retire: another target, at once and later; a refusal is kept; another account is another matter', async () => {
    const k = key();
    const targets = await Promise.all(Array.from({ length: 20 }, async () => expect(await client.post('/v1/tasks', order()), 201)));
    const replies = await Promise.all(targets.map((t, i) => both(i).post(t.urls.cancel, {}, k)));
    assert.equal(replies.filter((r) => r.status === 200).length, 1, 'one of twenty');
    assert.deepEqual([...new Set(replies.filter((r) => r.status !== 200).map((r) => r.json.code))], ['IDEMPOTENCY_KEY_REUSED']);
    for (const [i, t] of targets.entries()) {
        assert.equal(expect(await client.get(t.urls.self), 200).status, replies[i].status === 200 ? 'canceled' : 'queued');
    }
    const refusal = key();
    const own = await w.source(client, { name: 'busy' });
    const p = await w.provider(own);
    const { task, claim } = await w.claimed(client, own, p);
    assert.equal((await client.post(task.urls.cancel, {}, refusal)).json.code, 'TASK_RUNNING');
    expect(await p.post(claim.urls.fail, { code: 'no', message: '', released: true }), 200);
    const kept = await client.post(task.urls.cancel, {}, refusal);
    assert.equal(kept.json.code, 'TASK_RUNNING');
    assert.ok(replayed(kept));
    expect(await client.post(task.urls.cancel, {}, key()), 200);
    const someone = await w.client();
    assert.equal((await someone.post(own.urls.retire, {}, k)).json.code, 'SOURCE_NOT_FOUND');
    assert.equal((await someone.post(task.urls.cancel, {}, k)).json.code, 'IDEMPOTENCY_KEY_REUSED', 'its own key, used by the refusal');
    expect(await client.post(own.urls.retire, {}, key()), 200);
});

test('a claim, a response and a failure are one each, however often they are sent', async () => {
    // A source of its own: each of the claims holds a slot for a moment, and any of them may become the one.
    const own = await w.source(client, { name: 'once' });
    const provider = await w.provider(own);
    for (let i = 0; i < 20; i++) expect(await client.post('/v1/tasks', order({ source: own.id, racers: 1 })), 201);
    const ref = randomUUID();
    const claims = await Promise.all(Array.from({ length: 20 }, (_, i) => new Http(i % 2 ? w.one : w.two, provider.token).post('/v1/claims', { claim_ref: ref, sources: [own.id] })));
    const attempts = new Set(claims.map((c) => expect(c, 200).attempt));
    assert.equal(attempts.size, 1);
    const [claim] = claims.map((c) => c.json);
    const mine = expect(await client.get(`/v1/tasks/${claim.task}/attempts`), 200).data;
    assert.equal(mine.length, 1);
    const sha = await provider.upload(claim, Buffer.from('once'));
    const body = await provider.responseBody(claim, [{ name: 'a', media_type: 'text/plain', size: 4, sha256: sha }]);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => new Http(i % 2 ? w.one : w.two, provider.token).post(claim.urls.respond, body)));
    for (const a of answers) {
        assert.deepEqual(expect(a, 202), answers[0].json);
    }
    assert.equal(expect(await client.get(`/v1/tasks/${claim.task}?wait=20`), 200).status, 'succeeded');
    assert.equal(expect(await provider.post(claim.urls.respond, body), 202).response, answers[0].json.response);
});

test('every exchange fitted and the books are right', () => w.verify());
