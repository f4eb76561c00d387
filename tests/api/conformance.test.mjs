// SPDX-License-Identifier: MIT
// Every operation answers every status that the contract names for it, at least once, on real servers; each exchange is judged.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Provider, expect, manifest, sha256 } from '../support/actors.mjs';
import { bookBatch, confirmBatch } from '../support/batch.mjs';
import { multiply, open, root, tree } from '../gpu/prover.mjs';
import { eventually } from '../support/stack.mjs';
import { World, chainEvent, domain, raw } from '../support/world.mjs';

const QUOTA = 100_000;
const octets = { 'content-type': 'application/octet-stream' };
let w, client, source, provider, scopeless;

before(async () => {
    w = await World.up({ OGPU_BLOB_QUOTA_BYTES: String(QUOTA) });
    client = await w.client();
    source = await w.source(client);
    provider = await w.provider(source);
    scopeless = { read: w.key(client, 'blobs:write'), write: w.key(client, 'tasks:read') };
});
after(() => w?.down());

const tagged = (reply) => ({ 'if-none-match': reply.headers.get('etag') });

/** Reads, then reads again with the tag that was given. */
async function readTwice(http, path) {
    const first = await http.get(path);
    expect(first, 200);
    assert.match(first.headers.get('etag'), /^"[^"]+"$/);
    const again = await http.get(path, tagged(first));
    assert.equal(again.status, 304);
    assert.equal(again.bytes.length, 0);
    assert.equal(again.headers.get('etag'), first.headers.get('etag'));
    return first.json;
}

const MISSING = {
    source: 'src_01m826rk20fh3bns8gc9pxehqh', task: 'tsk_01m826rm18fa4azytb7bgkqykk', attempt: 'att_01m826r1fgfa785jf9y9fq15sx',
    provider: 'prv_01m826rg48fw2t5bgvbnps4wbh', batch: 'bat_01m826r2erfgt86rg2dx86nv1c', challenge: 'chl_01m826rpz0exsvkcsyygkys0ra', sha256: 'cd'.repeat(32),
    address: `0x${'12'.repeat(20)}`, file: 'absent.js', word: 'nothing',
};

// A mirrored source's id is version 8 (core/origin.h); what such ids lead to is judged in tests/upstream.
const ON_CHAIN = 'src_0ebn2b3tefgv28v1ppv2mqnghh';

/** Every operation of the contract, with a path of well-formed ids that lead nowhere. */
function operations() {
    return Object.entries(w.contract.document.paths).flatMap(([template, item]) => ['get', 'put', 'post', 'delete'].filter((m) => item[m]).map((m) => ({
        ...item[m],
        method: m.toUpperCase(),
        path: template.replace(/\{(\w+)\}/g, (_, name) => MISSING[name]),
        template,
        body: item[m].requestBody?.content ?? {},
        asks: (item[m].security ?? []).map((s) => Object.keys(s)[0]),
    })));
}

const may = (op, status) => op.responses[status] !== undefined;

/** The headers of one whom the operation admits. */
function admitted(op) {
    const token = op.asks.includes('apiKey') ? client.token : op.asks.includes('providerToken') ? provider.token : null;
    return token ? { authorization: `Bearer ${token}` } : {};
}

async function everyOne(status, ask) {
    const seen = [];
    for (const op of operations().filter((o) => may(o, status))) {
        const reply = await ask(op);
        if (reply) {
            assert.equal(reply.status, status, `${op.operationId}: ${reply.bytes}`);
            seen.push(op.operationId);
        }
    }
    return seen;
}

test('400: what is malformed, at every operation', async () => {
    const seen = await everyOne(400, (op) => {
        const json = op.body['application/json'];
        const two = { authorization: ['Bearer a', 'Bearer b'] };
        return raw(w.one, { method: op.method, path: op.path, headers: { ...admitted(op), ...(json ? { 'content-type': 'application/json' } : {}), ...(op.method === 'PUT' && !json ? two : {}) }, body: op.method === 'PUT' && !json ? undefined : '{"a":' });
    });
    assert.equal(seen.length, operations().length);
});

