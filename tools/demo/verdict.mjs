// SPDX-License-Identifier: MIT
// The demo's judge: node verdict.mjs FACTS.json
//
// It shares no code, no ABI file and no database with the project. FACTS holds what the demo's
// client got over HTTP, the names of the files it saved, and two addresses; everything about money
// is asked from the chain itself. One line a check; the exit code is 0 only when all of them hold.
//
// FACTS: {rpc, chain_id, settlement, vault, request, source, task, attempts, provider, files,
//         proof, claim_tx, score, exit, parties}
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import {
    createPublicClient, decodeFunctionData, getAddress, http, keccak256, parseAbi, parseEventLogs,
    recoverTypedDataAddress,
} from 'viem';
import { SimpleMerkleTree, StandardMerkleTree } from '@openzeppelin/merkle-tree';

const UNIT = 10n ** 12n;
const ENTRY = 10;
const PER_CHUNK = 16;
const SPENT = 2 ** 31;
const ABI = parseAbi([
    'function settle(uint64 epoch, uint64 increase, bytes32 scoreRoot, bytes32 logRoot, bytes entries)',
    'function rootOf(uint64 epoch) view returns (bytes32 root, uint64 time)',
    'function delay() view returns (uint64)',
    'function verifyScore(uint64 epoch, (address provider, uint64 accepted, uint64 rejected, uint64 expired, uint32 score, uint64 epoch, bytes32 eventsRoot) leaf, bytes32[] proof) view returns (bool)',
    'function vault() view returns (address)',
    'function idOf(address account) view returns (uint32)',
    'function accountOf(uint32 id) view returns (address)',
    'event Settled(uint64 indexed epoch, bytes32 root, uint64 increase, bytes32 scoreRoot, bytes32 logRoot, uint256 count)',
    'event Deposited(uint32 indexed id, address indexed account, uint256 amount)',
    'event ExitBegun(uint64 exitAt)',
    'event Claimed(uint32 indexed id, address indexed account, uint64 units, uint256 amount)',
]);
const RESPONSE = {
    Response: [
        { name: 'task', type: 'bytes16' }, { name: 'attempt', type: 'bytes16' },
        { name: 'epoch', type: 'uint32' }, { name: 'provider', type: 'address' },
        { name: 'manifest', type: 'bytes32' }, { name: 'input', type: 'bytes32' },
        { name: 'output', type: 'bytes32' },
    ],
};

const facts = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const chain = createPublicClient({ transport: http(facts.rpc), cacheTime: 0 });
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const same = (a, b) => getAddress(a) === getAddress(b);

function must(condition, reason) {
    if (!condition) throw new Error(reason);
}

function need(name) {
    must(facts[name] !== null && facts[name] !== undefined, `there is no ${name}`);
    return facts[name];
}

/** RFC 8785 for what our documents hold: JSON.stringify already writes numbers and strings so. */
function canonical(value) {
    if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
    if (value === null || typeof value !== 'object') return JSON.stringify(value);
    const members = Object.keys(value).sort().map((k) => `${JSON.stringify(k)}:${canonical(value[k])}`);
    return `{${members.join(',')}}`;
}

/** The 16 bytes behind a TypeID: 26 digits of Crockford's base 32, 5 bits each. */
function uuid_of(id) {
    const digits = '0123456789abcdefghjkmnpqrstvwxyz';
    let value = 0n;
    for (const c of id.slice(id.indexOf('_') + 1)) value = value * 32n + BigInt(digits.indexOf(c));
    return `0x${value.toString(16).padStart(32, '0')}`;
}

function read(name, args = [], at = facts.settlement) {
    return chain.readContract({ address: at, abi: ABI, functionName: name, args });
}

/** Calldata entries as chunks (zeros behind the last entry) and as [id, units, spent]. */
function unpack(hex) {
    const bytes = Buffer.from(hex.slice(2), 'hex');
    must(bytes.length > 0 && bytes.length % ENTRY === 0, 'the entries are no multiple of 10 bytes');
    const size = ENTRY * PER_CHUNK;
    const padded = Buffer.alloc(Math.ceil(bytes.length / size) * size);
    bytes.copy(padded);
    const chunks = [];
    for (let i = 0; i < padded.length; i += size) {
        chunks.push(`0x${padded.subarray(i, i + size).toString('hex')}`);
    }
    const rows = [];
    for (let i = 0; i < padded.length; i += ENTRY) {
        const word = padded.readUInt32BE(i);
        rows.push({ id: word % SPENT, units: BigInt(padded.readUIntBE(i + 4, 6)), spent: word >= SPENT });
    }
    return { chunks, rows };
}

