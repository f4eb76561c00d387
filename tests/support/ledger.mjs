// SPDX-License-Identifier: MIT
// Books and a chain that must agree to the wei: a stack without gateways, clients whose deposits are booked by the real indexer,
// earnings made by the statements, and the four keys of the contract to do right or wrong with.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createWalletClient, encodeFunctionData, parseAbi, toHex, zeroHash } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { Chain } from './chain.mjs';
import { Market, OGPU } from './market.mjs';
import { Sql } from './sql.mjs';
import { Stack, build, eventually } from './stack.mjs';

export const UNIT = 10n ** 12n;
const timelock = parseAbi(['function schedule(address, uint256, bytes, bytes32, bytes32, uint256)', 'function execute(address, uint256, bytes, bytes32, bytes32) payable']);
const bytes = (address) => Buffer.from(address.slice(2), 'hex');

export class Ledger {
    /** @param {object} waits settings of the contract and of our processes beside the usual ones */
    static async up(waits = {}) {
        const l = new Ledger();
        l.stack = Stack.up('postgres migrate anvil contracts', waits);
        l.settings = { OGPU_POLL_MS: '50', OGPU_BATCH_AGE_S: '0', OGPU_FINALITY: 'depth:0', ...waits };
        l.sql = await Sql.open(l.stack.env.DATABASE_URL);
        l.m = new Market(l.sql);
        l.chain = new Chain(l.stack.env);
        // A block a transaction: no test waits for the clock.
        await l.chain.node.setIntervalMining({ interval: 0 });
        await l.chain.node.setAutomine(true);
        return l;
    }

    async down() {
        await this.sql?.close();
        await this.stack?.down();
    }

    indexer(settings = {}) {
        return this.stack.start('ogpu-indexer', { ...this.settings, ...settings });
    }

    relayer(settings = {}) {
        return this.stack.start('ogpu-relayer', { ...this.settings, ...settings });
    }

    /** Ends a process of ours and waits for it. */
    async stop(child, signal = 'SIGTERM') {
        child.kill(signal);
        await child.ended;
    }

    /** The wallet of a role: settler, signer, guardian, admin. */
    role(name) {
        const key = readFileSync(this.stack.env[`OGPU_${name.toUpperCase()}_KEY_FILE`], 'utf8').trim();
        return createWalletClient({ account: privateKeyToAccount(`0x${key}`), chain: this.chain.chain, transport: this.chain.transport });
    }

    settlement(wallet, name, args) {
        return this.chain.send(wallet, this.chain.settlement, name, args);
    }

    /** A stranger posts a voucher of the signer's for all that a provider has earned so far. @param {bigint} earned units */
    async postVoucher(stranger, provider, earned) {
        const deadline = BigInt(2 ** 40);
        const signature = await this.role('signer').signTypedData({
            domain: { name: 'OpenGPU Gateway', version: '1', chainId: this.chain.chain.id, verifyingContract: this.chain.settlement.address },
            types: { Voucher: [{ name: 'id', type: 'uint32' }, { name: 'earned', type: 'uint48' }, { name: 'deadline', type: 'uint64' }] },
            primaryType: 'Voucher', message: { id: provider.chainId, earned: Number(earned), deadline },
        });
        await this.settlement(stranger.wallet, 'postVoucher', [provider.chainId, Number(earned), deadline, signature]);
    }

    /** What the admin may do: announced, and waited for (OGPU_ADMIN_DELAY_S). @returns {[object, unknown[]]} the lock, and what carries it out */
    async announce(contract, functionName, args) {
        const lock = { address: await this.read('admin'), abi: timelock };
        const wait = BigInt(this.settings.OGPU_ADMIN_DELAY_S);
        const call = [contract.address, 0n, encodeFunctionData({ abi: contract.abi, functionName, args }), zeroHash, toHex(randomBytes(32))];
        await this.chain.send(this.role('admin'), lock, 'schedule', [...call, wait]);
        await this.pass(Number(wait));
        return [lock, call];
    }

    /** Announced, and carried out. */
    async admin(contract, functionName, args) {
        const [lock, call] = await this.announce(contract, functionName, args);
        await this.chain.send(this.role('admin'), lock, 'execute', call);
    }

    /** Another settler's key, named by the admin after the old one was dismissed. */
    async newSettler() {
        await this.settlement(this.role('guardian'), 'dismiss', [this.role('settler').account.address]);
        await this.nameSettler();
    }

    /** A new settler's key; our relayer uses it from its next start. */
    async nameSettler() {
        const key = generatePrivateKey();
        const { address } = privateKeyToAccount(key);
        await this.chain.node.setBalance({ address, value: OGPU });
        await this.admin(this.chain.settlement, 'setSettler', [address]);
        const file = join(this.stack.run, 'keys/settler-2');
        writeFileSync(file, `${key.slice(2)}\n`, { mode: 0o600 });
        this.settings.OGPU_SETTLER_KEY_FILE = file;
        this.stack.env.OGPU_SETTLER_KEY_FILE = file;
    }

    read(name, args = []) {
        return this.chain.read(this.chain.settlement, name, args);
    }

