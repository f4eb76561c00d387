// SPDX-License-Identifier: MIT
// Proofs of matrix work through real gateways: honest, forged, partial, too small, replayed, late and relayed ones.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { expect } from '../support/actors.mjs';
import { eventually } from '../support/stack.mjs';
import { World } from '../support/world.mjs';
import { multiply, open, root, tree } from './prover.mjs';

let w;
before(async () => { w = await World.up(); });
after(() => w?.down());

let serial = 0;
const card = (memory_mb = 1) => ({ environment: 'nvidia', name: 'Test card', uuid: `GPU-test-${++serial}`, memory_mb });

/** A provider whose last heartbeat told of one device. */
async function owner(device = card()) {
    const p = await w.provider();
    expect(await p.post(`/v1/providers/${p.id}/heartbeat`, { devices: [device] }), 200);
    p.device = device.uuid;
    p.challenges = `/v1/providers/${p.id}/challenges`;
    return p;
}

const ask = async (p) => expect(await p.post(p.challenges, { device: p.device }), 201);
const commit = (p, c, levels) => p.post(c.urls.commit, { root: root(levels) });
const read = async (p, c) => expect(await p.get(c.urls.self), 200);

/** The verdict, when it is there. */
async function verdict(p, c) {
    let now;
    await eventually(async () => ['passed', 'failed'].includes((now = await read(p, c)).status), 'a verdict');
    return now;
}

/** A whole proof of `product`. */
async function prove(p, c, product) {
    const levels = tree(product);
    const drawn = expect(await commit(p, c, levels), 200);
    assert.equal(drawn.status, 'committed');
    expect(await p.post(c.urls.open, { rows: open(product, levels, drawn.open_rows) }), 202);
    return verdict(p, c);
}

test('an honest device passes, in either gateway, and its rate is published', async () => {
    const p = await owner();
    const c = await ask(p);
    assert.equal(c.status, 'issued');
    assert.ok(c.rows * (c.inner + 4 * c.cols) + c.inner * c.cols > 0.87 * 2 ** 20);
    assert.deepEqual([c.root, c.open_rows, c.gops_per_s], [null, null, null]);
    p.url = w.one;
    const done = await prove(p, c, multiply(c));
    assert.equal(done.status, 'passed', done.reason);
    const seconds = (Date.parse(done.committed_at) - Date.parse(done.issued_at)) / 1000;
    assert.ok(Math.abs(done.gops_per_s - 2 * c.rows * c.inner * c.cols / 1e9 / seconds) <= 1);
    const listed = expect(await p.get(p.challenges), 200);
    assert.deepEqual(listed.data, [done]);
});

test('a larger claim is a larger proof', async () => {
    const [small, large] = [await ask(await owner(card(2))), await ask(await owner(card(3)))];
    assert.ok(large.rows > small.rows);
    const real = await ask(await owner(card(143_771)));
    assert.ok(real.rows * (real.inner + 4 * real.cols) > 0.87 * 143_771 * 2 ** 20);
    const none = await owner(card(0));
    assert.equal((await none.post(none.challenges, { device: none.device })).json.code, 'DEVICE_NOT_FOUND');
});

test('forged: a product that is not, from a wrong element to no work at all', async () => {
    for (const forge of [(m) => m.forEach((row, i) => { row[i % row.length] += 1; }), (m) => m.forEach((row) => row.fill(0)), (m) => m.forEach((row) => row.sort())]) {
        const p = await owner();
        const c = await ask(p);
        const product = multiply(c);
        forge(product);
        const done = await prove(p, c, product);
        assert.equal(done.status, 'failed');
        assert.match(done.reason, /^row \d+ is not a row of the product$/);
        assert.equal(done.gops_per_s, null);
    }
});

test('partial: half of the rows left out', async () => {
    const p = await owner();
    const c = await ask(p);
    assert.equal((await prove(p, c, multiply(c, (i) => i % 2))).status, 'failed'); // passes once in 2^64
});

