// SPDX-License-Identifier: MIT
// Everything the chain can say is booked once, by the real indexer from the real contract: voided batches, vouchers, stake, a
// stolen settler's batch, and last the forced exit. After each the books equal the pool to the wei and the auditor finds nothing.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { toHex, zeroHash } from 'viem';
import { Ledger, UNIT } from '../support/ledger.mjs';
import { OGPU } from '../support/market.mjs';
import { build, eventually } from '../support/stack.mjs';
import { Stranger } from '../support/stranger.mjs';

const DELAY = 300;
const SILENCE = 1_000_000;
const WINDOW = 5000;
let l, client, source, one, relayer, stranger;

before(async () => {
    l = await Ledger.up({ OGPU_CLAIM_DELAY_S: String(DELAY), OGPU_EXIT_SILENCE_S: String(SILENCE), OGPU_EXIT_WINDOW_S: String(WINDOW), OGPU_ADMIN_DELAY_S: '50', OGPU_UNBONDING_S: '100', OGPU_APPEAL_S: '60' });
    l.indexer();
    relayer = l.relayer();
    client = await l.client();
    source = await l.m.source(client);
    one = await l.provider(source);
    stranger = new Stranger(l.chain.public, await l.chain.wallet(), l.chain.settlement.address);
});
after(() => l?.down());

const earn = (wei, over) => l.earn(client, source, one, wei, over);
const units = (wei) => wei / UNIT;
const batches = () => l.sql.query('SELECT epoch, state, increase_units FROM batch ORDER BY epoch');

async function voucher(earned) {
    await l.postVoucher(stranger, one, earned);
    await l.pass(DELAY);
    await l.settlement(stranger.wallet, 'claimVoucher', [one.chainId, Number(earned)]);
}

test('a voided batch goes back and is settled again', async () => {
    await earn(3n * OGPU, { fee_bps: 100 });
    await l.confirmed(1);
    const earned = (await l.account(one.address)).claimable;
    assert.equal(earned, (3n * OGPU * 99n) / 100n);
    await l.settlement(l.role('guardian'), 'voidRoot', [1n]);
    await l.confirmed(2);
    await l.holds(one.address, 'claimable', earned);
    assert.deepEqual((await batches()).map((b) => [b.epoch, b.state, b.increase_units]), [[1n, 'voided', units(earned)], [2n, 'confirmed', units(earned)]]);
    assert.equal(await l.read('committed'), units(earned), 'declared once, now that the first is void');
    await l.whole();
});

test('an older batch is voided while a newer one stands: what only it declared is declared again', async () => {
    await earn(OGPU + 1n);
    await l.confirmed(3);
    await earn(OGPU);
    await l.confirmed(4);
    await l.stop(relayer);
    const before = (await l.account(one.address)).claimable;
    await l.settlement(l.role('guardian'), 'voidRoot', [3n]);
    await l.holds(one.address, 'claimable', before - OGPU);
    assert.equal((await l.account(one.address)).payable, OGPU + 1n, 'its entry and the dust wait again');
    const half = l.declared();
    assert.equal(half.status, 1);
    assert.match(half.text, /1000000 units more are listed than declared/, 'the newer batch stands on the void one');
    await l.whole();
    relayer = l.relayer();
    await l.confirmed(5);
    assert.equal(l.declared().status, 0, 'declared again');
    await l.holds(one.address, 'claimable', before);
    assert.equal(await l.read('committed'), units(before));
    await l.whole();
    await l.pass(DELAY);
    const paid = await stranger.claimAll();
    // The client withdrew nothing: the provider alone has earned.
    assert.deepEqual([...paid], [[one.chainId, units(before)]]);
    await l.holds(one.address, 'claimable', 0n);
    await l.whole();
});

test('a voucher is paid before any batch lists it; the batch absorbs it; showing the entry takes the second declaration back', async () => {
    await l.stop(relayer);
    await earn(2n * OGPU);
    const claimed = await l.read('claimed', [one.chainId]);
    await voucher(claimed + units(2n * OGPU));
    await l.holds(one.address, 'advanced', 2n * OGPU);
    assert.equal((await l.account(one.address)).payable, 1n, 'the dust');
    await l.whole();
    relayer = l.relayer();
    await l.confirmed(6);
    await l.holds(one.address, 'advanced', 0n);
    assert.equal((await l.account(one.address)).claimable, 0n, 'declared, and paid before');
    assert.equal(await l.read('committed'), claimed + 2n * units(2n * OGPU), 'declared twice');
    await l.pass(DELAY);
    await stranger.claim((await stranger.proofs()).get(one.chainId));
    assert.equal(await l.read('committed'), claimed + units(2n * OGPU));
    await eventually(async () => (await l.sql.query("SELECT 1 FROM chain_event WHERE kind = 'released'")).length === 1, 'the release');
    await l.whole();
});

