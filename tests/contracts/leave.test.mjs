// SPDX-License-Identifier: MIT
// The gateway is gone for good. A stranger who has an RPC address and the contract's rebuilds every
// proof from calldata and logs, verifies a score, begins the exit and gets everyone their money.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as c from './chain.mjs';

const { SimpleMerkleTree, StandardMerkleTree } = c.require('@openzeppelin/merkle-tree');
const { decodeFunctionData, keccak256, numberToHex, toHex } = c.require('viem');

const DELAY = 600;
const DAY = 86400;
const person = (i) => numberToHex(0xc0ffee0000 + i, { size: 20 });
const CLIENTS = [1, 2, 3].map(person);
const PROVIDERS = Array.from({ length: 20 }, (_, i) => person(4 + i));

let anvil, chain, made, at, score_tree;

before(async () => {
    made = await c.build_contracts();
    anvil = await c.start_anvil('--enable-tx-gas-limit');
    chain = c.connect(anvil.url);
    at = await c.deploy(anvil.url, made.build, { OGPU_CLAIM_DELAY_S: String(DELAY),
        OGPU_ADMIN_DELAY_S: String(2 * DAY), OGPU_EXIT_SILENCE_S: String(7 * DAY),
        OGPU_EXIT_WINDOW_S: String(3 * DAY) });
});

after(async () => {
    await anvil?.stop();
    made?.remove();
});

const vault = (name, args, value) =>
    c.send(chain, c.CLIENT, at.vault, made.vault_abi, name, args, value);
const stranger = (name, args = []) =>
    c.send(chain, c.STRANGER, at.settlement, made.settlement_abi, name, args);
const ask = (functionName, args = []) =>
    chain.readContract({ address: at.settlement, abi: made.settlement_abi, functionName, args });
const balance = (address) => chain.getBalance({ address });

async function pass(seconds) {
    await chain.increaseTime({ seconds });
    await chain.mine({ blocks: 1 });
}

/** Epoch e: each client has spent e × 1000 × id units, the providers share as much. */
function rows(e) {
    const spent = [1, 2, 3].map((id) => [id, BigInt(e * 1000 * id), true]);
    const earned = PROVIDERS.map((_, i) => [4 + i, BigInt(e * 300), false]);
    return [...spent, ...earned];
}

/** Every batch as the chain's history has it, with the proof of each chunk. */
async function history() {
    const logs = await chain.getContractEvents({ address: at.settlement,
        abi: made.settlement_abi, eventName: 'Settled', fromBlock: 0n, strict: true });
    return Promise.all(logs.map(async (log) => {
        const { input } = await chain.getTransaction({ hash: log.transactionHash });
        const { args } = decodeFunctionData({ abi: made.settlement_abi, data: input });
        const chunks = c.chunks_of(args[4]);
        const tree = SimpleMerkleTree.of(chunks.map((x) => keccak256(x)), { sortLeaves: false });
        assert.equal(tree.root, log.args.root);
        return { epoch: args[0], chunks, tree };
    }));
}

test('two epochs of work, then the gateway stops', async () => {
    for (const [i, account] of CLIENTS.entries()) {
        await vault('deposit', [account], BigInt(10_000 * (i + 1)) * c.UNIT + 7n);
    }
    for (const account of PROVIDERS) await vault('register', [account]);
    const scores = PROVIDERS.map((account, i) =>
        [account, 90 + i, 1, 2, 947_000, 2, toHex(i, { size: 32 })]);
    score_tree = StandardMerkleTree.of(scores,
        ['address', 'uint64', 'uint64', 'uint64', 'uint32', 'uint64', 'bytes32']);
    for (const e of [1n, 2n]) {
        const args = [e, 6000n, score_tree.root, score_tree.root, c.pack(rows(Number(e)))];
        await c.send(chain, c.SETTLER, at.settlement, made.settlement_abi, 'settle', args);
    }
    assert.equal(await ask('committed'), 12_000n);
});

test('a score is checked on chain against OpenZeppelin\'s tree', async () => {
    const [, value] = [...score_tree.entries()][7];
    const proof = score_tree.getProof(7);
    const names = ['provider', 'accepted', 'rejected', 'expired', 'score', 'epoch', 'eventsRoot'];
    const leaf = Object.fromEntries(names.map((name, i) => [name, value[i]]));
    assert.equal(await ask('verifyScore', [2n, leaf, proof]), false, 'it can still be voided');
    await pass(DELAY);
    assert.equal(await ask('verifyScore', [2n, leaf, proof]), true);
    assert.equal(await ask('verifyScore', [2n, { ...leaf, score: 947_001 }, proof]), false);
    assert.equal(await ask('verifyScore', [1n, leaf, proof]), false);
});

test('one claim was made while all was well', async () => {
    const [batch] = await history();
    const chunk = Math.floor(3 / 16);
    await stranger('claimPayout', [1n, batch.chunks[chunk], 3, batch.tree.getProof(chunk)]);
    assert.equal(await balance(PROVIDERS[0]), 300n * c.UNIT);
});

test('a stranger gets everyone out, to the wei', async () => {
    await assert.rejects(stranger('beginExit'), /NotSilent/);
    await pass(7 * DAY);
    await stranger('beginExit');
    await assert.rejects(vault('deposit', [CLIENTS[0]], 1n), /Closed/);
    for (const { epoch, chunks, tree } of await history()) {
        for (const [i, chunk] of chunks.entries()) {
            await stranger('show', [epoch, chunk, tree.getProof(i)]);
        }
    }
    await assert.rejects(stranger('exit', [1]), /WindowOpen/);
    await pass(3 * DAY);
    for (let id = 1; id <= 23; id += 1) await stranger('exit', [id]);
    for (const [i, account] of CLIENTS.entries()) {
        const spent = BigInt(2000 * (i + 1));
        const left = (BigInt(10_000 * (i + 1)) - spent) * c.UNIT + 7n;
        assert.equal(await balance(account), left, `client ${i + 1}`);
    }
    for (const account of PROVIDERS) assert.equal(await balance(account), 600n * c.UNIT);
    assert.equal(await balance(at.vault), 0n, 'nothing is left');
    await assert.rejects(stranger('exit', [1]), /NothingToClaim/);
});