/** A settled batch as the chain tells it: receipt, event, calldata. */
async function batch_of(log) {
    const hash = log.transactionHash;
    const [tx, receipt] = await Promise.all([
        chain.getTransaction({ hash }), chain.getTransactionReceipt({ hash }),
    ]);
    const { functionName, args } = decodeFunctionData({ abi: ABI, data: tx.input });
    must(functionName === 'settle' && same(tx.to, facts.settlement), 'it was settled by another call');
    return { receipt, event: log.args, epoch: args[0], increase: args[1], ...unpack(args[4]) };
}

let settled = null;
async function batches() {
    if (settled) return settled;
    const logs = await chain.getContractEvents({
        address: facts.settlement, abi: ABI, eventName: 'Settled', fromBlock: 0n, strict: true,
    });
    settled = await Promise.all(logs.map(batch_of));
    return settled;
}

async function our_batch() {
    const { epoch, tx_hash } = need('proof');
    const batch = (await batches()).find((b) => b.epoch === BigInt(epoch));
    must(batch, `the chain knows no epoch ${epoch}`);
    must(batch.receipt.transactionHash === tx_hash, 'the proof names another transaction');
    return batch;
}

async function settle_receipt() {
    const { receipt, epoch } = await our_batch();
    must(receipt.status === 'success', 'the settle transaction reverted');
    return `epoch ${epoch} in block ${receipt.blockNumber}, ${receipt.gasUsed} gas`;
}

async function root_rebuilt() {
    const { chunks, event, epoch } = await our_batch();
    const { root } = SimpleMerkleTree.of(chunks.map((c) => keccak256(c)), { sortLeaves: false });
    const [kept] = await read('rootOf', [epoch]);
    must(root === event.root, `the calldata gives ${root}, the event says ${event.root}`);
    must(root === kept, `the contract keeps ${kept}`);
    must(root === facts.proof.root, 'the gateway served another root');
    return `${root} from ${chunks.length} chunk(s) of calldata = event = rootOf`;
}

/** Whoever declares more than the counters grew could pay out strangers' deposits. */
async function increase_true() {
    await our_batch();
    const highest = new Map();
    for (const { rows, increase, epoch } of await batches()) {
        let growth = 0n;
        for (const { id, units, spent } of rows) {
            if (id === 0 || spent) continue;
            must(units >= (highest.get(id) ?? 0n), `id ${id} fell in epoch ${epoch}`);
            growth += units - (highest.get(id) ?? 0n);
            highest.set(id, units);
        }
        must(growth === increase, `epoch ${epoch} declares ${increase}, its entries grew by ${growth}`);
    }
    return `every epoch declared what its entries grew by (${(await batches()).length} epoch(s))`;
}

async function proof_verifies() {
    const proof = need('proof');
    const leaf = keccak256(proof.chunk);
    must(SimpleMerkleTree.verify(proof.root, leaf, proof.proof), 'the proof does not lead to the root');
    const row = unpack(proof.chunk).rows[proof.index];
    const id = await read('idOf', [facts.provider.master], facts.vault);
    must(same(proof.address, facts.provider.master), 'the proof is for another address');
    must(row.id === id && !row.spent, `the entry is of id ${row.id}, the master has ${id}`);
    must(row.units === BigInt(proof.units), `the entry holds ${row.units} units`);
    return `id ${id} earned ${row.units} units, ${proof.proof.length} sibling(s)`;
}

/** What the task took from its client and gave to the winner's master, both as units. */
async function task_priced() {
    const { rows } = await our_batch();
    result();
    const due = (BigInt(facts.task.reward) - BigInt(facts.task.fee)) / UNIT;
    const units = async (address, spent) => {
        const id = await read('idOf', [address], facts.vault);
        return rows.find((r) => r.id === id && r.spent === spent)?.units;
    };
    must(await units(facts.provider.master, false) === due, `the master's entry is not ${due}`);
    const price = BigInt(facts.task.reward) / UNIT;
    must(await units(facts.parties.client, true) === price, `the client's entry is not ${price}`);
    return `client spent ${price}, master earned ${due} units`;
}

