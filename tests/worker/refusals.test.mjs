// SPDX-License-Identifier: MIT
// Where containers cannot be run, nothing is run: one clear line that says what to do.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Bench, drop, execute, hostile, imageOf, manifestOf, openFolder } from './support.mjs';

const dir = openFolder('refusals');
const worker = join(dir, 'ogpu-worker');
const made = imageOf(hostile);
const files = ['manifest.json', 'image.tar', 'input.json'].map((name) => join(dir, name));
const env = { OGPU_WORK_DIR: join(dir, 'work') };
const args = ['try', files[0], files[1], 'run', files[2], join(dir, 'out')];

before(() => {
    writeFileSync(files[0], JSON.stringify(manifestOf(made, { command: ['/bin/hostile', 'look'] })));
    writeFileSync(files[1], made.archive);
    writeFileSync(files[2], '{}');
});
after(() => drop(dir));

/** Runs a command where something is taken away first, in namespaces of its own. */
const inside = (flags, script, command, more = {}) =>
    execute('unshare', [...flags, 'sh', '-c', `${script}; exec "$0" "$@"`, worker, ...command], { ...env, ...more });

const one_line = (r, pattern) => {
    assert.equal(r.stdout, '');
    assert.notEqual(r.code, 0);
    const lines = r.stderr.trim().split('\n').filter((l) => l.startsWith('ogpu-worker:'));
    assert.equal(lines.length, 1, r.stderr);
    assert.match(lines[0], pattern);
};

test('no runtime', async () => {
    const r = await execute(worker, args, { ...env, OGPU_RUNTIME: 'no-such-runtime' });
    one_line(r, /cannot run containers here: OCI runtime: no OCI runtime 'no-such-runtime'.*install crun/);
});

test('a runtime that does not run', async () => {
    const broken = join(dir, 'broken');
    writeFileSync(broken, '#!/bin/sh\nexit 3\n');
    chmodSync(broken, 0o755);
    one_line(await execute(worker, args, { ...env, OGPU_RUNTIME: broken }), /does not run/);
});

test('no user namespaces', async () => {
    const r = await inside(['-U', '-r', '-m', '-p', '-f', '--mount-proc'], 'echo 0 > /proc/sys/user/max_user_namespaces', args);
    one_line(r, /user namespaces: .*sysctl user.max_user_namespaces/);
});

test('no cgroup controllers', async () => {
    one_line(await inside(['-m'], 'umount -R /sys/fs/cgroup', args), /cgroup controllers: .*Delegate=yes/);
});

// What is refused under v2 alone is in tests/guest: a machine has one of the two.
const v1 = { skip: existsSync('/sys/fs/cgroup/cgroup.controllers') && 'cgroup v1 is not mounted here' };

test('cgroup v1 without a controller', v1, async () => {
    const less = 'mount --bind /mnt /sys/fs/cgroup/pids';
    one_line(await inside(['-m'], less, args), /cgroup controllers: cgroup controller pids cannot be used/);
});

test('cgroup v1 whose v2 has no controllers', v1, async () => {
    const r = await inside(['-m'], 'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup', args);
    one_line(r, /cgroup controller memory is not delegated to \/\S*; .*Delegate=yes/);
});

const ordinary = (...command) => execute('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', worker, ...command], env);

test('cgroup v1 and a worker that is not root', v1, async () => {
    one_line(await ordinary(...args), /cgroup controllers: cgroup v1 cannot be delegated, and uid 65534 is not root; .*Delegate=yes.*run it as root$/);
    const told = JSON.parse((await ordinary('doctor', '--json')).stdout);
    const failed = Object.fromEntries(told.checks.filter((c) => c.state === 'failed').map((c) => [c.check, c]));
    assert.match(failed['cgroup controllers'].detail, /v1 cannot be delegated/);
    assert.match(failed['subordinate ids'].detail, /no newuidmap on this machine|are not all uid 65534's/);
    assert.match(failed['subordinate ids'].fix, /apt-get install uidmap|usermod --add-subuids/);
    assert.match(failed.privilege.detail, /^uid 65534, mount and pid namespaces: not without subordinate ids$/);
});

test('the agent refuses the same way, before it talks to anybody', async () => {
    const keyFile = join(dir, 'key');
    await execute(worker, ['key', keyFile]);
    const r = await execute(worker, [], {
        ...env, OGPU_RUNTIME: 'no-such-runtime', OGPU_URL: 'http://127.0.0.1:1', OGPU_PROVIDER_KEY_FILE: keyFile,
        OGPU_MASTER: '0x90F79bf6EB2c4f870365E785982E1f101E93b906', L1_CHAIN_ID: '1', L1_SETTLEMENT: `0x${'1'.repeat(40)}`,
    });
    one_line(r, /no OCI runtime/);
});

test('doctor says what is there and what to do about the rest', async () => {
    const good = await execute(worker, ['doctor'], env);
    assert.equal(good.code, 0, good.stdout);
    assert.match(good.stdout, /^ok {6}OCI runtime: crun version/m);
    assert.match(good.stdout, /^device {2}cpu/m);
    const bad = await inside(['-m'], 'umount -R /sys/fs/cgroup', ['doctor']);
    assert.equal(bad.code, 1);
    assert.match(bad.stdout, /^FAILED {2}cgroup controllers: .*\n\s+to fix: /m);
});

test('a key file that others can read is refused', async () => {
    const keyFile = join(dir, 'open-key');
    await execute(worker, ['key', keyFile]);
    chmodSync(keyFile, 0o644);
    const r = await execute(worker, ['key', keyFile]);
    assert.equal(r.code, 1);
    assert.match(r.stderr, /open-key/);
});

test('options that are missing or wrong name themselves', async () => {
    const none = await execute(worker, [], { OGPU_URL: '' });
    assert.match(none.stderr, /OGPU_URL .*is required/);
    const bench = new Bench('crun', { OGPU_UID_BASE: '12' });
    mkdirSync(join(bench.dir, 'work'));
    assert.match((await bench.act(made, 'look')).stderr, /OGPU_UID_BASE must be/);
    bench.close();
});

test('a manifest that asks for what we do not know is refused', async () => {
    const bench = new Bench('crun');
    assert.match((await bench.act(made, 'look', { privileged: true })).stderr, /bad_manifest/);
    assert.match((await bench.act(made, 'look', { limits: { memory_mb: 1 } })).stderr, /bad_manifest/);
    bench.close();
});
