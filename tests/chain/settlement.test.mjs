// SPDX-License-Identifier: MIT
// Indexer and relayer on a real chain: deposits become credit, acceptances a batch, a batch a claim; kills, reorgs, twins.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { SimpleMerkleTree } from '@openzeppelin/merkle-tree';
import { keccak256, toHex } from 'viem';
import { Chain } from '../support/chain.mjs';
import { Market, OGPU } from '../support/market.mjs';
import { Sql } from '../support/sql.mjs';
import { Stack, build, eventually } from '../support/stack.mjs';

let stack, sql, m, chain, payer, master, client, source, provider, relayer, document;

const fast = { OGPU_POLL_MS: '100', OGPU_BATCH_AGE_S: '0', OGPU_RESEND_S: '2', OGPU_BUMP_S: '5' };
const accountOf = async (address) => (await sql.query('SELECT * FROM account WHERE address = $1', [Buffer.from(address.slice(2), 'hex')]))[0];

const earn = (reward) => m.earn(client, source, provider, { reward: String(reward) });
const confirmed = (n) => eventually(async () => Number((await sql.query("SELECT count(*) AS n FROM batch WHERE state = 'confirmed'"))[0].n) === n, `batch ${n} confirmed`);

before(async () => {
    // A silence that no run reaches: the epochs counted below are those of payouts alone.
    stack = Stack.up('postgres migrate anvil contracts', { OGPU_EXIT_SILENCE_S: '86400' });
    sql = await Sql.open(stack.env.DATABASE_URL);
    m = new Market(sql);
    chain = new Chain(stack.env);
    payer = await chain.wallet();
    master = randomBytes(20);
    stack.start('ogpu-indexer', fast);
    relayer = stack.start('ogpu-relayer', fast);
});
after(async () => {
    await sql?.close();
    await stack?.down();
});
afterEach(() => {
    const audit = spawnSync(join(build, 'bin', 'ogpu-auditor'), ['--quiet'], { env: { ...process.env, ...stack.env }, encoding: 'utf8' });
    assert.equal(audit.status, 0, audit.stdout + audit.stderr);
});

test('a final deposit is credit, once, and registers its account', async () => {
    await chain.deposit(payer, payer.account.address, 10n * OGPU);
    const row = await eventually(() => accountOf(payer.account.address), 'the account');
    assert.equal(row.chain_id, BigInt(await chain.read(chain.vault, 'idOf', [payer.account.address])));
    await eventually(async () => (await m.balance(row)).available === 10n * OGPU, 'the credit');
    const key = randomUUID();
    await sql.write('api_key_create', { id: key, account: row.id, hash: randomBytes(32), hint: 'x', name: '', scopes: 63 });
    client = { id: row.id, key };
    source = await m.source(client);
    const [p] = await sql.write('provider_register', { id: randomUUID(), address: randomBytes(20), master, master_signed: true, environments: 1, nonce: 1n, token_hash: randomBytes(32) });
    provider = { id: p.id };
    await sql.write('registration_put', { source: source.id, provider: p.id, manifest_hash: source.hash, environments: 1, nonce: 2n });
});

test('nobody whose registration is not final is listed', async () => {
    await earn(OGPU);
    await new Promise((done) => setTimeout(done, 1500));
    assert.deepEqual(await sql.query('SELECT id FROM batch'), []);
    await chain.register(payer, toHex(master));
    await confirmed(1);
});

test('the root in the books is the root on chain, rebuilt from calldata; a stranger claims for the master', async () => {
    const [batch] = await sql.query('SELECT * FROM batch WHERE epoch = 1');
    const [root] = await chain.read(chain.settlement, 'rootOf', [1n]);
    assert.equal(root, toHex(batch.root));
    const padded = Buffer.concat([batch.entries, Buffer.alloc((160 - (batch.entries.length % 160)) % 160)]);
    const chunks = [];
    for (let i = 0; i < padded.length; i += 160) {
        chunks.push(toHex(padded.subarray(i, i + 160)));
    }
    const tree = SimpleMerkleTree.of(chunks.map((c) => keccak256(c)), { sortLeaves: false });
    assert.equal(tree.root, root);
    const [proof] = await sql.read('proof_get', { address: master });
    assert.equal(proof.units, 1_000_000n);
    const stranger = await chain.wallet();
    const chunk = Math.floor(proof.position / 16);
    document = { address: toHex(master), id: Number(proof.chain_id), epoch: 1, units: String(proof.units), chunk: chunks[chunk], index: proof.position % 16, proof: tree.getProof(chunk), root };
    await eventually(async () => (await chain.send(stranger, chain.settlement, 'claimPayout', [1n, chunks[chunk], proof.position % 16, tree.getProof(chunk)])).status, 'the claim');
    assert.equal(await chain.public.getBalance({ address: toHex(master) }), OGPU);
    const row = await accountOf(toHex(master));
    await eventually(async () => (await m.balance(row)).claimable === 0n, 'the claim booked');
});

