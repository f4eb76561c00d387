// SPDX-License-Identifier: MIT
// The relayer once more on another node: Hardhat 3 has pool rules of its own that anvil lacks (a replacement must raise both fees
// by 10 %, a transaction takes at most 2^24 gas), so what is accepted here is judged by others than ourselves.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, openSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createTestClient, http, toHex } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { Chain } from '../support/chain.mjs';
import { deployed } from '../support/deploy.mjs';
import { freePort } from '../support/free_port.mjs';
import { Ledger } from '../support/ledger.mjs';
import { Market, OGPU } from '../support/market.mjs';
import { Sql, root } from '../support/sql.mjs';
import { Stack, eventually } from '../support/stack.mjs';

const l = new Ledger();
let node, client, source, one;

/** `hardhat node` in a folder of its own. */
async function startHardhat(folder, url) {
    mkdirSync(folder);
    writeFileSync(join(folder, 'package.json'), '{"type":"module","private":true}');
    writeFileSync(join(folder, 'hardhat.config.js'), 'export default {};\n');
    symlinkSync(join(root, 'tools/node_modules'), join(folder, 'node_modules'));
    const log = openSync(join(folder, 'log'), 'a');
    const env = { PATH: process.env.PATH, HOME: folder, HARDHAT_DISABLE_TELEMETRY_PROMPT: 'true', CI: 'true', NO_COLOR: '1', OGPU_TEST_TMP: process.env.OGPU_TEST_TMP };
    node = spawn(process.execPath, [join(root, 'tools/node_modules/hardhat/dist/src/cli.js'), 'node', '--hostname', '127.0.0.1', '--port', url.port], { cwd: folder, env, stdio: ['ignore', log, log] });
    node.ended = new Promise((done) => node.on('exit', done));
    await eventually(async () => (await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}' })).ok, 'hardhat', 60_000);
}

before(async () => {
    l.stack = Stack.up('postgres migrate');
    const url = new URL(`http://127.0.0.1:${await freePort()}`);
    await startHardhat(join(l.stack.run, 'hardhat'), url);
    const key = generatePrivateKey();
    const settler = privateKeyToAccount(key).address;
    const file = join(l.stack.run, 'settler');
    writeFileSync(file, `${key.slice(2)}\n`, { mode: 0o600 });
    chmodSync(file, 0o600);
    const made = await deployed(l.stack.run, { L1_RPC_URL: url.href, OGPU_SETTLER: settler, OGPU_EXIT_SILENCE_S: '10000000', OGPU_EXIT_WINDOW_S: '100' });
    Object.assign(l.stack.env, { L1_RPC_URL: url.href, L1_CHAIN_ID: '31337', L1_VAULT: made.vault, L1_SETTLEMENT: made.settlement, OGPU_SETTLER_KEY_FILE: file });
    l.settings = { OGPU_POLL_MS: '100', OGPU_BATCH_AGE_S: '0', OGPU_FINALITY: 'depth:0', OGPU_RESEND_S: '1', OGPU_BUMP_S: '2' };
    l.sql = await Sql.open(l.stack.env.DATABASE_URL);
    l.m = new Market(l.sql);
    l.chain = new Chain(l.stack.env);
    l.chain.node = createTestClient({ chain: l.chain.chain, mode: 'hardhat', transport: http(url.href) });
    await l.chain.node.setBalance({ address: settler, value: 10n * OGPU });
    l.indexer();
    l.relayer();
    client = await l.client();
    source = await l.m.source(client);
    one = await l.provider(source);
});
after(async () => {
    node?.kill('SIGKILL');
    await node?.ended;
    await l.down();
});

const txs = (epoch) => l.sql.query("SELECT t.* FROM chain_tx t JOIN batch b ON b.id = t.batch_id WHERE b.epoch = $1 ORDER BY t.max_fee DESC", [epoch]);
const automine = (on) => l.chain.public.request({ method: 'evm_setAutomine', params: [on] });

test('a batch passes its pool, gas and fee rules and is settled', async () => {
    await l.earn(client, source, one, OGPU);
    await l.confirmed(1);
    const [tx] = await txs(1);
    const receipt = await l.chain.public.getTransactionReceipt({ hash: toHex(tx.hash) });
    assert.equal(receipt.status, 'success');
    const sent = await l.chain.public.getTransaction({ hash: toHex(tx.hash) });
    assert.ok(sent.gas >= receipt.gasUsed && sent.gas <= 2n ** 24n, `${sent.gas} of ${receipt.gasUsed}`);
    await l.whole();
});

test('a replacement is one to this node too: of several, the dearest is mined, and no other', async () => {
    await automine(false);
    await l.earn(client, source, one, OGPU);
    const many = await eventually(async () => {
        const rows = await txs(2);
        return rows.length >= 3 && rows;
    }, 'two bumps');
    const [dearest] = many;
    await eventually(async () => (await l.chain.public.request({ method: 'eth_pendingTransactions', params: [] })).some((t) => t.hash === toHex(dearest.hash)), 'the newest in the pool');
    const pool = await l.chain.public.request({ method: 'eth_pendingTransactions', params: [] });
    assert.equal(pool.length, 1, 'it took the place of the others');
    await l.chain.node.mine({ blocks: 1 });
    await l.confirmed(2);
    const mined = (await txs(2)).filter((t) => t.state === 'final');
    assert.equal(mined.length, 1);
    await automine(true);
    await l.chain.node.mine({ blocks: 1 });
    assert.equal(await l.read('lastEpoch'), 2n);
    await l.whole();
});

test('dropped from its pool: said again', async () => {
    await automine(false);
    await l.earn(client, source, one, OGPU);
    const pending = () => l.chain.public.request({ method: 'eth_pendingTransactions', params: [] });
    const [first] = await eventually(async () => (await pending()).length > 0 && pending(), 'a transaction');
    await l.chain.node.dropTransaction({ hash: first.hash });
    await eventually(async () => (await pending()).length > 0, 'a transaction again');
    await automine(true);
    await l.chain.node.mine({ blocks: 1 });
    await l.confirmed(3);
    await l.whole();
});

test('a base fee that rises tenfold under way is followed', async () => {
    const { baseFeePerGas } = await l.chain.public.getBlock();
    await automine(false);
    await l.earn(client, source, one, OGPU);
    await eventually(async () => (await txs(4)).length > 0, 'sent');
    await l.chain.node.setNextBlockBaseFeePerGas({ baseFeePerGas: baseFeePerGas * 10n });
    await l.chain.node.mine({ blocks: 1 });
    await automine(true);
    await eventually(async () => {
        await l.chain.node.mine({ blocks: 1 });
        return (await l.sql.query("SELECT 1 FROM batch WHERE epoch = 4 AND state = 'confirmed'")).length === 1;
    }, 'settled at the new price');
    await l.whole();
});