test('401 without credentials, 403 without the right, wherever credentials are asked for', async () => {
    const seen = await everyOne(401, (op) => raw(w.one, { method: op.method, path: op.path }));
    assert.equal(seen.length, operations().filter((o) => o.asks.length > 0).length);
    await everyOne(403, (op) => {
        const other = op.asks.includes('apiKey') ? (op['x-scopes'].includes('blobs:write') ? scopeless.write : scopeless.read).token : client.token;
        return raw(w.two, { method: op.method, path: op.path, headers: { authorization: `Bearer ${other}` } });
    });
});

test('404 for what is not there', async () => {
    const fresh = { nonce: 1, deadline: Math.floor(Date.now() / 1000) + 60 };
    await everyOne(404, (op) => {
        if (!op.template.includes('{')) {
            return null; // the body names what is missing: the stories below
        }
        const example = op.body['application/json']?.example;
        const body = example && JSON.stringify('nonce' in example ? { ...example, ...fresh } : example);
        // A provider acts on itself alone: the provider in the path is its own, or is no id at all.
        const path = op.path.replace(MISSING.provider, op.asks.length ? (op.path.includes(MISSING.source) ? provider.id : 'prv_x') : MISSING.provider);
        const token = path.includes('/blobs/') && op.method === 'PUT' ? { authorization: `Bearer ${provider.token}` } : admitted(op);
        const query = path.includes('/blobs/') && op.method === 'PUT' ? `?attempt=${MISSING.attempt}` : '';
        return raw(w.one, { method: op.method, path: path + query, headers: { ...token, ...(body ? { 'content-type': 'application/json' } : {}) }, body });
    });
});

test('413 and 415, before the body is read', async () => {
    await everyOne(413, (op) => raw(w.one, { method: op.method, path: op.path, headers: admitted(op), length: (op['x-max-body-bytes'] ?? 65536) + 1 }));
    const seen = await everyOne(415, (op) => raw(w.one, { method: op.method, path: op.path, headers: { ...admitted(op), 'content-type': 'text/plain' }, body: '{}' }));
    assert.equal(seen.length, operations().filter((o) => o.body['application/json']).length);
});

test('422 for a query member nobody knows, at every operation', async () => {
    const seen = await everyOne(422, (op) => raw(w.one, {
        method: op.method, path: `${op.path}?nonsense=1`, headers: { ...admitted(op), ...(op.body['application/json'] ? { 'content-type': 'application/json' } : {}) },
        body: op.body['application/json'] ? JSON.stringify(op.body['application/json'].example) : undefined,
    }));
    assert.equal(seen.length, operations().length);
});

test('documents, health and figures', async () => {
    for (const path of ['/openapi.json', '/openapi.yaml', '/docs/', '/docs/swagger-ui-bundle.js']) {
        await readTwice(client, path);
    }
    for (const path of ['/', '/livez', '/readyz', '/healthz', '/metrics']) {
        expect(await client.get(path), 200);
    }
});

test('sources and their registrations', async () => {
    const absent = manifest({ image: { digest: `sha256:${'ab'.repeat(32)}`, blob: 'ee'.repeat(32) } });
    assert.equal((await client.post('/v1/sources', { manifest: absent })).json.code, 'BLOB_NOT_FOUND');
    const s = await w.source(client, { name: 'short-lived' });
    expect(await client.get('/v1/sources?limit=1'), 200);
    expect(await client.get('/v1/sources?origin=chain'), 200);
    assert.equal((await client.post(`/v1/sources/${ON_CHAIN}/retire`)).json.code, 'ON_CHAIN');
    await readTwice(client, s.urls.self);
    await provider.offer(s);
    expect(await client.get(s.urls.registrations), 200);
    const at = `${s.urls.registrations}/${provider.id}`;
    assert.equal((await provider.call('DELETE', at)).status, 204);
    const again = await provider.registrationBody(s);
    expect(await provider.put(at, again), 200);
    assert.equal((await provider.call('DELETE', at)).status, 204);
    assert.equal((await provider.put(at, again)).json.code, 'NONCE_USED');
    expect(await client.post(s.urls.retire), 200);
    const late = await provider.put(at, await provider.registrationBody(s));
    assert.equal(late.json.code, 'SOURCE_RETIRED');
    assert.equal((await w.submit(client, s)).json.code, 'SOURCE_RETIRED');
});