async function claimed() {
    const receipt = await chain.getTransactionReceipt({ hash: need('claim_tx') });
    must(receipt.status === 'success', 'the claim reverted');
    must(same(receipt.to, facts.settlement), 'it was sent elsewhere');
    const [event, more] = parseEventLogs({ abi: ABI, eventName: 'Claimed', logs: receipt.logs })
        .filter((log) => same(log.address, facts.settlement));
    must(event && !more, 'it has not exactly one Claimed event');
    return { receipt, ...event.args };
}

async function claim_receipt() {
    const { receipt, account, units, amount } = await claimed();
    must(same(account, facts.provider.master), 'it paid another account');
    must(amount === units * UNIT, 'its event does not multiply right');
    const [, time] = await read('rootOf', [BigInt(facts.proof.epoch)]);
    const { timestamp } = await chain.getBlock({ blockNumber: receipt.blockNumber });
    const waited = timestamp - time;
    must(waited >= await read('delay'), `it came ${waited} s after the batch`);
    return `${units} units to ${account}, ${waited} s after the batch`;
}

async function claim_by_stranger() {
    const { receipt } = await claimed();
    const known = Object.values(facts.parties).flat();
    must(!known.some((a) => same(a, receipt.from)), `${receipt.from} has a part in the story`);
    return `${receipt.from} is nobody's key`;
}

/** Balances by block, so that nothing but the claim's own block lies between them. */
async function balance_moved() {
    const { receipt, account, units } = await claimed();
    const change = async (address) => {
        const at = (blockNumber) => chain.getBalance({ address, blockNumber });
        return await at(receipt.blockNumber) - await at(receipt.blockNumber - 1n);
    };
    must(same(await read('vault'), facts.vault), 'the pool is another contract');
    const [gained, lost] = [await change(account), await change(facts.vault)];
    must(gained === units * UNIT, `the payee gained ${gained} wei, not ${units * UNIT}`);
    must(lost === -units * UNIT, `the pool changed by ${lost} wei`);
    return `+${gained} wei = ${units} units × 10^12, and the pool ${lost}`;
}

/** The contract's own yes, and its no to a better score; the root is that of the batch's event. */
async function score_verifies() {
    const { leaf, proof, epoch, root } = need('score');
    must(same(leaf.provider, facts.provider.address), 'the score is another provider\'s');
    const batch = (await batches()).find((b) => b.epoch === BigInt(epoch));
    must(batch?.event.scoreRoot === root, 'the batch has another score root');
    const values = [leaf.provider, leaf.accepted, leaf.rejected, leaf.expired, leaf.score, leaf.epoch, leaf.events_root];
    const types = ['address', 'uint64', 'uint64', 'uint64', 'uint32', 'uint64', 'bytes32'];
    must(StandardMerkleTree.verify(root, types, values, proof), 'the proof does not lead to the score root');
    const named = { provider: leaf.provider, accepted: BigInt(leaf.accepted), rejected: BigInt(leaf.rejected), expired: BigInt(leaf.expired),
        score: leaf.score, epoch: BigInt(leaf.epoch), eventsRoot: leaf.events_root };
    must(await read('verifyScore', [BigInt(epoch), named, proof]), 'the contract says no');
    must(!await read('verifyScore', [BigInt(epoch), { ...named, score: leaf.score + 1 }, proof]), 'the contract believes anything');
    return `verifyScore: ${leaf.score} after epoch ${epoch} (${leaf.accepted} accepted, ${leaf.rejected} rejected, ${leaf.expired} expired)`;
}

/** What the chain's history owes an id: wei deposited − spent, and units earned − claimed, before a block. */
async function owed(id, block) {
    let [wei, spent, earned, claimed] = [0n, 0n, 0n, 0n];
    const events = async (eventName, address) => chain.getContractEvents({
        address, abi: ABI, eventName, args: { id }, fromBlock: 0n, toBlock: block, strict: true,
    });
    for (const { args } of await events('Deposited', facts.vault)) wei += args.amount;
    for (const { args } of await events('Claimed', facts.settlement)) claimed += args.units;
    for (const { rows } of await batches()) {
        for (const row of rows.filter((r) => r.id === id)) {
            if (row.spent) spent = row.units > spent ? row.units : spent;
            else earned = row.units > earned ? row.units : earned;
        }
    }
    return wei - spent * UNIT + (earned - claimed) * UNIT;
}

