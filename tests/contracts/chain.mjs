// SPDX-License-Identifier: MIT
// A private anvil with the contracts on it, for the tests of this folder.
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { deployed } from '../support/deploy.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
// Packages live under tools/; a test asks for them from there.
export const require = createRequire(join(root, 'tools', 'package.json'));
const { createTestClient, http, publicActions, walletActions } = require('viem');
const { privateKeyToAccount } = require('viem/accounts');

const run = promisify(execFile);
export const UNIT = 10n ** 12n;
export const CHUNK = 160;

/** anvil's published development keys; worth nothing anywhere else. */
export const DEV_KEYS = [
    '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80',
    '0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d',
    '0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a',
];
export const [CLIENT, SETTLER, STRANGER] = DEV_KEYS.map((key) => privateKeyToAccount(key));
function anvil_path() {
    const scope = join(root, 'tools', 'node_modules', '@foundry-rs');
    const found = readdirSync(scope).find((name) => name.startsWith('anvil-linux-'));
    return join(scope, found, 'bin', 'anvil');
}

/** Starts anvil on a free port and resolves once it listens. stop() ends it and waits. */
export async function start_anvil(...flags) {
    const child = spawn(anvil_path(), ['--host', '127.0.0.1', '--port', '0', ...flags],
        { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const port = await new Promise((resolve, reject) => {
        let text = '';
        child.once('exit', (code) => reject(new Error(`anvil ended with ${code}: ${text}`)));
        child.stdout.on('data', (part) => {
            text += part;
            const match = /Listening on 127\.0\.0\.1:(\d+)/.exec(text);
            if (match) resolve(match[1]);
        });
    });
    const stop = async () => {
        child.kill('SIGKILL');
        await ended;
    };
    return { url: `http://127.0.0.1:${port}`, stop };
}

/** Compiles into a folder of its own, so that a stale build can never be what is tested. */
export async function build_contracts() {
    const build = mkdtempSync(join(tmpdir(), 'ogpu-contracts-'));
    await node('tools/build_contracts.mjs', { BUILD: build });
    const abi = (name) =>
        JSON.parse(readFileSync(join(build, 'contracts', `${name}.json`), 'utf8')).abi;
    return {
        build, vault_abi: abi('Vault'), settlement_abi: abi('Settlement'),
        remove: () => rmSync(build, { recursive: true, force: true }),
    };
}

/** Runs one of the project's scripts with nothing in its environment but this. */
export async function node(script, env) {
    return run(process.execPath, [join(root, script)], { env: { PATH: process.env.PATH, ...env } });
}

/** Deployed as an operator does it; where both contracts are. */
export async function deploy(url, build, env = {}) {
    const folder = mkdtempSync(join(tmpdir(), 'ogpu-deploy-'));
    try {
        const made = await deployed(folder, {
            L1_RPC_URL: url, OGPU_CONTRACTS: join(build, 'contracts'), OGPU_CLAIM_DELAY_S: '600',
            OGPU_SETTLER: SETTLER.address, OGPU_SIGNER: CLIENT.address, ...env,
        });
        return { settlement: made.settlement, vault: made.vault, chainId: made.chain_id };
    } finally {
        rmSync(folder, { recursive: true });
    }
}

/** One client for everything: reads, sends, and anvil's own calls. */
export function connect(url) {
    return createTestClient({
        mode: 'anvil', transport: http(url), pollingInterval: 20, cacheTime: 0,
    }).extend(publicActions).extend(walletActions);
}

/** Sends and waits; a reverted transaction is an error. */
export async function send(chain, account, address, abi, functionName, args, value) {
    const { request } = await chain.simulateContract({
        account, address, abi, functionName, args, value,
    });
    const hash = await chain.writeContract({ ...request, chain: null });
    const receipt = await chain.waitForTransactionReceipt({ hash });
    if (receipt.status !== 'success') throw new Error(`${functionName} reverted`);
    return receipt;
}

/** A voucher of a deployment as EIP-712 typed data, for signTypedData. */
export function voucher(at, message) {
    return {
        domain: { name: 'OpenGPU Gateway', version: '1', chainId: at.chainId,
            verifyingContract: at.settlement },
        types: { Voucher: [{ name: 'id', type: 'uint32' }, { name: 'earned', type: 'uint48' },
            { name: 'deadline', type: 'uint64' }] },
        primaryType: 'Voucher',
        message,
    };
}

/** [[id, units, spent?]] as n × 10 bytes of hex. */
export function pack(rows) {
    return `0x${rows.map(([id, units, spent]) => {
        const word = BigInt(id) + (spent ? 1n << 31n : 0n);
        return word.toString(16).padStart(8, '0') + units.toString(16).padStart(12, '0');
    }).join('')}`;
}

/** Bytes of hex cut into 160-byte chunks, zeros behind the last entry. */
export function chunks_of(entries) {
    const bytes = Buffer.from(entries.slice(2), 'hex');
    const count = Math.ceil(bytes.length / CHUNK);
    const padded = Buffer.concat([bytes, Buffer.alloc(count * CHUNK - bytes.length)]);
    return Array.from({ length: count }, (_, i) =>
        `0x${padded.subarray(i * CHUNK, (i + 1) * CHUNK).toString('hex')}`);
}
