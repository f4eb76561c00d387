// SPDX-License-Identifier: MIT
// The host's side of a probe: what a container must not have touched, looked at from outside.
import { spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { cgroupsOf, processesOf } from '../worker/support.mjs';

const read = (path) => {
    try {
        return readFileSync(path, 'utf8');
    } catch (e) {
        return e.code;
    }
};
const settings = ['/proc/sys/kernel/core_pattern', '/proc/sys/kernel/hostname', '/proc/sys/kernel/domainname', '/proc/sys/kernel/modprobe',
    '/proc/sys/kernel/panic', '/proc/sys/vm/overcommit_memory', '/proc/sys/net/ipv4/ip_forward', '/proc/modules', '/proc/swaps',
    '/proc/net/route', '/proc/net/dev_mcast', '/etc/passwd', '/etc/shadow', '/etc/hosts'];
/** Of modules and swaps which there are: their counts change by themselves. */
const setting = (path) => (/^\/proc\/(modules|swaps)$/.test(path) ? read(path).replace(/^(\S+).*$/gm, '$1') : read(path));
const memory = () => Number(/MemAvailable:\s+(\d+)/.exec(read('/proc/meminfo'))[1]) >> 10;

/** Canaries that only the container's walls protect: its own ids could reach every one of them. */
export class Host {
    static async open(bench) {
        const h = new Host();
        h.bench = bench;
        h.calls = 0;
        h.folder = join(bench.dir, 'canary');
        mkdirSync(h.folder);
        writeFileSync(join(h.folder, 'file'), 'untouched');
        for (const path of [h.folder, join(h.folder, 'file')]) {
            chmodSync(path, 0o777);
            chownSync(path, bench.base + 1000, bench.base + 1000);
        }
        const count = (socket) => {
            h.calls++;
            socket.destroy();
        };
        h.servers = [createServer(count).listen(0, '0.0.0.0'), createServer(count).listen('\0ogpu-test-abstract')];
        await Promise.all(h.servers.map((s) => new Promise((done) => { s.on('listening', done); })));
        h.port = h.servers[0].address().port;
        const own = Object.values(networkInterfaces()).flat().find((a) => a.family === 'IPv4' && !a.internal);
        h.address = own?.address ?? '192.0.2.1';
        // A process with the very ids of the source: a signal that left the pid namespace would end it.
        h.victim = spawn('sleep', ['3600'], { uid: bench.base + 1000, gid: bench.base + 1000, stdio: 'ignore' });
        h.victim.on('exit', () => { h.dead = true; });
        h.before = h.state();
        return h;
    }

    state() {
        const sums = Object.fromEntries(settings.map((path) => [path, setting(path)]));
        return { ...sums, mounts: read('/proc/self/mountinfo'), runtime: read('/usr/bin/crun').length + read('/usr/bin/runc').length,
            canary: `${readdirSync(this.folder)} ${read(join(this.folder, 'file'))}` };
    }

    /** What is not as it was: an object that is empty when all is well. */
    damage() {
        const now = this.state();
        const wrong = Object.fromEntries(Object.keys(now).filter((k) => now[k] !== this.before[k]).map((k) => [k, now[k]]));
        const left = processesOf(this.bench.base).filter((p) => p.pid !== this.victim.pid);
        if (left.length > 0) wrong.processes = left;
        if (this.dead) wrong.victim = 'killed';
        if (this.calls > 0) wrong.connections = this.calls;
        const groups = cgroupsOf(join(this.bench.dir, 'work'));
        if (groups.length > 0) wrong.cgroups = groups;
        return wrong;
    }

    static free() {
        return memory();
    }

    async close() {
        for (const s of this.servers) s.close();
        if (!this.dead) {
            const gone = new Promise((done) => { this.victim.on('exit', done); });
            this.victim.kill('SIGKILL');
            await gone;
        }
    }
}