/** Each id's balance moved by what the chain's history says, in its exit's own block. */
async function exits_paid() {
    const { exits, began } = need('exit');
    const { blockNumber: start } = await chain.getTransactionReceipt({ hash: began });
    must((await batches()).every((b) => b.receipt.blockNumber < start), 'a batch was settled after the exit began');
    const words = [];
    for (const { id, account, tx } of exits) {
        const { blockNumber, from, status } = await chain.getTransactionReceipt({ hash: tx });
        must(status === 'success' && !Object.values(facts.parties).flat().some((a) => same(a, from)), 'no stranger\'s exit');
        const at = (n) => chain.getBalance({ address: account, blockNumber: n });
        const gained = await at(blockNumber) - await at(blockNumber - 1n);
        const due = await owed(id, blockNumber - 1n);
        must(gained === due && due > 0n, `${account} got ${gained} wei, ${due} was due`);
        words.push(`${account} +${gained}`);
    }
    const paid = (a) => exits.some((e) => same(e.account, a));
    must(paid(facts.parties.client), 'the client got nothing');
    must(facts.parties.masters.some(paid), 'no provider got anything');
    const left = await chain.getBalance({ address: facts.vault });
    must(left === 0n, `${left} wei stay in the vault`);
    return `${words.join(', ')} wei; the vault is empty`;
}

function result() {
    must(need('task').result, `the task is ${facts.task.status} and has no result`);
    return facts.task.result;
}

function output_hashes() {
    const { outputs } = result();
    must(outputs.length > 0, 'the result has no file');
    for (const { name, size, sha256: digest } of outputs) {
        const bytes = readFileSync(facts.files[name]);
        must(bytes.length === size, `${name} has ${bytes.length} bytes, not ${size}`);
        must(sha256(bytes) === digest, `${name} hashes to ${sha256(bytes)}, not ${digest}`);
    }
    return outputs.map((o) => `${o.name} ${o.sha256.slice(0, 16)}…`).join(', ');
}

/** Every digest is made anew from the documents themselves; none is taken on trust. */
async function signature_recovers() {
    const { attempt: attempt_id, outputs, signature } = result();
    const list = outputs.map(({ name, media_type, size, sha256: digest }) =>
        ({ name, media_type, size, sha256: digest }));
    const attempt = facts.attempts.find((a) => a.id === attempt_id);
    must(attempt, 'the winning attempt is not among the attempts');
    const message = {
        task: uuid_of(facts.task.id), attempt: uuid_of(attempt_id), epoch: attempt.epoch,
        provider: facts.provider.address,
        manifest: `0x${sha256(canonical(facts.source.manifest))}`,
        input: `0x${sha256(canonical(facts.request.input))}`,
        output: `0x${sha256(canonical(list))}`,
    };
    const signer = await recoverTypedDataAddress({
        domain: {
            name: 'OpenGPU Gateway', version: '1', chainId: facts.chain_id,
            verifyingContract: facts.settlement,
        },
        types: RESPONSE, primaryType: 'Response', message, signature,
    });
    must(same(signer, facts.provider.address), `${signer} signed, not ${facts.provider.address}`);
    must(facts.parties.providers.some((a) => same(a, signer)), 'no provider of ours signed');
    return `${signer} signed task, attempt, manifest, input and output`;
}

const CHECKS = [
    ['output bytes hash to the signed digests', output_hashes],
    ['the winner signed this response', signature_recovers],
    ['the batch was settled', settle_receipt],
    ['root rebuilt from calldata', root_rebuilt],
    ['declared increase', increase_true],
    ['entries are the task\'s price', task_priced],
    ['the payout proof verifies', proof_verifies],
    ['the claim was paid', claim_receipt],
    ['a stranger claimed', claim_by_stranger],
    ['balance change = units × 10^12', balance_moved],
    ['the score holds on chain', score_verifies],
    ['everyone got out what is theirs', exits_paid],
];

let failed = 0;
for (const [name, check] of CHECKS) {
    try {
        console.log(`ok    ${name}: ${await check()}`);
    } catch (error) {
        failed += 1;
        console.log(`FAIL  ${name}: ${error.shortMessage ?? error.message}`);
    }
}
console.log(`verdict: ${CHECKS.length - failed} of ${CHECKS.length} checks hold`);
process.exitCode = failed === 0 ? 0 : 1;