test('computed after the draw: right rows that the root does not hold', async () => {
    const p = await owner();
    const c = await ask(p);
    const empty = multiply(c, () => false);
    const drawn = expect(await commit(p, c, tree(empty)), 200);
    const product = multiply(c, (i) => drawn.open_rows.includes(i));
    const refused = await p.post(c.urls.open, { rows: open(product, tree(product), drawn.open_rows) });
    assert.equal(refused.json.code, 'PROOF_REJECTED');
    assert.equal((await read(p, c)).status, 'failed');
    assert.equal((await p.post(c.urls.open, { rows: open(empty, tree(empty), drawn.open_rows) })).json.code, 'CHALLENGE_CLOSED');
});

test('smaller: the proof of a lesser card', async () => {
    const p = await owner(card(2));
    const c = await ask(p);
    const lesser = { ...c, rows: c.rows / 2 | 0 };
    const product = multiply(lesser);
    const levels = tree(product);
    const drawn = expect(await commit(p, c, levels), 200);
    assert.ok(drawn.open_rows.some((i) => i >= lesser.rows)); // fails to be so once in 2^64
    const rows = open(product, levels, drawn.open_rows.map((i) => i % lesser.rows));
    const refused = await p.post(c.urls.open, { rows });
    assert.equal(refused.status, 422);
    // paths of the wrong length are malformed, others lead elsewhere; neither proves anything
    assert.ok(['VALIDATION_ERROR', 'PROOF_REJECTED'].includes(refused.json.code));
});

test('replayed: an old proof proves nothing, the same step twice does no harm', async () => {
    const [p, q] = [await owner(), await owner()];
    const [c, d] = [await ask(p), await ask(q)];
    assert.notEqual(c.seed, d.seed);
    const product = multiply(c);
    const levels = tree(product);
    const first = expect(await commit(p, c, levels), 200);
    assert.deepEqual(expect(await commit(p, c, levels), 200), first); // one draw for one root
    assert.equal((await p.post(c.urls.commit, { root: 'ab'.repeat(32) })).json.code, 'CHALLENGE_CLOSED');
    const body = { rows: open(product, levels, first.open_rows) };
    expect(await p.post(c.urls.open, body), 202);
    assert.equal((await verdict(p, c)).status, 'passed');
    assert.equal(expect(await p.post(c.urls.open, body), 202).status, 'passed');
    // another challenge has another seed: the same rows are no rows of its product
    const again = expect(await commit(q, d, levels), 200);
    expect(await q.post(d.urls.open, { rows: open(product, levels, again.open_rows) }), 202);
    assert.equal((await verdict(q, d)).status, 'failed');
    // and somebody else's challenge is none of one's own
    assert.equal((await q.post(c.urls.commit, { root: root(levels) })).status, 403);
    assert.equal((await q.post(d.urls.self.replace(d.id, c.id) + '/commit', { root: root(levels) })).json.code, 'CHALLENGE_NOT_FOUND');
});

test('relayed: whoever multiplies, the proof passes; only the time it took is told', async () => {
    const p = await owner();
    const c = await ask(p);
    const elsewhere = multiply(structuredClone({ seed: c.seed, rows: c.rows, inner: c.inner, cols: c.cols }));
    const done = await prove(p, c, elsewhere);
    assert.equal(done.status, 'passed');
    assert.ok(Date.parse(done.committed_at) > Date.parse(done.issued_at));
});

test('late: the database clock decides, and the keeper ends what nobody answers', async () => {
    const [p, q, r] = [await owner(), await owner(), await owner()];
    const age = (c, column) => w.sql.query(`UPDATE gpu_challenge SET issued_at = issued_at - interval '1 hour', ${column} WHERE seed = $1`, [Buffer.from(c.seed, 'hex')]);
    const c = await ask(p);
    const product = multiply(c, () => false);
    await age(c, "commit_until = issued_at - interval '59 minutes'");
    assert.equal((await commit(p, c, tree(product))).json.code, 'CHALLENGE_CLOSED');
    assert.match((await verdict(p, c)).reason, /^(the commitment came late|no commitment came in time)$/);
    const d = await ask(q);
    const levels = tree(multiply(d, () => false));
    const drawn = expect(await commit(q, d, levels), 200);
    await age(d, "committed_at = committed_at - interval '1 hour', commit_until = commit_until - interval '1 hour', open_until = open_until - interval '1 hour'");
    assert.equal((await q.post(d.urls.open, { rows: open(product, levels, drawn.open_rows) })).json.code, 'CHALLENGE_CLOSED');
    assert.match((await verdict(q, d)).reason, /^the rows (came late|did not come in time)$/);
    const e = await ask(r);
    await age(e, "commit_until = issued_at - interval '59 minutes'");
    assert.equal((await verdict(r, e)).reason, 'no commitment came in time');
});