const card = {
    environment: 'nvidia', name: 'Card', uuid: 'GPU-1', memory_mb: 81920, architecture: 'hopper', compute_capability: '9.0', driver: '570.00',
    cuda: '12.8', ecc: true, mig: false, power_limit_mw: 700000, pcie: { bus_id: '00000000:3B:00.0', generation: 5, width: 16 },
    utilization_percent: 37, state: 'leased',
    telemetry: { memory_used_mb: 512, temperature_c: 61, power_mw: 412000, throttle: ['power_cap', 'thermal'], ecc_corrected: 5, ecc_uncorrected: 0, processes: 1 },
};

test('providers', async () => {
    const p = new Provider(w.one, domain);
    const body = await p.registerBody();
    const made = expect(await p.post('/v1/providers', body), 201);
    assert.equal((await p.post('/v1/providers', body)).json.code, 'NONCE_USED');
    await readTwice(client, made.provider.urls.self);
    expect(await client.get('/v1/providers'), 200);
    const bind = await p.registerBody();
    delete bind.address;
    delete bind.environments;
    expect(await p.post(made.provider.urls.bind, bind), 200);
    assert.equal((await p.post(made.provider.urls.bind, bind)).json.code, 'NONCE_USED');
    p.token = made.token;
    expect(await p.post(made.provider.urls.heartbeat, { devices: [{ environment: 'cpu', name: 'test' }], slots: 1 }), 200);
    const devices = [card, { ...card, uuid: 'MIG-1', parent: card.uuid, state: 'quarantined', fault: { code: 'xid', message: 'XID 79: gone' } }];
    expect(await p.post(made.provider.urls.heartbeat, { devices, slots: 1 }), 200);
    assert.deepEqual(expect(await client.get(made.provider.urls.self), 200).devices, devices);
    for (const [pointer, wrong] of [
        ['/devices/0/state', { state: 'mine' }], ['/devices/0/telemetry/throttle/0', { telemetry: { throttle: ['fear'] } }],
        ['/devices/0/telemetry/temperature_c', { telemetry: { temperature_c: -1 } }], ['/devices/0/telemetry/pid', { telemetry: { pid: 1 } }],
        ['/devices/0/fault/code', { fault: { code: 'X', message: '' } }], ['/devices/0/fault/message', { fault: { code: 'xid' } }],
        ['/devices/0/pcie/bus_id', { pcie: { width: 16 } }], ['/devices/0/pcie/generation', { pcie: { bus_id: '0:1', generation: 0 } }],
        ['/devices/0/compute_capability', { compute_capability: 'nine' }], ['/devices/0/ecc', { ecc: 1 }],
        ['/devices/0/parent', { parent: '' }], ['/devices/0/process_mb', { process_mb: 1 }],
    ]) {
        const refused = await p.post(made.provider.urls.heartbeat, { devices: [{ ...card, ...wrong }] });
        assert.equal(refused.status, 422, pointer);
        assert.deepEqual(refused.json.errors.map((e) => e.pointer), [pointer]);
    }
    assert.deepEqual(expect(await client.get(made.provider.urls.self), 200).devices, devices, 'what was refused changed nothing');
});

