// SPDX-License-Identifier: MIT
// A real gateway with real workers: sources published, workers hired, tasks submitted; and what a
// worker may have left behind.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '../support/actors.mjs';
import { eventually } from '../support/stack.mjs';
import { World } from '../support/world.mjs';
import { WORKER_IDS, cgroupsOf, execute, hostile, imageOf, manifestOf, processesOf, sweep, uidBase, worker } from './support.mjs';

const master = '0x90F79bf6EB2c4f870365E785982E1f101E93b906';

export class Market {
    static async open() {
        const m = new Market();
        m.world = await World.up({ OGPU_LEASE_S: '4' });
        ({ stack: m.stack, sql: m.sql, one: m.url } = m.world);
        m.client = await m.world.client();
        m.made = imageOf(hostile);
        m.base = uidBase();
        m.serial = 0;
        m.hired = 0;
        m.crew = [];
        return m;
    }

    close() {
        return this.world.down();
    }

    /** Kills all workers that were hired. */
    async fire() {
        for (const w of this.crew) {
            w.kill('SIGKILL');
            await w.ended;
            await eventually(() => this.running() === 0, 'end of the containers', 15_000);
            sweep(w.work);
        }
        this.crew = [];
    }

    /** Publishes a manifest with its archive. */
    async publish(manifest, archive) {
        const put = await this.client.put(`/v1/blobs/${manifest.image.blob}`, archive);
        assert.ok([200, 201].includes(put.status), `${put.status}`); // 200 when it is there already
        return expect(await this.client.post('/v1/sources', { manifest }), 201);
    }

    /** A source that does one of the hostile program's acts. */
    source(act, changes) {
        const manifest = manifestOf(this.made, { name: `test-${++this.serial}`, command: ['/bin/hostile', act], ...changes });
        return this.publish(manifest, this.made.archive);
    }

    /** Starts a worker for these sources with a key, a master and host ids of its own; waits until it is registered there. */
    async hire(at, env = {}) {
        const n = this.hired++;
        const home = join(this.stack.run, `worker-${n}`);
        mkdirSync(home);
        await execute(worker, ['key', join(home, 'key')]);
        return this.start({ home, n, at, env });
    }

    /** The same worker again, after its end. */
    again(w) {
        this.crew = this.crew.filter((x) => x !== w);
        return this.start(w.how);
    }

    async start(how) {
        const { home, n, at, env } = how;
        const w = this.stack.start('ogpu-worker', {
            ...this.world.settings, OGPU_URL: this.url, OGPU_PROVIDER_KEY_FILE: join(home, 'key'), OGPU_MASTER: master.replace(/..$/, String(10 + n)),
            OGPU_WORK_DIR: join(home, 'work'), OGPU_SOURCES: at.map((s) => s.id).join(','),
            OGPU_UID_BASE: String(this.base + WORKER_IDS * n), ...env,
        });
        w.work = env.OGPU_WORK_DIR ?? join(home, 'work');
        w.how = how;
        this.crew.push(w);
        for (const s of at) {
            const count = this.crew.length;
            await eventually(async () => (await this.client.get(`/v1/sources/${s.id}/registrations`)).json.data.length >= count, 'registration');
        }
        return w;
    }

    async submit(s, over = {}) {
        return expect(await this.client.post('/v1/tasks', { source: s.id, input: {}, reward: '1000000000000', racers: 1, ...over }), 201);
    }

    async attempts(task) {
        return expect(await this.client.get(`/v1/tasks/${task.id}/attempts`), 200).data;
    }

    ended(task) {
        return eventually(async () => {
            const t = expect(await this.client.get(`/v1/tasks/${task.id}?wait=10`), 200);
            return t.finished_at && t;
        }, 'end of the task', 60_000);
    }

    /** Processes of the containers of all its workers. */
    processes() {
        return processesOf(this.base, this.hired);
    }

    running() {
        return this.processes().length;
    }

    /** Waits for a live attempt with a running container. */
    live(task) {
        return eventually(async () => (await this.attempts(task)).find((a) => a.status === 'live') && this.running() > 0, 'a run');
    }

    /**
     * Nothing of a worker is left: no process of its containers, no process that has its folder mounted (so no supervisor
     * either), no cgroup with somebody in it, no input file, no half image.
     */
    async nothingLeft(w) {
        await eventually(() => this.running() === 0, 'end of the containers', 15_000);
        await eventually(() => mountedIn(w.work).length === 0, `nobody has ${w.work} mounted`, 15_000);
        for (const at of cgroupsOf(w.work)) {
            await eventually(() => {
                try {
                    return readFileSync(join(at, 'cgroup.procs'), 'utf8') === '';
                } catch {
                    return true; // gone with its last process
                }
            }, `an empty ${at}`, 15_000);
        }
        assert.deepEqual(readdirSync(join(w.work, 'inputs')), []);
        assert.deepEqual(readdirSync(join(w.work, 'images/tmp')), []);
    }

    /** Every exchange fitted, and the books are right. */
    audit() {
        this.world.verify();
    }
}

/** Processes in whose mount namespace something of this folder is mounted. */
const mountedIn = (path) => readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
    try {
        return readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(`${path}/`);
    } catch {
        return false; // gone meanwhile
    }
});