test('a batch is voided after a voucher had paid part of it', async () => {
    await l.stop(relayer);
    await earn(2n * OGPU);
    const claimed = await l.read('claimed', [one.chainId]);
    await voucher(claimed + units(OGPU));
    relayer = l.relayer();
    await l.confirmed(7);
    await l.holds(one.address, 'claimable', OGPU);
    await l.stop(relayer);
    await l.settlement(l.role('guardian'), 'voidRoot', [7n]);
    await l.holds(one.address, 'advanced', OGPU);
    assert.equal((await l.account(one.address)).payable, OGPU + 1n);
    await l.whole();
    relayer = l.relayer();
    await l.confirmed(8);
    await l.holds(one.address, 'claimable', OGPU);
    await l.whole();
    await l.pass(DELAY);
    await stranger.claimAll();
    await l.holds(one.address, 'claimable', 0n);
    await l.whole();
});

test('a stolen signer pays more than was earned: a debt and an alarm, then paid back by work', async () => {
    await voucher((await l.read('claimed', [one.chainId])) + units(OGPU));
    await l.holds(one.address, 'debt', OGPU - 1n);
    await l.whole(['nobody_was_overpaid', 'vouchers_are_earned']);
    await earn(3n * OGPU);
    await l.confirmed(9);
    await l.holds(one.address, 'debt', 0n);
    await l.holds(one.address, 'claimable', 2n * OGPU);
    await l.whole();
    await l.pass(DELAY);
    await stranger.claimAll();
    await l.whole();
});

test('stake is booked in a pool of its own', async () => {
    const { vault } = l.chain;
    const own = (name, args = [], value) => l.chain.send(one.wallet, vault, name, args, value);
    const before = await l.account(one.address);
    await own('lock', [one.address], 10n * OGPU);
    await own('unbond', [4n * OGPU]);
    await l.admin(vault, 'sanction', [one.address, 5n * OGPU, toHex(7, { size: 32 })]);
    await l.chain.send(l.role('guardian'), vault, 'waive', [one.address, 2n * OGPU]);
    await l.pass(60);
    await l.admin(vault, 'withdrawSanctionOf', [one.address, OGPU, client.address]);
    await own('unbond', [3n * OGPU]);
    await own('cancelUnbonding');
    await own('unbond', [1n * OGPU]);
    await l.pass(100);
    await own('claim');
    await l.whole();
    const [row] = await l.sql.query('SELECT s.* FROM stake s WHERE account_id = $1', [before.id]);
    for (const [column, view] of [['locked', 'lockupOf'], ['unbonding', 'unbondingOf'], ['sanctioned', 'sanctionOf']]) {
        assert.equal(BigInt(row[column]), await l.chain.read(vault, view, [one.address]), column);
    }
    assert.deepEqual(await l.account(one.address), before, 'no balance has moved');
    const [evidence] = await l.sql.query("SELECT data FROM chain_event WHERE kind = 'sanction_evidence'");
    assert.equal(toHex(evidence.data), toHex(7, { size: 32 }));
});

test('a batch that is not ours stops settlement, ours of that epoch goes back, and after its void all goes on', async () => {
    await l.stop(relayer);
    await earn(OGPU);
    const [formed] = await l.sql.write('batch_form', { id: '0193f0a0-0000-7000-8000-000000000001', min_age_s: 0, min_count: 1, max_count: 10, born: 0n });
    assert.equal(formed.epoch, 10n);
    // The thief lists one unit more for somebody, and declares a thousand coins: the contract takes it, anybody sees it.
    assert.equal(l.declared().status, 0);
    const listed = (await stranger.proofs()).get(one.chainId).units;
    const entry = toHex((BigInt(one.chainId) << 48n) + listed + 1n, { size: 10 });
    await l.settlement(l.role('settler'), 'settle', [10n, 50_000_001n, zeroHash, zeroHash, entry]);
    const lie = l.declared();
    assert.equal(lie.status, 1);
    assert.match(lie.text, /epoch 10 declared 50000001 earned \+1 spent \+0 {2}\(differs\)\n/);
    assert.match(lie.text, /refuted: 50000000 units more are declared than listed/);
    await eventually(async () => (await l.sql.query('SELECT 1 FROM foreign_batch')).length === 1, 'the foreign batch');
    await l.whole(['no_foreign_batch']);
    assert.deepEqual((await batches()).at(-1).state, 'dropped');
    const form = () => l.sql.write('batch_form', { id: '0193f0a0-0000-7000-8000-000000000002', min_age_s: 0, min_count: 1, max_count: 10, born: 0n });
    assert.equal((await form())[0].outcome, 'busy', 'nothing is settled while it stands');
    await l.settlement(l.role('guardian'), 'voidRoot', [10n]);
    await eventually(async () => (await l.sql.query('SELECT 1 FROM foreign_batch WHERE voided_at IS NOT NULL')).length === 1, 'its void');
    assert.equal(l.declared().status, 0, 'void, it declares nothing');
    assert.equal((await l.sql.write('foreign_batch_accept', { epoch: 10n }))[0].outcome, 'busy', 'void, there is nothing to accept');
    await l.newSettler();
    relayer = l.relayer();
    await l.confirmed(11);
    await l.holds(one.address, 'claimable', OGPU);
    await l.whole();
});