test('challenges', async () => {
    const p = await w.provider();
    const device = 'GPU-conformance';
    const path = `/v1/providers/${p.id}/challenges`;
    expect(await p.post(`/v1/providers/${p.id}/heartbeat`, { devices: [{ environment: 'nvidia', name: 'test', uuid: device, memory_mb: 1 }] }), 200);
    assert.equal((await p.post(path, { device: 'GPU-absent' })).json.code, 'DEVICE_NOT_FOUND');
    const c = expect(await p.post(path, { device }), 201);
    assert.equal((await p.post(path, { device })).json.code, 'QUOTA_EXCEEDED');
    for (const id of ['x', MISSING.challenge, MISSING.provider]) {
        assert.equal((await client.get(`${path}/${id}`)).json.code, 'CHALLENGE_NOT_FOUND', id);
    }
    await readTwice(client, c.urls.self);
    expect(await client.get(path), 200);
    const product = multiply(c, () => false);
    const levels = tree(product);
    const drawn = expect(await p.post(c.urls.commit, { root: root(levels) }), 200);
    assert.equal((await p.post(c.urls.commit, { root: 'ab'.repeat(32) })).json.code, 'CHALLENGE_CLOSED');
    expect(await p.post(c.urls.open, { rows: open(product, levels, drawn.open_rows) }), 202);
    await eventually(async () => (await client.get(c.urls.self)).json.status === 'failed', 'the verdict');
    const late = drawn.open_rows.map(() => ({ values: '00000000', path: [] }));
    assert.equal((await p.post(c.urls.open, { rows: late })).json.code, 'VALIDATION_ERROR');
    const other = await w.provider();
    expect(await other.post(`/v1/providers/${other.id}/heartbeat`, { devices: [{ environment: 'nvidia', name: 'test', uuid: device, memory_mb: 1 }] }), 200);
    const d = expect(await other.post(`/v1/providers/${other.id}/challenges`, { device }), 201);
    assert.equal((await other.post(d.urls.open, { rows: late })).json.code, 'CHALLENGE_CLOSED');
});

test('a task lives', async () => {
    assert.equal((await w.submit(client, source, { reward: (2n ** 255n).toString() })).status, 402);
    assert.equal((await w.submit(client, { id: MISSING.source })).status, 404);
    assert.equal((await provider.claim(0)).status, 204);
    const { task, claim } = await w.claimed(client, source, provider);
    expect(await client.get('/v1/tasks'), 200);
    await readTwice(client, task.urls.self);
    assert.equal((await client.post(task.urls.cancel)).json.code, 'TASK_RUNNING');
    const early = await client.get(task.urls.result);
    assert.equal(early.json.code, 'TASK_NOT_DONE');
    assert.equal(early.headers.get('retry-after'), '1');
    expect(await provider.post(claim.urls.heartbeat), 200);
    const at = async () => { const [a] = expect(await client.get(task.urls.attempts), 200).data; return [a.phase, a.pulled_bytes, a.image_bytes]; };
    assert.deepEqual(await at(), [null, null, null]);
    expect(await provider.post(claim.urls.heartbeat, { phase: 'pulling', pulled_bytes: 5, image_bytes: 2 ** 40 }), 200);
    assert.deepEqual(await at(), ['pulling', 5, 2 ** 40]);
    expect(await provider.post(claim.urls.heartbeat, {}), 200);
    assert.deepEqual(await at(), ['pulling', 5, 2 ** 40], 'silence changes nothing');
    expect(await provider.post(claim.urls.heartbeat, { phase: 'running', pulled_bytes: 5 }), 200);
    assert.deepEqual(await at(), ['running', null, null]);
    for (const wrong of [{ phase: 'sleeping' }, { pulled_bytes: -1 }, { image_bytes: 1.5 }, { pulled: 1 }]) {
        assert.equal((await provider.post(claim.urls.heartbeat, wrong)).status, 422, JSON.stringify(wrong));
    }
    const done = await provider.answer(claim, Buffer.from('hello'));
    expect(done, 202);
    const outputs = [{ name: 'x', media_type: 'text/plain', size: 5, sha256: sha256('hello') }];
    assert.equal((await provider.post(claim.urls.respond, await provider.responseBody(claim, outputs))).status, 409);
    await eventually(async () => (await client.get(`${task.urls.self}?wait=10`)).json.status === 'succeeded', 'acceptance');
    assert.equal((await provider.post(claim.urls.fail, { code: 'late', message: '' })).json.code, 'LEASE_LOST');
    await readTwice(client, task.urls.result);
    expect(await client.get(task.urls.attempts), 200);
    expect(await client.get(task.urls.events), 200);
    const refused = await provider.put(claim.urls.blobs.replace('{sha256}', sha256('late')), Buffer.from('late'), octets);
    assert.equal(refused.json.code, 'LEASE_LOST');
    const canceled = expect(await w.submit(client, source), 201);
    assert.equal(expect(await client.post(canceled.urls.cancel), 200).status, 'canceled');
    const { claim: failing } = await w.claimed(client, source, await w.provider(source));
    assert.equal((await provider.post(failing.urls.fail, { code: 'no', message: '' })).status, 404);
});

