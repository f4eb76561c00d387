// SPDX-License-Identifier: MIT
// What the commands that a person asks first, earn and doctor, say of a machine with cards.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Gateway } from '../worker/gateway.mjs';
import { drop, execute, folder, worker } from '../worker/support.mjs';
import { Machine, card, probeManifest } from './support.mjs';

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
