// SPDX-License-Identifier: MIT
// The whole way of a payout on a real node: deploy, deposit, settle, and a stranger who has only
// an RPC address and the contract's rebuilds the proofs with OpenZeppelin's library and claims.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as c from './chain.mjs';

const { SimpleMerkleTree } = c.require('@openzeppelin/merkle-tree');
const { decodeFunctionData, encodePacked, keccak256, numberToHex, slice } = c.require('viem');

const SIZES = [1, 16, 17, 100];
const DELAY = 600;
const PEOPLE = Array.from({ length: 100 }, (_, i) =>
    slice(keccak256(encodePacked(['string', 'uint256'], ['payee', BigInt(i + 1)])), 12));

let anvil, chain, made, at;

before(async () => {
    made = await c.build_contracts();
    anvil = await c.start_anvil('--enable-tx-gas-limit');
    chain = c.connect(anvil.url);
});

after(async () => {
    await anvil?.stop();
    made?.remove();
});

const vault = (account, name, args, value) =>
    c.send(chain, account, at.vault, made.vault_abi, name, args, value);
const settlement = (account, name, args) =>
    c.send(chain, account, at.settlement, made.settlement_abi, name, args);
const ask = (functionName, args = []) =>
    chain.readContract({ address: at.settlement, abi: made.settlement_abi, functionName, args });
const ask_vault = (functionName, args = []) =>
    chain.readContract({ address: at.vault, abi: made.vault_abi, functionName, args });

/** What payee i has earned in all when the batch of this epoch is made. */
const earned = (i, epoch) => BigInt(i * 1000 + 7) * BigInt(epoch) ** 2n;

test('deployed as an operator does it: the two know each other', async () => {
    at = await c.deploy(anvil.url, made.build, { OGPU_CLAIM_DELAY_S: String(DELAY) });
    assert.equal(at.chainId, 31337);
    assert.equal(await ask('vault'), at.vault);
    assert.equal(await ask_vault('settlement'), at.settlement);
    assert.equal(await ask('settler'), c.SETTLER.address);
    assert.equal(await ask('delay'), BigInt(DELAY));
});

test('deposits number their accounts and fill the pool', async () => {
    const amount = 10n ** 18n + 1n;
    const { logs } = await vault(c.CLIENT, 'deposit', [PEOPLE[0]], amount);
    assert.equal(logs.length, 2);
    for (const account of PEOPLE) await vault(c.STRANGER, 'register', [account]);
    await vault(c.CLIENT, 'deposit', [c.CLIENT.address], 500n * 10n ** 18n);
    assert.equal(await ask_vault('lastId'), 101);
    assert.equal(await ask_vault('idOf', [PEOPLE[99]]), 100);
    assert.equal((await ask_vault('accountOf', [100])).toLowerCase(), PEOPLE[99]);
    assert.equal(await ask_vault('deposited', [1]), amount);
    assert.equal(await ask_vault('totalDeposited'), 500n * 10n ** 18n + amount);
});

test('batches of 1, 16, 17 and 100 entries settle', async () => {
    let before_sum = 0n;
    const highest = new Map();
    for (const [k, size] of SIZES.entries()) {
        const epoch = k + 1;
        const rows = PEOPLE.slice(0, size).map((_, i) => [i + 1, earned(i + 1, epoch), false]);
        for (const [id, units] of rows) highest.set(id, units);
        const sum = [...highest.values()].reduce((a, b) => a + b, 0n);
        const tag = numberToHex(epoch, { size: 32 });
        const args = [BigInt(epoch), sum - before_sum, tag, tag, c.pack(rows)];
        await settlement(c.SETTLER, 'settle', args);
        before_sum = sum;
        assert.equal(await ask('lastEpoch'), BigInt(epoch));
        assert.equal(await ask('committed'), sum);
    }
});

/** What a stranger does: log → transaction → calldata → tree. */
async function rebuild(epoch) {
    const [log] = await chain.getContractEvents({
        address: at.settlement, abi: made.settlement_abi, eventName: 'Settled',
        args: { epoch }, fromBlock: 0n, strict: true,
    });
    const { input } = await chain.getTransaction({ hash: log.transactionHash });
    const { args } = decodeFunctionData({ abi: made.settlement_abi, data: input });
    const chunks = c.chunks_of(args[4]);
    const tree = SimpleMerkleTree.of(chunks.map((x) => keccak256(x)), { sortLeaves: false });
    return { log, chunks, tree, args };
}

test('the roots are those of OpenZeppelin\'s tree over the calldata', async () => {
    for (const [k, size] of SIZES.entries()) {
        const epoch = BigInt(k + 1);
        const { log, tree, chunks, args } = await rebuild(epoch);
        const [root, time] = await ask('rootOf', [epoch]);
        const block = await chain.getBlock({ blockHash: log.blockHash });
        assert.equal(chunks.length, Math.ceil(size / 16));
        assert.equal(tree.root, root);
        assert.equal(log.args.root, root);
        assert.equal(log.args.count, BigInt(size));
        assert.equal(log.args.increase, args[1]);
        assert.equal(log.args.scoreRoot, numberToHex(epoch, { size: 32 }));
        assert.equal(time, block.timestamp);
    }
});

test('no claim before the delay, each claim after it, to the wei', async () => {
    const trees = await Promise.all(SIZES.map((_, k) => rebuild(BigInt(k + 1))));
    const claim = (epoch, i) => settlement(c.STRANGER, 'claimPayout', [
        BigInt(epoch), trees[epoch - 1].chunks[Math.floor(i / 16)], i % 16,
        trees[epoch - 1].tree.getProof(Math.floor(i / 16)),
    ]);
    await assert.rejects(claim(4, 0), /TooEarly/);
    await chain.increaseTime({ seconds: DELAY });
    await chain.mine({ blocks: 1 });
    const pool = await chain.getBalance({ address: at.vault });
    let paid = 0n;
    for (const [k, size] of SIZES.entries()) {
        const epoch = k + 1;
        for (let i = 0; i < size; i += 1) {
            await claim(epoch, i);
            const balance = await chain.getBalance({ address: PEOPLE[i] });
            assert.equal(balance, earned(i + 1, epoch) * c.UNIT, `payee ${i + 1}, epoch ${epoch}`);
        }
    }
    for (let i = 0; i < 100; i += 1) paid += earned(i + 1, 4);
    assert.equal(await ask('paid'), paid);
    assert.equal(await ask('committed'), paid);
    assert.equal(await chain.getBalance({ address: at.vault }), pool - paid * c.UNIT);
    await assert.rejects(claim(4, 99), /NothingToClaim/);
    await assert.rejects(claim(1, 0), /NothingToClaim/);
});

test('claims left their events', async () => {
    const logs = await chain.getContractEvents({
        address: at.settlement, abi: made.settlement_abi, eventName: 'Claimed',
        args: { id: 1 }, fromBlock: 0n, strict: true,
    });
    assert.equal(logs.length, SIZES.length);
    const units = logs.reduce((sum, log) => sum + log.args.units, 0n);
    assert.equal(units, earned(1, 4));
    for (const { args } of logs) {
        assert.equal(args.amount, args.units * c.UNIT);
        assert.equal(args.account.toLowerCase(), PEOPLE[0]);
    }
});
