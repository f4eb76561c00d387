// SPDX-License-Identifier: MIT
// With its only node or its database away the relayer still says what it knows: that the node is gone, when it last came through, and
// that the silence grows, counted from what the chain took and not from what was only formed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FaultyNode } from '../support/faulty_node.mjs';
import { freePort } from '../support/free_port.mjs';
import { Sql } from '../support/sql.mjs';
import { eventually } from '../support/stack.mjs';
import { Lane } from './lane.mjs';

const SILENCE = 12;
let lane, node, port;

before(async () => {
    lane = await Lane.up({ OGPU_EXIT_SILENCE_S: String(SILENCE), OGPU_CLAIM_DELAY_S: '1' });
    node = await FaultyNode.start(lane.stack.env.L1_RPC_URL);
    port = await freePort();
});
after(async () => {
    await lane?.down();
    await node?.stop();
});

const start = (env = {}) => lane.relayer({ L1_RPC_URL: node.url, OGPU_METRICS_LISTEN: `127.0.0.1:${port}`, ...env });
async function scrape() {
    const res = await fetch(`http://127.0.0.1:${port}/metrics`);
    return Object.fromEntries([...(await res.text()).matchAll(/^ogpu_relayer_(\S+) (\S+)$/gm)].map((m) => [m[1], Number(m[2])]));
}
const shows = (probe, what) => eventually(async () => { const m = await scrape(); return await probe(m) && m; }, what, 60_000);
const on = (m, name) => m[`alarm{name="${name}"}`] === 1;
const said = (name) => lane.log().includes(`"alarm","name":"${name}"`);
const well = (m) => m.last_look_timestamp_seconds > 0 && m.last_batch_age_seconds < SILENCE / 2 && m.nodes_usable === 1 && !on(m, 'nodes') && !on(m, 'silence');

test('a node that is gone: its alarm, the silence\'s, and figures that are no older than they say', async () => {
    const relayer = start();
    await shows(well, 'signs of life');
    node.misbehave(() => 'reset');
    const gone = await shows((m) => on(m, 'nodes'), 'the node\'s alarm');
    assert.equal(gone.nodes_usable, 0);
    const late = await shows((m) => on(m, 'silence'), 'the silence\'s alarm');
    assert.ok(late.last_batch_age_seconds > SILENCE * 3 / 4);
    assert.equal(late.silence_seconds, SILENCE);
    assert.equal(late.waiting_payouts, 0);
    assert.deepEqual([late.balance_wei, late.nonce_gap], [undefined, undefined], 'what only a node knows is not told from memory');
    assert.ok(said('nodes') && said('silence'));
    const later = await shows((m) => m.last_batch_age_seconds > late.last_batch_age_seconds, 'a newer text');
    assert.equal(later.last_look_timestamp_seconds, gone.last_look_timestamp_seconds);
    node.misbehave(null);
    const back = await shows(well, 'all well');
    assert.ok(back.last_look_timestamp_seconds > later.last_look_timestamp_seconds);
    assert.ok(back.balance_wei > 0);
    await lane.end(relayer);
});

test('a batch that no block takes is no sign of life', async () => {
    const relayer = start({ OGPU_KEEPALIVE_S: '5' });
    await shows(well, 'signs of life');
    node.misbehave(({ method }) => (method === 'eth_sendRawTransaction' ? { error: { code: -32000, message: 'no' } } : null));
    await shows(async (m) => {
        const [b] = await lane.sql.query("SELECT extract(epoch FROM ogpu_now() - created_at)::text AS age FROM batch WHERE state <> 'confirmed'");
        return b && m.last_batch_age_seconds > Number(b.age);
    }, 'an age beyond that of what was formed');
    const m = await shows((v) => on(v, 'silence'), 'the silence\'s alarm');
    assert.ok(!on(m, 'nodes'));
    node.misbehave(null);
    await shows(well, 'all well');
    await lane.end(relayer);
});

test('a database that is gone: the silence\'s alarm by what was known, and the time of the last look', async () => {
    const relayer = start();
    await shows(well, 'signs of life');
    const [{ db, me }] = await lane.sql.query('SELECT current_database() AS db, pg_backend_pid() AS me');
    const url = new URL(lane.stack.env.DATABASE_URL);
    url.pathname = '/postgres';
    const other = await Sql.open(url.href);
    const admit = (yes) => other.query(`ALTER DATABASE "${db}" ALLOW_CONNECTIONS ${yes}`);
    const cut = () => other.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> $2', [db, me]);
    await admit(false);
    await cut();
    const gone = await shows((m) => on(m, 'silence'), 'the silence\'s alarm');
    const later = await shows((m) => m.last_batch_age_seconds > gone.last_batch_age_seconds, 'a newer text');
    assert.equal(later.last_look_timestamp_seconds, gone.last_look_timestamp_seconds);
    assert.deepEqual([later.nodes_usable, later.silence_seconds], [1, SILENCE]);
    await admit(true);
    await other.close();
    await shows(well, 'all well');
    await lane.end(relayer);
});

test('a node that was never there: said, though nothing else is known yet', async () => {
    node.misbehave(() => 'reset');
    const relayer = start();
    const m = await shows((v) => on(v, 'nodes'), 'the node\'s alarm');
    assert.deepEqual([m.nodes, m.nodes_usable, m.last_look_timestamp_seconds, m.silence_seconds, m.last_batch_age_seconds], [1, 0, 0, undefined, undefined]);
    node.misbehave(null);
    await shows(well, 'all well');
    await lane.settled();
    await lane.end(relayer);
    await lane.verify();
});
