// SPDX-License-Identifier: MIT
// Deploying as an operator does: planned, refused, interrupted, done once, and checked ever after.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { createTestClient, createWalletClient, getAddress, http, publicActions, toHex } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { deploy, deployment } from '../support/deploy.mjs';
import { Stack, build, eventually } from '../support/stack.mjs';
import { FaultyNode } from '../support/faulty_node.mjs';
import { Signer } from './signer.mjs';

const DAY = 86400;
const abi = (name) => JSON.parse(readFileSync(join(build, 'contracts', `${name}.json`), 'utf8')).abi;
const settlement = abi('Settlement');
const deployer = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266';
let stack, chain, node, folder, env, transport;

before(async () => {
    stack = Stack.up('anvil');
    transport = http(stack.env.L1_RPC_URL);
    chain = createTestClient({ mode: 'anvil', transport, pollingInterval: 50, cacheTime: 0 }).extend(publicActions);
    node = await FaultyNode.start(stack.env.L1_RPC_URL);
});
after(async () => {
    await node?.stop();
    await stack?.down();
});
beforeEach(() => {
    folder = mkdtempSync(join(stack.run, 'deploy-'));
    env = deployment(folder, { L1_RPC_URL: stack.env.L1_RPC_URL });
    node.misbehave(null);
});

const nonce = () => chain.getTransactionCount({ address: deployer });
const read = (at, functionName) => chain.readContract({ address: at.settlement, abi: settlement, functionName });
async function good(over = {}, args = []) {
    const { status, out, said } = await deploy({ ...env, ...over }, args);
    assert.equal(status, 0, said);
    return out;
}
async function refused(why, over = {}, args = []) {
    const { status, out, said } = await deploy({ ...env, ...over }, args);
    assert.equal(status, 1, said);
    assert.equal(out, null);
    assert.match(said, why);
}

test('what cannot be right is refused before anything is signed', async () => {
    const before = await nonce();
    const contract = `0x${'c0de'.repeat(10)}`;
    await chain.setCode({ address: contract, bytecode: '0x00' });
    for (const [why, over] of [
        [/the settler has code/, { OGPU_SETTLER: contract }],
        [/the signer is missing/, { OGPU_SIGNER: '' }],
        [/the admin must be an address/, { OGPU_ADMIN: '0x1234' }],
        [/the settler is missing/, { OGPU_SETTLER: `0x${'0'.repeat(40)}` }],
        [/settler and guardian are the same address/, { OGPU_GUARDIAN: env.OGPU_SETTLER }],
        [/delay is 0/, { OGPU_CLAIM_DELAY_S: '' }],
        [/delay is 2592001: 1 to 2592000/, { OGPU_CLAIM_DELAY_S: String(30 * DAY + 1), OGPU_EXIT_SILENCE_S: String(60 * DAY), OGPU_EXIT_WINDOW_S: String(60 * DAY) }],
        [/delay must be below silence/, { OGPU_CLAIM_DELAY_S: '600', OGPU_EXIT_SILENCE_S: '600' }],
        [/silence is 604800: it must be above 2 \* admin_delay \+ delay, 1209601, or the forced exit opens before a robbed settler has a successor/, { OGPU_EXIT_SILENCE_S: String(7 * DAY) }],
        [/silence is 1814400: it must be above .* 1814400,/, { OGPU_CLAIM_DELAY_S: String(7 * DAY), OGPU_EXIT_WINDOW_S: String(8 * DAY) }],
        [/silence is 5: it must be above .* 5,/, { OGPU_EXIT_SILENCE_S: '5', OGPU_ADMIN_DELAY_S: '2' }],
        [/window must be above delay/, { OGPU_CLAIM_DELAY_S: '600', OGPU_EXIT_WINDOW_S: '600' }],
        [/unbonding must be above admin_delay/, { OGPU_UNBONDING_S: String(7 * DAY) }],
        [/daily_cap is 0/, { OGPU_DAILY_CAP: '' }],
        [/OGPU_EXIT_WINDOW_S must be a whole number/, { OGPU_EXIT_WINDOW_S: 'soon' }],
        [/OGPU_RECORD/, { OGPU_RECORD: '' }],
        [/make contracts/, { OGPU_CONTRACTS: folder }],
        [/another chain than 1071/, { L1_CHAIN_ID: '1071' }],
        [/OGPU_DEPLOYER_KEY_FILE or OGPU_SIGNER_SOCKET/, { OGPU_DEPLOYER_KEY_FILE: '' }],
    ]) {
        await refused(why, over);
    }
    const poor = join(folder, 'poor');
    writeFileSync(poor, generatePrivateKey().slice(2), { mode: 0o600 });
    await refused(/too little for the gas/, { OGPU_DEPLOYER_KEY_FILE: poor });
    assert.equal(await nonce(), before);
});

