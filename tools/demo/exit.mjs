// SPDX-License-Identifier: MIT
// A stranger gets everyone out, knowing an RPC address and the contract's, nothing else:
//
//   node exit.mjs KEY_FILE        → words on stderr as it goes, then {began, shown, exits} on stdout
//
// The dev chain's clock is moved past the waits; on a real chain one waits. The node and the contract
// come from L1_RPC_URL and L1_SETTLEMENT; every proof is rebuilt from the chain's own calldata.
import { readFileSync } from 'node:fs';
import {
    createPublicClient, createTestClient, createWalletClient, decodeFunctionData, http, keccak256,
    parseAbi,
} from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { SimpleMerkleTree } from '@openzeppelin/merkle-tree';

const { L1_RPC_URL, L1_SETTLEMENT } = process.env;
const ABI = parseAbi([
    'function settle(uint64 epoch, uint64 increase, bytes32 scoreRoot, bytes32 logRoot, bytes entries)',
    'function delay() view returns (uint64)', 'function silence() view returns (uint64)',
    'function window() view returns (uint64)', 'function vault() view returns (address)',
    'function accountOf(uint32 id) view returns (address)', 'function rootOf(uint64) view returns (bytes32, uint64)',
    'function beginExit()', 'function show(uint64 epoch, bytes chunk, bytes32[] proof)', 'function exit(uint32 id)',
    'event Settled(uint64 indexed epoch, bytes32 root, uint64 increase, bytes32 scoreRoot, bytes32 logRoot, uint256 count)',
    'error NotSilent(uint64 until)', 'error NothingToClaim(uint32 id)', 'error WindowOpen(uint64 exitAt)',
    'error AlreadyBegun(uint64 exitAt)', 'error UnknownEpoch(uint64 epoch)', 'error BadProof()', 'error NotInWindow(uint64 exitAt)',
]);
const CHUNK = 320; // hex digits of 16 entries

const transport = http(L1_RPC_URL);
const chain = createPublicClient({ transport, pollingInterval: 100, cacheTime: 0 });
const node = createTestClient({ mode: 'anvil', transport });
const account = privateKeyToAccount(`0x${readFileSync(process.argv[2], 'utf8').trim()}`);
const wallet = createWalletClient({ account, transport });
const say = (words) => console.error(words);
const read = (functionName, args = [], address = L1_SETTLEMENT) => chain.readContract({ address, abi: ABI, functionName, args });
const why = (error) => error.cause?.data?.errorName;

async function send(functionName, args = []) {
    const call = { account, address: L1_SETTLEMENT, abi: ABI, functionName, args };
    await chain.simulateContract(call);
    const hash = await wallet.writeContract({ ...call, chain: null });
    const receipt = await chain.waitForTransactionReceipt({ hash, timeout: 30_000 });
    if (receipt.status !== 'success') throw new Error(`${functionName} reverted in ${hash}`);
    return hash;
}

async function pass(seconds) {
    await node.increaseTime({ seconds: Number(seconds) });
    await node.mine({ blocks: 1 });
}

async function begin() {
    // A settlement that was on its way is mined as of now, not as of after the silence.
    await node.mine({ blocks: 1 });
    try {
        await send('beginExit');
        throw new Error('the exit began while the gateway was still alive');
    } catch (error) {
        if (why(error) !== 'NotSilent') throw error;
        say('beginExit() now: refused, NotSilent');
    }
    const wait = await read('silence') + await read('delay') + 1n;
    await pass(wait);
    say(`${wait} s of silence later: beginExit() by ${account.address}`);
    return send('beginExit');
}

/** Each standing batch's chunks with their proofs, from calldata. */
async function history() {
    const logs = await chain.getContractEvents({ address: L1_SETTLEMENT, abi: ABI, eventName: 'Settled', fromBlock: 0n, strict: true });
    const standing = [];
    for (const { transactionHash: hash, args: event } of logs) {
        const { args } = decodeFunctionData({ abi: ABI, data: (await chain.getTransaction({ hash })).input });
        const text = args[4].slice(2);
        const padded = text.padEnd(Math.ceil(text.length / CHUNK) * CHUNK, '0');
        const chunks = Array.from({ length: padded.length / CHUNK }, (_, i) => `0x${padded.slice(i * CHUNK, (i + 1) * CHUNK)}`);
        const tree = SimpleMerkleTree.of(chunks.map((c) => keccak256(c)), { sortLeaves: false });
        const [root] = await read('rootOf', [event.epoch]);
        if (root === tree.root) standing.push({ epoch: event.epoch, chunks, tree });
    }
    return standing;
}

/** A counter's last figure is its highest, so the newest batch that lists an id is enough for it. */
async function show() {
    const seen = new Set();
    let shown = 0;
    for (const { epoch, chunks, tree } of (await history()).reverse()) {
        for (const [i, chunk] of chunks.entries()) {
            const ids = [...chunk.slice(2).matchAll(/.{20}/g)].map(([e]) => e.slice(0, 8)).filter((id) => !/^0+$/.test(id) && !seen.has(id));
            if (ids.length === 0) continue;
            ids.forEach((id) => seen.add(id));
            await send('show', [epoch, chunk, tree.getProof(i)]);
            shown += 1;
        }
    }
    say(`show(): ${shown} chunk(s) rebuilt from calldata with OpenZeppelin's library, ${seen.size} counters`);
    return shown;
}

async function leave() {
    const vault = await read('vault');
    const exits = [];
    for (let id = 1; ; id += 1) {
        const payee = await read('accountOf', [id], vault);
        if (/^0x0+$/.test(payee)) return exits;
        try {
            exits.push({ id, account: payee, tx: await send('exit', [id]) });
        } catch (error) {
            if (why(error) !== 'NothingToClaim') throw error;
            say(`exit(${id}): nothing is due to ${payee}`);
        }
    }
}

try {
    const began = await begin();
    const shown = await show();
    const wait = await read('window') + 1n;
    await pass(wait);
    say(`${wait} s of the window later: exit(id) for each id`);
    console.log(JSON.stringify({ began, shown, exits: await leave() }));
} catch (error) {
    console.error(`exit: ${error.shortMessage ?? error.message} ${why(error) ?? ''}`.trim());
    process.exit(1);
}
