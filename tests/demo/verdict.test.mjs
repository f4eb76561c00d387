// SPDX-License-Identifier: MIT
// The demo's judge on a settlement made by hand: it agrees with a true story, and each single lie
// in the story is found by the check that is there for it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SimpleMerkleTree, StandardMerkleTree } from '@openzeppelin/merkle-tree';
import { keccak256, zeroHash } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import * as c from '../contracts/chain.mjs';

const script = fileURLToPath(new URL('../../tools/demo/verdict.mjs', import.meta.url));
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const master = privateKeyToAccount(generatePrivateKey());
const provider = privateKeyToAccount(generatePrivateKey());
const UNITS = 250_000n;
// Two ids whose bytes are known: all zero but the last digit.
const TASK = `tsk_${'0'.repeat(24)}1z`;
const ATTEMPT = `att_${'0'.repeat(25)}2`;

let anvil, chain, made, at, folder, facts, before_exit;

const send = (who, to, abi, ...rest) => c.send(chain, who, to, abi, ...rest);

/** Settles one epoch with these entries; returns its transaction and what a proof needs. */
async function settle(epoch, increase, rows, score_root = zeroHash) {
    const entries = c.pack(rows);
    const receipt = await send(c.SETTLER, at.settlement, made.settlement_abi, 'settle',
        [epoch, increase, score_root, zeroHash, entries]);
    const chunks = c.chunks_of(entries);
    const tree = SimpleMerkleTree.of(chunks.map((x) => keccak256(x)), { sortLeaves: false });
    return { tx: receipt.transactionHash, chunk: chunks[0], proof: tree.getProof(0), root: tree.root };
}

async function sign(outputs, manifest, input) {
    const output = JSON.stringify(outputs.map(({ media_type, name, sha256: digest, size }) =>
        ({ media_type, name, sha256: digest, size })));
    return provider.signTypedData({
        domain: {
            name: 'OpenGPU Gateway', version: '1', chainId: 31337, verifyingContract: at.settlement,
        },
        types: {
            Response: [
                { name: 'task', type: 'bytes16' }, { name: 'attempt', type: 'bytes16' },
                { name: 'epoch', type: 'uint32' }, { name: 'provider', type: 'address' },
                { name: 'manifest', type: 'bytes32' }, { name: 'input', type: 'bytes32' },
                { name: 'output', type: 'bytes32' },
            ],
        },
        primaryType: 'Response',
        message: {
            task: `0x${(63n).toString(16).padStart(32, '0')}`,
            attempt: `0x${'2'.padStart(32, '0')}`, epoch: 3, provider: provider.address,
            manifest: `0x${sha256(manifest)}`, input: `0x${sha256(input)}`, output: `0x${sha256(output)}`,
        },
    });
}

/** One provider's score, alone in its tree. */
function score_of(epoch) {
    const leaf = { provider: provider.address, accepted: 2, rejected: 1, expired: 0, score: 4722, epoch, events_root: zeroHash };
    const types = ['address', 'uint64', 'uint64', 'uint64', 'uint32', 'uint64', 'bytes32'];
    const tree = StandardMerkleTree.of([Object.values(leaf)], types);
    return { leaf, proof: tree.getProof(0), epoch, root: tree.root };
}

/** So many seconds go by as the contract says under this name. */
async function pass(name) {
    const seconds = await chain.readContract({ address: at.settlement, abi: made.settlement_abi, functionName: name });
    await chain.increaseTime({ seconds: Number(seconds) + 1 });
    await chain.mine({ blocks: 1 });
}

/** The gateway is gone; a stranger shows the last batch and gets both out. */
async function leave(last) {
    const stranger = (name, args = []) => send(c.STRANGER, at.settlement, made.settlement_abi, name, args);
    before_exit = await chain.snapshot();
    await pass('delay'); // silence counts from the last batch that can be claimed
    await pass('silence');
    const { transactionHash: began } = await stranger('beginExit');
    await stranger('show', [2n, last.chunk, last.proof]);
    await pass('window');
    const exits = [];
    for (const [id, account] of [[1, c.CLIENT.address], [2, master.address]]) {
        exits.push({ id, account, tx: (await stranger('exit', [id])).transactionHash });
    }
    return { began, shown: 1, exits };
}

async function tell_the_story() {
    const file = join(folder, 'tile.png');
    const bytes = Buffer.from('what the worker made');
    writeFileSync(file, bytes);
    const outputs = [{
        name: 'tile.png', media_type: 'image/png', size: bytes.length, sha256: sha256(bytes),
        url: '/v1/blobs/…',
    }];
    const signature = await sign(outputs, '{"a":[1,{"c":2,"d":"x"}],"b":"y"}', '{"x":0,"y":1}');
    const score = score_of(1);
    const s = await settle(1n, UNITS, [[1, UNITS, true], [2, UNITS, false]], score.root);
    await pass('delay');
    const claim = await send(c.STRANGER, at.settlement, made.settlement_abi, 'claimPayout',
        [1n, s.chunk, 1, s.proof]);
    const last = await settle(2n, UNITS, [[1, UNITS * 2n, true], [2, UNITS * 2n, false]]);
    const exit = await leave(last);
    return {
        rpc: anvil.url, chain_id: 31337, settlement: at.settlement, vault: at.vault,
        request: { input: { y: 1, x: 0 } },
        source: { manifest: { b: 'y', a: [1, { d: 'x', c: 2 }] } },
        task: {
            id: TASK, status: 'succeeded', reward: (UNITS * c.UNIT).toString(), fee: '0',
            result: { attempt: ATTEMPT, outputs, signature },
        },
        attempts: [{ id: ATTEMPT, epoch: 3 }],
        provider: { address: provider.address, master: master.address },
        files: { 'tile.png': file },
        proof: {
            address: master.address, id: 2, epoch: 1, units: UNITS.toString(), chunk: s.chunk, index: 1,
            proof: s.proof, root: s.root, tx_hash: s.tx,
        },
        claim_tx: claim.transactionHash, score, exit,
        parties: {
            client: c.CLIENT.address, roles: [c.SETTLER.address], providers: [provider.address],
            masters: [master.address],
        },
    };
}

