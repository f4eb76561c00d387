// SPDX-License-Identifier: MIT
// What the statements of db/sql decide: money, races, replays. Batches are arrays, as the lanes send them.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, test } from 'node:test';
import { Market, OGPU, sha } from '../support/market.mjs';
import { Sql } from '../support/sql.mjs';
import { withPostgres } from '../support/postgres.mjs';

let pgserver, sql, m;

before(async () => {
    pgserver = await withPostgres();
    sql = await Sql.open(pgserver.url);
    m = new Market(sql);
});
after(async () => {
    await sql?.close();
    await pgserver?.stop();
});
afterEach(async () => assert.deepEqual(await m.books(), []));

test('submit freezes the reward, cancel returns it once', async () => {
    const client = await m.client(3n * OGPU);
    const source = await m.source(client);
    const task = await m.submit(client, source);
    assert.equal(task.outcome, 'ok');
    assert.deepEqual(await m.balance(client), { available: 2n * OGPU, frozen: OGPU, payable: 0n, claimable: 0n });
    for (let i = 0; i < 2; i++) {
        const [r] = await sql.write('task_cancel', { id: task.id, account: client.id, key: client.key });
        assert.equal(r.outcome, 'ok');
    }
    assert.equal((await m.balance(client)).available, 3n * OGPU);
    const other = await m.client();
    const [r] = await sql.write('task_cancel', { id: task.id, account: other.id, key: other.key });
    assert.equal(r.outcome, 'task_not_found');
});

test('one batch of one account is decided as if each call came alone', async () => {
    const client = await m.client(100n);
    const source = await m.source(client);
    const calls = [60, 50, 30, 200, 10, 1].map((reward) => m.submitCall(client, source, { reward: String(reward) }));
    const rows = await sql.write('task_submit', ...calls);
    assert.deepEqual(rows.map((r) => r.outcome), ['ok', 'insufficient_funds', 'ok', 'insufficient_funds', 'ok', 'insufficient_funds']);
    assert.deepEqual(await m.balance(client), { available: 0n, frozen: 100n, payable: 0n, claimable: 0n });
});

test('a batch of many accounts and reasons answers each call', async () => {
    const rich = await m.client();
    const poor = await m.client(0n);
    const source = await m.source(rich, { min_reward: '10', max_expiry_s: 100 });
    const gone = await m.source(rich);
    await sql.write('source_retire', { id: gone.id, account: rich.id, key: rich.key });
    const ok = { reward: '10', expires_in_s: 100 };
    const rows = await sql.write('task_submit',
        m.submitCall(rich, source, ok), m.submitCall(poor, source, ok), m.submitCall(rich, gone, ok),
        m.submitCall(rich, source, { ...ok, reward: '9' }), m.submitCall(rich, source, { ...ok, expires_in_s: 101 }),
        m.submitCall({ ...rich, key: poor.key }, source, ok), m.submitCall(rich, { id: randomUUID() }, ok),
        m.submitCall(rich, source, { ...ok, input_blobs: sha('nobody has this') }));
    assert.deepEqual(rows.map((r) => r.outcome), ['ok', 'insufficient_funds', 'source_retired', 'reward_too_small', 'expiry_too_long',
        'key_revoked', 'source_not_found', 'blob_not_found']);
});

test('a replay yields the first answer, another body is refused, a refusal is replayed too', async () => {
    const client = await m.client(OGPU);
    const source = await m.source(client);
    const first = await m.submit(client, source, { idem_key: 'k1' });
    const twin = await m.submit(client, source, { idem_key: 'k1' });
    assert.deepEqual([twin.outcome, twin.replayed, twin.id, twin.created_at], ['ok', true, first.id, first.created_at]);
    assert.equal((await m.submit(client, source, { idem_key: 'k1', fingerprint: sha('other') })).outcome, 'idempotency_key_reused');
    const broke = await m.submit(client, source, { idem_key: 'k2' });
    assert.equal(broke.outcome, 'insufficient_funds');
    await sql.write('task_cancel', { id: first.id, account: client.id, key: client.key });
    const again = await m.submit(client, source, { idem_key: 'k2' });
    assert.deepEqual([again.outcome, again.replayed], ['insufficient_funds', true]);
});

test('the same call after a lost COMMIT has one effect', async () => {
    const client = await m.client(2n * OGPU);
    const source = await m.source(client);
    for (const over of [{}, { idem_key: 'lost' }]) {
        const call = m.submitCall(client, source, over);
        const [a] = await sql.write('task_submit', call);
        const [b] = await sql.write('task_submit', call);
        assert.deepEqual(b, a);
    }
    assert.deepEqual(await m.balance(client), { available: 0n, frozen: 2n * OGPU, payable: 0n, claimable: 0n });
});