test('an attempt is given up', async () => {
    const p = await w.provider(source);
    const { claim } = await w.claimed(client, source, p);
    assert.equal(expect(await p.post(claim.urls.fail, { code: 'out_of_memory', message: 'killed' }), 200).status, 'failed');
});

test('blobs', async () => {
    const body = Buffer.from('some bytes');
    const path = `/v1/blobs/${sha256(body)}`;
    expect(await client.put(path, body, octets), 201);
    expect(await client.put(path, body, octets), 200);
    await readTwice(client, path);
    assert.equal((await client.get(path, { range: 'bytes=2-4' })).status, 206);
    assert.equal((await client.get(path, { range: 'bytes=10-' })).status, 416);
    const much = Buffer.alloc(QUOTA, 'x');
    const full = await client.put(`/v1/blobs/${sha256(much)}`, much, octets);
    assert.equal(full.json.code, 'QUOTA_EXCEEDED');
    assert.ok(Number(full.headers.get('retry-after')) > 0);
});

test('the account and its withdrawals', async () => {
    await readTwice(client, '/v1/account');
    expect(await client.get('/v1/account/ledger'), 200);
    expect(await client.post('/v1/withdrawals', { amount: '5000000000000' }), 201);
    assert.equal((await client.post('/v1/withdrawals', { amount: (10n ** 30n).toString() })).status, 402);
    expect(await client.get('/v1/withdrawals'), 200);
});

test('what no settlement batch could ever hold is refused, once the books know the daily cap', async () => {
    const cap = (units) => w.sql.write('book_noted', { ...chainEvent(), kind: 'daily_cap_set', chain_id: null, units: null, data: Buffer.from(units.toString(16).padStart(64, '0'), 'hex') });
    const large = { amount: '10000000000001' };
    expect(await client.post('/v1/withdrawals', large), 201);
    await cap(11n);
    const key = { 'idempotency-key': randomUUID() };
    const refused = await client.post('/v1/withdrawals', large, key);
    assert.deepEqual([refused.status, refused.json.code], [422, 'PAYOUT_TOO_LARGE']);
    assert.equal(refused.json.detail, '/amount: make several withdrawals; by the contract\'s daily cap a batch holds a payout of at most 10000000000000 wei.');
    expect(await client.post('/v1/withdrawals', { amount: '10000000000000' }), 201);
    const task = await w.submit(client, source, { reward: '10000000000001' });
    assert.deepEqual([task.status, task.json.code], [422, 'PAYOUT_TOO_LARGE']);
    assert.match(task.json.detail, /^\/reward: .* 10000000000000 wei\.$/);
    for (const units of [2n ** 64n - 1n, 2n ** 63n - 1n]) {
        await cap(units);
        expect(await client.post('/v1/withdrawals', large, key), 201);
        expect(await w.submit(client, source, { reward: '10000000000001' }), 201);
    }
});

test('settlements and proofs', async () => {
    const batch = await confirmBatch(w);
    expect(await client.get('/v1/settlements'), 200);
    await readTwice(client, `/v1/settlements/${batch.id}`);
    await readTwice(client, `/v1/proofs/${client.account.address}`);
});