test('a dry run says where and for how much, and changes nothing; the deployment does as it said', async () => {
    const before = await nonce();
    const plan = await good({}, ['--dry-run']);
    assert.equal(plan.final, false);
    assert.ok(BigInt(plan.dry_run.cost_max_wei) < BigInt(plan.dry_run.balance_wei));
    assert.equal(await nonce(), before);
    assert.equal(await chain.getCode({ address: plan.settlement }), undefined);
    const made = await good();
    for (const name of ['settlement', 'vault', 'admin_lock', 'nonce', 'init_code_hash', 'terms', 'gas']) {
        assert.deepEqual(made[name], plan[name], name);
    }
    assert.deepEqual([made.final, made.changed_since], [true, []]);
    assert.deepEqual(JSON.parse(readFileSync(env.OGPU_RECORD, 'utf8')).settlement, made.settlement);
    assert.equal(await nonce(), before + 1);
    assert.equal(await read(made, 'vault'), made.vault);
    assert.equal(await read(made, 'admin'), made.admin_lock);
    for (const name of ['settler', 'signer', 'guardian']) {
        assert.equal(await read(made, name), getAddress(env[`OGPU_${name.toUpperCase()}`]));
    }
    assert.deepEqual([await read(made, 'delay'), await read(made, 'silence'), await read(made, 'dailyCap')], [1n, BigInt(21 * DAY), 2n ** 63n - 1n]);
});

test('run again it checks, without a key, and makes nothing', async () => {
    const guardian = privateKeyToAccount(generatePrivateKey());
    await chain.setBalance({ address: guardian.address, value: 10n ** 18n });
    env.OGPU_GUARDIAN = guardian.address;
    const made = await good();
    const before = await nonce();
    assert.deepEqual(await good({ OGPU_DEPLOYER_KEY_FILE: '' }), made);
    await refused(/was made with another delay/, { OGPU_CLAIM_DELAY_S: '2' });
    await refused(/was made with another admin/, { OGPU_ADMIN: deployer });
    const wallet = createWalletClient({ account: guardian, transport });
    const hash = await wallet.writeContract({ address: made.settlement, abi: settlement, functionName: 'dismiss', args: [env.OGPU_SETTLER], chain: null });
    await chain.waitForTransactionReceipt({ hash });
    assert.deepEqual((await good()).changed_since, ['settler']);
    assert.equal(await nonce(), before);
    for (const [name, address] of [['Settlement', made.settlement], ['Vault', made.vault], ['TimelockController', made.admin_lock]]) {
        const code = await chain.getCode({ address });
        const at = name === 'Settlement' ? JSON.parse(readFileSync(join(build, 'contracts/Settlement.json'), 'utf8')).immutables.delay[0] + 31 : 100;
        const other = Buffer.from(code.slice(2), 'hex');
        other[at] ^= 1;
        await chain.setCode({ address, bytecode: toHex(other) });
        await refused(new RegExp(`${name}: the code on the chain differs at byte ${at}`));
        await chain.setCode({ address, bytecode: '0x' });
        await refused(new RegExp(`${name}: 0 bytes of code`));
        await chain.setCode({ address, bytecode: code });
    }
    await good();
    const record = JSON.parse(readFileSync(env.OGPU_RECORD, 'utf8'));
    record.terms.delay = 3;
    writeFileSync(env.OGPU_RECORD, JSON.stringify(record));
    await refused(/made from other contracts/, { OGPU_CLAIM_DELAY_S: '' });
    writeFileSync(env.OGPU_RECORD, '{}');
    await refused(/is no record of a deployment/);
});

