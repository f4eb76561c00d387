// SPDX-License-Identifier: MIT
// The probes prove themselves: with one protection taken out of the configuration, the probes that
// stand for it must fail. A probe that finds nothing either way would be no probe.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Bench, drop, folder, weakened } from '../worker/support.mjs';
import { Host } from './host.mjs';
import { images } from './images.mjs';
import { begin, groups, notices } from './probes.mjs';

const dir = folder('prove');
chmodSync(dir, 0o755); // a worker that is not root calls the runtime too
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
    // a /proc of its own is refused without a namespace of its own: it gets the supervisor's
    'the pid namespace': [(c) => {
        c.linux.namespaces = c.linux.namespaces.filter((n) => n.type !== 'pid');
        for (const m of c.mounts) if (m.type === 'proc') Object.assign(m, { type: 'bind', source: '/proc', options: ['rbind', ...m.options] });
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
    'the masked files': [(c) => { c.linux.maskedPaths = []; }, { look: ['shows nothing: /proc/cmdline', 'shows nothing: /proc/partitions', 'drivers tell nothing', ...existsSync('/proc/config.gz') ? ['shows nothing: /proc/config.gz'] : []] }],
    'the pid limit': [(c) => { c.linux.resources.pids.limit = 300; }, { threads: ['thread bomb: stops at its limit'], forks: ['fork bomb: stops at its limit'] }],
    'the memory limit': [(c) => { c.linux.resources.memory = { limit: 300 << 20, swap: 300 << 20 }; }, { memory: ['memory bomb: killed at its limit'] }],
    'the CPU quota': [(c) => { c.linux.resources.cpu.quota = 100000; }, { busy: ['busy: its share of the CPU and no more'] }],
    'the sizes of tmpfs': [(c) => {
        for (const m of c.mounts) m.options = m.options.map((o) => (o.startsWith('size=1677') ? 'size=40m' : o));
        c.process.rlimits = c.process.rlimits.filter((r) => r.type !== 'RLIMIT_FSIZE');
    }, { look: ['/tmp is bounded', '/dev/shm is bounded'], disk: ['disk fill: /tmp/a', 'disk fill: /dev/shm/a'] }],
    // more, but not without end: its memory would end it before it tells
    'the inodes of tmpfs': [(c) => { for (const m of c.mounts) m.options = m.options.map((o) => (o.startsWith('nr_inodes') ? 'nr_inodes=9000' : o)); }, { inodes: ['inode fill'] }],
    'RLIMIT_FSIZE': [(c) => { for (const r of c.process.rlimits) if (r.type === 'RLIMIT_FSIZE') r.hard = r.soft = 40 << 20; }, { memfd: ['memory as a file: stops at its limit'] }],
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
            for (const n of names) notices(group.probes.find(([probe]) => probe === n) ?? assert.fail(`no probe '${n}'`), seen);
        }
    });
}

for (const [runtime, [path, version]] of Object.entries(runtimes)) {
    test(`${runtime} that does not start the container: no proof of any probe`, async (t) => {
        const at = join(dir, `refusing-${runtime}`);
        mkdirSync(at);
        const bench = new Bench(weakened(path, at, runtime, String((c) => { c.root.path = '/nowhere'; }), version));
        t.after(() => bench.close());
        for (const group of groups.filter((g) => ['look', 'memory', 'threads'].includes(g.act))) {
            const seen = { ...await begin(bench, images, group), bench, freed: 0, damage: {} };
            assert.equal(seen.end, 'start_failure', JSON.stringify(seen));
            for (const probe of group.probes) assert.throws(() => notices(probe, seen), /was not asked, it ended as start_failure/);
        }
    });
}

test('a judge that finds nothing to judge: no proof', () => {
    const probe = ['a', ({ json }) => assert.equal(json.a, 1)];
    assert.throws(() => notices(probe, { end: 'signal' }), /'a' had nothing to judge: signal/);
    assert.throws(() => notices(probe, { end: 'ok', json: { a: 1 } }), /'a' did not notice/);
    notices(probe, { end: 'ok', json: { a: 2 } });
});

after(() => drop(dir));
