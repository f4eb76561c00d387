// SPDX-License-Identifier: MIT
// What the commands that a person asks first, earn and doctor, say of a machine with cards.
import assert from 'node:assert/strict';
import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Gateway } from '../worker/gateway.mjs';
import { drop, execute, folder, worker } from '../worker/support.mjs';
import { Machine, card, fake, probeManifest } from './support.mjs';

const dir = folder('offer');
const work = join(dir, 'work');
let gateway;
const trash = [];

before(async () => { gateway = await new Gateway().open(); });
after(() => {
    gateway.close();
    for (const at of [dir, ...trash]) drop(at);
});

function machineOf(cards, how) {
    const machine = new Machine(cards, how);
    trash.push(machine.dir);
    return machine;
}

/* ---- earn ---- */

async function earn(env, args = []) {
    const r = await execute(worker, ['earn', '--json', ...args], { OGPU_URL: gateway.url, OGPU_WORK_DIR: work, ...env });
    assert.equal(r.code, 0, r.stderr);
    return Object.fromEntries(JSON.parse(r.stdout).sources.map((s) => [s.name, s]));
}

test('earn counts the cards that a worker here would promise, and no others', async () => {
    const only = { served: true, measured: false };
    gateway.publish(probeManifest('brief', { name: 'card' }));
    gateway.publish(probeManifest('brief', { name: 'both', environments: ['cpu', 'nvidia'] }));
    gateway.publish(probeManifest('brief', { name: 'other', environments: ['amd'] }));
    const machine = machineOf([card(0)]);
    const flags = Object.entries(machine.env).flatMap(([name, value]) => [`--${name.slice(5).toLowerCase().replaceAll('_', '-')}`, value]);
    for (const told of [await earn(machine.env), await earn({}, flags)]) {
        for (const name of ['card', 'both']) assert.deepEqual({ ...only, ...told[name] }, told[name], name);
        assert.match(told.other.reason, /does not run on this machine/);
    }
    // Cards that no container can be given are none: without a library, without a place for locks, under gVisor.
    for (const env of [machineOf([card(0)], { libraries: false }).env, { ...machine.env, OGPU_DEVICE_LOCKS: '/proc/no/such' },
        { ...machine.env, OGPU_RUNTIME: 'runsc' }, {}]) {
        const told = await earn(env);
        assert.match(told.card.reason, /does not run on this machine/);
        assert.equal(told.both.served, true);
    }
    const none = await execute(worker, ['earn'], { OGPU_URL: gateway.url, OGPU_WORK_DIR: work, OGPU_SIMULATE_GPU: join(dir, 'none.json') });
    assert.equal(none.code, 1);
    assert.match(none.stderr, /OGPU_SIMULATE_GPU: .*none\.json: No such file/);
});

/* ---- doctor ---- */

/** Exactly what doctor finds wrong with the cards: {check: {detail, fix}}; all its rows about them. */
async function doctor(env) {
    const settings = { OGPU_WORK_DIR: work, ...env };
    const r = await execute(worker, ['doctor', '--json'], settings);
    const told = JSON.parse(r.stdout);
    assert.equal(told.ok, r.code === 0);
    assert.equal(told.ok, told.checks.every((c) => c.state !== 'failed'));
    const text = await execute(worker, ['doctor'], settings);
    assert.equal(text.code, r.code);
    for (const c of told.checks.filter((one) => one.state === 'failed')) {
        assert.ok(text.stdout.includes(`FAILED  ${c.check}: ${c.detail}\n        to fix: ${c.fix}\n`), text.stdout);
    }
    const about = told.checks.filter((c) => ['devices', 'card', 'card locks', 'kernels'].includes(c.check));
    const failed = about.filter((c) => c.state === 'failed');
    assert.equal(failed.length, told.checks.filter((c) => c.state === 'failed').length, JSON.stringify(told.checks));
    return { failed, about: about.map((c) => `${c.check} ${c.state}`), devices: told.devices };
}

async function finds(check, detail, fix, env) {
    const { failed } = await doctor(env);
    assert.deepEqual(failed.map((c) => c.check), [check]);
    assert.match(failed[0].detail, detail);
    assert.match(failed[0].fix, fix);
}

test('doctor: no card is no fault; cards that can be used are said to be', async () => {
    assert.deepEqual(await doctor({}).then((d) => [d.failed, d.about, d.devices.length]), [[], ['devices ok'], 1]);
    const two = await doctor(machineOf([card(0), card(1)]).env);
    assert.deepEqual([two.failed, two.about, two.devices.length],
        [[], ['devices ok', 'card ok', 'card ok', 'card locks ok', 'kernels skipped'], 3]);
    const gvisor = await execute(worker, ['doctor', '--json'], { ...machineOf([card(0)]).env, OGPU_RUNTIME: 'runsc' });
    assert.equal(JSON.parse(gvisor.stdout).checks.find((c) => c.check === 'card').state, 'skipped');
});

test('doctor: each thing that keeps a card from containers is found, and named with what to do about it', async () => {
    const closed = machineOf([card(0)]);
    chmodSync(join(closed.root, 'dev/nvidia0'), 0o660);
    await finds('card', /is not open to everybody \(mode 660\)/, /NVreg_DeviceFileMode=0666/, closed.env);
    const one = card(0);
    const missing = machineOf([one, card(1)]);
    rmSync(join(missing.root, 'dev/nvidia0'));
    await finds('card', new RegExp(`^${one.uuid}: device node .*: No such file`), /nvidia-modprobe -u -c=0/, missing.env);
    await finds('card', /libcuda\.so\.570\.00 is in none/, /exactly its version/, machineOf([card(0)], { libraries: false }).env);
    const slice = machineOf([card(0, { mig: true }), card(0, { parent: 'GPU-x', gpu_instance: 1, compute_instance: 0 })]);
    await finds('card', /does not tell the slice's device node/, /nvidia-modprobe -f/, slice.env);
    const hooked = machineOf([one]);
    hooked.cdi({ cdiVersion: '0.5.0', kind: 'nvidia.com/gpu', devices: [{ name: one.uuid,
        containerEdits: { hooks: [{ hookName: 'createContainer', path: '/usr/bin/other', args: ['other', 'hook'] }] } }] });
    await finds('card', /hook/, /nvidia-ctk cdi generate --format=json/, hooked.env);
    await finds('card locks', /^\/proc\/no\/such: /, /OGPU_DEVICE_LOCKS/, { ...machineOf([card(0)]).env, OGPU_DEVICE_LOCKS: '/proc/no/such' });
});

test('doctor: real cards need kernels to prove themselves', async () => {
    const machine = machineOf([]);
    machine.slice(2, 1, 0, [1, 2]);
    machine.slice(2, 2, 0, [3, 4]);
    await finds('kernels', /no CUDA kernels: /, /make kernels/, { ...machine.env, OGPU_SIMULATE_GPU: '',
        LD_LIBRARY_PATH: join(fake, 'nvml'), OGPU_KERNELS: join(dir, 'none.so') });
});

test('doctor: devices that cannot be looked at are a failure', () =>
    finds('devices', /none\.json: No such file/, /OGPU_SIMULATE_GPU/, { OGPU_SIMULATE_GPU: join(dir, 'none.json') }));
