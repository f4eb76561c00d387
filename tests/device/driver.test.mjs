// SPDX-License-Identifier: MIT
// The worker with the cards of a stand-in NVML, at the stand-in gateway: what happens to the driver while it runs.
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Crew, until } from '../worker/crew.mjs';
import { Gateway } from '../worker/gateway.mjs';
import { drop, execute, slow, worker } from '../worker/support.mjs';
import { Machine, fake, minors, node, probe, probeManifest } from './support.mjs';

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

/** A file that is there at once, or not at all. */
const put = (path, text) => {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
};

test('of a card\'s fault and what follows from it in the same look, the fault counts', async () => {
    const event = join(machine.dir, 'event');
    const happen = (...xids) => put(event, xids.join(' '));
    let freed = 0;
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
        freed++;
        await until(() => crew.events('device').filter((e) => e.was === 'quarantined').length === freed, `free again\n${crew.text}`);
    }
    assert.deepEqual(crew.events('device_quarantined').map((e) => e.why.split(':')[0]),
        ['XID 48', 'XID 62', 'XID 74', 'XID 79', 'XID 119']);
});

/* ---- slices ---- */

const slices = ['MIG-0000-2-a', 'MIG-0000-2-b'];

/** A worker whose tasks wait on so many slices; the stand-in's third card is cut into two. */
async function lease(n, env) {
    machine.slice(2, 1, 0, [30, 31]);
    machine.slice(2, 2, 0, [39, 40]);
    gateway.blobs.set(probe.blob, probe.archive);
    const source = gateway.publish(probeManifest('wait', { limits: { timeout_s: 120 * slow } }), probe.archive);
    for (let i = 0; i < n; i++) gateway.submit(source, {});
    crew.start(gateway.url, real({ OGPU_SLOTS: '2', ...env }));
    await until(() => new Set(crew.processes().map(({ uid }) => uid)).size === n, `containers\n${crew.text}`, 30000 * slow);
    assert.deepEqual(crew.events('card_leased').map((e) => e.uuid).sort(), slices.slice(0, n));
    return source;
}

const fails = async (n) => {
    await gateway.saw(/fail$/, 30000 * slow, n);
    return gateway.log.filter((r) => /fail$/.test(r.path)).map((r) => `${r.body.code} ${r.body.message.split(':')[0]}`);
};

test('what a program does on one slice ends that one; what is laid to none ends both', async () => {
    const event = join(machine.dir, 'event');
    const source = await lease(2, { FAKE_NVML_EVENT: event, FAKE_NVML_PROCESS: join(machine.dir, 'none') });
    put(event, '31@2:1:0');
    assert.deepEqual(await fails(1), ['gpu_error XID 31']);
    // The other one's program runs on, beside the next one on the slice that had the fault.
    gateway.submit(source, {});
    await until(() => crew.events('card_leased').length === 3, `the slice again\n${crew.text}`, 30000 * slow);
    assert.equal(crew.events('card_leased')[2].uuid, slices[0]);
    put(event, '13@2:-1:-1');
    assert.deepEqual(await fails(3), ['gpu_error XID 31', 'gpu_error XID 13', 'gpu_error XID 13']);
    assert.ok(slices.every((uuid) => !existsSync(join(crew.work, 'devices', `${uuid}.json`))));
});

test('more processes than there was room for are counted too, and their memory', async () => {
    const processes = join(machine.dir, 'processes');
    await lease(1, { FAKE_NVML_PROCESS: processes });
    put(processes, `${slices[0]} 200`);
    const { body } = await gateway.saw(/fail$/, 30000 * slow);
    assert.deepEqual([body.code, body.message], ['vram_limit', '60000 MiB of the card\'s memory in use, 40960 allowed']);
});

/* ---- what is promised ---- */

const promised = () => gateway.log.filter((r) => r.path === '/v1/providers' && r.status === 201).map((r) => r.body.environments.join());
const registrations = (source) => gateway.log.filter((r) => r.path.startsWith(`/v1/sources/${source.id}/registrations`) && r.status)
    .map((r) => (r.method === 'PUT' ? r.body.environments.join() : `${r.method} ${r.status}`));
const told = () => gateway.log.filter((r) => /heartbeat/.test(r.path) && r.body).at(-1)?.body.devices.map((d) => d.uuid).includes(first);

for (const [name, away, back, env] of [
    ['NVML that is installed later', (dir) => mkdirSync(join(dir, 'lib')), (dir) => {
        copyFileSync(join(fake, 'nvml/libnvidia-ml.so.1'), join(dir, 'lib/new'));
        renameSync(join(dir, 'lib/new'), join(dir, 'lib/libnvidia-ml.so.1'));
    }, (dir) => ({ LD_LIBRARY_PATH: join(dir, 'lib') })],
    ['a kernel module that is loaded later', (dir) => writeFileSync(join(dir, 'down'), ''), (dir) => rmSync(join(dir, 'down')),
        (dir) => ({ FAKE_NVML_DOWN: join(dir, 'down') })],
    ['a node that is made later', (dir) => rmSync(join(dir, 'root/dev/nvidia-uvm')),
        (dir) => node(join(dir, 'root/dev/nvidia-uvm'), minors['nvidia-uvm']), () => ({})],
]) {
    test(`${name}: the cards are promised then, and sources registered anew`, async () => {
        const [both, card] = [['cpu', 'nvidia'], ['nvidia']].map((environments) =>
            gateway.publish(probeManifest('brief', { name: environments.join(' '), environments }), probe.archive));
        away(machine.dir);
        crew.start(gateway.url, real(env(machine.dir)));
        await until(() => crew.events('working').length > 0, `the worker\n${crew.text}`);
        assert.deepEqual([promised(), registrations(both), registrations(card)], [['cpu'], ['cpu'], []]);
        back(machine.dir);
        await until(() => registrations(card).length > 0 && told(), `cards\n${crew.text}`, 30000);
        assert.deepEqual([promised(), registrations(both), registrations(card)],
            [['cpu', 'cpu,nvidia'], ['cpu', 'cpu,nvidia'], ['nvidia']]);
        // And what cannot be kept is taken back: the CPU's part stays.
        rmSync(join(machine.root, 'dev/nvidia-uvm'));
        await until(() => registrations(card).length > 1, `taken back\n${crew.text}`, 30000);
        await until(() => registrations(both).length > 2, `taken back\n${crew.text}`, 30000);
        assert.deepEqual([promised(), registrations(both), registrations(card)],
            [['cpu', 'cpu,nvidia', 'cpu'], ['cpu', 'cpu,nvidia', 'cpu'], ['nvidia', 'DELETE 204']]);
        node(join(machine.root, 'dev/nvidia-uvm'), minors['nvidia-uvm']);
        await until(() => registrations(card).length > 2 && registrations(both).length > 3, `again\n${crew.text}`, 30000);
        assert.equal(registrations(card).at(-1), 'nvidia');
    });
}
