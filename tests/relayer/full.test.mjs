// SPDX-License-Identifier: MIT
// An account that has earned and spent all that an entry can hold, 2^48 - 1 units: what it still asks for waits, with an alarm that
// names it, and everybody else is settled.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { eventually } from '../support/stack.mjs';
import { Lane, OGPU } from './lane.mjs';

const MILLION = 1_000_000n * OGPU;
let lane, relayer;

before(async () => {
    lane = await Lane.up();
    const { address } = lane.payer.account;
    await lane.chain.node.setBalance({ address, value: 1000n * MILLION });
    await lane.chain.deposit(lane.payer, address, 900n * MILLION);
    await eventually(async () => (await lane.m.balance({ id: lane.client.id })).available > 900n * MILLION, 'the deposit');
});
after(() => lane?.down());

async function withdraw(wei) {
    const id = randomUUID();
    const [{ outcome }] = await lane.sql.write('withdrawal_create', { id, account: lane.client.id, key: lane.client.key, amount: String(wei), idem_key: null, fingerprint: Buffer.alloc(32) });
    assert.equal(outcome, 'ok');
    return id;
}
const settled = (ref) => eventually(async () => (await lane.sql.query("SELECT 1 FROM ledger_entry l JOIN batch b ON b.id = l.batch_id WHERE l.ref = $1 AND b.state = 'confirmed'", [ref])).length === 1, `${ref} settled`);
const batch = async (ref) => (await lane.sql.query("SELECT batch_id FROM ledger_entry WHERE ref = $1 AND to_bucket = 'payable'", [ref]))[0].batch_id;
const beats = async () => (await lane.sql.query("SELECT 1 FROM batch WHERE increase_units = 0 AND state = 'confirmed'")).length;

test('what does not fit waits and is named, the rest is settled, and the gateway stays alive', async () => {
    const [a, b, c] = [await withdraw(200n * MILLION), await withdraw(50n * MILLION), await withdraw(40n * MILLION)];
    const { id: won } = await lane.earn();
    relayer = lane.relayer({ OGPU_KEEPALIVE_S: '1' });
    for (const ref of [a, b, won]) {
        await settled(ref);
    }
    assert.equal(await batch(c), null);
    await eventually(() => lane.log().includes(`"alarm","name":"full","text":"${lane.payer.account.address} has `), 'the alarm');
    const before = await beats();
    await eventually(async () => await beats() > before, 'a sign of life');
    const { id: late } = await lane.earn();
    await settled(late);
    assert.equal(await batch(c), null);
    await lane.end(relayer);
    await eventually(async () => (await lane.sql.query("SELECT 1 FROM batch WHERE state = 'submitted'")).length === 0, 'the last beat is booked');
    await lane.verify();
});
