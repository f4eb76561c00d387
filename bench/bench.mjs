// SPDX-License-Identifier: MIT
// Measures submit, read and claim-to-respond through the gateway beside their references, prints tables of ratios and writes
// $BUILD/bench.json. Every candidate runs on the same server, with the same rows at the start, in turns; the best of its
// runs counts, so that a disturbance hits no candidate alone. bench/run prepares the stack.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { build, sleep } from '../tests/support/stack.mjs';
import { Sql, root } from '../tests/support/sql.mjs';
import { provision, typeId } from './provision.mjs';
import { prefixes, scripts } from './reference.mjs';
import { load, pgbench, seconds, withServer } from './tools.mjs';

const ACCOUNTS = 1000;
const SOURCES = 10;
const PROVIDERS = 64;
const TASKS = 100_000;
const ROUNDS = 2500;
const PASSES = Number(process.env.BENCH_PASSES ?? 2);
const run = process.env.OGPU_BENCH_RUN;
const gateways = { 'gateway, 1 write lane': process.env.OGPU_GATEWAY_1, 'gateway, 2 write lanes': process.env.OGPU_GATEWAY_2 };
const gateway = process.env.OGPU_GATEWAY_2; // the default setting, where it does not matter
const port = process.env.OGPU_BENCH_PORT;
const world = join(run, 'world');
const variables = { accounts: ACCOUNTS, sources: SOURCES, providers: PROVIDERS, tasks: TASKS };
const sql = await Sql.open(process.env.DATABASE_URL);
const results = new Map();

const redis = (...words) => execFileSync('redis-cli', ['-u', process.env.REDIS_URL, ...words], { stdio: 'ignore' });
const say = (line) => process.stdout.write(`${line}\n`);
const script = (name) => join(run, `${name}.pgbench`);

/** Keep a figure; `label` is a row of the report. */
function keep(kind, label, r) {
    results.set(kind, results.get(kind) ?? new Map());
    const rows = results.get(kind);
    rows.set(label, [...(rows.get(label) ?? []), r]);
    const latency = r.p99_ms === undefined ? `mean ${r.mean_ms.toFixed(1)} ms` : `p50 ${r.p50_ms.toFixed(1)} p99 ${r.p99_ms.toFixed(1)} ms`;
    say(`  ${kind.padEnd(9)} ${label.padEnd(34)} ${String(r.clients).padStart(4)} clients ${r.rps.toFixed(0).padStart(8)}/s ${r.cpu_us.toFixed(0).padStart(6)} CPU us  ${latency}`);
}

/** The best run of the rows whose label begins so. */
const best = (kind, label) => [...results.get(kind)].filter(([l]) => l.startsWith(label) && !l.includes('one account')).flatMap(([, runs]) => runs)
    .reduce((a, b) => (b.rps > a.rps ? b : a));
const cheapest = (kind, label) => Math.min(...[...results.get(kind)].filter(([l]) => l.startsWith(label)).flatMap(([, runs]) => runs).map((r) => r.cpu_us));

/** Everybody starts from the same tables, with nothing of the last one left to write. Closed tasks: none that a gateway cares for. */
async function reset(tasks = 0, status = 'queued') {
    await sql.query('TRUNCATE task, task_event, attempt, response, ledger_entry, idempotency, blob_ref, blob');
    await sql.query('UPDATE balance SET available = available + frozen + payable, frozen = 0, payable = 0');
    if (tasks > 0) {
        await sql.query(
            `INSERT INTO task (id, account_id, source_id, status, delivery, reward, fee_bps, racers, function, input, input_digest, created_at, updated_at, expires_at)
             SELECT ($1 || lpad(n::text, 12, '0'))::uuid, 1 + n % $2::int, ($3 || lpad((1 + n % $4::int)::text, 12, '0'))::uuid, $6, 'first_valid', 1000000000000, 0, 1,
                    'run', '{"prompt":"a cat on a GPU","seed":7,"steps":20}', sha256('x'), ogpu_now(), ogpu_now(), ogpu_now() + interval '1 hour'
               FROM generate_series(1, $5::int) n`, [prefixes.task, ACCOUNTS, prefixes.source, SOURCES, tasks, status]);
        await sql.query(`INSERT INTO task_event (task_id, seq, type, to_status, at) SELECT id, 1, 'created', 'queued', created_at FROM task`);
        await sql.query(`INSERT INTO ledger_entry (kind, ref, from_account, from_bucket, to_account, to_bucket, amount, at)
                         SELECT 'freeze', id, account_id, 'available', account_id, 'frozen', reward, created_at FROM task`);
        await sql.query(`UPDATE balance b SET available = available - d.amount, frozen = frozen + d.amount
                           FROM (SELECT account_id, sum(reward) AS amount FROM task GROUP BY 1) d WHERE d.account_id = b.account_id`);
    }
    await sql.query('VACUUM ANALYZE task, task_event, ledger_entry, balance');
    await sql.query('CHECKPOINT');
}

const fastify = (body) => withServer(process.execPath, [join(root, 'bench/fastify.mjs'), port], port, body);
const bare = (bytes, body) => withServer(join(build, 'bench/bare_http'), [port, String(bytes)], port, body);

async function submits() {
    for (const [label, at] of Object.entries(gateways)) {
        for (const c of [64, 128, 256]) {
            await reset();
            keep('submit', label, await load(at, 'submit', c, { world }));
        }
    }
    for (const c of [8, 16, 32, 64]) {
        await reset();
        keep('submit', 'pgbench', await pgbench(script('submit'), c, variables));
    }
    await reset();
    keep('submit', 'pgbench, one account', await pgbench(script('submit'), 16, { ...variables, accounts: 1 }));
    await reset();
    await fastify(async (at) => keep('submit', 'Fastify + pg', await load(at, 'submit', 64, { world })));
    await bare(1100, async (at) => keep('submit', 'bare libmicrohttpd', await load(at, 'submit', 64, { world, seconds: 2 })));
}

