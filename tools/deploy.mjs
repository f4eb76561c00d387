// SPDX-License-Identifier: MIT
// Deploys Settlement, which creates its Vault, and proves that both stand before it says so.
//
//   L1_RPC_URL          the node
//   OGPU_DEPLOYER_KEY   0x-hex private key that pays for it; on a dev chain (31337) anvil's first
//   OGPU_SETTLER        the address that may settle
//   OGPU_SIGNER         the address whose vouchers count
//   OGPU_GUARDIAN       the address that may void, dismiss and veto
//   OGPU_ADMIN          the address that proposes to the time lock
//   OGPU_CLAIM_DELAY_S  seconds between a batch and the first claim against it
//   OGPU_DAILY_CAP      units that batches may declare in a day, and vouchers once more
//   OGPU_ADMIN_DELAY_S, OGPU_EXIT_SILENCE_S, OGPU_EXIT_WINDOW_S, OGPU_UNBONDING_S, OGPU_APPEAL_S
//                       the other waits (docs/settlement.md), default 7, 7, 7, 21 and 7 days
//   BUILD               build folder with contracts/*.json (default build)
//
// The four roles must be four addresses. On a dev chain all but the settler default to the
// deployer, and the cap to none. Prints one line of JSON: {"chainId", "vault", "settlement",
// "block"}. Chain 31337's key is printed in every Ethereum tool's manual and owns nothing
// anywhere else.
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

const DAY = 86400;

/** Who may do what. One thief must never hold two of them; a dev chain has no thieves. */
function roles(dev, deployer) {
    const role = (name) => {
        if (dev && !process.env[name]) return deployer;
        return getAddress(need(name, (v) => isAddress(v), 'an address'));
    };
    const named = { settler: getAddress(need('OGPU_SETTLER', (v) => isAddress(v), 'an address')),
        signer: role('OGPU_SIGNER'), guardian: role('OGPU_GUARDIAN'), admin: role('OGPU_ADMIN') };
    if (!dev && new Set(Object.values(named)).size < 4) {
        throw new Error('settler, signer, guardian and admin must be four addresses');
    }
    return named;
}

function waits() {
    const seconds = (name, days) => {
        if (days !== undefined && !process.env[name]) return BigInt(days * DAY);
        return BigInt(need(name, (v) => /^\d{1,9}$/.test(v), 'seconds'));
    };
    return { delay: seconds('OGPU_CLAIM_DELAY_S'), adminDelay: seconds('OGPU_ADMIN_DELAY_S', 7),
        silence: seconds('OGPU_EXIT_SILENCE_S', 7), window: seconds('OGPU_EXIT_WINDOW_S', 7),
        unbonding: seconds('OGPU_UNBONDING_S', 21), appeal: seconds('OGPU_APPEAL_S', 7) };
}

function cap(dev) {
    if (dev && !process.env.OGPU_DAILY_CAP) return 2n ** 64n - 1n;
    return BigInt(need('OGPU_DAILY_CAP', (v) => /^\d{1,18}$/.test(v), 'units'));
}

/** A receipt alone proves little: code can be absent and a wiring can be another's. */
async function verify(client, address, abi, config) {
    const ask = (functionName) => client.readContract({ address, abi, functionName });
    const vault = await ask('vault');
    const back = await client.readContract({
        address: vault, abi: artifact('Vault').abi, functionName: 'settlement',
    });
    for (const at of [address, vault]) {
        if (!(await client.getCode({ address: at }))) throw new Error(`no code at ${at}`);
    }
    if (getAddress(back) !== getAddress(address)) throw new Error('the vault obeys another');
    for (const name of ['settler', 'signer', 'guardian', 'delay', 'dailyCap']) {
        if ((await ask(name)) !== config[name]) throw new Error(`another ${name} was stored`);
    }
    return vault;
}

async function deploy() {
    const url = need('L1_RPC_URL', (v) => URL.canParse(v), 'the URL of a node');
    const { abi, bytecode } = artifact('Settlement');
    const transport = http(url);
    const client = createPublicClient({ transport, pollingInterval: 200 });
    const chainId = await client.getChainId();
    const account = deployer(chainId);
    const dev = chainId === DEV_CHAIN;
    const config = { ...roles(dev, account.address), ...waits(), dailyCap: cap(dev) };
    const wallet = createWalletClient({ account, transport });
    const hash = await wallet.deployContract({
        abi, bytecode, args: [config], chain: null,
    });
    const receipt = await client.waitForTransactionReceipt({ hash, timeout: 120_000 });
    if (receipt.status !== 'success') throw new Error(`the deployment ${hash} reverted`);
    const settlement = getAddress(receipt.contractAddress);
    const vault = await verify(client, settlement, abi, config);
    return { chainId, vault, settlement, block: Number(receipt.blockNumber) };
}

try {
    console.log(JSON.stringify(await deploy()));
} catch (error) {
    console.error(`deploy: ${error.shortMessage ?? error.message}`);
    process.exit(1);
}
