// SPDX-License-Identifier: MIT
// What a payout costs on chain: gas of settle() by batch size, of claims, vouchers, registration.
// The one that decides the price, 1000 entries, has a limit; all are kept in gas.json, so that a
// change of the contracts shows its price. OGPU_GAS_UPDATE=1 writes that file anew.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import * as c from './chain.mjs';

const { SimpleMerkleTree } = c.require('@openzeppelin/merkle-tree');
const { encodeFunctionData, keccak256, numberToHex } = c.require('viem');

const SIZES = [1, 10, 100, 1000, 4000];
const LIMIT = 285n;
// Proofs and signatures hold a few zero bytes more or less from run to run.
const TOLERANCE = 0.005;
const SNAPSHOT = new URL('gas.json', import.meta.url);
const figures = {};
// Real roots have no zero bytes to speak of, and zero bytes are the cheap ones.
const TAG = keccak256('0x');

let anvil, chain, made, at;
let epoch = 0n;

before(async () => {
    made = await c.build_contracts();
    anvil = await c.start_anvil('--enable-tx-gas-limit', '--gas-limit', '200000000');
    chain = c.connect(anvil.url);
    at = await c.deploy(anvil.url, made.build, { OGPU_CLAIM_DELAY_S: '1' });
});

after(async () => {
    await anvil?.stop();
    made?.remove();
});

/** Payees as busy as a real epoch's: seven-digit cumulative amounts, so 3 of 6 bytes are used. */
const rows_of = (size) => Array.from({ length: size }, (_, i) => {
    const random = BigInt(keccak256(numberToHex(i + 1, { size: 32 }))) % 9_000_000n;
    return [1 + i % 1000, 1_000_000n + random + epoch, false];
});

async function settle(rows) {
    epoch += 1n;
    const args = [epoch, BigInt(rows.length), TAG, TAG, c.pack(rows)];
    return c.send(chain, c.SETTLER, at.settlement, made.settlement_abi, 'settle', args);
}

function record(t, name, gas) {
    figures[name] = Number(gas);
    t.diagnostic(`${name}: ${gas} gas`);
}

/** A settled batch with what its claims need. */
async function listed(rows) {
    const entries = c.pack(rows);
    const chunks = c.chunks_of(entries);
    epoch += 1n;
    const args = [epoch, BigInt(rows.length), TAG, TAG, entries];
    await c.send(chain, c.SETTLER, at.settlement, made.settlement_abi, 'settle', args);
    const leaves = chunks.map((x) => keccak256(x));
    return { epoch, chunks, tree: SimpleMerkleTree.of(leaves, { sortLeaves: false }) };
}

/** 1000 registrations in one block: one by one they would be most of this test's time. */
async function register_all() {
    await chain.setAutomine(false);
    const nonce = await chain.getTransactionCount({ address: c.CLIENT.address });
    let hash;
    for (let i = 0; i < 1000; i += 1) {
        const args = [numberToHex(0xabc0000 + i, { size: 20 })];
        const data = encodeFunctionData({ abi: made.vault_abi, functionName: 'register', args });
        // anvil holds this key itself: no estimate, no signature here, one call each.
        hash = await chain.request({ method: 'eth_sendTransaction', params: [{
            from: c.CLIENT.address, to: at.vault, data, gas: '0x1d4c0',
            nonce: numberToHex(nonce + i),
        }] });
    }
    await chain.mine({ blocks: 1 });
    await chain.setAutomine(true);
    return chain.waitForTransactionReceipt({ hash });
}

/** Lets the claim delay of one second pass. */
async function claimable() {
    await chain.increaseTime({ seconds: 1 });
    await chain.mine({ blocks: 1 });
}

test('gas of an epoch and of a registration', async (t) => {
    const registration = await register_all();
    assert.equal(registration.status, 'success');
    const vault = { address: at.vault, abi: made.vault_abi };
    assert.equal(await chain.readContract({ ...vault, functionName: 'lastId' }), 1000);
    const client = [c.CLIENT.address];
    await c.send(chain, c.CLIENT, at.vault, made.vault_abi, 'deposit', client, 10n ** 21n);
    await settle(rows_of(1));
    for (const size of SIZES) {
        const { gasUsed } = await settle(rows_of(size));
        const each = gasUsed / BigInt(size);
        record(t, `settle ${size}`, gasUsed);
        t.diagnostic(`settle ${size}: ${each} an entry`);
        if (size >= 1000) assert.ok(each <= LIMIT, `${each} gas an entry, ${LIMIT} allowed`);
    }
    record(t, 'register', registration.gasUsed);
});

