// SPDX-License-Identifier: MIT
// doctor with things taken away, one by one: each is found, and named with what to do about it.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { master } from './crew.mjs';
import { Gateway, settlement } from './gateway.mjs';
import { drop, execute, openFolder } from './support.mjs';

const dir = openFolder('doctor');
const worker = join(dir, 'ogpu-worker');
const key = join(dir, 'provider.key');
let gateway;

before(async () => {
    gateway = await new Gateway().open();
    gateway.say(/livez/, { status: 200, body: {} }, 1e9);
    await execute(worker, ['key', key]);
});
after(() => {
    gateway.close();
    drop(dir);
});

const whole = () => ({ OGPU_URL: gateway.url, OGPU_PROVIDER_KEY_FILE: key, OGPU_MASTER: master, L1_SETTLEMENT: settlement,
    OGPU_WORK_DIR: join(dir, 'work') });

/** What doctor found wrong: {code, failed: {check: row}, all}. */
async function look(env = {}, before = null, flags = ['-m']) {
    const settings = { ...whole(), ...env };
    const r = before ? await execute('unshare', [...flags, 'sh', '-c', `${before}; exec "$0" "$@"`, worker, 'doctor', '--json'], settings)
        : await execute(worker, ['doctor', '--json'], settings);
    // What a runtime's known weaknesses need and do not find here is warned of, on any machine.
    assert.deepEqual(r.stderr.split('\n').filter((line) => line && JSON.parse(line).event !== 'runtime_advisory'), []);
    const told = JSON.parse(r.stdout);
    const failed = Object.fromEntries(told.checks.filter((c) => c.state === 'failed').map((c) => [c.check, c]));
    assert.equal(r.code, told.ok ? 0 : 1);
    assert.equal(told.ok, Object.keys(failed).length === 0);
    for (const c of told.checks) assert.equal(c.fix !== undefined, c.state === 'failed', JSON.stringify(c));
    return { failed, all: told.checks, devices: told.devices };
}

/** Exactly this check fails, with this detail and this remedy. */
async function finds(check, detail, fix, ...how) {
    const { failed } = await look(...how);
    assert.deepEqual(Object.keys(failed), [check]);
    assert.match(failed[check].detail, detail);
    assert.match(failed[check].fix, fix);
}

test('a machine that has all of it', async () => {
    const { failed, all, devices } = await look();
    assert.deepEqual(failed, {});
    assert.ok(all.every((c) => c.state === 'ok'), JSON.stringify(all));
    assert.equal(devices[0].environment, 'cpu');
    const text = await execute(worker, ['doctor'], whole());
    assert.match(text.stdout, /^ok {6}clock: [+-]\d+ s from the gateway's$/m);
});

test('nothing set yet: skipped, not failed', async () => {
    const { failed, all } = await look({ OGPU_URL: '', OGPU_PROVIDER_KEY_FILE: '', OGPU_MASTER: '', L1_SETTLEMENT: '' });
    assert.deepEqual(failed, {});
    assert.deepEqual(all.filter((c) => c.state === 'skipped').map((c) => c.check),
        ['provider key', 'master', 'settlement contract', 'gateway', 'clock']);
});

test('no runtime', () => finds('OCI runtime', /no OCI runtime 'nowhere'/, /apt-get install crun/, { OGPU_RUNTIME: 'nowhere' }));

test('no cgroup controllers', () =>
    finds('cgroup controllers', /no memory cgroup|cannot be used|no cgroups/, /Delegate=yes/, {}, 'umount -R /sys/fs/cgroup'));

test('a work folder that is full, or cannot be written', async () => {
    mkdirSync(join(dir, 'full'));
    await finds('work folder', /: 8 MiB free|: [0-9] MiB free/, /1 GiB free/, { OGPU_WORK_DIR: join(dir, 'full/work') },
        `mount -t tmpfs -o size=8m none ${join(dir, 'full')}`);
    await finds('work folder', /Read-only file system/, /OGPU_WORK_DIR/, { OGPU_WORK_DIR: join(dir, 'full/work') },
        `mount -t tmpfs -o ro none ${join(dir, 'full')}`);
});

test('a key that is missing, open to others, no key', async () => {
    await finds('provider key', /./, /ogpu-worker key FILE/, { OGPU_PROVIDER_KEY_FILE: join(dir, 'none.key') });
    const open = join(dir, 'open.key');
    await execute(worker, ['key', open]);
    chmodSync(open, 0o644);
    await finds('provider key', /./, /chmod 600/, { OGPU_PROVIDER_KEY_FILE: open });
    writeFileSync(join(dir, 'junk.key'), 'junk\n', { mode: 0o600 });
    await finds('provider key', /./, /ogpu-worker key FILE/, { OGPU_PROVIDER_KEY_FILE: join(dir, 'junk.key') });
    await finds('provider key', /no answer from the signer/, /ogpu-worker signer/, { OGPU_PROVIDER_KEY_FILE: '', OGPU_SIGNER_SOCKET: join(dir, 'none.sock') });
});

test('addresses that are none', async () => {
    await finds('master', /0x12 is no address/, /OGPU_MASTER/, { OGPU_MASTER: '0x12' });
    await finds('settlement contract', /is no address/, /L1_SETTLEMENT/, { L1_SETTLEMENT: 'none' });
});

test('a gateway that is away, sick, no URL', async () => {
    await finds('gateway', /127\.0\.0\.1:9/, /firewall/, { OGPU_URL: `${gateway.url},http://127.0.0.1:9` });
    await finds('gateway', /no http\(s\) URL/, /http\(s\) URLs/, { OGPU_URL: 'gateway.example' });
    const sick = createServer((request, response) => response.writeHead(503).end());
    await new Promise((done) => { sick.listen(0, '127.0.0.1', done); });
    sick.unref();
    await finds('gateway', /answers 503/, /OGPU_URL/, { OGPU_URL: `http://127.0.0.1:${sick.address().port}` });
    sick.close();
});

test('a clock that is wrong', async () => {
    const late = createServer((request, response) => {
        response.sendDate = false;
        response.writeHead(200, { date: new Date(Date.now() + 3_600_000).toUTCString() }).end();
    });
    await new Promise((done) => { late.listen(0, '127.0.0.1', done); });
    late.unref();
    await finds('clock', /^-(36\d\d|359\d) s/, /NTP/, { OGPU_URL: `http://127.0.0.1:${late.address().port}` });
    late.close();
});

test('no right to make namespaces', async () => {
    const { failed } = await look({ OGPU_PROVIDER_KEY_FILE: '' }, ':', ['--user']);
    assert.match(failed.privilege.detail, /^uid \d+/);
    assert.match(failed.privilege.fix, /root|subuid/);
});
