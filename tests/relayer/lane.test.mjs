// SPDX-License-Identifier: MIT
// The lane under pressure: strangers at the key, fees that explode, a budget, and payouts that the contract refuses.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { createWalletClient, toHex } from 'viem';
import { eventually, sleep } from '../support/stack.mjs';
import { Lane, OGPU } from './lane.mjs';
import { FaultyNode } from '../support/faulty_node.mjs';

let lane, relayer, stranger;

before(async () => {
    lane = await Lane.up();
    stranger = createWalletClient({ account: lane.settler, chain: lane.chain.chain, transport: lane.chain.transport });
});
after(() => lane?.down());
beforeEach(() => lane.begin());
afterEach(async () => {
    if (relayer) {
        await lane.end(relayer);
    }
    relayer = undefined;
    await lane.verify();
});

const start = (env) => {
    relayer = lane.relayer(env);
};
const alarm = (name) => eventually(() => lane.log().includes(`"alarm","name":"${name}"`), `alarm ${name}`);
const mining = (on) => lane.chain.node.setIntervalMining({ interval: on ? 1 : 0 });
const self = (over = {}) => stranger.sendTransaction({ to: lane.settler.address, value: 0n, ...over });

test('payouts that the contract refuses are parked, and never block the rest; put right, they are paid', async () => {
    const bad = await lane.provider();
    const good = await lane.provider();
    const key = [bad.master];
    const [{ chain_id: right }] = await lane.sql.query('SELECT chain_id FROM account WHERE address = $1', key);
    // An id that the contract never gave: it refuses any batch that lists it.
    await lane.sql.query('UPDATE account SET chain_id = 2000000000 WHERE address = $1', key);
    const reward = OGPU / 1000n;
    for (let i = 0; i < 11; i++) {
        await lane.earn(reward, i % 5 === 2 ? bad : good);
    }
    start({ OGPU_PARK_S: '3' });
    await eventually(async () => (await lane.m.balance(await lane.account(`0x${good.master.toString('hex')}`))).claimable === 9n * reward, 'the good ones are paid');
    await alarm('parked');
    const parked = await lane.sql.query('SELECT p.reason FROM parked_entry p JOIN ledger_entry l USING (ref, kind) JOIN account a ON a.id = l.to_account WHERE a.address = $1', key);
    assert.equal(parked.length, 2);
    assert.equal((await lane.sql.query('SELECT * FROM parked_entry')).length, 2);
    await lane.sql.query('UPDATE account SET chain_id = $2 WHERE address = $1', [...key, right]);
    await eventually(async () => (await lane.sql.query("SELECT 1 FROM ledger_entry WHERE to_bucket = 'payable' AND batch_id IS NULL AND kind = 'accept'")).length === 0, 'the parked ones are taken up again');
    await lane.settled();
    assert.equal((await lane.m.balance(await lane.account(`0x${bad.master.toString('hex')}`))).claimable, 2n * reward);
});

test('a key that somebody else uses: an alarm, the next free nonce, no gap', async () => {
    const mined = async () => BigInt(await lane.chain.public.getTransactionCount({ address: lane.settler.address }));
    const theirs = await mined();
    await self();
    await eventually(async () => await mined() > theirs, 'the stranger is mined');
    start();
    await lane.earn(OGPU / 1000n);
    await lane.settled();
    assert.equal((await lane.newest())[0].nonce, theirs + 1n);
    await alarm('stranger');
});

test('a transaction of ours that a stranger overtakes gets another nonce, once that is final', async () => {
    await mining(false);
    start();
    await lane.earn(OGPU / 1000n);
    const [ours] = await eventually(async () => { const t = await lane.newest(); return t.length > 0 && t[0].state === 'sent' && t; }, 'ours is sent');
    await lane.end(relayer, 'SIGKILL');
    await lane.chain.node.dropTransaction({ hash: `0x${ours.hash.toString('hex')}` });
    await self({ nonce: Number(ours.nonce), gas: 21000n });
    await lane.chain.node.mine({ blocks: 1 });
    start();
    await eventually(async () => (await lane.newest())[0].nonce > ours.nonce, 'another nonce');
    await mining(true);
    await lane.settled();
    assert.equal((await lane.newest())[0].nonce, ours.nonce + 1n);
});

