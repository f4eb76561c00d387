// SPDX-License-Identifier: MIT
// When a batch is formed, on a real chain: by count, by worth, never above what it may hold, and not while gas is dear.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { toHex } from 'viem';
import { eventually } from '../support/stack.mjs';
import { Lane, OGPU } from './lane.mjs';
import { FaultyNode } from '../support/faulty_node.mjs';

const UNIT = 10n ** 12n;
const GWEI = 10n ** 9n;
const NEVER = { OGPU_BATCH_AGE_S: '86400', OGPU_BATCH_COUNT: '4000' };
let lane, node, relayer;

before(async () => {
    lane = await Lane.up();
    node = await FaultyNode.start(lane.stack.env.L1_RPC_URL);
});
after(async () => {
    await lane?.down();
    await node?.stop();
});
afterEach(async () => {
    await lane.end(relayer);
    await lane.verify();
});

const start = (env) => {
    relayer = lane.relayer({ L1_RPC_URL: node.url, ...env });
};
const batches = () => lane.sql.query("SELECT b.epoch, b.increase_units AS units, (SELECT count(*) FROM ledger_entry l WHERE l.batch_id = b.id) AS n FROM batch b ORDER BY epoch");
const fresh = async (before) => (await batches()).slice(before);
/** Each round of the relayer asks for the head once. */
async function rounds(n) {
    const from = node.count('eth_getBlockByNumber');
    await eventually(() => node.count('eth_getBlockByNumber') > from + n, `${n} rounds`);
}
async function waits(before) {
    await rounds(6);
    assert.deepEqual(await fresh(before), [], 'no batch yet');
}

test('by count: two wait, the third takes them along', async () => {
    const before = (await batches()).length;
    start({ ...NEVER, OGPU_BATCH_COUNT: '3' });
    await lane.earn(OGPU / 100n);
    await lane.earn(OGPU / 100n);
    await waits(before);
    await lane.earn(OGPU / 100n);
    await lane.settled();
    assert.deepEqual((await fresh(before)).map((b) => b.n), [3n]);
});

test('by worth: small ones wait until they are worth a batch', async () => {
    const before = (await batches()).length;
    start({ ...NEVER, OGPU_BATCH_UNITS: String(OGPU / 2n / UNIT) });
    await lane.earn(OGPU / 10n);
    await lane.earn(OGPU / 10n);
    await waits(before);
    await lane.earn(3n * OGPU / 10n);
    await lane.settled();
    assert.deepEqual((await fresh(before)).map((b) => [b.n, b.units]), [[3n, OGPU / 2n / UNIT]]);
});

test('no batch declares more than it may, nor holds more entries', async () => {
    const before = (await batches()).length;
    const most = OGPU / 2n / UNIT;
    for (let i = 0; i < 3; i++) {
        await lane.earn(4n * OGPU / 10n);
    }
    start({ OGPU_BATCH_MAX_UNITS: String(most) });
    await lane.settled();
    assert.deepEqual((await fresh(before)).map((b) => b.n), [1n, 1n, 1n]);
    assert.ok((await fresh(before)).every((b) => b.units <= most));
    await lane.end(relayer);
    for (let i = 0; i < 5; i++) {
        await lane.earn(OGPU / 100n);
    }
    start({ OGPU_BATCH_MAX: '2' });
    await lane.settled();
    assert.deepEqual((await fresh(before + 3)).map((b) => b.n), [2n, 2n, 1n]);
});

const baseFee = async (gwei) => {
    await lane.chain.node.setNextBlockBaseFeePerGas({ baseFeePerGas: BigInt(gwei) * GWEI });
    await lane.chain.node.mine({ blocks: 1 });
};

test('while gas is dear a batch waits, and goes when it is calm again', async () => {
    const before = (await batches()).length;
    await lane.chain.node.setIntervalMining({ interval: 0 });
    await baseFee(60);
    start({ OGPU_CALM_GWEI: '10' });
    await lane.earn(OGPU / 100n);
    await waits(before);
    await baseFee(5);
    await lane.chain.node.setIntervalMining({ interval: 1 });
    await lane.settled();
    const [tx] = await lane.sql.query("SELECT hash FROM chain_tx WHERE state = 'final' ORDER BY created_at DESC LIMIT 1");
    const { effectiveGasPrice: paid } = await lane.chain.public.getTransactionReceipt({ hash: toHex(tx.hash) });
    assert.ok(paid < 20n * GWEI, `${paid} wei`);
});

test('but no longer than an operator says', async () => {
    const before = (await batches()).length;
    await lane.chain.node.setIntervalMining({ interval: 0 });
    await baseFee(60);
    start({ OGPU_CALM_GWEI: '10', OGPU_BATCH_WAIT_S: '8' });
    await lane.earn(OGPU / 100n);
    await eventually(async () => (await fresh(before)).length === 1, 'a batch in spite of it');
    const [{ s: waited }] = await lane.sql.query('SELECT extract(epoch FROM b.created_at - l.at)::text AS s FROM batch b JOIN ledger_entry l ON l.batch_id = b.id ORDER BY b.epoch DESC LIMIT 1');
    assert.ok(Number(waited) >= 8, waited);
    await lane.chain.node.setIntervalMining({ interval: 1 });
    await lane.settled();
});