before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ogpu-verdict-'));
    made = await c.build_contracts();
    anvil = await c.start_anvil();
    chain = c.connect(anvil.url);
    at = await c.deploy(anvil.url, made.build);
    await send(c.CLIENT, at.vault, made.vault_abi, 'deposit', [c.CLIENT.address], 10n ** 18n);
    await send(c.CLIENT, at.vault, made.vault_abi, 'register', [master.address]);
    facts = await tell_the_story();
});

after(async () => {
    await anvil?.stop();
    made?.remove();
    rmSync(folder, { recursive: true, force: true });
});

/** The judge's exit code and the names of the checks that failed. */
function judge(story) {
    const file = join(folder, 'facts.json');
    writeFileSync(file, JSON.stringify(story));
    return new Promise((resolve) => {
        execFile(process.execPath, [script, file], (error, stdout, stderr) => {
            const failed = [...stdout.matchAll(/^FAIL {2}([^:]*):/gm)].map((m) => m[1]);
            resolve({ code: error?.code ?? 0, failed, stdout, stderr });
        });
    });
}

async function found(change, ...expected) {
    const story = structuredClone(facts);
    change(story);
    const { code, failed, stdout, stderr } = await judge(story);
    assert.deepEqual(failed, expected, stdout + stderr);
    assert.equal(code, 1);
}

test('a true story', async () => {
    const { code, failed, stdout, stderr } = await judge(facts);
    assert.deepEqual(failed, [], stdout + stderr);
    assert.equal(code, 0);
    assert.match(stdout, /verdict: 12 of 12 checks hold/);
});

test('other bytes than were signed', () => found((s) => {
    s.files['tile.png'] = script;
}, 'output bytes hash to the signed digests'));

test('a digest swapped after signing', () => found((s) => {
    s.task.result.outputs[0].sha256 = sha256('other');
}, 'output bytes hash to the signed digests', 'the winner signed this response'));

test('another input, epoch, manifest, provider than was signed', async () => {
    const name = 'the winner signed this response';
    await found((s) => { s.request.input.x = 1; }, name);
    await found((s) => { s.attempts[0].epoch = 4; }, name);
    await found((s) => { s.source.manifest.b = 'z'; }, name);
    await found((s) => { s.provider.address = c.STRANGER.address; }, name, 'the score holds on chain');
});

test('no batch, no proof', () => found((s) => { s.proof = null; },
    'the batch was settled', 'root rebuilt from calldata', 'declared increase',
    'entries are the task\'s price', 'the payout proof verifies', 'the claim was paid'));

test('no claim', () => found((s) => { s.claim_tx = null; },
    'the claim was paid', 'a stranger claimed', 'balance change = units × 10^12'));

test('a claim that is another transaction', () => found((s) => { s.claim_tx = s.proof.tx_hash; },
    'the claim was paid', 'a stranger claimed', 'balance change = units × 10^12'));

test('a claim by one who has a part', () => found((s) => {
    s.parties.masters.push(c.STRANGER.address);
}, 'a stranger claimed', 'everyone got out what is theirs'));

test('another score, provider, proof, root or none', async () => {
    const name = 'the score holds on chain';
    await found((s) => { s.score.leaf.score += 1; }, name);
    await found((s) => { s.score.leaf.rejected = 0; }, name);
    await found((s) => { s.score.leaf.provider = c.STRANGER.address; }, name);
    await found((s) => { s.score.proof = [zeroHash]; }, name);
    await found((s) => { s.score.root = zeroHash; }, name);
    await found((s) => { s.score.epoch = 2; }, name);
    await found((s) => { s.score = null; }, name);
});

test('an exit that left somebody out, paid by one who has a part, or did not happen', async () => {
    const name = 'everyone got out what is theirs';
    await found((s) => { s.exit.exits.pop(); }, name);
    await found((s) => { s.exit.exits.shift(); }, name);
    await found((s) => { s.exit.exits[0].tx = s.claim_tx; }, name);
    await found((s) => { s.exit.exits[0].id = 2; }, name);
    await found((s) => { s.exit.began = s.proof.tx_hash; }, name);
    await found((s) => { s.exit = null; }, name);
});

test('another price', () => found((s) => { s.task.reward = (UNITS * c.UNIT * 2n).toString(); },
    'entries are the task\'s price'));

test('another root or proof than the calldata gives', async () => {
    await found((s) => { s.proof.root = zeroHash; },
        'root rebuilt from calldata', 'the payout proof verifies');
    await found((s) => { s.proof.proof = [zeroHash]; }, 'the payout proof verifies');
    await found((s) => { s.proof.units = '1'; }, 'the payout proof verifies');
    await found((s) => { s.proof.index = 0; }, 'the payout proof verifies');
});

test('a task without a result', () => found((s) => { s.task.result = null; },
    'output bytes hash to the signed digests', 'the winner signed this response',
    'entries are the task\'s price'));

// Last: it takes the exit back and leaves a false epoch on the chain behind it.
test('an epoch that declares more than its entries grew by', async () => {
    await chain.revert({ id: before_exit });
    await settle(3n, UNITS + 1n, [[2, UNITS * 3n, false]]);
    await found(() => {}, 'declared increase', 'everyone got out what is theirs');
});
