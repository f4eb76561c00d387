// SPDX-License-Identifier: MIT
// Amounts a hair below a whole unit: a quotient that is rounded, not cut, would list a unit that nobody has earned.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually } from '../support/stack.mjs';
import { Lane, OGPU } from './lane.mjs';

const UNIT = 10n ** 12n;
const HAIR = 1n; // wei
let lane, relayer;

before(async () => {
    lane = await Lane.up({ OGPU_DAILY_CAP: '1000000000000' });
    await lane.chain.node.setBalance({ address: lane.payer.account.address, value: 6000n * OGPU });
    await lane.chain.deposit(lane.payer, lane.payer.account.address, 5000n * OGPU);
    await eventually(async () => (await lane.m.balance(lane.client)).available > 5000n * OGPU, 'the credit');
});
after(async () => {
    if (relayer) await lane.end(relayer);
    await lane.down();
});

test('a thousand coins and all but a hair of a unit: settled in whole units, the rest stays payable', async () => {
    const account = await lane.account(`0x${lane.first.master.toString('hex')}`);
    const reward = 1_234_567_891n * UNIT - HAIR;
    relayer = lane.relayer();
    await lane.earn(reward);
    await lane.settled();
    let { claimable, payable } = await lane.m.balance(account);
    assert.deepEqual([claimable, payable], [1_234_567_890n * UNIT, UNIT - HAIR]);
    await lane.earn(HAIR); // and now it is whole
    await lane.settled();
    ({ claimable, payable } = await lane.m.balance(account));
    assert.deepEqual([claimable, payable], [1_234_567_891n * UNIT, 0n]);
    const [{ units }] = await lane.sql.read('earned_figure', { address: lane.first.master });
    assert.equal(BigInt(units), 1_234_567_891n);
    await lane.verify();
});
