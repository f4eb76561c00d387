// SPDX-License-Identifier: MIT
// Many tasks, eight racers each, while gateways are killed and Redis is wiped: every task ends once, paid or refunded, and the
// books are right. KILL_TASKS sets how many: make soak takes 10,000.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { provision } from '../../bench/provision.mjs';
import { Market } from '../support/market.mjs';
import { Sql, root } from '../support/sql.mjs';
import { Stack, build, eventually, sleep } from '../support/stack.mjs';
import { settings as l1 } from '../support/world.mjs';

const TASKS = Number(process.env.KILL_TASKS ?? 2500);
const RACERS = 8;
const PROVIDERS = 24;
const RACE_MS = 600_000; // how long they may race: a bound for a machine that is busy with other things
const settings = { ...l1, OGPU_LEASE_S: '3', OGPU_ATTEMPTS_MAX: '40', OGPU_DOCS_DIR: '' };
let stack, sql, world;

before(async () => {
    stack = Stack.up('postgres migrate redis gateways haproxy', settings);
    sql = await Sql.open(stack.env.DATABASE_URL);
    await sql.write('cursor_begin', { name: 'test', final_no: 1n, start_no: 0n }); // the provisioned deposits' block
    world = await provision(stack.env.DATABASE_URL, { accounts: 50, sources: 5, providers: PROVIDERS, chainId: settings.L1_CHAIN_ID, settlement: settings.L1_SETTLEMENT });
    writeFileSync(join(stack.run, 'world'), world.text, { mode: 0o600 });
});
after(async () => {
    await sql?.close();
    await stack?.down();
});

async function submitAll() {
    const m = new Market(sql);
    for (let made = 0; made < TASKS; made += 250) {
        const calls = Array.from({ length: Math.min(250, TASKS - made) }, (_, i) => m.submitCall(
            world.accounts[(made + i) % world.accounts.length], world.sources[i % world.sources.length],
            { racers: RACERS, reward: '1000000000001', fee_bps: 100, expires_in_s: 3600 }));
        const rows = await sql.write('task_submit', ...calls);
        assert.ok(rows.every((r) => r.outcome === 'ok'), rows.find((r) => r.outcome !== 'ok')?.outcome);
    }
}

/** Providers that claim, upload, sign and respond through HAProxy until they are stopped. */
function race() {
    const to = new URL(stack.env.OGPU_URL).host;
    const child = spawn(join(build, 'bench/load'), ['--to', to, '--traffic', 'roundtrip', '--world', join(stack.run, 'world'), '--connections', '48', '--seconds', '20'],
        { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (d) => { out += d; });
    return new Promise((done) => child.on('close', () => done(out)));
}

function shell(script) {
    const text = `set -u; . tools/stack/lib.sh; . tools/stack/services.sh; . tools/stack/ogpu.sh; stack_init "$1"; ${script}`;
    const done = spawnSync('bash', ['-c', text, 'stack', stack.run], { cwd: root, env: { ...process.env, ...settings, ...stack.env, BUILD: build, OGPU_PUBLIC_URL: stack.env.OGPU_URL }, encoding: 'utf8' });
    assert.equal(done.status, 0, done.stdout + done.stderr);
}

function killGateway(n) {
    process.kill(Number(readFileSync(join(stack.run, `pid/gateway-${n}`), 'utf8').split(' ')[0]), 'SIGKILL');
    shell(`export OGPU_BLOB_DIR="$RUN/blobs"; start_gateway ${n}`);
}

/** kill -9 of one gateway after the other, never both at once, and FLUSHALL in between, until `done` says so. */
async function havoc(done) {
    let kills = 0;
    while (!done()) {
        await sleep(randomInt(600, 2000));
        killGateway(1 + (kills++ % 2));
        if (kills % 2 === 0) {
            spawnSync('redis-cli', ['-u', stack.env.REDIS_URL, 'FLUSHALL']);
        }
    }
    return kills;
}

const open = async () => Number((await sql.query("SELECT count(*) AS n FROM task WHERE status IN ('queued', 'running', 'verifying')"))[0].n);

test(`${TASKS} tasks at ${RACERS} racers under kills`, { timeout: RACE_MS + 200_000 }, async () => {
    await submitAll();
    let over = false;
    const kills = havoc(() => over);
    const end = Date.now() + RACE_MS;
    while (await open() > 0 && Date.now() < end) {
        await race();
    }
    over = true;
    assert.ok(await kills > 3, 'gateways were killed');
    await eventually(async () => await open() === 0, 'every task ended', 120_000);
    const [n] = await sql.query("SELECT count(*) FILTER (WHERE status = 'succeeded') AS won, count(*) AS n FROM task");
    assert.equal(Number(n.n), TASKS);
    assert.equal(Number(n.won), TASKS, 'all of them paid: nobody but the killer failed');
    const paid = await sql.query("SELECT ref FROM ledger_entry WHERE kind = 'accept' GROUP BY ref HAVING count(*) <> 1");
    assert.deepEqual(paid, []);
});

test('the auditor finds nothing', () => {
    const audit = spawnSync(join(build, 'bin/ogpu-auditor'), ['--quiet'], { env: { ...process.env, ...stack.env }, encoding: 'utf8' });
    assert.equal(audit.status, 0, audit.stdout + audit.stderr);
});