test('a false declaration cannot be hidden from who reads calldata', async () => {
    const text = l.declared().text;
    assert.match(text, /epoch 1 voided\nepoch 2 declared 2970000 earned \+2970000 spent \+3000000\nepoch 3 voided\n/);
    const nowhere = spawnSync(join(build, 'bin/ogpu-verify'), ['declared', '--rpc', 'http://127.0.0.1:9', '--settlement', l.stack.env.L1_SETTLEMENT], { encoding: 'utf8' });
    assert.equal(nowhere.status, 2);
    const late = spawnSync(join(build, 'bin/ogpu-verify'), ['declared', '--rpc', l.stack.env.L1_RPC_URL, '--settlement', l.stack.env.L1_SETTLEMENT, '--from', String(await l.chain.public.getBlockNumber())], { encoding: 'utf8' });
    assert.equal(late.status, 2);
    assert.match(late.stderr, /not checked: epoch 1 is missing/, 'half of the history proves nothing');
});

test('who holds which key is noted', async () => {
    await l.settlement(l.role('guardian'), 'dismiss', [l.role('signer').account.address]);
    const last = await eventually(async () => {
        const rows = await l.sql.query("SELECT data FROM chain_event WHERE kind = 'signer_set' ORDER BY block_no DESC, log_index DESC");
        return rows.length === 2 && rows[0];
    }, 'the dismissal');
    assert.equal(BigInt(toHex(last.data)), 0n);
});

test('the forced exit: nothing new is taken, everyone is paid out, the books follow', async () => {
    const rest = await earn(OGPU, { fee_bps: 250 });
    await l.confirmed(12);
    const open = await l.m.submit(client, source, { reward: String(2n * OGPU) });
    assert.equal(rest.outcome, 'ok');
    await l.pass(SILENCE + DELAY);
    await l.settlement(stranger.wallet, 'beginExit', []);
    await eventually(async () => (await l.sql.query('SELECT 1 FROM chain_exit')).length === 1, 'the exit');
    assert.equal((await l.m.submit(client, source)).outcome, 'exit_begun');
    await eventually(async () => (await l.sql.query('SELECT 1 FROM chain_exit WHERE closed_at IS NOT NULL')).length === 1, 'its closing');
    assert.deepEqual([(await l.m.task(open)).status, (await l.m.task(open)).error_code], ['canceled', 'exit_begun']);
    assert.equal((await l.m.open(open, one)).outcome, 'task_closed');
    const [out] = await l.sql.write('withdrawal_create', { id: '0193f0a0-0000-7000-8000-000000000003', account: client.id, key: client.key, amount: '1000000000000', idem_key: null, fingerprint: Buffer.alloc(32) });
    assert.equal(out.outcome, 'exit_begun');
    await stranger.showAll();
    await l.pass(WINDOW);
    assert.equal((await l.account(client.address)).frozen, 0n);
    for (let id = 1; id <= await stranger.vault('lastId'); id++) {
        await l.settlement(stranger.wallet, 'exit', [id]).catch((e) => assert.match(e.message, /NothingToClaim/));
    }
    await l.holds(one.address, 'claimable', 0n);
    // The open task's reward had returned before the chain paid the deposit back. The dust of what the client spent, below one
    // unit, was never on chain.
    const dust = (await l.account(one.address)).payable;
    assert.equal(dust, 1n);
    await l.holds(client.address, 'available', 0n);
    await l.holds(client.address, 'debt', dust);
    const last = await l.account(client.address);
    assert.deepEqual([last.available, last.frozen], [0n, 0n]);
    assert.ok(last.exited_at);
    await l.whole();
    const [{ fees }] = await l.sql.query("SELECT sum(amount) AS fees FROM ledger_entry WHERE to_bucket = 'fee'");
    const { vault } = l.chain;
    assert.equal(await l.chain.read(vault, 'totalDeposited') - await l.chain.read(vault, 'totalPaid'), BigInt(fees), 'fees stay in the vault');
});

test('the indexer from nothing books all of it again without effect', async () => {
    const sums = () => l.sql.query('SELECT count(*) AS n, sum(amount) AS wei, (SELECT count(*) FROM chain_event) AS events FROM ledger_entry');
    const before = await sums();
    await l.sql.query('UPDATE chain_cursor SET block_no = 0, block_hash = \'\'');
    await l.whole();
    assert.deepEqual(await sums(), before);
});
