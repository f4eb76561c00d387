// SPDX-License-Identifier: MIT
// What a worker that is not root needs, taken away piece by piece: each is found, named with what to
// do about it, and nothing is run.
import assert from 'node:assert/strict';
import { chownSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { drop, execute, folder, hostile, imageOf, manifestOf, worker } from '../../worker/support.mjs';

const delegated = '/sys/fs/cgroup/system.slice/ogpu-delegated.service';
const base = 65536 * 50;
const dir = folder('user');
const made = imageOf(hostile);
const id = (flag, name) => execute('id', [flag, name]).then((r) => Number(r.stdout));
let uid, groups = 0;

before(async () => {
    uid = await id('-u', 'ogpu');
    chownSync(dir, uid, await id('-g', 'ogpu'));
    writeFileSync(join(dir, 'manifest.json'), JSON.stringify(manifestOf(made, { command: ['/bin/hostile', 'look'] })));
    writeFileSync(join(dir, 'image.tar'), made.archive);
    writeFileSync(join(dir, 'input.json'), '{}');
});
after(() => drop(dir));

/** Runs the worker as a user, in a cgroup that is his, or in ours. */
async function as({ user = 'ogpu', own = true, flags = [], first = ':', env = {} }, ...args) {
    const group = join(delegated, `u.${++groups}`);
    const join_group = own ? `mkdir ${group}; chown ${user}: ${group} ${group}/cgroup.procs ${group}/cgroup.subtree_control; echo $$ >${group}/cgroup.procs` : ':';
    const script = `${first}; ${join_group}; exec setpriv --reuid=${user} --regid=${await id('-g', user)} --clear-groups ${flags.join(' ')} "$0" "$@"`;
    const r = await execute('unshare', ['-m', 'sh', '-c', script, worker, ...args],
        { OGPU_WORK_DIR: join(dir, 'work'), OGPU_UID_BASE: String(base), ...env });
    return r;
}

/** What doctor finds wrong: {check: row}. */
async function found(how) {
    const r = await as(how, 'doctor', '--json');
    const told = JSON.parse(r.stdout);
    assert.equal(r.code, told.ok ? 0 : 1);
    return Object.fromEntries(told.checks.filter((c) => c.state === 'failed').map((c) => [c.check, c]));
}

const attempt = (how) => as(how, 'try', ...['manifest.json', 'image.tar'].map((name) => join(dir, name)), 'run', join(dir, 'input.json'), join(dir, 'out'));

async function refuses(how, check, detail, fix) {
    const row = (await found(how))[check];
    assert.match(row.detail, detail);
    assert.match(row.fix, fix);
    const r = await attempt(how);
    assert.equal(r.code, 2, r.stdout);
    assert.match(r.stderr, /cannot run containers here/);
}

test('all is there: doctor is content, and a source runs as nobody that the host knows', async () => {
    assert.deepEqual(await found({}), {});
    const r = await attempt({});
    assert.equal(r.code, 0, r.stderr);
    const told = JSON.parse(readFileSync(join(dir, 'out/output.json')));
    assert.deepEqual(told.uid_map.trim().split(/\s+/).map(Number), [0, base, 65536]);
});

for (const runtime of ['crun', 'runc']) {
    test(`${runtime}: a share of the CPU is a share`, async () => {
        const manifest = manifestOf(made, { command: ['/bin/hostile', 'busy'], limits: { timeout_s: 20, cpu_millis: 20 } });
        writeFileSync(join(dir, 'busy.json'), JSON.stringify(manifest));
        const files = ['busy.json', 'image.tar'].map((name) => join(dir, name));
        const r = await as({ env: { OGPU_RUNTIME: runtime } }, 'try', ...files, 'run', join(dir, 'input.json'), join(dir, 'busy'));
        const { end, usage } = JSON.parse(r.stdout);
        assert.equal(end, 'timeout', r.stdout + r.stderr);
        assert.ok(usage.cpu_us < 4_000_000, `${usage.cpu_us} of 20 s, its runtime's start among them`);
    });
}

test('no delegated cgroup', () => refuses({ own: false }, 'cgroup controllers', new RegExp(`is not delegated to uid ${uid}`), /Delegate=yes/));

test('a controller that was not delegated', async () => {
    const group = `${delegated}/less`;
    mkdirSync(group);
    writeFileSync(`${group}/cgroup.subtree_control`, '+memory +pids');
    const first = `mkdir ${group}/of; chown ogpu: ${group}/of ${group}/of/cgroup.procs ${group}/of/cgroup.subtree_control; echo $$ >${group}/of/cgroup.procs`;
    await refuses({ own: false, first }, 'cgroup controllers', /controller cpu is not delegated/, /Delegate=yes/)
        .finally(() => { rmdirSync(`${group}/of`); rmdirSync(group); });
});

test('ids that are not the user\'s', async () => {
    await refuses({ user: 'nobody' }, 'subordinate ids', /^ids 3276800-11665407 are not all uid 65534's/, /usermod --add-subuids/);
    await refuses({ env: { OGPU_UID_BASE: '4000000000' } }, 'subordinate ids', /not all uid/, /usermod --add-subuids/);
});

test('no newuidmap', () => refuses({ first: 'mount --bind /dev/null /usr/bin/newuidmap' }, 'subordinate ids', /no newuidmap/, /apt-get install uidmap/));

test('no_new_privs', () => refuses({ flags: ['--no-new-privs'] }, 'subordinate ids', /no_new_privs/, /NoNewPrivileges/));

test('no user namespaces', async () => {
    const file = '/proc/sys/user/max_user_namespaces';
    const before = readFileSync(file, 'utf8');
    writeFileSync(file, '0');
    await refuses({}, 'user namespaces', /No space|not permitted/, /sysctl user.max_user_namespaces/)
        .finally(() => writeFileSync(file, before));
});
