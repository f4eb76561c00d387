// SPDX-License-Identifier: MIT
// Parts of a real stack in a folder of its own, through tools/stack; and programs started beside it.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { root } from './sql.mjs';

export const build = resolve(root, process.env.BUILD ?? 'build');
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Polls until `probe` yields something truthy; the last error or value is told when it never does. */
export async function eventually(probe, what, ms = 30_000) {
    const deadline = Date.now() + ms;
    let last;
    // One look is always behind the deadline: a machine may stand still between two.
    for (let over = false; !over; await sleep(100)) {
        over = Date.now() >= deadline;
        try {
            last = await probe();
            if (last) {
                return last;
            }
        } catch (e) {
            last = e;
        }
    }
    throw new Error(`${what} did not happen in ${ms} ms; last: ${last}`);
}

export class Stack {
    /** @param {string} parts as tools/stack/up takes them @param {object} env settings for its processes */
    static up(parts, env = {}) {
        const run = mkdtempSync(join(process.env.OGPU_TEST_TMP ?? tmpdir(), 'ogpu-stack-'));
        chmodSync(run, 0o755);
        execFileSync(join(root, 'tools/stack/up'), ['--run', run, '--parts', parts], { env: { ...process.env, BUILD: build, ...env }, stdio: ['ignore', 'ignore', 'inherit'] });
        const s = new Stack();
        s.run = run;
        s.env = Object.fromEntries([...readFileSync(join(run, 'env'), 'utf8').matchAll(/^export (\w+)='(.*)'$/gm)].map((m) => [m[1], m[2]]));
        s.children = [];
        return s;
    }

    /** A program of ours; `env` beside the stack's own. Ended by stop(). @param {string} folder of the build */
    start(name, env = {}, args = [], folder = 'bin') {
        const log = openSync(join(this.run, 'log', `${name}.log`), 'a');
        const child = spawn(join(build, folder, name), args, { env: { ...process.env, ...this.env, ...env }, stdio: ['ignore', log, log] });
        child.ended = new Promise((done) => child.on('exit', (code, signal) => done({ code, signal })));
        this.children.push(child);
        return child;
    }

    log(name) {
        return readFileSync(join(this.run, 'log', `${name}.log`), 'utf8');
    }

    async down() {
        for (const child of this.children) {
            child.kill('SIGKILL');
            await child.ended;
        }
        execFileSync(join(root, 'tools/stack/down'), ['--run', this.run], { env: { ...process.env, BUILD: build }, stdio: 'ignore' });
        rmSync(this.run, { recursive: true, force: true });
    }
}
