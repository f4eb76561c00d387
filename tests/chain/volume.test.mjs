// SPDX-License-Identifier: MIT
// Many tasks from HTTP to the chain and back: submitted, claimed, answered with real signatures and judged through two real
// gateways, listed by the real relayer on a real chain, booked by the real indexer, and claimed by a stranger who has the
// contract's address and an RPC endpoint. 0 wei unaccounted. SETTLE_TASKS sets how many; `make soak` settles 100,000.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { toHex } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { UNIT } from '../support/ledger.mjs';
import { OGPU } from '../support/market.mjs';
import { root } from '../support/sql.mjs';
import { Traffic } from '../support/traffic.mjs';

const TASKS = Number(process.env.SETTLE_TASKS ?? 5000);
const PAYEES = 24;
const DEPTH = 2;
const patience = 60_000 + TASKS * 20;
let l;

const count = (from) => l.count(from);
const sum = async (text) => BigInt((await l.sql.query(`SELECT COALESCE(sum(${text}`))[0].n);

before(async () => {
    l = await Traffic.up(PAYEES, { OGPU_FINALITY: `depth:${DEPTH}` });
    l.indexer();
});
after(() => l?.down());

test('deposits and registrations are final', () => l.fund(DEPTH));

test(`${TASKS} tasks are paid`, { timeout: 2 * patience }, async (t) => {
    l.relayer();
    const began = Date.now();
    const made = await l.load('--traffic', 'submit', '--connections', '64', '--requests', String(TASKS), '--seconds', '0');
    assert.equal(made.statuses[201], TASKS, made.first_unexpected);
    const submitted = Date.now();
    await l.work(patience);
    assert.equal(await count("task WHERE status = 'succeeded'"), TASKS);
    const paid = Date.now();
    await l.settled(patience);
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
    const earned = await l.sql.query(`SELECT a.chain_id, a.address, div(sum(l.amount), 1000000000000) AS units FROM ledger_entry l JOIN account a ON a.id = l.to_account
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
