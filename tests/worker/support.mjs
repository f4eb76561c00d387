// SPDX-License-Identifier: MIT
// Runs sources through `ogpu-worker try`: the same code that an attempt goes through, without a gateway.
import { spawn } from 'node:child_process';
import {
    chmodSync, copyFileSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, rmdirSync,
    statSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { image, layerOf, sha256 } from '../../tools/oci_image.mjs';

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
export const build = resolve(root, process.env.BUILD ?? 'build');
export const worker = join(build, 'bin/ogpu-worker');
export const hostile = readFileSync(join(build, 'tests/containers/hostile'));

/** A folder of the test's own; the suite removes it at the end. */
export function folder(name) {
    const base = process.env.OGPU_TEST_TMP ?? tmpdir();
    return mkdtempSync(join(base, `${name}-`));
}

/** A folder with a copy of the worker that every user can reach: who loses root loses the way to a checkout in a closed home. */
export function openFolder(name) {
    const dir = mkdtempSync(join(tmpdir(), `ogpu-${name}-`));
    chmodSync(dir, 0o755);
    copyFileSync(worker, join(dir, 'ogpu-worker'));
    return dir;
}

/** How the cgroups of a worker with this work folder begin. */
const tagOf = (work) => `ogpu-${sha256(realpathSync(work)).slice(0, 8)}-`;
export const cgroupsOf = (work) => globSync(`/sys/fs/cgroup/**/${tagOf(work)}*`).filter((path) => existsSync(path));

/** Removes the empty cgroups that a killed worker left and no later worker of its folder will. */
export const sweep = (work) => cgroupsOf(work).sort().reverse().forEach((path) => {
    try {
        rmdirSync(path);
    } catch {
        // gone with its last process meanwhile
    }
});

/** Host ids of one worker: what each of its berths takes, whether it works or keeps a container warm (workers/contain/rootless.h). */
export const WORKER_IDS = 128 * 65536;

/** Host ids of a test's own (below 2^31: a host process may take one): other tests' containers may run beside it. */
export const uidBase = () => 65536 * (16 + Math.floor(Math.random() * 30000));

/** Processes of the containers of so many workers, whose ids begin at `base`: {pid, name, uid}. */
export const processesOf = (base, workers = 1) => readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).flatMap((pid) => {
    try {
        const { uid } = statSync(`/proc/${pid}`);
        const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
        return uid >= base && uid < base + WORKER_IDS * workers ? [{ pid: Number(pid), name, uid }] : [];
    } catch {
        return []; // gone meanwhile
    }
});

export const drop = (path) => rmSync(path, { recursive: true, force: true });

/** An emulated machine needs so many times the time of a real one: patience, and what start-up costs. */
export const slow = Number(process.env.OGPU_TEST_SLOW || 1);

export const limits = {
    memory_mb: 128, pids: 64, cpu_millis: 1000, timeout_s: 20 * slow, tmp_mb: 16, output_bytes: 8 << 20, output_files: 8,
};

export const manifestOf = (made, changes = {}) => ({
    name: 'test',
    contract: 'exec',
    image: { digest: made.digest, blob: made.blob },
    environments: ['cpu'],
    ...changes,
    limits: { ...limits, ...changes.limits },
});

/** An image with one static program. */
export const imageOf = (program, name = 'hostile') =>
    image([layerOf([{ path: `/bin/${name}`, data: program }])], { Entrypoint: [`/bin/${name}`], User: '1000:1000' });

/** A process to its end: {code, signal, stdout, stderr}. */
export function execute(program, args, env = {}, onStart = () => {}) {
    return new Promise((done, fail) => {
        const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
        let stdout = '';
        let stderr = '';
        child.stdout.on('data', (bytes) => { stdout += bytes; });
        child.stderr.on('data', (bytes) => { stderr += bytes; });
        child.on('error', fail);
        child.on('close', (code, signal) => done({ code, signal, stdout, stderr }));
        onStart(child);
    });
}

/** One place to try sources: a work folder and a runtime. */
export class Bench {
    constructor(runtime, env = {}) {
        this.dir = folder('bench');
        this.base = uidBase();
        this.env = { OGPU_RUNTIME: runtime, OGPU_WORK_DIR: join(this.dir, 'work'), OGPU_UID_BASE: String(this.base), ...env };
        this.runs = 0;
    }

    /** Runs a manifest's source; resolves to what `try` printed, plus its files and stderr. */
    async try(manifest, archive, { fn = 'run', input = {}, archive: named, onStart } = {}) {
        const at = join(this.dir, `run-${++this.runs}`);
        const out = join(at, 'out');
        mkdirSync(at);
        writeFileSync(join(at, 'manifest.json'), JSON.stringify(manifest));
        writeFileSync(join(at, 'input.json'), JSON.stringify(input));
        writeFileSync(join(at, 'image.tar'), archive);
        const args = ['try', join(at, 'manifest.json'), named ?? join(at, 'image.tar'), fn, join(at, 'input.json'), out];
        const ran = await execute(this.program ?? worker, args, this.env, onStart);
        if (ran.code === 2 || ran.signal) return { ...ran, end: 'refused' };
        const result = JSON.parse(ran.stdout);
        const read = (name) => readFileSync(join(out, name));
        const json = result.outputs.some((o) => o.name === 'output.json') ? JSON.parse(read('output.json')) : undefined;
        return { ...ran, ...result, read, json };
    }

    /** Runs the hostile program's act. */
    act(made, act, changes = {}) {
        return this.try(manifestOf(made, { command: ['/bin/hostile', act], ...changes }), made.archive);
    }

    close() {
        drop(this.dir);
    }
}

/**
 * A runtime that takes one protection out of the configuration before the real one sees it. `version` is
 * what it says of itself: the gate knows Debian's fixes by the path of the program, which this is not at.
 */
export function weakened(runtime, dir, name, edit, version) {
    const path = join(dir, `weak-${name}`);
    const node = join(root, 'tools/bin/node');
    writeFileSync(path, `#!/usr/bin/env -S ${node}
import { readFileSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
const args = process.argv.slice(2);
if (args[0] === '--version' && ${JSON.stringify(version ?? '')}) {
    console.log(${JSON.stringify(version ?? '')});
    process.exit(0);
}
const at = args.indexOf('--bundle');
if (at >= 0) {
    const file = args[at + 1] + '/config.json';
    const config = JSON.parse(readFileSync(file, 'utf8'));
    (${edit})(config);
    writeFileSync(file, JSON.stringify(config));
}
process.exit(spawnSync('${runtime}', args, { stdio: 'inherit' }).status ?? 1);
`.replace(/^import/gm, 'import'));
    chmodSync(path, 0o755);
    return path;
}
