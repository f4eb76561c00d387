// SPDX-License-Identifier: MIT
// Many tasks from HTTP to the chain and back: submitted, claimed, answered with real signatures and judged through two real
// gateways, listed by the real relayer on a real chain, booked by the real indexer, and claimed by a stranger who has the
// contract's address and an RPC endpoint. 0 wei unaccounted. SETTLE_TASKS sets how many; `make soak` settles 100,000.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { toHex } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { provision } from '../../bench/provision.mjs';
import { Chain } from '../support/chain.mjs';
import { Ledger, UNIT } from '../support/ledger.mjs';
import { OGPU } from '../support/market.mjs';
import { Sql, root } from '../support/sql.mjs';
import { Stack, build, eventually } from '../support/stack.mjs';

const TASKS = Number(process.env.SETTLE_TASKS ?? 5000);
const PAYEES = 24;
const DEPTH = 2;
const patience = 60_000 + TASKS * 20;
const l = new Ledger();
let world;

const count = async (from) => Number((await l.sql.query(`SELECT count(*) AS n FROM ${from}`))[0].n);
const sum = async (text) => BigInt((await l.sql.query(`SELECT COALESCE(sum(${text}`))[0].n);

/** The scripted clients and providers: signatures are real, containers there are none. */
function load(...args) {
    const child = spawn(join(build, 'bench/load'), ['--to', new URL(l.stack.env.OGPU_URL).host, '--world', join(l.stack.run, 'world'), '--warmup', '0', '--hang', '60', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (d) => { out += d; });
    return new Promise((done) => child.on('close', () => done(JSON.parse(out))));
}

before(async () => {
    l.stack = Stack.up('postgres migrate redis anvil contracts gateways haproxy', { OGPU_FEE_BPS: '100', OGPU_DOCS_DIR: '', OGPU_EXIT_SILENCE_S: '10000000', OGPU_EXIT_WINDOW_S: '1000' });
    l.settings = { OGPU_POLL_MS: '200', OGPU_BATCH_AGE_S: '2', OGPU_BATCH_COUNT: '1000', OGPU_BATCH_MAX: '2000', OGPU_FINALITY: `depth:${DEPTH}` };
    l.sql = await Sql.open(l.stack.env.DATABASE_URL);
    l.chain = new Chain(l.stack.env);
    world = await provision(l.stack.env.DATABASE_URL, { accounts: 20, sources: 5, providers: PAYEES, chainId: l.stack.env.L1_CHAIN_ID, settlement: l.stack.env.L1_SETTLEMENT, deposit: 0n });
    writeFileSync(join(l.stack.run, 'world'), world.text, { mode: 0o600 });
    l.indexer();
});
after(() => l.down());

test('deposits and registrations are final', async () => {
    await l.chain.node.setIntervalMining({ interval: 0 });
    await l.chain.node.setAutomine(true);
    const payer = await l.chain.wallet();
    for (const a of world.accounts) {
        await l.chain.deposit(payer, toHex(a.address), 10n * OGPU);
    }
    for (const p of world.providers) {
        await l.chain.register(payer, toHex(p.master));
    }
    await l.chain.node.mine({ blocks: DEPTH });
    await eventually(async () => await count('account WHERE chain_id IS NOT NULL') === world.accounts.length + PAYEES, 'all known');
    await l.chain.node.setAutomine(false);
    await l.chain.node.setIntervalMining({ interval: 1 });
});

test(`${TASKS} tasks are paid`, { timeout: 2 * patience }, async (t) => {
    l.relayer();
    const began = Date.now();
    const made = await load('--traffic', 'submit', '--connections', '64', '--requests', String(TASKS), '--seconds', '0');
    assert.equal(made.statuses[201], TASKS, made.first_unexpected);
    const submitted = Date.now();
    const open = () => count("task WHERE status IN ('queued', 'running', 'verifying')");
    for (let left = await open(), round = 0; left > 0 && round < 20; left = await open(), round++) {
        await load('--traffic', 'roundtrip', '--connections', '48', '--requests', String(left), '--seconds', '0');
        await eventually(async () => await count("response WHERE state IN ('checking', 'passed')") === 0, 'verdicts', patience);
    }
    assert.equal(await count("task WHERE status = 'succeeded'"), TASKS);
    const paid = Date.now();
    await eventually(async () => await count("ledger_entry WHERE to_bucket = 'payable' AND batch_id IS NULL") === 0 && await count("batch WHERE state <> 'confirmed'") === 0, 'all settled', patience);
    const now = Date.now();
    t.diagnostic(`submitted ${submitted - began} ms, answered and judged ${paid - submitted} ms, then settled ${now - paid} ms, ${await count('batch')} batches`);
});

test('a stranger rebuilds every proof from calldata and logs and claims for all payees', { timeout: patience }, async () => {
    const key = generatePrivateKey();
    await l.chain.node.setBalance({ address: privateKeyToAccount(key).address, value: 100n * OGPU });
    const r = spawnSync(process.execPath, [join(root, 'tests/support/stranger.mjs'), l.stack.env.L1_RPC_URL, l.stack.env.L1_SETTLEMENT], { env: { STRANGER_KEY: key }, encoding: 'utf8' });
    assert.equal(r.status, 0, r.stderr);
    const { batches, paid } = JSON.parse(r.stdout);
    assert.equal(batches, await count('batch'));
    const earned = await l.sql.query(`SELECT a.chain_id, a.address, floor(sum(l.amount) / 1000000000000) AS units FROM ledger_entry l JOIN account a ON a.id = l.to_account
        WHERE l.kind = 'accept' GROUP BY 1, 2 ORDER BY 1`);
    assert.equal(earned.length, PAYEES, 'everybody had work');
    assert.deepEqual(paid, Object.fromEntries(earned.map((e) => [e.chain_id, e.units])), 'what the chain proves is what the ledger owes');
    for (const e of earned) {
        assert.equal(await l.chain.public.getBalance({ address: toHex(e.address) }), BigInt(e.units) * UNIT);
    }
});

test('0 wei unaccounted: contract totals equal the ledger, every declaration is true, the auditor finds nothing', async () => {
    await l.chain.node.mine({ blocks: DEPTH });
    await l.whole([], DEPTH);
    const deposited = await l.chain.read(l.chain.vault, 'totalDeposited');
    const out = await l.chain.read(l.chain.vault, 'totalPaid');
    assert.equal(deposited, await sum("amount), 0) AS n FROM ledger_entry WHERE kind = 'deposit'"));
    assert.equal(out, await sum("amount), 0) AS n FROM ledger_entry WHERE kind = 'claim'"));
    assert.equal(await sum('claimable), 0) AS n FROM balance'), 0n);
    assert.equal(BigInt(await l.read('committed')) * UNIT, out, 'all that was declared is paid');
    const kept = await sum('available + frozen + payable), 0) AS n FROM balance');
    const fees = await sum("amount), 0) AS n FROM ledger_entry WHERE kind = 'fee'");
    assert.equal(deposited - out - kept - fees, 0n, 'unaccounted wei');
    assert.equal(l.declared().status, 0, l.declared().text);
});
