// SPDX-License-Identifier: MIT
// A thief with one of our hot keys, and who is told while the guardian can still void what it did: the indexer's log and figures, the
// relayer's alarm, the auditor.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { toHex } from 'viem';
import { freePort } from '../support/free_port.mjs';
import { Ledger } from '../support/ledger.mjs';
import { OGPU } from '../support/market.mjs';
import { eventually } from '../support/stack.mjs';
import { Stranger } from '../support/stranger.mjs';

const DELAY = 3000;
let l, client, source, one, anyone, at;

before(async () => {
    l = await Ledger.up({ OGPU_CLAIM_DELAY_S: String(DELAY), OGPU_EXIT_SILENCE_S: '1000000', OGPU_RESEND_S: '1' });
    at = { indexer: `127.0.0.1:${await freePort()}`, relayer: `127.0.0.1:${await freePort()}` };
    l.indexer({ OGPU_METRICS_LISTEN: at.indexer });
    l.relayer({ OGPU_METRICS_LISTEN: at.relayer });
    client = await l.client();
    source = await l.m.source(client);
    one = await l.provider(source);
    anyone = { wallet: await l.chain.wallet() };
});
after(() => l?.down());

/** One figure of a process. */
async function figure(process, name) {
    const text = await (await fetch(`http://${at[process]}/metrics`)).text();
    const [, value] = text.match(new RegExp(`^${name.replaceAll(/[{}]/g, '\\$&')} (\\d+)$`, 'm')) ?? assert.fail(`no ${name}`);
    return Number(value);
}
const shows = (process, name, value) => eventually(async () => await figure(process, name) === value, `${name} ${value}`);
const foreign = (n) => shows('indexer', 'ogpu_indexer_foreign_batches{cursor="main"}', n);
const forged = (n) => shows('indexer', 'ogpu_indexer_forged_vouchers{cursor="main"}', n);
const alarm = (on) => shows('relayer', 'ogpu_relayer_alarm{name="foreign"}', on);
const said = (what) => l.stack.log('ogpu-indexer').split('\n').filter((line) => what.test(line));
const batch = async (epoch) => (await l.sql.query('SELECT * FROM batch WHERE epoch = $1', [epoch]))[0];

/** The thief settles our own entries in our place: another transaction of the settler, dearer, at the nonce of ours, before any block. */
async function overtake(epoch, spoil) {
    const ours = await eventually(async () => (await l.sql.query('SELECT b.*, t.nonce FROM batch b JOIN chain_tx t ON t.batch_id = b.id WHERE b.epoch = $1', [epoch]))[0], 'our transaction');
    const roots = spoil({ score: toHex(ours.score_root), log: toHex(ours.log_root) });
    const hash = await l.role('settler').writeContract({
        ...l.chain.settlement, functionName: 'settle', args: [epoch, ours.increase_units, roots.score, roots.log, toHex(ours.entries)],
        nonce: Number(ours.nonce), gas: 1_000_000n, maxFeePerGas: 900n * 10n ** 9n, maxPriorityFeePerGas: 500n * 10n ** 9n,
    });
    await l.chain.node.mine({ blocks: 1 });
    const receipt = await l.chain.public.waitForTransactionReceipt({ hash });
    assert.equal(receipt.status, 'success', 'the contract takes it');
}

let epoch = 0n;
for (const [what, spoil] of [['score root', (r) => ({ ...r, score: toHex(5, { size: 32 }) })], ['log root', (r) => ({ ...r, log: toHex(5, { size: 32 }) })]]) {
    test(`our entries settled by another under another ${what}: not ours, told of, and after its void all goes on`, async () => {
        const had = (await l.account(one.address)).claimable;
        await l.chain.node.setAutomine(false);
        await l.earn(client, source, one, OGPU);
        await overtake(++epoch, spoil);
        await l.chain.node.setAutomine(true);
        await foreign(1);
        await alarm(1);
        assert.equal((await batch(epoch)).state, 'dropped');
        assert.equal(said(new RegExp(`"level":"error".*"foreign_batch".*"id":"?${epoch}\\b`)).length, 1, 'once, as an error');
        assert.equal((await l.account(one.address)).claimable, had, 'nothing is claimable that we cannot prove');
        await l.whole(['no_foreign_batch']);
        await l.settlement(l.role('guardian'), 'voidRoot', [epoch]);
        await foreign(0);
        await alarm(0);
        await l.confirmed(++epoch);
        await l.holds(one.address, 'claimable', had + OGPU);
        await l.whole();
        assert.equal(l.declared().status, 0, 'and declared once');
    });
}

test('what a provider claims from such a batch that nobody voided is its own: booked as an advance, and never paid twice', async () => {
    await l.chain.node.setAutomine(false);
    await l.earn(client, source, one, OGPU);
    await overtake(++epoch, (r) => ({ ...r, score: toHex(6, { size: 32 }) }));
    await l.chain.node.setAutomine(true);
    await foreign(1);
    await l.pass(DELAY);
    const { claimable } = await l.account(one.address);
    await new Stranger(l.chain.public, anyone.wallet, l.chain.settlement.address).claimAll();
    await l.holds(one.address, 'claimable', 0n);
    const { advanced, payable, debt } = await l.account(one.address);
    assert.deepEqual([advanced, payable, debt], [OGPU, 0n, 0n], `of ${claimable + OGPU}`);
    await l.whole(['no_foreign_batch']);
    await l.sql.query('UPDATE foreign_batch SET accepted_at = now() WHERE epoch = $1', [epoch]); // an operator has looked
    await foreign(0);
    await alarm(0);
    await l.confirmed(++epoch);
    await l.holds(one.address, 'advanced', 0n);
    assert.equal((await l.account(one.address)).claimable, 0n);
    await l.whole();
});

test('a voucher for what was earned is fine; one for more, or for who earned nothing, is told of until it is void', async () => {
    await l.earn(client, source, one, OGPU);
    await l.confirmed(++epoch);
    const [{ earned }] = await l.sql.query("SELECT div(sum(amount::numeric), 1000000000000)::int8 AS earned FROM ledger_entry WHERE to_account = (SELECT id FROM account WHERE chain_id = $1) AND kind = 'accept'", [one.chainId]);
    const poor = { chainId: Number((await l.account(client.address)).chain_id) };
    const tell = () => said(/"level":"error".*"forged_voucher"/).length;
    await l.postVoucher(anyone, one, earned);
    await l.caughtUp();
    await l.whole();
    assert.deepEqual([tell(), await figure('indexer', 'ogpu_indexer_forged_vouchers{cursor="main"}')], [0, 0]);
    await l.postVoucher(anyone, one, earned + 1n);
    await forged(1);
    assert.equal(tell(), 1);
    await l.whole(['vouchers_are_earned']);
    assert.match(l.said, new RegExp(`${earned + 1n} units for account`));
    await l.postVoucher(anyone, poor, 7n);
    await forged(2);
    await l.whole(['vouchers_are_earned']);
    const voidVoucher = (who, units) => l.settlement(l.role('guardian'), 'voidVoucher', [who.chainId, Number(units)]);
    await voidVoucher(poor, 7n);
    await forged(1);
    await voidVoucher(one, earned + 1n);
    await forged(0);
    await l.whole();
});
