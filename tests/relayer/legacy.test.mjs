// SPDX-License-Identifier: MIT
// A chain from before EIP-1559, as a real node makes one: no base fee, one gas price. Deployed, settled, replaced at legacy prices.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { toHex } from 'viem';
import { eventually } from '../support/stack.mjs';
import { Lane, OGPU } from './lane.mjs';

let lane, relayer;

before(async () => {
    lane = await Lane.up({ OGPU_ANVIL_ARGS: '--hardfork berlin' }, 'legacy');
});
after(() => lane?.down());
beforeEach(() => lane.begin());
afterEach(async () => {
    await lane.end(relayer);
    await lane.verify();
});

const sent = async (tx) => lane.chain.public.getTransaction({ hash: toHex(tx.hash) });

test('the chain has no base fee, and the contracts were deployed on it', async () => {
    const block = await lane.chain.public.request({ method: 'eth_getBlockByNumber', params: ['latest', false] });
    assert.equal(BigInt(block.baseFeePerGas ?? 0), 0n);
    relayer = lane.relayer();
    const { transactions } = await lane.chain.public.getBlock({ blockNumber: await born() });
    const types = await Promise.all(transactions.map(async (hash) => (await lane.chain.public.getTransaction({ hash })).type));
    assert.deepEqual(types, ['legacy']);
});

/** The block of the deployment: the first with code at the contract. */
async function born() {
    for (let n = 0n; n < 100n; n++) {
        if (await lane.chain.public.getCode({ address: lane.chain.settlement.address, blockNumber: n })) {
            return n;
        }
    }
    throw new Error('no code in the first hundred blocks');
}

test('a batch lands at the price that the node asks', async () => {
    const price = await lane.chain.public.getGasPrice();
    relayer = lane.relayer();
    await lane.earn();
    await lane.settled();
    const [tx] = await lane.newest();
    const { type, gasPrice } = await sent(tx);
    assert.deepEqual([type, gasPrice, BigInt(tx.max_fee), BigInt(tx.tip)], ['legacy', price, price, 0n]);
    assert.equal((await lane.chain.public.getTransactionReceipt({ hash: toHex(tx.hash) })).effectiveGasPrice, price);
});

test('unmined, it is replaced at the same nonce, one eighth dearer at least; the dearest is mined', async () => {
    await lane.chain.node.setIntervalMining({ interval: 0 });
    relayer = lane.relayer({ OGPU_BUMP_S: '1' });
    await lane.earn(OGPU / 100n);
    const txs = await eventually(async () => { const rows = await lane.newest(); return rows.length > 2 && rows[0].state === 'sent' && rows; }, 'two replacements');
    for (let i = 1; i < txs.length; i++) {
        assert.ok(BigInt(txs[i - 1].max_fee) * 8n >= BigInt(txs[i].max_fee) * 9n);
        assert.equal(txs[i].nonce, txs[0].nonce);
    }
    await lane.chain.node.setIntervalMining({ interval: 1 });
    await lane.settled();
    const rows = await lane.newest();
    const final = rows.filter((t) => t.state === 'final');
    assert.equal(final.length, 1);
    assert.equal((await sent(final[0])).type, 'legacy');
});

test('an operator\'s highest price holds here too', async () => {
    await lane.chain.node.setMinGasPrice({ gasPrice: 3n * 10n ** 9n }).catch(() => {});
    relayer = lane.relayer({ OGPU_MAX_FEE_GWEI: '1', OGPU_BUMP_S: '1' });
    await lane.chain.node.setIntervalMining({ interval: 0 });
    await lane.earn(OGPU / 100n);
    await eventually(() => lane.log().includes('"alarm","name":"fee_cap"'), 'alarm fee_cap');
    const fees = (await lane.newest()).map((t) => BigInt(t.max_fee));
    assert.ok(fees.length > 0 && fees.every((f) => f <= 10n ** 9n), String(fees));
    await lane.end(relayer);
    await lane.chain.node.setIntervalMining({ interval: 1 });
    relayer = lane.relayer({ OGPU_BUMP_S: '1' });
    await lane.settled();
});