test('twins from two connections: the balance row orders them', async () => {
    const client = await m.client(50n * OGPU);
    const source = await m.source(client);
    const others = await Promise.all([1, 2, 3, 4].map(() => Sql.open(pgserver.url)));
    for (let round = 0; round < 20; round++) {
        const rows = await Promise.all(others.map((s) => s.write('task_submit', m.submitCall(client, source, { idem_key: `r${round}`, reward: '5' }))));
        assert.equal(new Set(rows.map(([r]) => r.id)).size, 1);
        assert.equal(rows.filter(([r]) => !r.replayed).length, 1);
    }
    await Promise.all(others.map((s) => s.close()));
    assert.equal((await m.balance(client)).frozen, 100n);
});

test('slots, operators and epochs: the locked task row decides', async () => {
    const client = await m.client();
    const source = await m.source(client);
    const task = await m.submit(client, source, { racers: 2 });
    const [p1, p2, p3] = [await m.provider(source), await m.provider(source), await m.provider(source)];
    const stranger = await m.provider();
    assert.equal((await m.open(task, stranger)).outcome, 'not_registered');
    const ref = randomUUID();
    const a1 = await m.open(task, p1, { claim_ref: ref });
    assert.deepEqual([a1.outcome, a1.slots_left], ['ok', 1]);
    assert.equal((await m.open(task, p1, { claim_ref: ref })).id, a1.id, 'the same claim_ref re-reads');
    assert.equal((await m.open(task, p1)).outcome, 'operator_tried');
    const connections = await Promise.all([1, 2].map(() => Sql.open(pgserver.url)));
    const race = await Promise.all([p2, p3].map((p, i) => connections[i].write('attempt_open', m.openCall(task, p))));
    assert.deepEqual(race.map(([r]) => r.outcome).sort(), ['no_slot', 'ok']);
    await Promise.all(connections.map((s) => s.close()));
    const [cancel] = await sql.write('task_cancel', { id: task.id, account: client.id, key: client.key });
    assert.equal(cancel.outcome, 'task_running');
    await m.end(a1, 'released');
    assert.equal((await m.open(task, p1)).outcome, 'ok', 'handing back is not a try');
    assert.deepEqual((await sql.query('SELECT epoch FROM attempt WHERE task_id = $1 ORDER BY epoch', [task.id])).map((r) => r.epoch), [1, 2, 3]);
});

test('what is handed back is tried for a while, by its operator alone', async () => {
    const client = await m.client();
    const source = await m.source(client);
    const task = await m.submit(client, source, { racers: 1 });
    const [p1, p2] = [await m.provider(source), await m.provider(source)];
    const picks = async (p) => (await sql.read('slot_pick', { provider: p.id, wanted: null, max: 8 })).map((r) => r.task);
    await m.end(await m.open(task, p1), 'released', { hold_s: 600 });
    assert.equal((await m.open(task, p1)).outcome, 'operator_tried');
    assert.deepEqual([await picks(p1), await picks(p2)], [[], [task.id]]);
    await m.end(await m.open(task, p2), 'released', { hold_s: 0 });
    assert.deepEqual(await picks(p2), [task.id], 'not held');
    await sql.query("UPDATE attempt SET held_until = ogpu_now() WHERE task_id = $1 AND held_until > ogpu_now() + interval '590 s'", [task.id]);
    assert.deepEqual(await picks(p1), [task.id], 'until then');
    const last = await m.open(task, p1);
    await m.end(last, 'failed', { hold_s: 600 });
    assert.deepEqual(await sql.query('SELECT held_until FROM attempt WHERE id = $1', [last.id]), [{ held_until: null }]);
    assert.equal((await m.open(task, p1)).outcome, 'operator_tried', 'for good');
    assert.equal((await m.task(task)).failures, 1);
});

