// SPDX-License-Identifier: MIT
// The contract's day is that of its blocks. A database whose clock is past midnight before the chain is must not offer a batch that
// the chain's day has no room for: refused, it would be taken for a bad one, and honest payouts would be parked.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually } from '../support/stack.mjs';
import { Lane, OGPU } from './lane.mjs';

const DAY = 86400n;
const CAP = 1_000_000n; // units a day: one coin
let lane, midnight;

before(async () => {
    lane = await Lane.up({ OGPU_DAILY_CAP: String(CAP) });
    // The chain's next midnight that is more than an hour away, and the chain ten minutes before it.
    const { timestamp } = await lane.chain.public.getBlock();
    midnight = ((timestamp + 3600n) / DAY + 1n) * DAY;
    await chainAt(midnight - 600n);
});
after(() => lane?.down());

async function chainAt(time) {
    await lane.chain.node.setNextBlockTimestamp({ timestamp: time });
    await lane.chain.node.mine({ blocks: 1 });
}
/** A relayer for whose statements it is always that time. */
function at(seconds) {
    const url = new URL(lane.stack.env.DATABASE_URL);
    url.searchParams.set('options', `-c ogpu.now=${new Date(Number(seconds) * 1000).toISOString()}`);
    return lane.relayer({ DATABASE_URL: url.href.replaceAll('+', '%20') });
}
const parked = () => lane.sql.query('SELECT * FROM parked_entry');

test('a database past midnight, a chain before it: what the day has no room for waits, and is not parked', async () => {
    let relayer = lane.relayer();
    await lane.earn(95n * OGPU / 100n);
    await lane.settled();
    await lane.end(relayer);
    for (let i = 0; i < 4; i++) {
        await lane.earn(OGPU / 10n);
    }
    relayer = at(midnight + 5n);
    await eventually(() => /"alarm","name":"daily_cap"|"alarm","name":"parked"/.test(lane.log()), 'it waits for the next day');
    assert.ok((await lane.chain.public.getBlock()).timestamp < midnight, 'still the day before');
    assert.deepEqual(await parked(), []);
    await chainAt(midnight + 120n);
    await lane.settled();
    assert.deepEqual(await parked(), []);
    assert.ok(!lane.log().includes('"halved"'));
    await lane.end(relayer);
});

test('a database before midnight, a chain past it: the new day\'s room is used', async () => {
    const relayer = at(midnight - 5n);
    await lane.earn(OGPU / 10n);
    await lane.settled();
    assert.deepEqual(await parked(), []);
    await lane.end(relayer);
    await lane.verify();
});
