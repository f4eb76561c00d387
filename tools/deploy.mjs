// SPDX-License-Identifier: MIT
// Deploys Settlement, which creates its Vault, and proves that both stand before it says so.
//
//   L1_RPC_URL          the node
//   OGPU_DEPLOYER_KEY   0x-hex private key that pays for it; on a dev chain (31337) anvil's first
//   OGPU_SETTLER        the address that may settle
//   OGPU_CLAIM_DELAY_S  seconds between a batch and the first claim against it
//   BUILD               build folder with contracts/*.json (default build)
//
// Prints one line of JSON: {"chainId", "vault", "settlement", "block"}. Chain 31337's key is
// printed in every Ethereum tool's manual and owns nothing anywhere else.
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createPublicClient, createWalletClient, getAddress, http, isAddress } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

const DEV_CHAIN = 31337;
const DEV_KEY = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';

function need(name, check, what) {
    const value = process.env[name];
    if (!value || !check(value)) throw new Error(`${name} must be ${what}`);
    return value;
}

function artifact(name) {
    const root = join(dirname(fileURLToPath(import.meta.url)), '..');
    const path = join(resolve(root, process.env.BUILD || 'build'), 'contracts', `${name}.json`);
    try {
        return JSON.parse(readFileSync(path, 'utf8'));
    } catch {
        throw new Error(`${path} cannot be read: run make contracts`);
    }
}

function deployer(chain_id) {
    const key = process.env.OGPU_DEPLOYER_KEY || (chain_id === DEV_CHAIN ? DEV_KEY : '');
    if (!/^(0x)?[0-9a-fA-F]{64}$/.test(key)) {
        throw new Error(`OGPU_DEPLOYER_KEY must be a private key in hex (chain ${chain_id})`);
    }
    return privateKeyToAccount(key.startsWith('0x') ? key : `0x${key}`);
}

/** A receipt alone proves little: code can be absent and a wiring can be another's. */
async function verify(client, address, abi, settler, delay) {
    const ask = (functionName) => client.readContract({ address, abi, functionName });
    const vault = await ask('vault');
    const back = await client.readContract({
        address: vault, abi: artifact('Vault').abi, functionName: 'settlement',
    });
    for (const at of [address, vault]) {
        if (!(await client.getCode({ address: at }))) throw new Error(`no code at ${at}`);
    }
    if (getAddress(back) !== getAddress(address)) throw new Error('the vault obeys another');
    if ((await ask('settler')) !== settler) throw new Error('another settler was stored');
    if ((await ask('delay')) !== delay) throw new Error('another delay was stored');
    return vault;
}

async function deploy() {
    const url = need('L1_RPC_URL', (v) => URL.canParse(v), 'the URL of a node');
    const settler = getAddress(need('OGPU_SETTLER', (v) => isAddress(v), 'an address'));
    const delay = BigInt(need('OGPU_CLAIM_DELAY_S', (v) => /^\d{1,9}$/.test(v), 'seconds'));
    const { abi, bytecode } = artifact('Settlement');
    const transport = http(url);
    const client = createPublicClient({ transport, pollingInterval: 200 });
    const chainId = await client.getChainId();
    const account = deployer(chainId);
    const wallet = createWalletClient({ account, transport });
    const hash = await wallet.deployContract({
        abi, bytecode, args: [settler, delay], chain: null,
    });
    const receipt = await client.waitForTransactionReceipt({ hash, timeout: 120_000 });
    if (receipt.status !== 'success') throw new Error(`the deployment ${hash} reverted`);
    const settlement = getAddress(receipt.contractAddress);
    const vault = await verify(client, settlement, abi, settler, delay);
    return { chainId, vault, settlement, block: Number(receipt.blockNumber) };
}

try {
    console.log(JSON.stringify(await deploy()));
} catch (error) {
    console.error(`deploy: ${error.shortMessage ?? error.message}`);
    process.exit(1);
}