test('ogpu-verify believes the chain and a trusted root, and refutes what was altered', () => {
    const onChain = ['--rpc', stack.env.L1_RPC_URL, '--contract', stack.env.L1_SETTLEMENT];
    const verify = (doc, ...args) => spawnSync(join(build, 'bin', 'ogpu-verify'), ['payout', '-', ...args], { input: JSON.stringify(doc), encoding: 'utf8' });
    for (const args of [onChain, ['--root', document.root]]) {
        const good = verify(document, ...args);
        assert.equal(good.status, 0, good.stderr);
        assert.match(good.stdout, /verified: id \d+ earned 1000000 units/);
        const forged = `${document.chunk.slice(0, -2)}01`;
        for (const altered of [{ units: '1000001' }, { id: document.id + 1 }, { index: (document.index + 1) % 16 }, { chunk: forged }, { proof: [document.root] }]) {
            assert.equal(verify({ ...document, ...altered }, ...args).status, 1, JSON.stringify(altered));
        }
    }
    assert.equal(verify({ ...document, address: stack.env.L1_VAULT }, ...onChain).status, 1, 'another address');
    assert.equal(verify({ ...document, epoch: 9 }, ...onChain).status, 2, 'an epoch the chain does not have, or not yet');
    assert.equal(verify({ ...document, units: 5 }, '--root', document.root).status, 2, 'not a proof document');
    assert.equal(verify(document, '--rpc', 'http://127.0.0.1:9', '--settlement', stack.env.L1_SETTLEMENT).status, 2, 'no node');
});

test('kill -9 of the relayer at any time: one batch, one transaction mined, nothing twice', async () => {
    for (let i = 2; i <= 4; i++) {
        await earn(OGPU / 10n + 1n);
        await new Promise((done) => setTimeout(done, 60 * i));
        relayer.kill('SIGKILL');
        await relayer.ended;
        relayer = stack.start('ogpu-relayer', fast);
        await confirmed(i);
    }
    assert.equal(await chain.read(chain.settlement, 'lastEpoch'), 4n);
    const [dust] = await sql.query("SELECT payable FROM balance WHERE account_id = (SELECT id FROM account WHERE address = $1)", [master]);
    assert.equal(dust.payable, '3', 'dust stays payable and is carried');
});

test('a second relayer on the same books stops by itself', async () => {
    const twin = stack.start('ogpu-relayer', fast);
    assert.equal((await twin.ended).code, 1);
    assert.match(stack.log('ogpu-relayer'), /another relayer holds the lock/);
});

test('a transaction dropped by the node, or taken out by a reorg, is said again', async () => {
    await chain.node.setIntervalMining({ interval: 0 });
    await earn(OGPU / 4n);
    const sent = () => sql.query("SELECT hash FROM chain_tx t JOIN batch b ON b.id = t.batch_id WHERE b.epoch = 5 AND t.state = 'sent'");
    const [tx] = await eventually(async () => { const rows = await sent(); return rows.length > 0 && rows; }, 'epoch 5 sent');
    await chain.node.dropTransaction({ hash: toHex(tx.hash) });
    await eventually(async () => (await chain.node.getTxpoolStatus()).pending > 0, 'said again after the drop');
    await chain.node.mine({ blocks: 1 });
    await eventually(async () => (await sql.query("SELECT 1 FROM chain_tx WHERE state = 'mined'")).length === 1, 'seen in a block');
    await chain.public.request({ method: 'anvil_reorg', params: [1, []] });
    await eventually(async () => (await chain.node.getTxpoolStatus()).pending > 0, 'said again after the reorg');
    await chain.node.setIntervalMining({ interval: 1 });
    await confirmed(5);
    assert.equal(await chain.read(chain.settlement, 'lastEpoch'), 5n);
});

test('the indexer from nothing books the same facts again without effect', async () => {
    await sql.query('UPDATE chain_cursor SET block_no = 0, block_hash = \'\'');
    await eventually(async () => (await sql.query('SELECT 1 FROM chain_cursor WHERE block_no > 10')).length === 1, 'caught up');
    const [{ n }] = await sql.query("SELECT count(*) AS n FROM ledger_entry WHERE kind = 'deposit'");
    assert.equal(n, 1n);
});

test('the wrong chain is refused', async () => {
    const wrong = stack.start('ogpu-indexer', { ...fast, L1_CHAIN_ID: '1071' });
    assert.equal((await wrong.ended).code, 1);
    assert.match(stack.log('ogpu-indexer'), /the node is of another chain than 1071/);
});
