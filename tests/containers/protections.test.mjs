// SPDX-License-Identifier: MIT
// The probes of attacks.test.mjs prove themselves: with one protection taken out of the
// configuration, the probe that stands for it finds the hole. A probe that finds nothing either way
// would be no probe.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Bench, folder, drop, hostile, imageOf, weakened } from '../worker/support.mjs';

const made = imageOf(hostile);
const dir = folder('weak');
const crun = '/usr/bin/crun';
after(() => drop(dir));

/** What an act tells with all protections and with one less. */
async function both(name, edit, act, changes) {
    const at = join(dir, name);
    mkdirSync(at);
    const whole = new Bench(crun);
    const weak = new Bench(weakened(crun, at, name, edit));
    try {
        return [await whole.act(made, act, changes), await weak.act(made, act, changes)];
    } finally {
        whole.close();
        weak.close();
    }
}

test('without seccomp: user namespaces, key rings, ptrace and foreign socket families come back', async () => {
    const [whole, weak] = await both('seccomp', (c) => { delete c.linux.seccomp; }, 'calls');
    for (const call of ['unshare_user', 'unshare_net', 'ptrace']) {
        assert.notEqual(whole.json[call], 0, call);
        assert.equal(weak.json[call], 0, call);
    }
    const [closed, open] = await both('seccomp-net', (c) => { delete c.linux.seccomp; }, 'network');
    const ENOSYS = 38;
    assert.equal(closed.json.netlink, ENOSYS);
    assert.notEqual(open.json.netlink, ENOSYS); // the kernel itself answers now
});

test('without a network namespace: the host answers', async () => {
    const edit = (c) => { c.linux.namespaces = c.linux.namespaces.filter((n) => n.type !== 'network'); };
    const [whole, weak] = await both('network', edit, 'network');
    assert.equal(whole.json.interfaces.trim(), 'lo');
    assert.notEqual(weak.json.interfaces.trim(), 'lo');
});

test('without the pid limit: a fork bomb grows past it', async () => {
    const [whole, weak] = await both('pids', (c) => { c.linux.resources.pids.limit = 300; }, 'threads');
    assert.ok(whole.json.threads < 64);
    assert.ok(weak.json.threads > 64);
});

test('without the memory limit: the bomb is not stopped where the manifest says', async () => {
    const edit = (c) => { c.linux.resources.memory = { limit: 384 << 20, swap: 384 << 20 }; };
    const [whole, weak] = await both('memory', edit, 'memory');
    assert.ok(whole.usage.memory_peak <= 128 << 20);
    assert.ok(weak.usage.memory_peak > 128 << 20);
});

test('without the read-only root: programs can be written', async () => {
    const edit = (c) => { c.root.readonly = false; c.process.user = { uid: 0, gid: 0 }; c.process.capabilities.effective =
        c.process.capabilities.permitted = c.process.capabilities.bounding = ['CAP_DAC_OVERRIDE']; };
    const [whole, weak] = await both('rootfs', edit, 'look');
    assert.notEqual(whole.json['/bin/new'], 0);
    // The image itself is mounted read-only by the worker before the runtime sees it: a second wall.
    assert.equal(weak.json['/bin/new'], 30);
    assert.notEqual(Number(`0x${weak.json.CapEff}`), 0);
    assert.equal(Number(`0x${whole.json.CapEff}`), 0);
});

test('without no_new_privs, without masked paths: both are seen', async () => {
    const edit = (c) => { c.process.noNewPrivileges = false; c.linux.maskedPaths = []; delete c.linux.seccomp; };
    const [whole, weak] = await both('nnp', edit, 'look');
    assert.equal(whole.json.NoNewPrivs, '1');
    assert.equal(weak.json.NoNewPrivs, '0');
    assert.ok(whole.json['/proc/cmdline'] <= 0);
    assert.ok(weak.json['/proc/cmdline'] > 0);
});

test('without the tmpfs limits: more fits', async () => {
    const edit = (c) => {
        for (const m of c.mounts) m.options = m.options.map((o) => (o.startsWith('size=1677') ? 'size=64m' : o));
        c.process.rlimits = c.process.rlimits.filter((r) => r.type !== 'RLIMIT_FSIZE');
    };
    const [whole, weak] = await both('tmpfs', edit, 'disk');
    assert.ok(whole.json['/tmp/a bytes'] <= 16 << 20);
    assert.ok(weak.json['/tmp/a bytes'] > 16 << 20);
});

test('without the CPU quota: a tenth becomes a whole', async () => {
    const edit = (c) => { c.linux.resources.cpu.quota = 100000; };
    const changes = { limits: { timeout_s: 2, cpu_millis: 100 } };
    const [whole, weak] = await both('cpu', edit, 'busy', changes);
    // beside each other: a busy machine gives neither what it could have
    assert.ok(whole.usage.cpu_us < 400_000, `${whole.usage.cpu_us}`);
    assert.ok(weak.usage.cpu_us > 1.5 * whole.usage.cpu_us, `${weak.usage.cpu_us} against ${whole.usage.cpu_us}`);
});

test('without a pid namespace for the source: others can be seen', async () => {
    const edit = (c) => { c.linux.namespaces = c.linux.namespaces.filter((n) => n.type !== 'pid'); };
    const [whole, weak] = await both('pid', edit, 'look');
    assert.equal(whole.json.pids, 1);
    // even then it is the supervisor's pid namespace, never the host's
    assert.ok(weak.end !== 'ok' || weak.json.pids > 1 || weak.json.kill_all === 0, JSON.stringify(weak));
});