/** Run until something is signed, then kill -9. */
async function interrupted(over) {
    const before = node.count('eth_sendRawTransaction');
    let child;
    const over_with = deploy({ ...env, ...over }, [], (c) => { child = c; });
    const rec = await eventually(() => JSON.parse(readFileSync(env.OGPU_RECORD, 'utf8')), 'the record');
    await eventually(() => node.count('eth_sendRawTransaction') > before, 'sent');
    child.kill('SIGKILL');
    await over_with;
    return rec;
}

test('killed after signing, heard by no node: the next run sends the same bytes', async () => {
    node.misbehave(({ method }) => (method === 'eth_sendRawTransaction' ? { error: { code: -32000, message: 'no' } } : null));
    const before = await nonce();
    const rec = await interrupted({ L1_RPC_URL: node.url });
    assert.deepEqual([rec.final, rec.transactions.length], [false, 1]);
    assert.equal(await nonce(), before);
    assert.equal((await good({}, ['--dry-run'])).final, false);
    assert.equal(await nonce(), before, 'a dry run sends nothing');
    const made = await good();
    assert.deepEqual([made.tx, made.settlement], [rec.transactions[0].hash, rec.settlement]);
    assert.equal(await nonce(), before + 1);
});

test('a nonce that went to somebody else is said, and nothing is made twice', async () => {
    node.misbehave(({ method }) => (method === 'eth_sendRawTransaction' ? { error: { code: -32000, message: 'no' } } : null));
    await interrupted({ L1_RPC_URL: node.url });
    const key = readFileSync(env.OGPU_DEPLOYER_KEY_FILE, 'utf8');
    const hash = await createWalletClient({ account: privateKeyToAccount(`0x${key}`), transport }).sendTransaction({ to: deployer, value: 0n, chain: null });
    await chain.waitForTransactionReceipt({ hash });
    await refused(/went to another transaction: nothing was deployed/);
});

test('unmined for long it is signed again, one eighth dearer, at the same nonce', async () => {
    await chain.setIntervalMining({ interval: 0 });
    const under_way = deploy({ ...env, OGPU_BUMP_S: '1' });
    const rec = await eventually(() => {
        const r = JSON.parse(readFileSync(env.OGPU_RECORD, 'utf8'));
        return r.transactions.length > 1 && r;
    }, 'a second one');
    const [first, second] = rec.transactions;
    assert.ok(second.max_fee * 8 >= first.max_fee * 9);
    await chain.setIntervalMining({ interval: 1 });
    const { status, out, said } = await under_way;
    assert.equal(status, 0, said);
    assert.equal(out.settlement, rec.settlement);
});

test('through a remote signer that may create, and not through one that may not', async () => {
    const start = async (allow) => {
        const signer = await Signer.up(join(folder, `s-${allow.length}`), { OGPU_SIGNER_ALLOW: allow, OGPU_SETTLER_KEY_FILE: env.OGPU_DEPLOYER_KEY_FILE });
        stack.children.push(signer.child);
        return { OGPU_DEPLOYER_KEY_FILE: '', OGPU_SIGNER_SOCKET: signer.socket };
    };
    const strict = await start(deployer);
    assert.match((await deploy({ ...env, ...strict })).said, /the signer refuses: the destination is not allowed/);
    rmSync(env.OGPU_RECORD, { force: true });
    const free = await start(`create,${deployer}`);
    const { status, out, said } = await deploy({ ...env, ...free });
    assert.equal(status, 0, said);
    assert.equal(out.deployer, deployer);
});