test('proofs of scores and tasks: not before the task is done, not before its batch is final', async () => {
    const own = await w.source(client, { name: 'proved' });
    const p = await w.provider(own);
    const account = `0x${'00'.repeat(19)}ff`;
    assert.equal((await client.get(`/v1/proofs/${account}`)).json.code, 'PROOF_NOT_FOUND');
    const scores = `/v1/providers/${p.id}/reputation/proof`;
    assert.equal((await client.get(scores)).json.code, 'PROOF_NOT_FOUND');
    const events = `/v1/providers/${p.id}/reputation/events`;
    assert.equal((await client.get(events)).json.code, 'PROOF_NOT_FOUND');
    const { task, claim } = await w.claimed(client, own, p);
    const proof = `${task.urls.self}/proof`;
    assert.equal((await client.get(proof)).json.code, 'TASK_NOT_DONE');
    expect(await p.answer(claim, Buffer.from('proved')), 202);
    expect(await client.get(`${task.urls.self}?wait=20`), 200);
    assert.equal((await client.get(proof)).json.code, 'PROOF_NOT_FINAL');
    await w.onChain(p.master.address);
    const sealed = await confirmBatch(w, false);
    for (const path of [proof, scores, events, `/v1/proofs/${p.master.address}`]) {
        const early = await client.get(path);
        assert.equal(early.status, 409);
        assert.equal(early.json.code, 'PROOF_NOT_FINAL');
    }
    await bookBatch(w, sealed);
    const score = await readTwice(client, scores);
    assert.deepEqual([score.leaf.accepted, score.leaf.score, score.leaf.epoch], [1, 5151, Number(sealed.epoch)]);
    await readTwice(client, `${scores}?epoch=${sealed.epoch}`);
    const [event] = (await readTwice(client, `${events}?epoch=${sealed.epoch}`)).data;
    assert.deepEqual([event.kind, event.task, event.attempt], ['accepted', task.id, claim.attempt]);
    assert.equal((await client.get(`${events}?epoch=${sealed.epoch + 1n}`)).json.code, 'PROOF_NOT_FOUND');
    assert.equal((await client.get(`${scores}?epoch=${sealed.epoch + 1n}`)).json.code, 'PROOF_NOT_FOUND');
    const shown = await readTwice(client, proof);
    assert.equal(shown.inclusion.root, (await client.get(`/v1/settlements/${sealed.id}`)).json.log_root);
    assert.equal((await (await w.client()).get(proof)).json.code, 'TASK_NOT_FOUND', 'another account');
    const canceled = expect(await w.submit(client, source), 201);
    expect(await client.post(canceled.urls.cancel), 200);
    assert.equal((await client.get(`${canceled.urls.self}/proof`)).json.code, 'TASK_CLOSED');
});

test('once a forced exit has begun on chain, nothing new is taken', async () => {
    assert.equal(expect(await client.get('/v1/account'), 200).exit_at, null);
    await w.sql.write('book_exit_begun', { ...chainEvent(), exit_at: 1_800_000_000_000_000n });
    assert.equal((await client.post('/v1/withdrawals', { amount: '5000000000000' })).json.code, 'EXIT_BEGUN');
    assert.equal((await w.submit(client, source)).json.code, 'EXIT_BEGUN');
    const account = expect(await client.get('/v1/account'), 200);
    assert.equal(account.exit_at, '2027-01-15T08:00:00.000000Z');
    assert.deepEqual(account.stake, { locked: '0', unbonding: '0', sanctioned: '0' });
});

test('every exchange fitted and the books are right', () => w.verify());

test('not ready when the database is away', async () => {
    await w.sql.close();
    w.sql = undefined;
    w.shell('stop postgres');
    for (const path of ['/readyz', '/healthz']) {
        await eventually(async () => (await client.get(path)).status === 503, `${path} says no`);
    }
    const refused = await client.get('/v1/sources');
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get('retry-after'), '1');
    assert.deepEqual([...new Set(w.wrong)], []);
});

test('nothing that is documented went unseen', () => assert.deepEqual(w.contract.missing(), []));
