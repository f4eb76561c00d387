// SPDX-License-Identifier: MIT
// The instruments of bench.mjs: each measurement is one program that runs for a bounded time and is waited for.
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build, sleep } from '../tests/support/stack.mjs';

export const seconds = Number(process.env.BENCH_SECONDS ?? 2);
const WARM = 1;

function collect(command, args, env = {}) {
    return new Promise((resolve, reject) => {
        const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
        const out = [];
        const err = [];
        child.stdout.on('data', (d) => out.push(d));
        child.stderr.on('data', (d) => err.push(d));
        child.on('error', reject);
        child.on('close', (code) => {
            const said = Buffer.concat(err).toString();
            if (code !== 0) {
                reject(new Error(`${command} ${args.join(' ')}: ${code}: ${said}`));
            } else {
                resolve({ out: Buffer.concat(out).toString(), err: said });
            }
        });
    });
}

/** Ticks (10 ms) that a process has used, its ended children's too; and its parent. */
function usage(pid) {
    try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
        const f = stat.slice(stat.lastIndexOf(')') + 2).split(' ').map(Number);
        return { own: f[11] + f[12], ended: f[13] + f[14], parent: f[1] };
    } catch {
        return { own: 0, ended: 0, parent: 0 }; // gone meanwhile
    }
}

const recorded = (name) => Number(readFileSync(join(process.env.OGPU_BENCH_RUN, 'pid', name), 'utf8').split(' ')[0]);

/** CPU seconds of everything that serves: PostgreSQL, Redis, both gateways, and `server`; not of the clients. */
function served(server) {
    const postgres = recorded('postgres');
    const base = usage(postgres);
    let ticks = base.own + base.ended;
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
        const u = usage(pid);
        ticks += u.parent === postgres ? u.own : 0;
    }
    for (const pid of [recorded('redis'), recorded('gateway-1'), recorded('gateway-2'), server].filter(Boolean)) {
        ticks += usage(pid).own;
    }
    return ticks / 100;
}

let server; // the reference that answers at the moment

/** Adds cpu_us: what one unit cost the serving side. Says more than a rate on a machine that others use too. */
async function withCpu(measure) {
    const before = served(server);
    const r = await measure();
    await sleep(300); // until backends that just ended are counted with their parent
    return { ...r, cpu_us: ((served(server) - before) * 1e6) / r.all };
}

/** bench/load; throws when anything but the hoped-for answers came back. */
export const load = (...args) => withCpu(() => runLoad(...args));
async function runLoad(to, traffic, connections, options = {}) {
    const args = ['--to', to, '--traffic', traffic, '--connections', String(connections)];
    for (const [name, value] of Object.entries({ warmup: WARM, seconds, ...options })) {
        args.push(`--${name}`, String(value));
    }
    const r = JSON.parse((await collect(join(build, 'bench/load'), args)).out);
    if (r.hung || r.lost || r.unexpected) {
        throw new Error(`load on ${traffic}: hung ${r.hung}, lost ${r.lost}, unexpected ${r.unexpected}: ${r.first_unexpected}`);
    }
    const unit = r.submit ?? r.read ?? r.round;
    const done = traffic === 'submit' ? 201 : traffic === 'read' ? 200 : 202; // one a unit, those of the warm-up too
    return { clients: connections, rps: unit.per_s, p50_ms: unit.p50_ms, p99_ms: unit.p99_ms, all: r.statuses[done] };
}

/** pgbench in prepared mode; transactions a second. */
export const pgbench = (...args) => withCpu(() => runPgbench(...args));
async function runPgbench(script, clients, variables) {
    const args = ['-n', '-M', 'prepared', '-c', String(clients), '-j', '2', '-T', String(seconds + WARM), '-f', script];
    for (const [name, value] of Object.entries(variables)) {
        args.push('-D', `${name}=${value}`);
    }
    const { out, err } = await collect(process.env.PGBENCH, [...args, process.env.DATABASE_URL]);
    const figure = (pattern) => Number(pattern.exec(out)?.[1] ?? 0); // without a single transaction there is no rate
    if (/aborted|failed transactions: [1-9]/.test(out + err)) {
        throw new Error(`pgbench: ${err || out}`);
    }
    return {
        clients, rps: figure(/tps = ([\d.]+) \(without/), mean_ms: figure(/latency average = ([\d.]+) ms/), all: figure(/actually processed: (\d+)/),
    };
}

/** A server that answers on `port`, for as long as `body` runs. */
export async function withServer(command, args, port, body) {
    const child = spawn(command, args, { env: process.env, stdio: ['ignore', 'ignore', 'inherit'] });
    const ended = new Promise((done) => child.on('exit', done));
    server = child.pid;
    try {
        const deadline = Date.now() + 10_000;
        for (;;) {
            const ok = await fetch(`http://127.0.0.1:${port}/v1/tasks/tsk_00000000000000000000000000`).then(() => true, () => false);
            if (ok) {
                break;
            }
            if (Date.now() > deadline || child.exitCode !== null) {
                throw new Error(`${command} ${args[0]} does not answer`);
            }
            await sleep(50);
        }
        return await body(`127.0.0.1:${port}`);
    } finally {
        server = undefined;
        child.kill('SIGTERM');
        await Promise.race([ended, sleep(3000)]);
        child.kill('SIGKILL');
    }
}
