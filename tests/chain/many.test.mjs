// SPDX-License-Identifier: MIT
// What comes in one transaction, or in parts: many batches and vouchers voided at once, and a voucher that the daily cap lets be
// paid day by day only. The indexer books each as the events say, and the books equal the pool to the wei.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Ledger, UNIT } from '../support/ledger.mjs';
import { OGPU } from '../support/market.mjs';
import { eventually } from '../support/stack.mjs';
import { Stranger } from '../support/stranger.mjs';

const DELAY = 300;
const DAY = 86_400;
let l, client, source, one, stranger;

before(async () => {
    l = await Ledger.up({ OGPU_CLAIM_DELAY_S: String(DELAY), OGPU_EXIT_SILENCE_S: '10000000', OGPU_EXIT_WINDOW_S: '5000', OGPU_ADMIN_DELAY_S: '50', OGPU_UNBONDING_S: '100', OGPU_APPEAL_S: '60' });
    l.indexer();
    client = await l.client();
    source = await l.m.source(client);
    one = await l.provider(source);
    stranger = new Stranger(l.chain.public, await l.chain.wallet(), l.chain.settlement.address);
});
after(() => l?.down());

const earn = (wei) => l.earn(client, source, one, wei);
const post = (earned) => l.postVoucher(stranger, one, earned);
const noted = (kind) => l.sql.query('SELECT units, tx_hash FROM chain_event WHERE kind = $1 ORDER BY log_index', [kind]);

test('three batches are voided in one transaction: all goes back, and is settled again', async () => {
    const relayer = l.relayer();
    for (let epoch = 1; epoch <= 3; epoch++) {
        await earn(OGPU);
        await l.confirmed(epoch);
    }
    await l.stop(relayer);
    await l.settlement(l.role('guardian'), 'voidRoots', [1n, 2n ** 64n - 1n]);
    await l.holds(one.address, 'claimable', 0n);
    assert.equal((await l.account(one.address)).payable, 3n * OGPU);
    assert.equal(new Set((await noted('voided')).map((e) => e.tx_hash.toString('hex'))).size, 1, 'one transaction');
    assert.equal((await noted('voided')).length, 3);
    assert.equal(await l.read('committed'), 0n);
    await l.whole();
    const again = l.relayer();
    await l.confirmed(4);
    await l.holds(one.address, 'claimable', 3n * OGPU);
    await l.stop(again);
    await l.whole();
});

test('three vouchers are voided in one transaction', async () => {
    const list = [];
    for (let i = 1n; i <= 3n; i++) {
        await post(i);
        list.push({ id: one.chainId, earned: Number(i) });
    }
    await l.settlement(l.role('guardian'), 'voidVouchers', [list]);
    const voided = await eventually(async () => (await noted('voucher_voided')).length === 3 && noted('voucher_voided'), 'the voids');
    assert.deepEqual(voided.map((e) => e.units), [1n, 2n, 3n]);
    await l.whole();
});

test('a voucher above the daily cap is paid and booked in parts', async () => {
    await l.admin(l.chain.settlement, 'setDailyCap', [(4n * OGPU) / UNIT]);
    await earn(3n * OGPU);
    const all = (6n * OGPU) / UNIT;
    await post(all);
    await l.pass(DAY);
    const claim = () => l.settlement(stranger.wallet, 'claimVoucher', [one.chainId, Number(all)]);
    await claim();
    // Three coins of a batch were claimable, and one of the other three is paid before a batch lists it.
    await l.holds(one.address, 'advanced', OGPU);
    assert.deepEqual([await l.read('claimed', [one.chainId]), (await l.account(one.address)).payable], [(4n * OGPU) / UNIT, 2n * OGPU]);
    await assert.rejects(claim(), /OverDailyCap/);
    await l.whole();
    await l.pass(DAY);
    await claim();
    await l.holds(one.address, 'advanced', 3n * OGPU);
    assert.deepEqual([await l.read('claimed', [one.chainId]), (await l.account(one.address)).payable], [all, 0n]);
    await assert.rejects(claim(), /NothingToClaim/);
    await l.whole();
});
