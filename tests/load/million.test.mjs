// SPDX-License-Identifier: MIT
// Many requests over 256 connections, half of them submits (half of those with an Idempotency-Key), half reads of what was
// made: no request hangs, every 201 is a row and every row a 201, and the books are right at the end. LOAD_REQUESTS sets
// how many; `make soak` runs a million.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { provision, typeId } from '../../bench/provision.mjs';
import { Sql } from '../support/sql.mjs';
import { Stack, build } from '../support/stack.mjs';
import { settings as l1 } from '../support/world.mjs';

const REQUESTS = Number(process.env.LOAD_REQUESTS ?? 100_000);
const CONNECTIONS = 256;
const settings = { ...l1, OGPU_DOCS_DIR: '' };
let stack, sql, report;

const path = (name) => join(stack.run, name);
const count = async (from) => (await sql.query(`SELECT count(*)::int AS n FROM ${from}`))[0].n;

/** The client, not waited for synchronously: the runner's output must go on. */
function load(...args) {
    const child = spawn(join(build, 'bench/load'), args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (d) => { out += d; });
    return new Promise((done, failed) => {
        child.on('error', failed);
        child.on('close', (code) => (code === 0 ? done(JSON.parse(out)) : failed(new Error(`load ended with ${code}`))));
    });
}

before(async () => {
    stack = Stack.up('postgres migrate redis gateways', settings);
    sql = await Sql.open(stack.env.DATABASE_URL);
    await sql.write('cursor_begin', { name: 'test', final_no: 1n, start_no: 0n }); // the provisioned deposits' block
    const world = await provision(stack.env.DATABASE_URL, {
        accounts: 1000, sources: 10, providers: 1, chainId: settings.L1_CHAIN_ID, settlement: settings.L1_SETTLEMENT,
    });
    writeFileSync(path('world'), world.text, { mode: 0o600 });
});
after(async () => {
    await sql?.close();
    await stack?.down();
});

test(`${REQUESTS} requests over ${CONNECTIONS} connections: none hangs, none is refused`, async () => {
    report = await load('--to', stack.env.OGPU_GATEWAY_1, '--traffic', 'mixed', '--world', path('world'), '--idempotent', '50',
        '--connections', String(CONNECTIONS), '--requests', String(REQUESTS), '--hang', '30', '--tasks-out', path('made'));
    assert.equal(report.hung, 0, 'hung');
    assert.equal(report.lost, 0, 'broken connections');
    assert.equal(report.unexpected, 0, report.first_unexpected);
    assert.deepEqual(Object.keys(report.statuses), ['200', '201']);
    assert.equal(report.statuses[200] + report.statuses[201], REQUESTS);
    assert.ok(Math.abs(report.statuses[201] - REQUESTS / 2) <= CONNECTIONS, `submits: ${report.statuses[201]}`);
});

test('every 201 is a row, every row a 201', async () => {
    const told = readFileSync(path('made'), 'utf8').trimEnd().split('\n').map((line) => line.slice(0, 30)).sort();
    assert.equal(told.length, report.statuses[201]);
    assert.equal(new Set(told).size, told.length, 'one id was told twice');
    const held = (await sql.query('SELECT id FROM task')).map((t) => typeId('tsk', t.id)).sort();
    assert.deepEqual(held, told);
    assert.equal(await count("ledger_entry WHERE kind = 'freeze'"), told.length);
    const keys = await count('idempotency');
    assert.ok(keys > told.length * 0.45 && keys < told.length * 0.55, `${keys} idempotency keys for ${told.length} tasks`);
});

test('the books are right', () => {
    const audit = spawnSync(join(build, 'bin/ogpu-auditor'), ['--quiet'], { env: { ...process.env, DATABASE_URL: stack.env.DATABASE_URL }, encoding: 'utf8' });
    assert.equal(audit.status, 0, audit.stdout + audit.stderr);
});