test('gas of claims', async (t) => {
    const rows = rows_of(1000).map(([id]) => [id, 1n, false]);
    const [first, second] = [await listed(rows), await listed(rows.map(([id]) => [id, 2n, false]))];
    await claimable();
    const claim = (batch, chunk, index) => c.send(chain, c.STRANGER, at.settlement,
        made.settlement_abi, 'claimPayout',
        [batch.epoch, batch.chunks[chunk], index, batch.tree.getProof(chunk)]);
    record(t, 'claim of 1000, account new', (await claim(first, 3, 5)).gasUsed);
    record(t, 'claim of 1000, again', (await claim(second, 3, 5)).gasUsed);
    const claims = Array.from({ length: 16 }, (_, index) => ({
        epoch: second.epoch, chunk: second.chunks[9], index, proof: second.tree.getProof(9),
    }));
    const many = await c.send(chain, c.STRANGER, at.settlement, made.settlement_abi,
        'claimPayouts', [claims]);
    record(t, '16 claims of 1000 at once', many.gasUsed);
});

test('gas of a voucher', async (t) => {
    const message = { id: 700, earned: 9, deadline: 2n ** 40n };
    const signature = await c.CLIENT.signTypedData(c.voucher(at, message));
    const args = [message.id, message.earned, message.deadline, signature];
    const call = (name, values) => c.send(chain, c.STRANGER, at.settlement, made.settlement_abi,
        name, values);
    record(t, 'voucher posted', (await call('postVoucher', args)).gasUsed);
    await claimable();
    const paid = await call('claimVoucher', [message.id, message.earned]);
    record(t, 'voucher claimed, account new', paid.gasUsed);
});

/** 50 transactions of one account in one block. @returns {Promise<bigint>} gas of the last */
async function fifty(account, functionName, args_of) {
    await chain.setAutomine(false);
    const nonce = await chain.getTransactionCount({ address: account.address });
    let hash;
    for (let i = 0; i < 50; i += 1) {
        hash = await chain.writeContract({ account, chain: null, address: at.settlement,
            abi: made.settlement_abi, functionName, args: await args_of(i), nonce: nonce + i,
            gas: 200_000n });
    }
    await chain.mine({ blocks: 1 });
    await chain.setAutomine(true);
    const receipt = await chain.waitForTransactionReceipt({ hash });
    assert.equal(receipt.status, 'success');
    return receipt.gasUsed;
}

test('gas of a forgery, and of voiding fifty at once', async (t) => {
    // So that nothing ripens between posting and voiding.
    at = await c.deploy(anvil.url, made.build, { OGPU_CLAIM_DELAY_S: '600',
        OGPU_GUARDIAN: c.STRANGER.address });
    await c.send(chain, c.CLIENT, at.vault, made.vault_abi, 'register', [c.CLIENT.address]);
    const guardian = (name, args) => c.send(chain, c.STRANGER, at.settlement,
        made.settlement_abi, name, args);
    const entry = (i) => [BigInt(i + 1), 0n, TAG, TAG, c.pack([[1, 1_000_000n, false]])];
    record(t, 'a forged batch', await fifty(c.SETTLER, 'settle', entry));
    const roots = await guardian('voidRoots', [1n, 2n ** 64n - 1n]);
    assert.equal(roots.logs.length, 50);
    record(t, '50 batches voided at once', roots.gasUsed);
    const post = async (i) => {
        const message = { id: 1, earned: 1_000_000 + i, deadline: 2n ** 40n };
        const signature = await c.CLIENT.signTypedData(c.voucher(at, message));
        return [message.id, message.earned, message.deadline, signature];
    };
    record(t, 'a forged voucher', await fifty(c.STRANGER, 'postVoucher', post));
    const list = Array.from({ length: 50 }, (_, i) => ({ id: 1, earned: 1_000_000 + i }));
    const vouchers = await guardian('voidVouchers', [list]);
    assert.equal(vouchers.logs.length, 50);
    record(t, '50 vouchers voided at once', vouchers.gasUsed);
});

test('no figure differs from gas.json', () => {
    if (process.env.OGPU_GAS_UPDATE) {
        writeFileSync(SNAPSHOT, `${JSON.stringify(figures, null, 4)}\n`);
    }
    const kept = JSON.parse(readFileSync(SNAPSHOT, 'utf8'));
    assert.deepEqual(Object.keys(figures), Object.keys(kept));
    for (const [name, gas] of Object.entries(figures)) {
        const off = Math.abs(gas - kept[name]) / kept[name];
        assert.ok(off <= TOLERANCE, `${name}: ${gas} gas, ${kept[name]} in gas.json`);
    }
});
