// SPDX-License-Identifier: MIT
// The contract's daily cap: what fits another day waits for it, what no batch could ever hold is refused, and what became too large
// because the cap was lowered is named by an alarm and settled once the cap is raised.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { createWalletClient } from 'viem';
import { typeId } from '../../bench/provision.mjs';
import { eventually } from '../support/stack.mjs';
import { Lane, OGPU } from './lane.mjs';

const UNIT = 10n ** 12n;
const DAY = 86400;
const COIN = 1_000_000n; // units
let lane, relayer;

before(async () => {
    lane = await Lane.up({ OGPU_DAILY_CAP: String(COIN), OGPU_EXIT_SILENCE_S: String(30 * DAY) });
    await eventually(async () => await most() === OGPU - UNIT, 'the cap that the deployment chose is booked');
});
after(() => lane?.down());

const most = async () => { const [row] = await lane.sql.query('SELECT amount FROM payout_limit'); return row && BigInt(row.amount); };
const call = (wei, over = {}) => ({ id: randomUUID(), account: lane.client.id, key: lane.client.key, amount: String(wei), idem_key: null, fingerprint: Buffer.alloc(32), ...over });
const withdraw = async (wei) => {
    const c = call(wei);
    const [row] = await lane.sql.write('withdrawal_create', c);
    assert.equal(row.outcome, 'ok');
    return c.id;
};
const state = async (ref) => (await lane.sql.query("SELECT b.state FROM ledger_entry l LEFT JOIN batch b ON b.id = l.batch_id WHERE l.ref = $1 AND l.to_bucket = 'payable'", [ref]))[0].state;
const settled = (ref) => eventually(async () => await state(ref) === 'confirmed', `${ref} settled`);
const said = (text) => lane.log().split(text).length - 1;
const alarm = (name, text = '') => eventually(() => lane.log().includes(`"alarm","name":"${name}","text":"${text}`), `alarm ${name} ${text}`);

/** Another day for the contract. */
async function dawn() {
    await lane.chain.node.increaseTime({ seconds: DAY });
    await lane.chain.node.mine({ blocks: 1 });
}

/** As the time lock does once its wait is over. */
async function setCap(units) {
    const { settlement, node, chain, transport } = lane.chain;
    const address = await lane.chain.read(settlement, 'admin');
    await node.impersonateAccount({ address });
    await node.setBalance({ address, value: OGPU });
    await lane.chain.send(createWalletClient({ account: address, chain, transport }), settlement, 'setDailyCap', [units]);
    await eventually(async () => await most() === (units - 1n) * UNIT, `the cap of ${units} is booked`);
}

test('a withdrawal or a reward that no batch could hold is refused, under a key each time anew; just under it settles', async () => {
    const keyed = { idem_key: 'large' };
    for (const over of [{}, keyed, keyed]) {
        const [row] = await lane.sql.write('withdrawal_create', call(2n * OGPU, over));
        assert.deepEqual([row.outcome, row.replayed, BigInt(row.most)], ['payout_too_large', false, OGPU - UNIT]);
    }
    assert.equal((await lane.sql.write('withdrawal_create', call(OGPU - UNIT + 1n)))[0].outcome, 'payout_too_large');
    const submit = (reward, over) => lane.m.submit(lane.client, lane.source, { reward: String(reward), ...over });
    assert.equal((await submit(OGPU - UNIT + 1n)).outcome, 'payout_too_large');
    assert.equal((await submit(2n * OGPU, { idem_key: 'job' })).outcome, 'payout_too_large');
    // What counts is what the provider gets: half of it here.
    assert.equal((await submit(2n * OGPU, { fee_bps: 5000 })).outcome, 'payout_too_large');
    assert.equal((await submit(2n * (OGPU - UNIT), { fee_bps: 5000 })).outcome, 'ok');
    assert.deepEqual(await lane.sql.query("SELECT 1 FROM idempotency WHERE key IN ('large', 'job')"), []);
    const id = await withdraw(OGPU - UNIT);
    relayer = lane.relayer();
    await settled(id);
    await lane.end(relayer);
    await lane.verify();
});

test('what the day has no room for waits for the next, and the rest is paid', async () => {
    await dawn();
    const [first, second, small] = [await lane.earn(6n * OGPU / 10n), await lane.earn(7n * OGPU / 10n), await lane.earn(OGPU / 1000n)];
    relayer = lane.relayer();
    await alarm('daily_cap', 'payouts wait for the next day');
    await settled(first.id);
    await settled(small.id);
    assert.equal(await state(second.id), null);
    await dawn();
    await settled(second.id);
    await eventually(() => lane.log().includes('"alarm_over","name":"daily_cap"'), 'the alarm is over');
    assert.equal(said('"name":"too_large"'), 0);
    await lane.end(relayer);
    await lane.verify();
});

test('a cap that was lowered: what is larger is named, holds up nobody, and is settled once the cap is raised', async () => {
    await dawn();
    const large = await withdraw(5n * OGPU / 10n);
    const { id: won } = await lane.earn(4n * OGPU / 10n);
    await setCap(COIN / 5n);
    const waits = said('"alarm","name":"daily_cap"');
    const { id: small } = await lane.earn(OGPU / 1000n);
    relayer = lane.relayer();
    await settled(small);
    await alarm('too_large', `${typeId('wdr', large)}, ${5n * OGPU / 10n} wei for ${lane.payer.account.address}, is in no batch until the cap of ${COIN / 5n} units is raised (such payouts: 2)`);
    assert.deepEqual([await state(large), await state(won)], [null, null]);
    await lane.end(relayer);
    assert.equal(said('"alarm","name":"daily_cap"'), waits, 'no other day is promised');
    await setCap(COIN);
    relayer = lane.relayer();
    await settled(large);
    await settled(won);
    await lane.end(relayer);
    await lane.verify();
});

test('a batch of the operator\'s own limit is no smaller a promise', async () => {
    await dawn();
    const { id } = await lane.earn(OGPU / 10n);
    relayer = lane.relayer({ OGPU_BATCH_MAX_UNITS: String(COIN / 10n) });
    await alarm('too_large', `${typeId('tsk', id)}, ${OGPU / 10n} wei for`);
    assert.equal(await state(id), null);
    await lane.end(relayer);
    relayer = lane.relayer();
    await settled(id);
    await lane.end(relayer);
    await lane.verify();
});