test('one a device and hour, whatever gateways and however many at once', async () => {
    const p = await owner();
    const both = await Promise.all(Array.from({ length: 8 }, (_, i) => p.call('POST', p.challenges, { device: p.device }, i % 2 ? { 'x-request-id': `twin-${i}-00` } : {})));
    assert.deepEqual(both.map((r) => r.status).sort(), [201, ...Array(7).fill(429)]);
    const age = (minutes) => w.sql.query(`UPDATE gpu_challenge SET issued_at = issued_at - interval '${minutes} minutes' WHERE provider_id =
        (SELECT provider_id FROM gpu_challenge WHERE device = $1 LIMIT 1)`, [p.device]);
    const wait = (r) => { assert.equal(r.json.code, 'QUOTA_EXCEEDED'); return Number(r.headers.get('retry-after')); };
    for (const r of both.filter((x) => x.status === 429)) {
        assert.ok(wait(r) > 3300 && wait(r) <= 3600, `${wait(r)} s`);
    }
    await age(30);
    const half = wait(await p.post(p.challenges, { device: p.device }));
    assert.ok(half > 1500 && half <= 1800, `${half} s`);
    await age(31);
    await ask(p);
    // 64 a provider: the oldest of them says when there is room for one more
    const devices = Array.from({ length: 65 }, () => card());
    for (const part of [devices.slice(0, 64), devices.slice(64)]) {
        expect(await p.post(`/v1/providers/${p.id}/heartbeat`, { devices: part }), 200);
        for (const d of part.slice(0, 63)) {
            const r = await p.post(p.challenges, { device: d.uuid });
            if (d !== devices[64]) expect(r, 201);
            else assert.ok(wait(r) > 2100 && wait(r) <= 2400, `${wait(r)} s`);
            if (d === devices[0]) await age(20);
        }
    }
});

test('a device that passed is due again at a time it cannot know', async () => {
    const p = await owner();
    const c = await ask(p);
    assert.equal((await prove(p, c, multiply(c))).status, 'passed');
    const beat = async () => expect(await p.post(`/v1/providers/${p.id}/heartbeat`, { devices: [] }), 200).prove;
    assert.deepEqual(await beat(), []);
    const [{ hours }] = await w.sql.query('SELECT EXTRACT(epoch FROM again_at - decided_at)::float8 / 3600 AS hours FROM gpu_challenge WHERE device = $1', [p.device]);
    assert.ok(hours >= 6 && hours < 24);
    await w.sql.query('UPDATE gpu_challenge SET again_at = ogpu_now() WHERE device = $1', [p.device]);
    assert.deepEqual(await beat(), [p.device]);
});

test('malformed openings cost the challenge nothing', async () => {
    const p = await owner();
    const c = await ask(p);
    const product = multiply(c);
    const levels = tree(product);
    assert.equal((await p.post(c.urls.open, { rows: [{ values: '00000000', path: [] }] })).json.code, 'CHALLENGE_CLOSED');
    const drawn = expect(await commit(p, c, levels), 200);
    const rows = open(product, levels, drawn.open_rows);
    for (const bad of [rows.slice(1), rows.map((r) => ({ ...r, values: r.values.slice(8) })), rows.map((r) => ({ ...r, path: r.path.slice(1) }))]) {
        assert.equal((await p.post(c.urls.open, { rows: bad })).json.code, 'VALIDATION_ERROR');
    }
    expect(await p.post(c.urls.open, { rows }), 202);
    assert.equal((await verdict(p, c)).status, 'passed');
});

test('every exchange fitted and the books are right', () => w.verify());
