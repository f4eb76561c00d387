// SPDX-License-Identifier: MIT
// The worker with the cards of a stand-in NVML, at the stand-in gateway: what happens to the driver while it runs.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Crew, until } from '../worker/crew.mjs';
import { Gateway } from '../worker/gateway.mjs';
import { drop, execute, worker } from '../worker/support.mjs';
import { Machine, fake } from './support.mjs';

const first = 'GPU-0000-0';
let crew;
let gateway;
let machine;

beforeEach(async () => {
    gateway = await new Gateway().open();
    machine = new Machine([]);
    crew = await new Crew('driver').hire();
});
afterEach(async () => {
    if (crew.child) await crew.stop('SIGKILL');
    gateway.close();
    crew.close();
    drop(machine.dir);
});

/** No simulation: what NVML tells. The stand-ins' memory is none that could be scrubbed. */
const real = (env = {}) => ({ ...machine.env, OGPU_SIMULATE_GPU: '', OGPU_SCRUB: 'false', OGPU_DEVICE_MS: '50',
    LD_LIBRARY_PATH: join(fake, 'nvml'), ...env });

test('of a card\'s fault and what follows from it in the same look, the fault counts', async () => {
    const event = join(machine.dir, 'event');
    const happen = (...xids) => {
        writeFileSync(`${event}.new`, xids.join(' '));
        renameSync(`${event}.new`, event);
    };
    const file = join(crew.work, 'devices', `${first}.json`);
    crew.start(gateway.url, real({ FAKE_NVML_EVENT: event }));
    await until(() => crew.events('working').length > 0, `the worker\n${crew.text}`);
    happen(13, 43); // what a program can bring about alone
    await until(() => crew.events('xid').length === 2, `both\n${crew.text}`);
    for (const [xid, after] of [[48, 43], [62, 45], [74, 43], [79, 45], [119, 45]]) {
        happen(xid, after);
        const text = await until(() => existsSync(file) && readFileSync(file, 'utf8'), `a quarantine for ${xid}\n${crew.text}`);
        assert.match(JSON.parse(text).text, new RegExp(`^XID ${xid}: `));
        assert.equal((await execute(worker, ['devices', 'clear', first], { OGPU_WORK_DIR: crew.work })).code, 0);
    }
    assert.deepEqual(crew.events('device_quarantined').map((e) => e.why.split(':')[0]),
        ['XID 48', 'XID 62', 'XID 74', 'XID 79', 'XID 119']);
});