async function reads() {
    const tasks = join(run, 'tasks');
    const names = Array.from({ length: TASKS }, (_, i) => i + 1)
        .map((n) => `${typeId('tsk', prefixes.task + String(n).padStart(12, '0'))} ${keyIndex.get(1 + n % ACCOUNTS)}`);
    writeFileSync(tasks, `${names.join('\n')}\n`);
    const options = { world, 'tasks-in': tasks };
    await reset(TASKS, 'canceled');
    for (const c of [64, 128]) {
        keep('read', 'gateway', await load(gateway, 'read', c, options));
    }
    for (const c of [8, 16, 32]) {
        keep('read', 'pgbench', await pgbench(script('read'), c, variables));
    }
    await fastify(async (at) => keep('read', 'Fastify + pg', await load(at, 'read', 64, options)));
    await bare(1100, async (at) => keep('read', 'bare libmicrohttpd', await load(at, 'read', 64, { ...options, seconds: 2 })));
}

/** Rounds a second up to the last booked verdict, not to the last 202. */
async function gatewayRounds(label, at) {
    await reset();
    redis('FLUSHALL'); // slots of the tasks that are gone
    await sleep(2000); // until both gateways have noticed, and filled the book from no rows
    await load(at, 'submit', 64, { world, requests: ROUNDS, warmup: 0, seconds: 0 });
    const from = performance.now();
    const r = await load(at, 'roundtrip', 64, { world, requests: ROUNDS, warmup: 0, seconds: 0 });
    for (;;) {
        const [{ n }] = await sql.query(`SELECT count(*)::int AS n FROM task WHERE status = 'succeeded'`);
        if (n >= ROUNDS) {
            break;
        }
        if (performance.now() - from > 120_000) {
            throw new Error(`only ${n} of ${ROUNDS} tasks were paid`);
        }
        await sleep(10);
    }
    keep('roundtrip', label, { ...r, rps: ROUNDS / ((performance.now() - from) / 1000) });
}

async function roundTrips() {
    for (const [label, at] of Object.entries(gateways)) {
        await gatewayRounds(label, at);
    }
    for (const c of [16, 32]) {
        await reset(TASKS);
        keep('roundtrip', 'pgbench', await pgbench(script('roundtrip'), c, variables));
    }
    await reset(TASKS);
    await fastify(async (at) => keep('roundtrip', 'Fastify + pg', await load(at, 'roundtrip', 64, { world })));
    const b = best('submit', 'bare libmicrohttpd');
    results.get('roundtrip').set('bare libmicrohttpd', [{ ...b, rps: b.rps / 3 }]); // three constant answers a round
}

function report() {
    const out = {};
    say('');
    say('kind        rps     p99 ms   × pgbench   × Fastify+pg   × bare libmicrohttpd');
    for (const kind of ['submit', 'read', 'roundtrip']) {
        const g = best(kind, 'gateway');
        const ratio = (label) => Number((g.rps / best(kind, label).rps).toFixed(3));
        const row = {
            rps: Math.round(g.rps), p99_ms: g.p99_ms, ratio_pgbench: ratio('pgbench'),
            ratio_fastify_pg: ratio('Fastify + pg'), ratio_bare_http: ratio('bare libmicrohttpd'),
        };
        out[kind] = row;
        say([kind.padEnd(10), String(row.rps).padStart(6), row.p99_ms.toFixed(1).padStart(9), row.ratio_pgbench.toFixed(2).padStart(11),
            row.ratio_fastify_pg.toFixed(2).padStart(14), row.ratio_bare_http.toFixed(2).padStart(20)].join(''));
    }
    say('\nCPU time of the serving side a unit, least of the runs (us):');
    for (const kind of ['submit', 'read', 'roundtrip']) {
        const figures = ['gateway', 'pgbench', 'Fastify + pg'].map((label) => `${label} ${cheapest(kind, label).toFixed(0)}`);
        say(`  ${kind.padEnd(10)} ${figures.join('   ')}`);
    }
    writeFileSync(join(build, 'bench.json'), `${JSON.stringify(out, null, 2)}\n`);
    say(`\nwritten: ${join(build, 'bench.json')}`);
}

const made = await provision(process.env.DATABASE_URL, {
    accounts: ACCOUNTS, sources: SOURCES, providers: PROVIDERS, chainId: process.env.L1_CHAIN_ID, settlement: process.env.L1_SETTLEMENT,
});
const keyIndex = new Map(made.accounts.map((a, i) => [Number(a.id), i]));
writeFileSync(world, made.text, { mode: 0o600 });
for (const [name, text] of Object.entries(scripts(sql.all.get('task_get').sections.at(-1).text))) {
    writeFileSync(script(name), text);
}
const [{ sync, fsync, version }] = await sql.query(
    `SELECT current_setting('synchronous_commit') AS sync, current_setting('fsync') AS fsync, current_setting('server_version') AS version`);
say(`bench: ${cpus().length} CPUs shared by all, PostgreSQL ${version} fsync=${fsync} synchronous_commit=${sync}, ${seconds} s a measurement, ${PASSES} passes`);
for (let pass = 0; pass < PASSES; pass++) {
    await submits();
    await reads();
    await roundTrips();
}
await sql.close();
report();
