// SPDX-License-Identifier: MIT
// What the relayer asks every second or few reads a day of batches, not all that there ever were: counted by the plans' own figures.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Sql } from '../support/sql.mjs';
import { withPostgres } from '../support/postgres.mjs';

const BATCHES = 20_000;
const DAY = 200; // batches a day
const sender = Buffer.alloc(20, 0xee);
let pgserver, sql;

// Old batches are confirmed but for one in 50 (voided) and one in 51 (dropped); one in ten
// was outbid first, one in 25 got a second nonce, one nonce in 40 was a stranger's. The last five are on their way.
const FILL = `
INSERT INTO account (address, chain_id) SELECT decode(lpad(to_hex(g), 40, '0'), 'hex'), g FROM generate_series(1, 10) g;
INSERT INTO batch (id, epoch, state, increase_units, entries, root, score_root, log_root, log_leaves, created_at, settled_at, block_no)
SELECT gen_random_uuid(), g, CASE WHEN g > ${BATCHES} - 5 THEN 'submitted' WHEN g % 51 = 0 THEN 'dropped' WHEN g % 50 = 0 THEN 'voided' ELSE 'confirmed' END, 1000, ''::bytea, sha256('r'), sha256('s'), sha256('l'), '',
       t, CASE WHEN g <= ${BATCHES} - 5 AND g % 51 > 0 THEN t END, g
  FROM generate_series(1, ${BATCHES}) g, LATERAL (SELECT ogpu_now() - (${BATCHES} - g) * interval '1 day' / ${DAY} AS t) x;
INSERT INTO chain_tx (hash, batch_id, sender, nonce, raw, max_fee, tip, gas, gas_used, gas_price, state, block_no, created_at, updated_at)
SELECT sha256(epoch::text::bytea), id, $1, epoch, decode(repeat('cd', 200), 'hex'), 1000, 1, 400 + epoch % 7, d.used, CASE WHEN d.used > 0 THEN 9 END, CASE WHEN d.used > 0 THEN 'final' ELSE 'sent' END, epoch, created_at, created_at
  FROM batch, LATERAL (SELECT CASE WHEN state IN ('confirmed', 'voided') THEN 300 + epoch % 11 END AS used) d;
INSERT INTO chain_tx (hash, batch_id, sender, nonce, raw, max_fee, tip, gas, state, created_at, updated_at)
SELECT sha256(('outbid' || epoch)::bytea), id, $1, epoch, ''::bytea, 900, 1, 400, 'sent', created_at, created_at FROM batch WHERE epoch % 10 = 0
UNION ALL SELECT sha256(('second' || epoch)::bytea), id, $1, ${BATCHES} + epoch, '\\x', 900, 1, 400, 'sent', created_at, created_at FROM batch WHERE epoch % 25 = 0
UNION ALL SELECT sha256(('filler' || epoch)::bytea), NULL, $1, 2 * ${BATCHES} + epoch, '\\x', 900, 1, 400, 'sent', created_at, created_at FROM batch WHERE epoch % 33 = 0;
INSERT INTO chain_nonce (sender, nonce, batch_id, state, at)
SELECT $1, epoch, id, CASE WHEN epoch % 40 = 0 THEN 'foreign' ELSE 'ours' END, created_at FROM batch;
INSERT INTO ledger_entry (kind, ref, from_account, from_bucket, to_account, to_bucket, amount, batch_id, at)
SELECT 'accept', gen_random_uuid(), 1, 'frozen', 2, 'payable', 1000000000000000, id, created_at FROM batch WHERE state <> 'dropped';
VACUUM ANALYZE`;

before(async () => {
    pgserver = await withPostgres();
    sql = await Sql.open(pgserver.url);
    for (const text of FILL.split(/;\n/)) {
        await sql.query(text.replaceAll('$1', `'\\x${sender.toString('hex')}'::bytea`));
    }
});
after(async () => {
    await sql?.close();
    await pgserver?.stop();
});

/** Rows that a plan took up in the tables that grow with every batch. */
function taken(node) {
    const here = /^(batch|chain_tx|chain_nonce|ledger_entry)$/.test(node['Relation Name'] ?? '');
    const rows = (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)) * node['Actual Loops'];
    return (here ? rows : 0) + (node.Plans ?? []).reduce((n, p) => n + taken(p), 0);
}

async function read(name, params) {
    const s = sql.all.get(name);
    const work = s.sections.at(-1);
    const values = work.params.map((i) => params[s.params[i].name] ?? null);
    await sql.query('BEGIN');
    const [row] = await sql.query(`EXPLAIN (ANALYZE, FORMAT JSON) ${work.text}`, values);
    await sql.query('ROLLBACK');
    return taken(row['QUERY PLAN'][0].Plan);
}

const call = (o) => Object.fromEntries(Object.entries(o).map(([k, v]) => [k, [v]]));
const form = call({ id: '10000000-0000-0000-0000-00000000ffff', min_age_s: 10, min_count: 100, max_count: 2000, idle_s: 3600, born: 0n, day_units: 10n ** 12n });

for (const [name, params, days] of [
    ['batch_unsettled', { max: 16 }, 0], ['batch_form', form, 1], ['relayer_figures', { sender, delay_s: 86400n }, 5], ['gas_spent', { sender }, 8],
    ['payout_large', { units: 1n, max: 1 }, 0], ['counter_full', { max: 1 }, 0],
]) {
    test(`${name} reads no more than ${days} days' rows, and what is on its way`, async () => {
        const rows = await read(name, params);
        assert.ok(rows <= (days + 0.25) * DAY, `${rows} rows of ${BATCHES} batches`);
    });
}

test('the day\'s gas is what all rows together say', async () => {
    const [{ spent }] = await sql.read('gas_spent', { sender });
    // The same rule over everything that was ever signed.
    const [{ all }] = await sql.query(`
        SELECT COALESCE(sum(cost), 0)::text AS all FROM (
            SELECT COALESCE(max(gas_used::numeric * gas_price) FILTER (WHERE state IN ('mined', 'final')), max(gas::numeric * max_fee), 0) AS cost
              FROM chain_tx t WHERE NOT EXISTS (SELECT FROM chain_nonce n WHERE n.sender = t.sender AND n.nonce = t.nonce AND n.state = 'foreign')
             GROUP BY nonce
            HAVING COALESCE(max(updated_at) FILTER (WHERE state IN ('mined', 'final')), max(created_at) FILTER (WHERE batch_id IS NULL
                        OR EXISTS (SELECT FROM chain_tx u WHERE u.batch_id = t.batch_id AND u.nonce <> t.nonce AND u.state = 'final')
                        OR EXISTS (SELECT FROM batch b WHERE b.id = t.batch_id AND b.state = 'dropped')), 'infinity') >= date_trunc('day', ogpu_now(), 'UTC')) x`);
    assert.equal(spent, all);
    assert.ok(BigInt(spent) > 0n);
});
