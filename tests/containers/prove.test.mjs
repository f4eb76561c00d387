// SPDX-License-Identifier: MIT
// The probes prove themselves: with one protection taken out of the configuration, the probes that
// stand for it must fail. A probe that finds nothing either way would be no probe.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Bench, drop, folder, weakened } from '../worker/support.mjs';
import { Host } from './host.mjs';
import { images } from './images.mjs';
import { begin, groups } from './probes.mjs';

const dir = folder('prove');
const rootly = ['CAP_CHOWN', 'CAP_SETUID', 'CAP_SETGID', 'CAP_DAC_OVERRIDE', 'CAP_SETPCAP', 'CAP_KILL'];

/** What is taken away, and which probes of which groups must notice. */
const protections = {
    'seccomp': [(c) => { delete c.linux.seccomp; }, {
        look: ['seccomp in force'],
        calls: ['ptrace', 'unshare_user', 'unshare_net', 'keyctl', 'name_to_handle', 'mbind', 'set_mempolicy', 'clone_newuser', 'clone3', 'io_uring', 'personality']
            .map((n) => `call: ${n}`),
        network: ['socket family: netlink', 'socket family: alg'],
    }],
    'the network namespace': [(c) => { c.linux.namespaces = c.linux.namespaces.filter((n) => n.type !== 'network'); },
        { network: ['only its own loopback', 'way to the host: host_loopback', 'way to the host: abstract', 'way out: host_address'] }],
    'the pid namespace': [(c) => {
        c.linux.namespaces = c.linux.namespaces.filter((n) => n.type !== 'pid');
        // no proc of its own can be mounted without it: the host's
        for (const m of c.mounts) if (m.type === 'proc') Object.assign(m, { type: 'bind', source: '/proc', options: ['rbind'] });
        delete c.linux.maskedPaths;
        delete c.linux.readonlyPaths;
    }, { look: ['sees no other process'], stand: ['no parent that it knows'] }],
    'the user namespace': [(c) => {
        c.linux.namespaces = c.linux.namespaces.filter((n) => n.type !== 'user');
        delete c.linux.uidMappings;
        delete c.linux.gidMappings;
    }, { look: ['host ids of its own'] }],
    'no_new_privs': [(c) => { c.process.noNewPrivileges = false; }, { look: ['no new privileges'] }],
    'the empty capability sets': [(c) => {
        c.process.user = { uid: 0, gid: 0 };
        for (const set of Object.keys(c.process.capabilities)) c.process.capabilities[set] = 'ROOTLY';
    }, { look: ['no capability: CapEff', 'no capability: CapPrm', 'no capability: CapBnd', 'an ordinary user'],
        privileges: ['may not: setuid', 'may not: setgid', 'may not: chown_root', 'a set-id program of the image is an ordinary one'] }],
    'the masked files': [(c) => { c.linux.maskedPaths = []; }, { look: ['shows nothing: /proc/cmdline', 'shows nothing: /proc/partitions', 'shows nothing: /proc/config.gz', 'drivers tell nothing'] }],
    'the pid limit': [(c) => { c.linux.resources.pids.limit = 300; }, { threads: ['thread bomb: stops at its limit'], forks: ['fork bomb: stops at its limit'] }],
    'the memory limit': [(c) => { c.linux.resources.memory = { limit: 300 << 20, swap: 300 << 20 }; }, { memory: ['memory bomb: killed at its limit'] }],
    'the CPU quota': [(c) => { c.linux.resources.cpu.quota = 100000; }, { busy: ['busy: its share of the CPU and no more'] }],
    'the sizes of tmpfs': [(c) => {
        for (const m of c.mounts) m.options = m.options.map((o) => (o.startsWith('size=1677') ? 'size=40m' : o));
        c.process.rlimits = c.process.rlimits.filter((r) => r.type !== 'RLIMIT_FSIZE');
    }, { look: ['/tmp is bounded', '/dev/shm is bounded'], disk: ['disk fill: /tmp/a', 'disk fill: /dev/shm/a'] }],
    'the inodes of tmpfs': [(c) => { for (const m of c.mounts) m.options = m.options.filter((o) => !o.startsWith('nr_inodes')); }, { inodes: ['inode fill'] }],
    'RLIMIT_FSIZE': [(c) => { c.process.rlimits = c.process.rlimits.filter((r) => r.type !== 'RLIMIT_FSIZE'); }, { memfd: ['memory as a file: stops at its limit'] }],
    'RLIMIT_NOFILE': [(c) => { for (const r of c.process.rlimits) if (r.type === 'RLIMIT_NOFILE') r.hard = r.soft = 4096; },
        { descriptors: ['descriptors'] }],
    'RLIMIT_CORE': [(c) => { for (const r of c.process.rlimits) if (r.type === 'RLIMIT_CORE') r.hard = r.soft = 1 << 30; }, { privileges: ['may not: core_limit'] }],
    'noexec': [(c) => { for (const m of c.mounts) if (m.type === 'tmpfs') m.options = m.options.filter((o) => o !== 'noexec'); },
        { look: ['no programs from /tmp', 'no programs from /dev/shm'], privileges: ['may not: exec_tmp'] }],
};

const runtimes = { crun: ['/usr/bin/crun'], runc: ['/usr/sbin/runc', 'runc version 1.1.12'] };
const cases = Object.keys(runtimes).flatMap((runtime) => Object.entries(protections).map(([name, what]) => [runtime, name, what]));

let serial = 0;
for (const [runtime, name, [edit, expected]] of cases) {
    test(`${runtime} without ${name}: ${Object.values(expected).flat().length} probes fail`, async (t) => {
        const at = join(dir, `p${++serial}`);
        mkdirSync(at);
        const [path, version] = runtimes[runtime];
        const source = String(edit).replace("'ROOTLY'", JSON.stringify(rootly));
        const bench = new Bench(weakened(path, at, runtime, source, version));
        const host = await Host.open(bench);
        t.after(async () => {
            await host.close();
            bench.close();
        });
        for (const [act, names] of Object.entries(expected)) {
            const group = groups.find((g) => g.act === act);
            const seen = { ...await begin(bench, images, group, host), bench, freed: 0, damage: {} };
            assert.ok(seen.json || seen.usage, `${act}: ${seen.stderr}`);
            assert.notEqual(seen.end, 'start_failure', seen.reason); // nothing has run: nothing was noticed
            for (const n of names) {
                const [, judge] = group.probes.find(([probe]) => probe === n) ?? assert.fail(`no probe '${n}'`);
                // An end that the probes do not have, and nothing told: probes.test.mjs fails by it before any probe.
                if (!seen.json && seen.end !== group.end) continue;
                assert.throws(() => judge(seen), { name: 'AssertionError' }, `'${n}' did not notice`);
            }
        }
    });
}
after(() => drop(dir));
