// SPDX-License-Identifier: MIT
// A worker at the stand-in gateway: started with settings of its own, ended by its process id.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chainId, settlement } from './gateway.mjs';
import { cgroupsOf, drop, execute, folder, processesOf, sweep, uidBase, worker } from './support.mjs';

export const master = '0x90F79bf6EB2c4f870365E785982E1f101E93b906';

/** Whether every process of these is frozen or stopped from outside. */
export const frozen = (list) => list.length > 0 && list.every(({ pid }) => {
    try {
        if (/^State:\s+D/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return true; // cgroup v1
        const [, at] = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'));
        return /^frozen 1$/m.test(readFileSync(`/sys/fs/cgroup${at}/cgroup.events`, 'utf8'));
    } catch {
        return false;
    }
});

export async function until(holds, what, timeout = 15000) {
    for (const end = Date.now() + timeout; Date.now() < end; await sleep(20)) {
        const value = await holds();
        if (value) return value;
    }
    throw new Error(`never: ${what}`);
}

export class Crew {
    constructor(name) {
        this.dir = folder(name);
        this.base = uidBase();
        this.key = join(this.dir, 'provider.key');
        this.work = join(this.dir, 'work');
        this.text = '';
    }

    settings(url) {
        return {
            OGPU_URL: url, OGPU_PROVIDER_KEY_FILE: this.key, OGPU_MASTER: master, L1_CHAIN_ID: String(chainId),
            L1_SETTLEMENT: settlement, OGPU_WORK_DIR: this.work, OGPU_DRAIN_S: '20', OGPU_UID_BASE: String(this.base),
        };
    }

    async hire() {
        this.address = (await execute(worker, ['key', this.key])).stdout.trim();
        return this;
    }

    start(url, env = {}, args = []) {
        this.child = spawn(this.program ?? worker, args, { env: { ...process.env, ...this.settings(url), ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
        this.child.stderr.on('data', (bytes) => { this.text += bytes; });
        this.exited = new Promise((done) => { this.child.on('exit', (code, signal) => done({ code, signal })); });
        return this;
    }

    async stop(signal = 'SIGTERM') {
        if (this.child?.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
        return this.exited;
    }

    processes() {
        return processesOf(this.base);
    }

    threads() {
        return readdirSync(`/proc/${this.child.pid}/task`);
    }

    /** The log's lines of this event. */
    events(name) {
        return this.text.split('\n').filter((line) => line.includes(`"event":"${name}"`)).map((line) => JSON.parse(line));
    }

    /** Nothing is left: no process, no cgroup with one, no input file. */
    async nothingLeft() {
        await until(() => this.processes().length === 0, 'end of the containers', 10000);
        const inputs = readdirSync(join(this.work, 'inputs'));
        assert.deepEqual(inputs, []);
        for (const at of cgroupsOf(this.work)) {
            const procs = await until(() => {
                try {
                    return readFileSync(join(at, 'cgroup.procs'), 'utf8') === '';
                } catch {
                    return true; // gone with its last process
                }
            }, `an empty ${at}`, 15_000);
            assert.ok(procs);
        }
    }

    close() {
        sweep(this.work);
        drop(this.dir);
    }
}
