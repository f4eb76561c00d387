// SPDX-License-Identifier: MIT
// What the worker costs beside what it stands on, in one run, in turns: a cold start beside the bare
// runtime with the same configuration, a warm request beside the bare service, no-op tasks a second,
// and a worker that waits. Adds the key `worker` to $BUILD/bench.json. Needs root, no gateway.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { image, layerOf } from '../tools/oci_image.mjs';
import { Gateway, chainId, settlement } from '../tests/worker/gateway.mjs';
import { build, manifestOf, worker } from '../tests/worker/support.mjs';

// crun refuses a host with both cgroup versions mounted; the worker hides one half from it. Here the
// bare runtime needs the same, without a wrapper's time in its figures: all of this runs where it is hidden.
if (existsSync('/sys/fs/cgroup/unified') && !process.env.OGPU_BENCH_HIDDEN) {
    const again = ['-m', 'sh', '-c', 'umount /sys/fs/cgroup/unified; exec "$0" "$@"', process.execPath, ...process.argv.slice(1)];
    process.exit(spawnSync('unshare', again, { stdio: 'inherit', env: { ...process.env, OGPU_BENCH_HIDDEN: '1' } }).status ?? 1);
}

const COLD = Number(process.env.BENCH_COLD ?? 40);
const WARM = Number(process.env.BENCH_WARM ?? 400);
const IDLE_S = Number(process.env.BENCH_IDLE_S ?? 5);
const PASSES = Number(process.env.BENCH_PASSES ?? 2);
const box = join(build, 'bench/worker_box');
const dir = mkdtempSync(join(tmpdir(), 'ogpu-bench-worker-'));
chmodSync(dir, 0o755); // the containers' ids look into it
const runtime = ['/usr/bin/crun', '/usr/bin/runc'].find(existsSync);
const say = (line) => process.stdout.write(`${line}\n`);

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const figures = (text) => text.trim().split('\n').map((n) => Number(n) / 1000);

/** Unpacks an image into the worker's cache by running it once; returns its root folder and the bundle's configuration. */
function unpack(name, program) {
    const made = image([layerOf([{ path: `/bin/${name}`, data: readFileSync(program) }])], { Entrypoint: [`/bin/${name}`], User: '1000:1000' });
    const at = join(dir, name);
    mkdirSync(at);
    const spy = join(at, 'spy');
    writeFileSync(spy, `#!/bin/sh
prev=
for word in "$@"; do
    [ "$prev" = --bundle ] && cp "$word/config.json" ${at}/config.json
    prev=$word
done
exec ${runtime} "$@"
`);
    chmodSync(spy, 0o755);
    const http = name !== 'noop';
    writeFileSync(join(at, 'manifest.json'), JSON.stringify(manifestOf(made, { contract: http ? 'http' : 'exec', limits: { memory_mb: 64, pids: 16, tmp_mb: 1 } })));
    writeFileSync(join(at, 'image.tar'), made.archive);
    writeFileSync(join(at, 'input.json'), '{}');
    execFileSync(worker, ['try', join(at, 'manifest.json'), join(at, 'image.tar'), 'echo', join(at, 'input.json'), join(at, 'out')],
        { env: { ...process.env, OGPU_WORK_DIR: join(at, 'work'), OGPU_RUNTIME: spy } });
    const cached = execFileSync('find', [join(at, 'work/images'), '-type', 'd', '-name', 'rootfs'], { encoding: 'utf8' }).trim().split('\n');
    return { rootfs: cached[0], config: JSON.parse(readFileSync(join(at, 'config.json'), 'utf8')) };
}

/** The runtime alone: create, start, end, delete of a bundle like ours, each in one call of `run`. */
function bareRuntime({ rootfs, config }, n) {
    const bundle = join(dir, 'bundle');
    rmSync(bundle, { recursive: true, force: true });
    mkdirSync(join(bundle, 'out'), { recursive: true });
    cpSync(rootfs, join(bundle, 'rootfs'), { recursive: true });
    const c = structuredClone(config);
    c.root.path = join(bundle, 'rootfs');
    c.mounts.find((m) => m.destination === '/out').source = join(bundle, 'out');
    const took = [];
    for (let i = 0; i < n; i++) {
        const id = `ogpu-bare-${process.pid}-${i}`;
        c.linux.cgroupsPath = c.linux.cgroupsPath.replace(/[^/]*$/, id);
        writeFileSync(join(bundle, 'config.json'), JSON.stringify(c));
        const begun = performance.now();
        const r = spawnSync(runtime, ['--root', join(dir, 'state'), 'run', '--bundle', bundle, id], { stdio: ['ignore', 'pipe', 'inherit'] });
        took.push(performance.now() - begun);
        if (r.status !== 0 || r.stdout.toString() !== '{}\n') throw new Error(`${runtime} run: ${r.status} ${r.stdout}`);
    }
    return took;
}

