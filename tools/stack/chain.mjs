// SPDX-License-Identifier: MIT
// What people do on the chain and with their keys, each with a key file of its own:
//
//   node chain.mjs deposit KEY_FILE OGPU              → {tx, block, account, wei}
//   node chain.mjs register KEY_FILE ADDRESS…         → [{address, id}]
//   node chain.mjs bind {PROVIDER_KEY MASTER_KEY}…    → bodies of POST /v1/providers/{provider}/bind
//   node chain.mjs balances ADDRESS…                  → {address: wei}
//   node chain.mjs check PROOF.json                   → words, when OpenZeppelin's library agrees
//   node chain.mjs claim KEY_FILE PROOF.json          → {tx, block}
//
// The node and the contracts come from L1_RPC_URL, L1_CHAIN_ID, L1_VAULT, L1_SETTLEMENT. One line of
// JSON or words on stdout; a failure is one line on stderr and exit code 1.
import { readFileSync } from 'node:fs';
import {
    createPublicClient, createWalletClient, http, keccak256, parseAbi, parseEther,
} from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { SimpleMerkleTree } from '@openzeppelin/merkle-tree';

const { L1_RPC_URL, L1_VAULT, L1_SETTLEMENT } = process.env;
const CHAIN_ID = Number(process.env.L1_CHAIN_ID);
const ABI = parseAbi([
    'function deposit(address account) payable',
    'function register(address account) returns (uint32 id)',
    'function idOf(address account) view returns (uint32)',
    'function claimPayout(uint64 epoch, bytes chunk, uint8 index, bytes32[] proof)',
    'error TooEarly(uint64 claimableAt)', 'error UnknownEpoch(uint64 epoch)', 'error BadProof()',
    'error NotEarned(uint32 id)', 'error NothingToClaim(uint32 id)',
    'error Undeclared(uint64 wanted, uint64 left)',
]);
const BINDING = {
    Binding: [
        { name: 'provider', type: 'address' }, { name: 'master', type: 'address' },
        { name: 'nonce', type: 'uint64' }, { name: 'deadline', type: 'uint64' },
    ],
};
const PATIENCE_MS = 30_000;

const transport = http(L1_RPC_URL);
const chain = createPublicClient({ transport, pollingInterval: 100, cacheTime: 0 });
const account_of = (file) => privateKeyToAccount(`0x${readFileSync(file, 'utf8').trim()}`);
const read_json = (file) => JSON.parse(readFileSync(file, 'utf8'));

/** Simulates first, so that a refusal has its name; a revert on chain is an error too. */
async function send(account, address, functionName, args, value = 0n) {
    const call = { account, address, abi: ABI, functionName, args, value };
    await chain.simulateContract(call);
    const wallet = createWalletClient({ account, transport });
    const hash = await wallet.writeContract({ ...call, chain: null });
    const receipt = await chain.waitForTransactionReceipt({ hash, timeout: PATIENCE_MS });
    if (receipt.status !== 'success') throw new Error(`${functionName} reverted in ${hash}`);
    return { tx: hash, block: Number(receipt.blockNumber) };
}

async function deposit(key_file, amount) {
    const account = account_of(key_file);
    const wei = parseEther(amount);
    const sent = await send(account, L1_VAULT, 'deposit', [account.address], wei);
    return { ...sent, account: account.address, wei: wei.toString() };
}

/** All at once: a block takes as long as a transaction. */
async function register(key_file, ...addresses) {
    const account = account_of(key_file);
    const wallet = createWalletClient({ account, transport });
    const first = await chain.getTransactionCount({ address: account.address });
    const sent = await Promise.all(addresses.map((address, i) => wallet.writeContract({
        address: L1_VAULT, abi: ABI, functionName: 'register', args: [address], nonce: first + i,
        chain: null,
    })));
    return Promise.all(sent.map(async (hash, i) => {
        const { status } = await chain.waitForTransactionReceipt({ hash, timeout: PATIENCE_MS });
        if (status !== 'success') throw new Error(`register reverted in ${hash}`);
        const id = await chain.readContract({
            address: L1_VAULT, abi: ABI, functionName: 'idOf', args: [addresses[i]],
        });
        return { address: addresses[i], id };
    }));
}

/** Both sign the same words. Nonce in microseconds: unique for a key that signs by hand. */
async function bind_one(provider_file, master_file) {
    const [provider, master] = [account_of(provider_file), account_of(master_file)];
    const nonce = Date.now() * 1000;
    const deadline = Math.floor(Date.now() / 1000) + 3600;
    const words = {
        domain: {
            name: 'OpenGPU Gateway', version: '1', chainId: CHAIN_ID, verifyingContract: L1_SETTLEMENT,
        },
        types: BINDING,
        primaryType: 'Binding',
        message: {
            provider: provider.address, master: master.address, nonce: BigInt(nonce),
            deadline: BigInt(deadline),
        },
    };
    return {
        master: master.address, nonce, deadline,
        signature: await provider.signTypedData(words),
        master_signature: await master.signTypedData(words),
    };
}

async function bind(...files) {
    const bodies = [];
    for (let i = 0; i < files.length; i += 2) bodies.push(await bind_one(files[i], files[i + 1]));
    return bodies;
}

async function balances(...addresses) {
    const wei = await Promise.all(addresses.map((address) => chain.getBalance({ address })));
    return Object.fromEntries(addresses.map((address, i) => [address, wei[i].toString()]));
}

async function check(file) {
    const p = read_json(file);
    const leaf = keccak256(p.chunk);
    if (!SimpleMerkleTree.verify(p.root, leaf, p.proof)) throw new Error('the proof does not verify');
    const at = 2 + p.index * 20;
    const entry = p.chunk.slice(at, at + 20);
    if (parseInt(entry.slice(0, 8), 16) !== p.id) throw new Error('the entry is of another id');
    if (BigInt(`0x${entry.slice(8)}`) !== BigInt(p.units)) throw new Error('the entry has other units');
    return `epoch ${p.epoch}, entry ${p.index}: id ${p.id} has earned ${p.units} units, root ${p.root}`;
}

/** The contract compares with the time of a block, so that is what is waited for. */
async function claimable(time) {
    const deadline = Date.now() + PATIENCE_MS;
    while ((await chain.getBlock()).timestamp < time) {
        if (Date.now() > deadline) throw new Error('the claim delay does not pass');
        await new Promise((resolve) => { setTimeout(resolve, 200); });
    }
}

async function claim(key_file, file) {
    const p = read_json(file);
    await claimable(BigInt(Math.ceil(Date.parse(p.claimable_at) / 1000)));
    return send(account_of(key_file), p.contract, 'claimPayout',
        [BigInt(p.epoch), p.chunk, p.index, p.proof]);
}

const STEPS = { deposit, register, bind, balances, check, claim };
try {
    const [word, ...args] = process.argv.slice(2);
    const answer = await STEPS[word](...args);
    console.log(typeof answer === 'string' ? answer : JSON.stringify(answer));
} catch (error) {
    const cause = error.cause?.data?.errorName ?? error.cause?.shortMessage ?? '';
    console.error(`${process.argv[2]}: ${error.shortMessage ?? error.message} ${cause}`.trim());
    process.exit(1);
}
