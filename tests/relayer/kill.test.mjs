// SPDX-License-Identifier: MIT
// kill -9 of the relayer at each of its named points, on a real database and chain: the next one finds its place again.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { eventually } from '../support/stack.mjs';
import { Lane } from './lane.mjs';

let lane;

before(async () => {
    lane = await Lane.up();
});
after(() => lane?.down());
beforeEach(() => lane.begin());

const killed = async (child) => {
    const late = new Promise((done) => setTimeout(() => done({ signal: 'alive' }), 20_000).unref());
    assert.equal((await Promise.race([child.ended, late])).signal, 'SIGKILL');
};

async function recovers(env) {
    const relayer = lane.relayer(env);
    await lane.settled();
    await lane.end(relayer);
    await lane.verify();
}

for (const [point, what] of [['r1', 'a batch formed'], ['r2', 'its nonce reserved'], ['r3', 'signed and stored'], ['r4', 'sent, the answer unread'],
    ['r5', 'sent and recorded']]) {
    test(`killed at ${point}: ${what}`, async () => {
        const victim = lane.doomed(point);
        await lane.earn();
        await killed(victim);
        await recovers();
        assert.equal((await lane.newest()).length, 1, 'signed once');
    });
}

// Without the indexer, which might book the batch before the relayer has looked.
for (const [point, what] of [['r6', 'seen in a block'], ['r7', 'final on chain, not booked']]) {
    test(`killed at ${point}: ${what}`, async () => {
        await lane.end(lane.indexer, 'SIGKILL');
        const victim = lane.doomed(point);
        await lane.earn();
        await killed(victim);
        lane.indexer = lane.stack.start('ogpu-indexer', lane.finality);
        await recovers();
    });
}

test('killed at r8: a replacement stored and not sent', async () => {
    await lane.chain.node.setIntervalMining({ interval: 0 });
    const victim = lane.doomed('r8', { OGPU_BUMP_S: '1' });
    await lane.earn();
    await killed(victim);
    const [stored, first] = await lane.newest();
    assert.equal(stored.nonce, first.nonce);
    assert.ok(BigInt(stored.max_fee) * 8n >= BigInt(first.max_fee) * 9n, 'one eighth more, at least');
    assert.equal(stored.state, 'signed');
    const relayer = lane.relayer();
    await eventually(async () => (await lane.newest())[0].state === 'sent', 'the replacement is sent');
    await lane.chain.node.setIntervalMining({ interval: 1 });
    await lane.settled();
    await lane.end(relayer);
    await lane.verify();
});

test('killed at any time while payouts keep coming', async () => {
    for (let i = 0; i < 5; i++) {
        const relayer = lane.relayer();
        for (let k = 0; k < 4; k++) {
            await lane.earn();
        }
        await new Promise((done) => setTimeout(done, 37 * i * i));
        await lane.end(relayer, 'SIGKILL');
    }
    await recovers();
});

test('of two relayers one settles, and the other says why it does not', async () => {
    const one = lane.relayer();
    await eventually(() => lane.log().trimEnd().split('\n').at(-1).includes('keepalive'), 'the first one up');
    const two = lane.relayer();
    assert.equal((await two.ended).code, 1);
    assert.match(lane.log(), /another relayer holds the lock/);
    await lane.earn();
    await lane.settled();
    await lane.end(one);
    await lane.verify();
});
