// SPDX-License-Identifier: MIT
// Somebody who has the contract's address and an RPC endpoint, and nothing else of ours: rebuilds every batch from logs and
// calldata, with OpenZeppelin's merkle-tree library, and claims for others. Knows no database and no API.
//
//   STRANGER_KEY=0x… stranger.mjs RPC_URL SETTLEMENT      claims for all payees; prints {"batches", "paid": {id: units}, …}
import { SimpleMerkleTree } from '@openzeppelin/merkle-tree';
import { createPublicClient, createWalletClient, decodeFunctionData, http, keccak256, parseAbi } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

// What the contract's documentation says; enough to read and to claim.
const settlement = parseAbi([
    'function settle(uint64 epoch, uint64 increase, bytes32 scoreRoot, bytes32 logRoot, bytes entries)',
    'function claimPayout(uint64 epoch, bytes chunk, uint8 index, bytes32[] proof)',
    'function show(uint64 epoch, bytes chunk, bytes32[] proof)',
    'function claimed(uint32 id) view returns (uint64)',
    'function rootOf(uint64 epoch) view returns (bytes32 root, uint64 time)',
    'function vault() view returns (address)',
    'event Settled(uint64 indexed epoch, bytes32 root, uint64 increase, bytes32 scoreRoot, bytes32 logRoot, uint256 count)',
]);
const vault = parseAbi(['function accountOf(uint32 id) view returns (address)', 'function lastId() view returns (uint32)']);
const CHUNK = 320; // hex digits of 16 entries of 10 bytes
const ENTRY = 20;
const SPENT = 0x80000000;

/** The 160-byte chunks of a batch, the last one filled up with zeros. */
function chunksOf(entries) {
    const hex = entries.slice(2);
    const n = Math.ceil(hex.length / CHUNK);
    return Array.from({ length: n }, (_, i) => `0x${hex.slice(i * CHUNK, (i + 1) * CHUNK).padEnd(CHUNK, '0')}`);
}

/** The entries of a chunk: id, whether it is the spent counter, units. */
function entriesOf(chunk) {
    return Array.from({ length: 16 }, (_, i) => {
        const at = chunk.slice(2 + i * ENTRY, 2 + (i + 1) * ENTRY);
        const id = Number.parseInt(at.slice(0, 8), 16);
        return { id: id & ~SPENT, spent: id >= SPENT, units: BigInt(`0x${at.slice(8)}`), index: i };
    });
}

export class Stranger {
    /** @param {object} client viem public client @param {object} wallet pays for gas @param {string} address of the Settlement */
    constructor(client, wallet, address) {
        Object.assign(this, { client, wallet, contract: { address, abi: settlement } });
    }

    async vault(functionName, args = []) {
        const address = await this.client.readContract({ ...this.contract, functionName: 'vault' });
        return this.client.readContract({ address, abi: vault, functionName, args });
    }

    /** Every batch that stands, rebuilt: {epoch, increase, chunks, tree}. Throws when calldata and root disagree. */
    async history() {
        const logs = await this.client.getContractEvents({ ...this.contract, eventName: 'Settled', fromBlock: 0n, strict: true });
        const all = [];
        for (const log of logs) {
            const [root] = await this.client.readContract({ ...this.contract, functionName: 'rootOf', args: [log.args.epoch] });
            if (BigInt(root) === 0n) {
                continue; // voided
            }
            const { input } = await this.client.getTransaction({ hash: log.transactionHash });
            const { args } = decodeFunctionData({ abi: settlement, data: input });
            const chunks = chunksOf(args[4]);
            const tree = SimpleMerkleTree.of(chunks.map((c) => keccak256(c)), { sortLeaves: false });
            if (tree.root !== root || args[0] !== log.args.epoch) {
                throw new Error(`epoch ${log.args.epoch}: ${tree.root} from calldata, ${root} on chain`);
            }
            all.push({ epoch: args[0], increase: args[1], chunks, tree });
        }
        return all;
    }

    /** For each id the proof of the highest figure of one counter that any standing batch lists. */
    async proofs(spent = false) {
        const best = new Map();
        for (const batch of await this.history()) {
            for (const [c, chunk] of batch.chunks.entries()) {
                for (const e of entriesOf(chunk).filter((x) => x.id > 0 && x.spent === spent)) {
                    if (e.units >= (best.get(e.id)?.units ?? 0n)) {
                        best.set(e.id, { ...e, epoch: batch.epoch, chunk, at: c, tree: batch.tree });
                    }
                }
            }
        }
        return new Map([...best].map(([id, b]) => [id, { epoch: b.epoch, units: b.units, chunk: b.chunk, index: b.index, proof: b.tree.getProof(b.at) }]));
    }

    /** Sends and waits; throws when it reverts. */
    async send(functionName, args) {
        const hash = await this.wallet.writeContract({ ...this.contract, functionName, args });
        const receipt = await this.client.waitForTransactionReceipt({ hash });
        if (receipt.status !== 'success') {
            throw new Error(`${functionName} reverted`);
        }
        return receipt;
    }

    claimed(id) {
        return this.client.readContract({ ...this.contract, functionName: 'claimed', args: [id] });
    }

    claim(p) {
        return this.send('claimPayout', [p.epoch, p.chunk, p.index, p.proof]);
    }

    /** Claims for every payee that has something to get. @returns {Promise<Map<number, bigint>>} units paid, by id */
    async claimAll() {
        const paid = new Map();
        const sent = [];
        for (const [id, p] of await this.proofs()) {
            const before = await this.claimed(id);
            if (p.units > before) {
                sent.push(await this.wallet.writeContract({ ...this.contract, functionName: 'claimPayout', args: [p.epoch, p.chunk, p.index, p.proof] }));
                paid.set(id, p.units - before);
            }
        }
        for (const hash of sent) {
            const receipt = await this.client.waitForTransactionReceipt({ hash });
            if (receipt.status !== 'success') {
                throw new Error(`${hash} reverted`);
            }
        }
        return paid;
    }

    /** Shows every chunk of every standing batch, as a forced exit asks for. */
    async showAll() {
        for (const batch of await this.history()) {
            for (const [i, chunk] of batch.chunks.entries()) {
                await this.send('show', [batch.epoch, chunk, batch.tree.getProof(i)]);
            }
        }
    }
}

if (process.argv[1] === import.meta.filename) {
    const [url, address] = process.argv.slice(2);
    const transport = http(url);
    const client = createPublicClient({ transport, pollingInterval: 50, cacheTime: 0 });
    const chain = { id: await client.getChainId(), name: 'unknown', nativeCurrency: { name: 'coin', symbol: 'C', decimals: 18 }, rpcUrls: { default: { http: [url] } } };
    const wallet = createWalletClient({ account: privateKeyToAccount(process.env.STRANGER_KEY), chain, transport });
    const s = new Stranger(client, wallet, address);
    const batches = (await s.history()).length;
    const paid = await s.claimAll();
    console.log(JSON.stringify({ batches, paid: Object.fromEntries([...paid].map(([id, units]) => [id, String(units)])) }));
}
