// SPDX-License-Identifier: MIT
// No node answers for a while, and clients and providers notice nothing: every request is answered as ever, nothing that was paid
// is lost, and once a node is back the backlog is settled to the wei. OUTAGE_S says how long; make soak takes ten minutes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FaultyNode } from '../support/faulty_node.mjs';
import { UNIT } from '../support/ledger.mjs';
import { OGPU } from '../support/market.mjs';
import { eventually, sleep } from '../support/stack.mjs';
import { Traffic } from '../support/traffic.mjs';

const OUTAGE_S = Number(process.env.OUTAGE_S ?? 20);
const DEPTH = 2;
const EACH = 40;
const patience = 120_000 + OUTAGE_S * 1000;
let l, node;

before(async () => {
    l = await Traffic.up(24);
    node = await FaultyNode.start(l.stack.env.L1_RPC_URL);
    Object.assign(l.settings, { L1_RPC_URL: node.url, OGPU_FINALITY: `depth:${DEPTH}` });
    l.indexer();
    l.relayer();
    await l.fund(DEPTH);
});
after(async () => {
    await l?.down();
    await node?.stop();
});

const ready = async () => (await fetch(`${l.stack.env.OGPU_URL}/readyz`)).status;

/** Some tasks, from the first request to the last acceptance; every answer is one that was asked for. */
async function round() {
    const runs = [await l.load('--traffic', 'submit', '--connections', '4', '--requests', String(EACH), '--seconds', '0'), ...await l.work()];
    assert.equal(runs[0].statuses[201], EACH, runs[0].first_unexpected);
    for (const run of runs) {
        assert.deepEqual([run.unexpected, run.hung, run.lost], [0, 0, 0], run.first_unexpected);
    }
}

test('before: tasks are paid and settled', async () => {
    await round();
    await l.settled(patience);
});

test(`${OUTAGE_S} seconds without a node: the API does not know`, { timeout: 2 * patience }, async (t) => {
    const batches = await l.count("batch WHERE state = 'confirmed'");
    node.misbehave(() => 'reset');
    const payer = await l.chain.wallet();
    const late = await l.chain.wallet();
    await l.chain.deposit(payer, late.account.address, OGPU); // whoever has a node of their own is not held up
    let rounds = 0;
    for (const end = Date.now() + OUTAGE_S * 1000; Date.now() < end; rounds++) {
        await round();
        assert.equal(await ready(), 200);
        await sleep(500); // a steady load, not the most that there can be
    }
    assert.ok(rounds > 0);
    assert.equal(await l.count("task WHERE status = 'succeeded'"), EACH * (rounds + 1), 'all work was accepted');
    assert.equal(await l.count("batch WHERE state = 'confirmed'"), batches, 'nothing is final without a node');
    assert.equal(await l.account(late.account.address), undefined);
    t.diagnostic(`${rounds} rounds, ${await l.count("ledger_entry WHERE to_bucket = 'payable' AND batch_id IS NULL")} payouts wait`);
    node.misbehave(null);
    await l.settled(patience);
    await l.holds(late.account.address, 'available', OGPU);
});

test('after: contract totals equal the ledger to the wei, and the auditor finds nothing', async () => {
    await l.chain.node.mine({ blocks: DEPTH });
    await l.whole([], DEPTH);
    const [{ units }] = await l.sql.query("SELECT COALESCE(sum(claimable), 0)::text AS units FROM balance");
    assert.equal(await l.read('committed'), BigInt(units) / UNIT, 'all that is claimable was declared, nobody has claimed');
    await eventually(() => l.declared().status === 0, 'every declaration is true');
});