    /** Lets the chain's clock run. */
    async pass(seconds) {
        await this.chain.node.increaseTime({ seconds });
        await this.chain.node.mine({ blocks: 1 });
    }

    async account(address) {
        const [row] = await this.sql.query('SELECT a.*, b.available, b.frozen, b.payable, b.claimable, b.debt, b.advanced FROM account a JOIN balance b ON b.account_id = a.id WHERE address = $1', [bytes(address)]);
        return row && { ...row, ...Object.fromEntries(['available', 'frozen', 'payable', 'claimable', 'debt', 'advanced'].map((k) => [k, BigInt(row[k])])) };
    }

    /** Waits until a bucket of an account holds so much. */
    holds(address, bucket, wei) {
        return eventually(async () => (await this.account(address))?.[bucket] === wei, `${bucket} of ${wei}`);
    }

    /** A client with a key and a deposit that the indexer has booked. */
    async client(wei = 100n * OGPU) {
        const wallet = await this.chain.wallet();
        const { address } = wallet.account;
        await this.chain.deposit(wallet, address, wei);
        const { id } = await eventually(() => this.account(address), 'the account');
        await this.holds(address, 'available', wei);
        const key = randomUUID();
        await this.sql.write('api_key_create', { id: key, account: id, hash: randomBytes(32), hint: 'x', name: '', scopes: 63 });
        return { id, key, wallet, address };
    }

    /** A provider of `source` whose master is a wallet known to the chain. */
    async provider(source) {
        const wallet = await this.chain.wallet();
        const { address } = wallet.account;
        await this.chain.register(wallet, address);
        const [p] = await this.sql.write('provider_register', { id: randomUUID(), address: randomBytes(20), master: bytes(address), master_signed: true, environments: 1, nonce: 1n, token_hash: randomBytes(32) });
        await this.sql.write('registration_put', { source: source.id, provider: p.id, manifest_hash: source.hash, environments: 1, nonce: 2n });
        await eventually(async () => (await this.account(address)).chain_id !== null, 'the registration');
        return { id: p.id, wallet, address, chainId: Number((await this.account(address)).chain_id) };
    }

    /** One task won: its reward less the fee is the master's payable from then on. */
    earn(client, source, provider, reward, over = {}) {
        return this.m.earn(client, source, provider, { reward: String(reward), ...over });
    }

    confirmed(epoch) {
        return eventually(async () => (await this.sql.query("SELECT 1 FROM batch WHERE epoch = $1 AND state = 'confirmed'", [epoch])).length === 1, `epoch ${epoch} confirmed`);
    }

    /** What the auditor finds: the names of the invariants that do not hold. */
    findings() {
        const r = spawnSync(join(build, 'bin', 'ogpu-auditor'), ['--quiet'], { env: { ...process.env, ...this.stack.env }, encoding: 'utf8' });
        assert.notEqual(r.status, 2, r.stderr);
        this.said = r.stdout;
        return [...r.stdout.matchAll(/^(\w+) +WRONG/gm)].map((m) => m[1]);
    }

    /** What ogpu-verify says of all declarations, from the chain alone. @returns {{status: number, text: string}} */
    declared() {
        const r = spawnSync(join(build, 'bin', 'ogpu-verify'), ['declared', '--rpc', this.stack.env.L1_RPC_URL, '--settlement', this.stack.env.L1_SETTLEMENT], { encoding: 'utf8' });
        return { status: r.status, text: r.stdout + r.stderr };
    }

    /** Waits until the indexer has booked all that is `depth` blocks deep. */
    async caughtUp(depth = 0) {
        const head = await this.chain.public.getBlockNumber();
        await eventually(async () => (await this.sql.query("SELECT block_no FROM chain_cursor WHERE name = 'main'"))[0].block_no >= head - BigInt(depth), 'the indexer at the last final block');
    }

    /** All buckets, fees and debts against the contract's pool; the vault's coins against pool and stake. To the wei. */
    async equal(depth = 0) {
        await this.caughtUp(depth);
        const [b] = await this.sql.query(`SELECT (SELECT COALESCE(sum(available::numeric + frozen + payable + claimable - debt), 0) FROM balance)
            + (SELECT COALESCE(sum(amount::numeric), 0) FROM ledger_entry WHERE to_bucket = 'fee') AS owned,
            (SELECT COALESCE(sum(locked::numeric + unbonding + sanctioned), 0) FROM stake) AS staked`);
        const ask = (name) => this.chain.read(this.chain.vault, name);
        const pool = (await ask('totalDeposited')) - (await ask('totalPaid'));
        assert.equal(BigInt(b.owned), pool, 'available + frozen + payable + claimable (and fees, less debts) = the pool');
        assert.equal(BigInt(b.staked), await ask('totalStaked'), 'stake');
        assert.equal(await this.chain.public.getBalance({ address: this.chain.vault.address }), pool + BigInt(b.staked), 'the vault\'s coins');
    }

    /** What must hold whenever nothing is under way. */
    async whole(findings = [], depth = 0) {
        await this.equal(depth);
        assert.deepEqual(this.findings(), findings, this.said);
    }
}
