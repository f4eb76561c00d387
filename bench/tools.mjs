// SPDX-License-Identifier: MIT
// The instruments of bench.mjs: each measurement is one program that runs for a bounded time and is waited for.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { build } from '../tests/support/stack.mjs';

export const seconds = Number(process.env.BENCH_SECONDS ?? 4);
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

/** bench/load; throws when anything but the hoped-for answers came back. */
export async function load(to, traffic, connections, options = {}) {
    const args = ['--to', to, '--traffic', traffic, '--connections', String(connections)];
    for (const [name, value] of Object.entries({ warmup: WARM, seconds, ...options })) {
        args.push(`--${name}`, String(value));
    }
    const r = JSON.parse((await collect(join(build, 'bench/load'), args)).out);
    if (r.hung || r.lost || r.unexpected) {
        throw new Error(`load on ${traffic}: hung ${r.hung}, lost ${r.lost}, unexpected ${r.unexpected}: ${r.first_unexpected}`);
    }
    const unit = r.submit ?? r.read ?? r.round;
    return { clients: connections, rps: unit.per_s, p50_ms: unit.p50_ms, p99_ms: unit.p99_ms, n: unit.n, seconds: r.seconds };
}

/** pgbench in prepared mode; transactions a second. */
export async function pgbench(script, clients, variables) {
    const args = ['-n', '-M', 'prepared', '-c', String(clients), '-j', '2', '-T', String(seconds), '-f', script];
    for (const [name, value] of Object.entries(variables)) {
        args.push('-D', `${name}=${value}`);
    }
    const { out, err } = await collect(process.env.PGBENCH, [...args, process.env.DATABASE_URL]);
    const tps = /tps = ([\d.]+) \(without/.exec(out);
    const ms = /latency average = ([\d.]+) ms/.exec(out);
    if (!tps || /aborted|failed transactions: [1-9]/.test(out + err)) {
        throw new Error(`pgbench: ${err || out}`);
    }
    return { clients, rps: Number(tps[1]), mean_ms: Number(ms[1]) };
}

/** A server that answers on `port`, for as long as `body` runs. */
export async function withServer(command, args, port, body) {
    const child = spawn(command, args, { env: process.env, stdio: ['ignore', 'ignore', 'inherit'] });
    const ended = new Promise((done) => child.on('exit', done));
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
            await new Promise((done) => setTimeout(done, 50));
        }
        return await body(`127.0.0.1:${port}`);
    } finally {
        child.kill('SIGTERM');
        await Promise.race([ended, new Promise((done) => setTimeout(done, 3000))]);
        child.kill('SIGKILL');
    }
}