test('a hundredfold base fee: raised in steps to the cap and not beyond; mined when the market comes down', async () => {
    const { baseFeePerGas: base } = await lane.chain.public.getBlock();
    const cap = 20n; // gwei
    await mining(false);
    await lane.chain.node.setNextBlockBaseFeePerGas({ baseFeePerGas: 100n * 10n ** 9n });
    await lane.chain.node.mine({ blocks: 1 });
    start({ OGPU_BUMP_S: '1', OGPU_MAX_FEE_GWEI: String(cap), OGPU_MAX_TIP_GWEI: String(cap) });
    await lane.earn(OGPU / 1000n);
    await alarm('fee_cap');
    const fees = (await lane.newest()).map((t) => BigInt(t.max_fee)).reverse();
    assert.ok(fees.length > 0 && fees.every((f) => f <= cap * 10n ** 9n), String(fees));
    for (let i = 1; i < fees.length; i++) {
        assert.ok(fees[i] * 8n >= fees[i - 1] * 9n, 'at least one eighth more');
    }
    await lane.chain.node.setNextBlockBaseFeePerGas({ baseFeePerGas: base });
    await lane.chain.node.mine({ blocks: 1 });
    await mining(true);
    await lane.settled();
    const txs = await lane.newest();
    assert.equal(txs.filter((t) => t.state === 'final').length, 1);
    assert.equal(new Set(txs.map((t) => t.nonce)).size, 1);
});

test('a hundredfold base fee where others tip nearly the cap: the tip leaves room, so the fee follows the market', async () => {
    const gwei = 10n ** 9n;
    const node = await FaultyNode.start(lane.stack.env.L1_RPC_URL);
    node.misbehave(async ({ method, call }) => {
        const out = await call();
        if (method === 'eth_feeHistory') {
            out.result.reward = [[toHex(19n * gwei)]];
        }
        return method === 'eth_maxPriorityFeePerGas' ? { result: toHex(19n * gwei) } : out;
    });
    await mining(false);
    start({ L1_RPC_URL: node.url, OGPU_BUMP_S: '1', OGPU_MAX_FEE_GWEI: '500', OGPU_MAX_TIP_GWEI: '20' });
    await lane.earn(OGPU / 1000n);
    await eventually(async () => (await lane.newest())[0]?.state === 'sent', 'sent');
    await lane.chain.node.setNextBlockBaseFeePerGas({ baseFeePerGas: 100n * gwei });
    await lane.chain.node.mine({ blocks: 1 });
    await eventually(async () => BigInt((await lane.newest())[0].max_fee) > 150n * gwei, 'the fee follows');
    assert.ok((await lane.newest()).every((t) => BigInt(t.tip) <= 20n * gwei));
    await mining(true);
    await lane.settled();
    await lane.end(relayer);
    relayer = undefined;
    await node.stop();
    await lane.chain.node.setNextBlockBaseFeePerGas({ baseFeePerGas: gwei });
    await lane.chain.node.mine({ blocks: 1 });
});

test('the first offer was too low: its replacement is mined, and the first one is not', async () => {
    await mining(false);
    start({ OGPU_BUMP_S: '1' });
    await lane.earn(OGPU / 1000n);
    await eventually(async () => (await lane.newest())[0]?.state === 'sent', 'sent');
    const [first] = (await lane.newest()).slice(-1);
    await lane.chain.node.setNextBlockBaseFeePerGas({ baseFeePerGas: BigInt(first.max_fee) * 2n });
    await lane.chain.node.mine({ blocks: 1 });
    await eventually(async () => BigInt((await lane.newest())[0].max_fee) > BigInt(first.max_fee) * 2n, 'replaced');
    await mining(true);
    await lane.settled();
    assert.equal((await lane.newest()).find((t) => t.hash.equals(first.hash)).state, 'sent');
});

test('a used gas budget stops signing with an alarm, and the next day goes on', async () => {
    await lane.sql.query("UPDATE chain_tx SET updated_at = updated_at - interval '1 day'");
    start({ OGPU_GAS_BUDGET_WEI: '1' });
    await lane.earn(OGPU / 1000n);
    await alarm('gas_budget');
    await sleep(1000);
    assert.deepEqual(await lane.newest(), []);
    await lane.end(relayer);
    start({ OGPU_GAS_BUDGET_WEI: String(OGPU) });
    await lane.settled();
    const [{ spent }] = await lane.sql.read('gas_spent', { sender: Buffer.from(lane.settler.address.slice(2), 'hex') });
    await lane.end(relayer);
    await lane.begin();
    const alarms = () => lane.log().split('"alarm","name":"gas_budget"').length;
    const before = alarms();
    start({ OGPU_GAS_BUDGET_WEI: String(BigInt(spent) + 100_000n) });
    await lane.earn(OGPU / 1000n);
    await eventually(() => alarms() > before, 'the alarm again');
    assert.deepEqual(await lane.newest(), []);
    await lane.end(relayer);
    await lane.sql.query("UPDATE chain_tx SET updated_at = updated_at - interval '1 day'");
    start({ OGPU_GAS_BUDGET_WEI: String(OGPU) });
    await lane.settled();
});
