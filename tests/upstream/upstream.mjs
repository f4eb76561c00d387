// SPDX-License-Identifier: MIT
// A chain with contracts that say what upstream's say, a mirror of it, and two gateways that show it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { concat, createPublicClient, createTestClient, createWalletClient, decodeEventLog, defineChain, encodeAbiParameters, http, toFunctionSelector } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { Contract } from '../support/contract.mjs';
import { Sql, root } from '../support/sql.mjs';
import { Stack, build } from '../support/stack.mjs';
import { World, settings, watch } from '../support/world.mjs';

const require = createRequire(join(root, 'tools/package.json'));

/** Compiles Upstream.sol. @returns {Record<string, {abi: object[], bytecode: string}>} */
function compile() {
    const solc = require('solc');
    const input = {
        language: 'Solidity',
        sources: { 'Upstream.sol': { content: readFileSync(join(root, 'tests/upstream/Upstream.sol'), 'utf8') } },
        settings: { evmVersion: 'paris', optimizer: { enabled: true, runs: 1 }, outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } } },
    };
    const out = JSON.parse(solc.compile(JSON.stringify(input)));
    const faults = (out.errors ?? []).filter((e) => e.severity === 'error');
    if (faults.length > 0) {
        throw new Error(faults.map((e) => e.formattedMessage).join('\n'));
    }
    return Object.fromEntries(Object.entries(out.contracts['Upstream.sol']).map(([name, c]) => [name, { abi: c.abi, bytecode: `0x${c.evm.bytecode.object}` }]));
}

export const ETHER = 10n ** 18n;
const ZERO = `0x${'00'.repeat(20)}`;

export const sourceParams = (over = {}) => ({
    client: ZERO, imageMetadataUrl: 'https://example.org/ipfs/QmSource', imageEnvironments: 3, minPayment: ETHER / 1000n, minAvailableLockup: 5n * ETHER,
    maxExpiryDuration: 86400n, privacyEnabled: false, optionalParamsUrl: '', deliveryMethod: 1, lastUpdateTime: 1795370400n, ...over,
});

export class Upstream {
    static async up() {
        const u = new Upstream();
        u.parts = compile();
        u.stack = Stack.up('postgres migrate redis anvil gateways', settings);
        u.sql = await Sql.open(u.stack.env.DATABASE_URL);
        u.world = Object.assign(new World(), { stack: u.stack, sql: u.sql, contract: new Contract(build), one: `http://${u.stack.env.OGPU_GATEWAY_1}`, two: `http://${u.stack.env.OGPU_GATEWAY_2}`, chainId: 0n });
        u.world.wrong = watch(u.world.contract);
        await u.sql.write('cursor_begin', { name: 'chain', final_no: 10n ** 9n, start_no: 0n });
        await u.connect();
        return u;
    }

    async connect() {
        const rpc = this.stack.env.L1_RPC_URL;
        const chain = defineChain({ id: 31337, name: 'dev', nativeCurrency: { name: 'OGPU', symbol: 'OGPU', decimals: 18 }, rpcUrls: { default: { http: [rpc] } } });
        this.public = createPublicClient({ chain, transport: http(rpc), pollingInterval: 20, cacheTime: 0 });
        this.node = createTestClient({ chain, mode: 'anvil', transport: http(rpc) });
        const account = privateKeyToAccount(generatePrivateKey());
        await this.node.setBalance({ address: account.address, value: 10n ** 24n });
        this.wallet = createWalletClient({ account, chain, transport: http(rpc) });
        await this.node.setIntervalMining({ interval: 0 });
        await this.node.setAutomine(true);
        this.nexus = await this.deploy('Nexus');
    }

    async mined(hash) {
        const receipt = await this.public.waitForTransactionReceipt({ hash });
        if (receipt.status !== 'success') {
            throw new Error('reverted');
        }
        return receipt;
    }

    async deploy(name, args = []) {
        return (await this.mined(await this.wallet.deployContract({ ...this.parts[name], args }))).contractAddress;
    }

    /** A call of the Nexus; answers the first address its first event names, in lower case. */
    async say(functionName, ...args) {
        const receipt = await this.mined(await this.wallet.writeContract({ address: this.nexus, abi: this.parts.Nexus.abi, functionName, args, gas: 16_000_000n }));
        const log = receipt.logs.find((l) => l.address.toLowerCase() === this.nexus.toLowerCase());
        try {
            return Object.values(decodeEventLog({ abi: this.parts.Nexus.abi, ...log }).args)[0].toLowerCase();
        } catch {
            return null;
        }
    }

    /** The same with raw bytes in place of strings, which viem would not let be anything but UTF-8. */
    async sayRaw(signature, types, values) {
        const data = concat([toFunctionSelector(signature), encodeAbiParameters(types, values)]);
        const receipt = await this.mined(await this.wallet.sendTransaction({ to: this.nexus, data, gas: 16_000_000n }));
        return Object.values(decodeEventLog({ abi: this.parts.Nexus.abi, ...receipt.logs[0] }).args)[0].toLowerCase();
    }

    mirror(env = {}) {
        this.process = this.stack.start('ogpu-indexer', { UPSTREAM_RPC_URL: this.stack.env.L1_RPC_URL, UPSTREAM_CHAIN_ID: '31337', UPSTREAM_NEXUS: this.nexus, OGPU_FINALITY: 'depth:1', OGPU_POLL_MS: '50', ...env }, ['mirror']);
        return this.process;
    }

    /** Blocks on top, so that what was said becomes final. */
    final(blocks = 2) {
        return this.node.mine({ blocks });
    }

    async kill() {
        this.process.kill('SIGKILL');
        await this.process.ended;
    }

    /** Everything mirrored, as the database holds it. */
    async all() {
        const objects = await this.sql.query("SELECT kind, encode(address, 'hex') AS address, encode(parent_address, 'hex') AS parent, block_no, log_index, encode(tx_hash, 'hex') AS tx, params, due_at IS NULL AS settled FROM mirror_object ORDER BY kind, address");
        const events = await this.sql.query("SELECT block_no, log_index, encode(block_hash, 'hex') AS block, kind, subject, encode(actor, 'hex') AS actor, number FROM mirror_event ORDER BY block_no, log_index");
        return { objects, events };
    }

    async down() {
        await this.world?.down();
    }
}
