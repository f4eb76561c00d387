// SPDX-License-Identifier: MIT
// What a payout costs on chain: gas of settle() by batch size, of a claim, of a registration.
// Each figure is printed; the one that decides the price, 1000 entries, has a limit.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as c from './chain.mjs';

const { SimpleMerkleTree } = c.require('@openzeppelin/merkle-tree');
const { encodeFunctionData, keccak256, numberToHex } = c.require('viem');

const SIZES = [1, 10, 100, 1000];
const LIMIT = 285n;
// Real roots have no zero bytes to speak of, and zero bytes are the cheap ones.
const TAG = keccak256('0x');

let anvil, chain, made, at;
let epoch = 0n;

before(async () => {
    made = await c.build_contracts();
    anvil = await c.start_anvil('--enable-tx-gas-limit', '--gas-limit', '200000000');
    chain = c.connect(anvil.url);
    at = await c.deploy(anvil.url, made.build, { OGPU_CLAIM_DELAY_S: '0' });
});

after(async () => {
    await anvil?.stop();
    made?.remove();
});

/** Payees as busy as a real epoch's: seven-digit cumulative amounts, so 3 of 6 bytes are used. */
const rows_of = (size) => Array.from({ length: size }, (_, i) => {
    const random = BigInt(keccak256(numberToHex(i + 1, { size: 32 }))) % 9_000_000n;
    return [i + 1, 1_000_000n + random + epoch, false];
});

async function settle(rows) {
    epoch += 1n;
    const args = [epoch, BigInt(rows.length), TAG, TAG, c.pack(rows)];
    return c.send(chain, c.SETTLER, at.settlement, made.settlement_abi, 'settle', args);
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

test('gas of an epoch, of a claim and of a registration', async (t) => {
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
        t.diagnostic(`settle ${size}: ${gasUsed} gas, ${each} an entry`);
        if (size === 1000) assert.ok(each <= LIMIT, `${each} gas an entry, ${LIMIT} allowed`);
    }
    const entries = c.pack(rows_of(1000).map(([id]) => [id, 1n, false]));
    const chunks = c.chunks_of(entries);
    epoch += 1n;
    const args = [epoch, 1000n, TAG, TAG, entries];
    await c.send(chain, c.SETTLER, at.settlement, made.settlement_abi, 'settle', args);
    const tree = SimpleMerkleTree.of(chunks.map((x) => keccak256(x)), { sortLeaves: false });
    const claimed = await c.send(chain, c.STRANGER, at.settlement, made.settlement_abi,
        'claimPayout', [epoch, chunks[3], 5, tree.getProof(3)]);
    t.diagnostic(`claim of 1000, account new: ${claimed.gasUsed} gas`);
    t.diagnostic(`register: ${registration.gasUsed} gas`);
});