function cold(made, n, threads) {
    const r = spawnSync(box, ['cold', runtime, made.rootfs, '/bin/noop', String(n), String(threads)], { encoding: 'utf8', maxBuffer: 1 << 24 });
    if (r.status !== 0) throw new Error(r.stderr);
    return { took: figures(r.stdout), seconds: Number(r.stderr) / 1e6 };
}

/** A worker with nothing to do at a gateway that has nothing: CPU milliseconds a second, MiB of its own. */
async function idle() {
    const gateway = await new Gateway().open();
    const key = join(dir, 'key');
    if (!existsSync(key)) execFileSync(worker, ['key', key], { stdio: 'ignore' });
    const child = spawn(worker, [], { stdio: 'ignore', env: { ...process.env, OGPU_URL: gateway.url, OGPU_PROVIDER_KEY_FILE: key,
        OGPU_MASTER: `0x${'11'.repeat(20)}`, L1_CHAIN_ID: String(chainId), L1_SETTLEMENT: settlement, OGPU_WORK_DIR: join(dir, 'idle') } });
    const ended = new Promise((done) => { child.on('exit', done); });
    const ticks = () => {
        const f = readFileSync(`/proc/${child.pid}/stat`, 'latin1').split(') ')[1].split(' ');
        return Number(f[11]) + Number(f[12]);
    };
    await gateway.saw(/claims/, 20_000, 0).catch(() => {});
    while (!gateway.log.some((r) => r.path.startsWith('/v1/claims'))) await sleep(50);
    await sleep(1000);
    const before = ticks();
    await sleep(IDLE_S * 1000);
    const cpu = (ticks() - before) * 10 / IDLE_S;
    const pss = Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/smaps_rollup`, 'utf8'))[1]) / 1024;
    child.kill();
    await ended;
    gateway.close();
    return { cpu, pss };
}

const all = { cold: [], bare: [], warm: [], service: [], rate: [] };
try {
    const noop = unpack('noop', join(build, 'bench/noop'));
    const echo = unpack('echo-http', join(build, 'examples/echo-http'));
    for (let pass = 0; pass < PASSES; pass++) {
        all.bare.push(median(bareRuntime(noop, COLD)));
        all.cold.push(median(cold(noop, COLD, 1).took));
        const busy = cold(noop, COLD, cpus().length);
        all.rate.push(COLD * cpus().length / busy.seconds);
        all.service.push(median(figures(execFileSync(box, ['bare', join(build, 'examples/echo-http'), String(WARM)], { encoding: 'utf8' }))));
        all.warm.push(median(figures(execFileSync(box, ['warm', runtime, echo.rootfs, '/bin/echo-http', String(WARM)], { encoding: 'utf8' }))));
    }
    const waiting = await idle();
    const least = (list) => Number(Math.min(...list).toFixed(3));
    const out = {
        cold_start_ms: least(all.cold), cold_start_bare_ms: least(all.bare), cold_start_ratio: Number((least(all.cold) / least(all.bare)).toFixed(2)),
        warm_request_ms: least(all.warm), warm_request_bare_ms: least(all.service),
        warm_request_ratio: Number((least(all.warm) / least(all.service)).toFixed(2)),
        noop_tasks_per_s: Number(Math.max(...all.rate).toFixed(1)), idle_cpu_ms_per_s: Number(waiting.cpu.toFixed(1)), idle_memory_mib: Number(waiting.pss.toFixed(1)),
    };
    say(`worker: ${cpus().length} CPUs, ${runtime}, ${PASSES} passes; least of the passes' medians`);
    say(`  cold start     ${out.cold_start_ms.toFixed(1).padStart(8)} ms   bare ${runtime.split('/').at(-1)} run ${out.cold_start_bare_ms.toFixed(1)} ms   × ${out.cold_start_ratio}`);
    say(`  warm request   ${out.warm_request_ms.toFixed(3).padStart(8)} ms   bare service ${out.warm_request_bare_ms.toFixed(3)} ms   × ${out.warm_request_ratio}`);
    say(`  no-op tasks    ${out.noop_tasks_per_s.toFixed(1).padStart(8)} /s   ${cpus().length} at once`);
    say(`  idle worker    ${out.idle_memory_mib.toFixed(1).padStart(8)} MiB  ${out.idle_cpu_ms_per_s} ms of CPU a second`);
    const file = join(build, 'bench.json');
    const before = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
    writeFileSync(file, `${JSON.stringify({ ...before, worker: out }, null, 2)}\n`);
    say(`written: ${file}`);
} finally {
    rmSync(dir, { recursive: true, force: true });
}