test('first valid wins: reward to the operator, fee apart, others beaten, once', async () => {
    const client = await m.client();
    const source = await m.source(client);
    const task = await m.submit(client, source, { racers: 3, fee_bps: 250, reward: '1001' });
    const providers = [await m.provider(source), await m.provider(source), await m.provider(source)];
    const attempts = [];
    for (const p of providers) {
        attempts.push(await m.open(task, p));
    }
    const r1 = await m.respond(attempts[0], 1);
    const r2 = await m.respond(attempts[1], 2);
    const waits = await m.verdict(r2, true);
    assert.deepEqual([waits.outcome, waits.status], ['ok', 'verifying'], 'a later pass waits for the earlier check');
    const won = await m.verdict(r1, true);
    assert.equal(won.status, 'succeeded');
    assert.equal((await m.verdict(r2, true)).outcome, 'task_closed');
    const states = [];
    for (const a of attempts) {
        states.push(await m.attemptState(a));
    }
    assert.deepEqual(states, ['won', 'beaten', 'beaten']);
    const [{ operator }] = await sql.query('SELECT operator FROM attempt WHERE id = $1', [attempts[0].id]);
    assert.equal((await m.balance({ id: operator })).payable, 976n, '1001 less floor(2.5 %)');
    assert.equal((await m.balance(client)).available, 100n * OGPU - 1001n);
    const kinds = await sql.query('SELECT kind FROM ledger_entry WHERE ref = $1 ORDER BY kind', [task.id]);
    assert.deepEqual(kinds.map((r) => r.kind), ['accept', 'fee', 'freeze']);
});

test('a fee is rounded down, whatever the amount: to the wei what the API shows', async () => {
    const client = await m.client();
    const source = await m.source(client);
    for (const [reward, fee_bps] of [[10n ** 18n + 1n, 5000], [3n * 10n ** 18n + 39n, 250], [7n * 10n ** 17n + 9999n, 1]]) {
        const p = await m.provider(source);
        const task = await m.submit(client, source, { racers: 1, reward: String(reward), fee_bps });
        const attempt = await m.open(task, p);
        await m.verdict(await m.respond(attempt, 1), true);
        const [{ amount }] = await sql.query("SELECT amount FROM ledger_entry WHERE kind = 'fee' AND ref = $1", [task.id]);
        assert.equal(BigInt(amount), reward * BigInt(fee_bps) / 10000n);
    }
});

test('an earlier rejection lets the waiting pass win; a bounded wait lets it win without', async () => {
    const client = await m.client();
    const source = await m.source(client);
    for (const bounded of [false, true]) {
        const task = await m.submit(client, source, { racers: 2 });
        const [p1, p2] = [await m.provider(source), await m.provider(source)];
        const [a1, a2] = [await m.open(task, p1), await m.open(task, p2)];
        const r1 = await m.respond(a1, 1);
        const r2 = await m.respond(a2, 2);
        assert.equal((await m.verdict(r2, true)).status, 'verifying');
        const last = bounded ? await m.verdict(r2, true, { wait_s: 0 }) : await m.verdict(r1, false);
        assert.equal(last.status, 'succeeded');
        assert.equal(await m.attemptState(a2), 'won');
        assert.equal(await m.attemptState(a1), bounded ? 'beaten' : 'rejected');
    }
});

test('responses are judged by lease, epoch, expiry and what was uploaded here', async () => {
    const client = await m.client();
    const source = await m.source(client);
    const task = await m.submit(client, source, { racers: 3 });
    const p = await m.provider(source);
    const a = await m.open(task, p);
    assert.equal((await m.respond(a, 2)).outcome, 'stale_epoch');
    assert.equal((await m.respond(a, 1, { blobs: sha('elsewhere') })).outcome, 'output_not_uploaded');
    const thief = await m.provider(source);
    assert.equal((await m.respond(a, 1, { provider: thief.id })).outcome, 'attempt_not_found');
    const late = await m.open(task, thief, { lease_s: 0 });
    assert.equal((await m.respond(late, 2)).outcome, 'lease_lost');
    const signature = Buffer.alloc(65, 7);
    const first = await m.respond(a, 1, { signature });
    assert.equal(first.outcome, 'ok');
    assert.equal((await m.respond(a, 1, { signature })).id, first.id, 'the same response is the same row');
    assert.equal((await m.respond(a, 1)).outcome, 'already_responded');
});

test('failures reopen the slot until the limit, then the task fails and is refunded once', async () => {
    const client = await m.client(OGPU);
    const source = await m.source(client);
    const task = await m.submit(client, source, { racers: 1 });
    for (let i = 1; i <= 3; i++) {
        const a = await m.open(task, await m.provider(source));
        assert.equal(a.outcome, 'ok');
        const r = i === 2 ? await m.verdict(await m.respond(a, i), false) : await m.end(a, 'failed');
        assert.equal(r.reopened, i < 3);
        assert.equal((await m.task(task)).status, i < 3 ? 'queued' : 'failed');
        if (i !== 2) {
            assert.equal((await m.end(a, 'failed')).outcome, 'ok', 'said twice, booked once');
        }
    }
    assert.deepEqual(await m.balance(client), { available: OGPU, frozen: 0n, payable: 0n, claimable: 0n });
    assert.match((await m.task(task)).error_message, /out of memory/);
});

