// SPDX-License-Identifier: MIT
// The auditor finds nothing on healthy books, and each planted corruption is caught by its own query.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { healthyBooks } from '../support/books.mjs';
import { withPostgres } from '../support/postgres.mjs';
import { root, Sql } from '../support/sql.mjs';

const binary = resolve(root, process.env.BUILD ?? 'build', 'bin', 'ogpu-auditor');
const queries = new Map(['invariants', 'settling'].flatMap((file) => readFileSync(join(root, 'auditor', `${file}.sql`), 'utf8').split(/^-- name: /m).slice(1))
    .map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n'))]));

let pgserver, sql, b;

before(async () => {
    pgserver = await withPostgres();
    sql = await Sql.open(pgserver.url);
    b = await healthyBooks(sql);
});
after(async () => {
    await sql?.close();
    await pgserver?.stop();
});

const audit = (...args) => spawnSync(binary, args, { env: { ...process.env, DATABASE_URL: pgserver.url }, encoding: 'utf8' });

test('healthy books: the program finds nothing', () => {
    const r = audit();
    assert.equal(r.status, 0, r.stdout + r.stderr);
    assert.match(r.stdout, new RegExp(`audit: ${queries.size} invariants, 0 findings`));
});

// What is planted for each invariant. Constraints that would refuse the corruption are dropped first: a row can also go wrong
// under a broken disk, a wrong restore or a careless hand.
const task = (t) => `'${b[t].id}'`;
const voucher = (kind, account, units) => `INSERT INTO chain_event (id, block_no, log_index, tx_hash, kind, account_id, units, at) VALUES (gen_random_uuid(), 1, 7, sha256('${kind}'), '${kind}', ${account}, ${units}, now())`;
const plants = {
    balance_equals_entries: () => `UPDATE balance SET available = available + 1 WHERE account_id = ${b.client.id}`,
    entries_have_accounts: () => `UPDATE ledger_entry SET to_account = 999999 WHERE ref = ${task('queued')}`,
    entries_move_between_their_buckets: () => `UPDATE ledger_entry SET to_bucket = 'claimable' WHERE ref = ${task('queued')}`,
    books_equal_pool: () => `UPDATE balance SET claimable = claimable + 1 WHERE account_id = ${b.master.id}`,
    frozen_equals_open_rewards: () => `UPDATE task SET reward = reward + 1 WHERE id = ${task('queued')}`,
    task_has_its_freeze: () => `DELETE FROM ledger_entry WHERE ref = ${task('queued')}`,
    task_money_entries_have_tasks: () => `DELETE FROM task WHERE id = ${task('canceled')}`,
    paid_once_or_refunded_once: () => `INSERT INTO ledger_entry (kind, ref, from_account, from_bucket, to_account, to_bucket, amount, at)
        SELECT 'refund', ref, from_account, 'frozen', from_account, 'available', amount, at FROM ledger_entry WHERE ref = ${task('won')} AND kind = 'freeze'`,
    payee_is_the_winners_operator: () => `UPDATE ledger_entry SET to_account = ${b.second.id} WHERE ref = ${task('won')} AND kind = 'accept'`,
    status_is_the_last_event: () => `UPDATE task SET status = 'expired' WHERE id = ${task('queued')}`,
    history_is_one_chain: () => `DELETE FROM task_event WHERE task_id = ${task('won')} AND seq = 2`,
    events_have_tasks: () => `DELETE FROM task WHERE id = ${task('queued')}`,
    only_legal_moves: () => `UPDATE task_event SET from_status = 'canceled' WHERE task_id = ${task('won')} AND seq = 3`,
    live_counts_attempts: () => `UPDATE task SET live = 0 WHERE id = ${task('running')}`,
    open_status_tells_the_attempts: () => `UPDATE task SET status = 'queued' WHERE id = ${task('running')}`,
    epochs_are_dense: () => `UPDATE attempt SET epoch = 7 WHERE id = '${b.loser.id}'`,
    attempts_have_tasks_and_providers: () => `UPDATE attempt SET provider_id = gen_random_uuid() WHERE id = '${b.loser.id}'`,
    one_try_an_operator: () => `UPDATE attempt SET operator = ${b.master.id} WHERE id = '${b.loser.id}'`,
    ended_attempts_have_an_end: () => `UPDATE attempt SET ended_at = NULL WHERE id = '${b.loser.id}'`,
    leases_are_watched: () => `UPDATE attempt SET lease_until = clock_timestamp() - interval '2 minutes' WHERE id = '${b.live.id}'`,
    responses_are_dense: () => `UPDATE response SET seq = 5 WHERE id = '${b.waiting.id}'`,
    responses_have_attempts: () => `UPDATE attempt SET state = 'live' WHERE id = (SELECT attempt_id FROM response WHERE id = '${b.waiting.id}')`,
    one_winner_of_a_succeeded_task: () => `UPDATE response SET state = 'beaten' WHERE id = '${b.winner.r.id}'`,
    winner_came_in_time: () => `UPDATE attempt SET lease_until = started_at - interval '1 second' WHERE id = '${b.winner.a.id}'`,
    winner_outputs_are_held: () => `DELETE FROM blob_ref WHERE owner = '${b.winner.a.id}'`,
    closed_tasks_are_finished: () => `UPDATE task SET finished_at = NULL WHERE id = ${task('canceled')}`,
    tasks_have_accounts_and_sources: () => `UPDATE task SET source_id = gen_random_uuid() WHERE id = ${task('queued')}`,
    registrations_name_the_manifest: () => `UPDATE source SET manifest_hash = sha256('swapped') WHERE id = '${b.source.id}'`,
    replays_point_at_effects: () => `UPDATE idempotency SET ref = gen_random_uuid()`,
    withdrawals_are_booked: () => `UPDATE withdrawal SET amount = amount + 1`,
    deposits_come_from_the_chain: () => `UPDATE chain_event SET amount = amount - 1 WHERE kind = 'deposited'`,
    claims_come_from_the_chain: () => `DELETE FROM chain_event WHERE kind = 'claimed'`,
    batched_entries_have_their_batch: () => `UPDATE ledger_entry SET batch_id = gen_random_uuid() WHERE ref = ${task('won')} AND kind = 'accept'`,
    counters_are_sums: () => `UPDATE batch_item SET units = units + 1 WHERE account_id = ${b.master.id}`,
    gains_follow_the_counters: () => `UPDATE batch_item SET gain_units = gain_units - 1 WHERE account_id = ${b.master.id}`,
    batches_add_up: () => `UPDATE batch SET increase_units = increase_units + 1`,
    confirmed_means_booked: () => `UPDATE ledger_entry SET amount = amount + 1000000000000 WHERE kind = 'confirm' AND to_account = ${b.master.id}`,
    claimable_is_declared_less_claimed: () => `UPDATE balance SET advanced = advanced + 1 WHERE account_id = ${b.client.id}`,
    nobody_was_overpaid: () => `UPDATE balance SET debt = 1 WHERE account_id = ${b.second.id}`,
    no_foreign_batch: () => `INSERT INTO foreign_batch VALUES (9, sha256('x'), 1, sha256('y'), 1, now())`,
    voids_come_from_the_chain: () => `UPDATE ledger_entry SET batch_id = '${b.voided.id}' WHERE kind = 'withdraw' AND batch_id IS NULL`,
    exits_come_from_the_chain: () => `UPDATE chain_event SET kind = 'exited' WHERE kind = 'deposited'`,
    nothing_new_after_the_exit: () => `INSERT INTO chain_exit VALUES (true, now(), 1, sha256('x'), now() - interval '1 hour')`,
    the_exit_closes_everything: () => `INSERT INTO chain_exit VALUES (true, now(), 1, sha256('x'), now(), now() + interval '1 hour')`,
    stake_is_its_events: () => `UPDATE stake SET unbonding = unbonding + 1, locked = locked - 1`,
    a_nonce_serves_one_batch: () => `INSERT INTO chain_tx SELECT sha256('twin'), batch_id, sender, nonce, raw, max_fee, tip, 'mined', block_no, created_at, updated_at FROM chain_tx ORDER BY nonce LIMIT 1`,
    nonces_are_dense: () => `INSERT INTO chain_tx SELECT sha256('gap'), batch_id, sender, nonce + 2, raw, max_fee, tip, 'sent', NULL, created_at, updated_at FROM chain_tx ORDER BY nonce DESC LIMIT 1`,
    signed_nonces_are_reserved: () => `DELETE FROM chain_nonce WHERE nonce = (SELECT max(nonce) FROM chain_nonce)`,
    the_lane_has_no_gap: () => `DELETE FROM chain_tx WHERE nonce = (SELECT min(nonce) FROM chain_nonce)`,
    parked_entries_wait: () => `INSERT INTO parked_entry SELECT ref, kind, 'refused', at, now() + interval '1 hour' FROM ledger_entry WHERE kind = 'accept' AND batch_id IS NOT NULL`,
    a_batch_is_settled_once: () => `UPDATE batch SET state = 'submitted'`,
    vouchers_are_earned: () => voucher('voucher_posted', b.second.id, `(SELECT 1 + floor(COALESCE(sum(amount), 0) / 1000000000000) FROM ledger_entry WHERE to_account = ${b.second.id} AND kind IN ('accept', 'withdraw'))`),
    booked_means_final: () => `UPDATE chain_event SET block_no = 1000001 WHERE kind = 'settled'`,
    listed_accounts_are_registered: () => `UPDATE account SET chain_id = NULL WHERE id = ${b.second.id}; DELETE FROM chain_event WHERE kind = 'registered' AND account_id = ${b.master.id}`,
    blob_rights_have_owners: () => `UPDATE blob_ref SET owner = gen_random_uuid()::text WHERE kind = 'attempt'`,
};

// Rules that can be broken in more than one way.
const further = [
    ['vouchers_are_earned', 'for nobody that the books know', () => voucher('voucher_posted', 'NULL', 1)],
    ['vouchers_are_earned', 'and another one voided', () => `${voucher('voucher_posted', b.client.id, '2::int8 ^ 47')}; ${voucher('voucher_voided', b.client.id, '2::int8 ^ 46')}`],
    ['the_exit_closes_everything', 'an attempt after it', () => `UPDATE task SET status = 'expired'; INSERT INTO chain_exit SELECT true, now(), 1, sha256('x'), min(started_at), min(started_at) FROM attempt`],
    ['the_exit_closes_everything', 'an acceptance after it', () => `UPDATE task SET status = 'expired'; UPDATE attempt SET started_at = started_at - interval '1 day'; INSERT INTO chain_exit SELECT true, now(), 1, sha256('x'), at, at FROM (SELECT min(at) - interval '1 second' AS at FROM ledger_entry WHERE kind = 'accept') a`],
    ['the_exit_closes_everything', 'never finished', () => `INSERT INTO chain_exit VALUES (true, now(), 1, sha256('x'), clock_timestamp() - interval '2 minutes')`],
    ['the_exit_closes_everything', 'a task closed by no exit', () => `UPDATE task SET error_code = 'exit_begun' WHERE id = ${task('canceled')}`],
    ['the_exit_closes_everything', 'an attempt blamed', () => `UPDATE attempt SET error_code = 'exit_begun' WHERE state = 'failed'`],
    ['nothing_new_after_the_exit', 'a task one microsecond later', () => `INSERT INTO chain_exit SELECT true, now(), 1, sha256('x'), created_at - interval '1 us' FROM task ORDER BY created_at DESC LIMIT 1`],
    ['signed_nonces_are_reserved', 'a transaction at another batch\'s nonce', () => `UPDATE chain_nonce SET batch_id = '${b.batch.id}'`],
    ['signed_nonces_are_reserved', 'a dissolved batch that had signed', () => `UPDATE chain_nonce SET batch_id = NULL WHERE nonce = 0`],
    ['signed_nonces_are_reserved', 'ours is final at a stranger\'s nonce', () => `UPDATE chain_tx SET state = 'final'; UPDATE chain_nonce SET state = 'foreign' WHERE nonce = 0`],
    ['signed_nonces_are_reserved', 'two places of one batch', () => `INSERT INTO chain_nonce SELECT sender, nonce + 2, batch_id, state, at FROM chain_nonce WHERE nonce = 0`],
    ['the_lane_has_no_gap', 'a hole', () => `INSERT INTO chain_nonce SELECT sender, nonce + 9, NULL, state, at FROM chain_nonce WHERE nonce = 0`],
    ['parked_entries_wait', 'parked and carried by an older batch', () => `INSERT INTO parked_entry SELECT l.ref, l.kind, 'refused', b.created_at, b.created_at + interval '1 us' FROM ledger_entry l JOIN batch b ON b.id = l.batch_id`],
    ['parked_entries_wait', 'no such entry', () => `INSERT INTO parked_entry VALUES (gen_random_uuid(), 'accept', 'refused', now(), now())`],
    ['parked_entries_wait', 'not a payout', () => `INSERT INTO parked_entry SELECT ref, kind, 'refused', at, at FROM ledger_entry WHERE kind = 'freeze' LIMIT 1`],
    ['parked_entries_wait', 'without a reason', () => `INSERT INTO parked_entry SELECT ref, kind, '', at, at FROM ledger_entry WHERE kind = 'withdraw' AND batch_id IS NULL LIMIT 1`],
    ['parked_entries_wait', 'until before since', () => `INSERT INTO parked_entry SELECT ref, kind, 'refused', at, at - interval '1 us' FROM ledger_entry WHERE kind = 'withdraw' AND batch_id IS NULL LIMIT 1`],
];

test('every invariant has its corruption', () => assert.deepEqual(Object.keys(plants).sort(), [...queries.keys()].sort()));

for (const [name, how, plant] of [...[...queries.keys()].map((name) => [name, '', plants[name]]), ...further]) {
    test(`planted: ${name} ${how}`, async () => {
        const found = async () => (await sql.query(queries.get(name))).length;
        await sql.query('BEGIN');
        try {
            assert.equal(await found(), 0, 'healthy before');
            await sql.query(`DROP INDEX attempt_operator_once; ALTER TABLE ledger_entry DROP CONSTRAINT ledger_entry_pkey;
                ALTER TABLE withdrawal DROP CONSTRAINT withdrawal_account_id_fkey`);
            await sql.query(plant());
            assert.notEqual(await found(), 0, 'caught by its own query');
        } finally {
            await sql.query('ROLLBACK');
        }
    });
}

test('the program names what is wrong and exits 1', async () => {
    await sql.query(`UPDATE balance SET available = available + 1 WHERE account_id = ${b.client.id}`);
    const r = audit('--quiet');
    assert.equal(r.status, 1);
    assert.match(r.stdout, /balance_equals_entries +WRONG/);
    assert.match(r.stdout, new RegExp(`${b.client.id}: buckets`));
    await sql.query(`UPDATE balance SET available = available - 1 WHERE account_id = ${b.client.id}`);
    assert.equal(audit('--only', 'nothing_of_that_name').status, 2);
});
