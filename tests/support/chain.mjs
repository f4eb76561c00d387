// SPDX-License-Identifier: MIT
// The chain's side of a stack, spoken by viem: funds, deposits, registrations, claims.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createPublicClient, createTestClient, createWalletClient, defineChain, http } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { build } from './stack.mjs';

const abiOf = (name) => JSON.parse(readFileSync(join(build, 'contracts', `${name}.json`), 'utf8')).abi;

export class Chain {
    constructor(env) {
        this.chain = defineChain({ id: Number(env.L1_CHAIN_ID), name: 'dev', nativeCurrency: { name: 'OGPU', symbol: 'OGPU', decimals: 18 }, rpcUrls: { default: { http: [env.L1_RPC_URL] } } });
        const transport = http(env.L1_RPC_URL);
        this.public = createPublicClient({ chain: this.chain, transport, pollingInterval: 50, cacheTime: 0 });
        this.node = createTestClient({ chain: this.chain, mode: 'anvil', transport });
        this.transport = transport;
        this.type = undefined; // 'legacy' where the chain is too old for what viem would choose
        this.vault = { address: env.L1_VAULT, abi: abiOf('Vault') };
        this.settlement = { address: env.L1_SETTLEMENT, abi: abiOf('Settlement') };
    }

    /** A fresh key with money for gas and deposits. */
    async wallet(wei = 1000n * 10n ** 18n) {
        const account = privateKeyToAccount(generatePrivateKey());
        await this.node.setBalance({ address: account.address, value: wei });
        return createWalletClient({ account, chain: this.chain, transport: this.transport });
    }

    async send(wallet, contract, functionName, args, value) {
        const hash = await wallet.writeContract({ ...contract, functionName, args, value, type: this.type });
        const receipt = await this.public.waitForTransactionReceipt({ hash });
        if (receipt.status !== 'success') {
            throw new Error(`${functionName} reverted`);
        }
        return receipt;
    }

    deposit(wallet, address, value) {
        return this.send(wallet, this.vault, 'deposit', [address], value);
    }

    register(wallet, address) {
        return this.send(wallet, this.vault, 'register', [address]);
    }

    read(contract, functionName, args = []) {
        return this.public.readContract({ ...contract, functionName, args });
    }
}