test('expiry refunds, but not before a response received in time has its verdict', async () => {
    const client = await m.client(2n * OGPU);
    const source = await m.source(client);
    const [idle, answered] = [await m.submit(client, source), await m.submit(client, source)];
    const a = await m.open(answered, await m.provider(source));
    const live = await m.open(idle, await m.provider(source));
    const r = await m.respond(a, 1);
    await sql.query("SELECT set_config('ogpu.now', (clock_timestamp() + interval '1 hour')::text, false)");
    const due = (await sql.read('due_expiries', { max: 10000 })).map((d) => d.id);
    assert.deepEqual([due.includes(idle.id), due.includes(answered.id)], [true, false]);
    const rows = await sql.write('task_expire', { id: idle.id }, { id: answered.id });
    assert.deepEqual(rows.map((x) => x.outcome), ['ok', 'task_running']);
    assert.equal((await sql.write('task_expire', { id: idle.id }))[0].outcome, 'task_closed');
    assert.equal(await m.attemptState(live), 'lapsed');
    assert.equal((await m.open(answered, await m.provider(source))).outcome, 'task_closed', 'no attempt after expiry');
    assert.equal((await m.verdict(r, true)).status, 'succeeded', 'received in time');
    await sql.query("SELECT set_config('ogpu.now', '', false)");
    assert.deepEqual(await m.balance(client), { available: OGPU, frozen: 0n, payable: 0n, claimable: 0n });
});

test('heartbeats extend a live lease and stop a dead one', async () => {
    const client = await m.client();
    const source = await m.source(client);
    const task = await m.submit(client, source, { racers: 2 });
    const [p1, p2] = [await m.provider(source), await m.provider(source)];
    const [a1, a2] = [await m.open(task, p1), await m.open(task, p2)];
    const [beat] = await sql.write('attempt_heartbeat', { id: a1.id, provider: p1.id, lease_s: 120 });
    assert.deepEqual([beat.outcome, beat.stop], ['ok', false]);
    assert.equal((await sql.write('attempt_heartbeat', { id: a1.id, provider: p2.id, lease_s: 120 }))[0].outcome, 'attempt_not_found');
    await m.verdict(await m.respond(a1, 1), true);
    const [stop] = await sql.write('attempt_heartbeat', { id: a2.id, provider: p2.id, lease_s: 120 });
    assert.deepEqual([stop.stop, stop.reason], [true, 'beaten']);
});

test('withdrawals cannot overdraw, alone or together', async () => {
    const client = await m.client(100n);
    const call = (amount, over = {}) => ({ id: randomUUID(), account: client.id, key: client.key, amount: String(amount), idem_key: null, fingerprint: sha(''), ...over });
    const rows = await sql.write('withdrawal_create', call(60), call(200), call(60), call(40, { idem_key: 'w' }));
    assert.deepEqual(rows.slice(0, 3).map((r) => r.outcome), ['ok', 'insufficient_funds', 'insufficient_funds']);
    const drawn = [60n, 200n, 60n, 40n].filter((_, i) => rows[i].outcome === 'ok').reduce((sum, amount) => sum + amount, 0n);
    const { available, payable } = await m.balance(client);
    assert.deepEqual([available, payable], [100n - drawn, drawn]);
    assert.equal(rows.filter((r) => r.outcome === 'ok').length, (await sql.read('withdrawal_list', { account: client.id, before: null, max: 10 })).length);
});

test('a blob is readable by right, not by knowing its digest', async () => {
    const client = await m.client();
    const source = await m.source(client);
    const digest = sha('input');
    await sql.write('blob_put', { digest, size: 5n, kind: 'account', owner: String(client.id), provider: '00000000-0000-0000-0000-000000000000', quota: 1000n });
    const task = await m.submit(client, source, { input_blobs: digest });
    assert.equal(task.outcome, 'ok');
    const [p1, p2, other] = [await m.provider(source), await m.provider(source), await m.client()];
    const a = await m.open(task, p1);
    const reads = async (d, account, provider) => (await sql.read('blob_readable', { digest: d, account, provider })).length === 1;
    assert.equal(await reads(digest, client.id, null), true);
    assert.equal(await reads(digest, other.id, null), false);
    assert.equal(await reads(digest, 0n, p1.id), true, 'a live attempt reads its input');
    assert.equal(await reads(digest, 0n, p2.id), false);
    const r = await m.respond(a, 1);
    const out = sha(`out of ${a.id}`);
    assert.equal(await reads(out, client.id, null), false, 'sealed before the verdict');
    await m.verdict(r, true);
    assert.equal(await reads(out, client.id, null), true);
    assert.equal(await reads(out, other.id, null), false);
});
