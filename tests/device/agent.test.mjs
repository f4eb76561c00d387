// SPDX-License-Identifier: MIT
// The worker with simulated cards at the stand-in gateway: what it claims, what it tells, and every way
// in which a card can fail its task.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Crew, until } from '../worker/crew.mjs';
import { Gateway } from '../worker/gateway.mjs';
import { drop, execute, worker } from '../worker/support.mjs';
import { Machine, Memory, card, fake, probe, probeManifest } from './support.mjs';

let gateway;
let trash;
const fast = { OGPU_DEVICE_MS: '50', OGPU_SOURCES_S: '1' };

beforeEach(async () => {
    gateway = await new Gateway().open();
    gateway.blobs.set(probe.blob, probe.archive);
    trash = [];
});
afterEach(async () => {
    for (const crew of trash.filter((t) => t.child)) await crew.stop('SIGKILL');
    gateway.close();
    for (const t of trash) (t.close?.bind(t) ?? (() => drop(t.dir)))();
});

const machineOf = (...cards) => {
    const machine = new Machine(cards);
    trash.push(machine);
    machine.close = () => drop(machine.dir);
    return machine;
};

async function hire(machine, env = {}) {
    const crew = await new Crew('cards').hire();
    trash.push(crew);
    crew.start(gateway.url, { ...machine.env, ...fast, ...env });
    return crew;
}

const beats = () => gateway.log.filter((r) => /providers\/.*heartbeat/.test(r.path) && r.status);
const told = (id) => beats().at(-1)?.body.devices.find((d) => d.uuid === id);
const fails = (n = 1) => gateway.saw(/fail$/, 20000, n);
const publish = (act, changes) => gateway.publish(probeManifest(act, changes), probe.archive);
const running = (crew) => until(() => crew.processes().length > 0, `a container\n${crew.text}`);
const quarantined = (crew) => readdirSync(join(crew.work, 'devices')).filter((f) => f.endsWith('.json'));
const outputs = async (n = 1) => JSON.parse(gateway.blobs.get((await gateway.saw(/respond$/, 20000, n)).body.outputs[0].sha256));

test('a card is promised, leased, told of with all its figures, and free again', async () => {
    const a = card(0, { telemetry: { throttle: ['thermal'], ecc_corrected: 7 } });
    const crew = await hire(machineOf(a));
    const register = await gateway.saw(/POST \/v1\/providers$/);
    assert.deepEqual(register.body.environments, ['cpu', 'nvidia']);
    gateway.submit(publish('nap'), {});
    await running(crew);
    await until(() => told(a.uuid)?.state === 'leased', 'leased');
    const { telemetry, ...d } = told(a.uuid);
    assert.deepEqual(d, { environment: 'nvidia', name: a.name, uuid: a.uuid, memory_mb: 81920, architecture: 'hopper',
        compute_capability: '9.0', driver: '570.00', cuda: '12.8', ecc: true, mig: false, power_limit_mw: 700000, pcie: a.pcie,
        utilization_percent: 3, state: 'leased' });
    assert.deepEqual(telemetry, { memory_used_mb: 512, temperature_c: 40, power_mw: 70000, throttle: ['thermal'],
        ecc_corrected: 7, ecc_uncorrected: 0, processes: 0 });
    assert.equal((await outputs()).env.NVIDIA_VISIBLE_DEVICES, a.uuid);
    await until(() => told(a.uuid)?.state === 'free', 'free again');
});

for (const [name, edit, code, message, kept] of [
    ['an XID that tells of the card', (c) => { c.xid = 79; }, 'device_fault', /^XID 79: the card has fallen off the bus/, 'xid'],
    ['an XID that nobody knows', (c) => { c.xid = 9999; }, 'device_fault', /^XID 9999/, 'xid'],
    ['an XID that a program can bring about', (c) => { c.xid = 13; }, 'gpu_error', /^XID 13: graphics engine/, null],
    ['a kernel that takes longer than a card with a display lets it', (c) => { c.xid = 8; }, 'gpu_error', /^XID 8: .*took too long/, null],
    ['uncorrected ECC errors', (c) => { c.telemetry.ecc_uncorrected = 2; }, 'device_fault', /ECC errors grew from 0 to 2/, 'ecc'],
    ['a lost card', (c) => { c.lost = true; }, 'device_lost', /does not answer/, null],
    ['a card that is not there any more', (c, all) => { all.length = 0; }, 'device_lost', /does not answer/, null],
    ['more memory than leased', (c) => { c.telemetry.process_mb = 90000; }, 'vram_limit', /90000 MiB .* 81920 allowed/, null],
]) {
    test(`${name} ends the run and fails its attempt with the cause`, async () => {
        const a = card(0);
        const machine = machineOf(a);
        const crew = await hire(machine);
        gateway.submit(publish('wait'), {});
        await running(crew);
        machine.save((cards) => edit(a, cards));
        const { body } = await fails();
        assert.deepEqual([body.code, body.released ?? false], [code, false]);
        assert.match(body.message, message);
        await crew.nothingLeft();
        const files = quarantined(crew);
        assert.deepEqual(files, kept ? [`${a.uuid}.json`] : []);
        if (kept) {
            assert.equal(JSON.parse(readFileSync(join(crew.work, 'devices', files[0]))).code, kept);
            await until(() => told(a.uuid)?.state === 'quarantined', 'the heartbeat tells it');
            assert.equal(told(a.uuid).fault.code, kept);
        }
        if (code === 'device_lost') await until(() => told(a.uuid)?.state === 'lost', 'the heartbeat tells it');
    });
}

test('a fault in the last moment of a good run still counts: its result is not sent', async () => {
    const a = card(0);
    const machine = machineOf(a);
    gateway.submit(publish('nap'), {});
    const crew = await hire(machine, { OGPU_DEVICE_MS: '60000' }); // no look but the one behind the run
    await running(crew);
    machine.save(() => { a.xid = 48; });
    assert.equal((await fails()).body.code, 'device_fault');
    assert.equal(gateway.log.filter((r) => /respond$/.test(r.path)).length, 0);
});

test('a quarantine outlives the worker, stops claims, and ends by hand', async () => {
    const a = card(0);
    const machine = machineOf(a);
    const crew = await hire(machine);
    const source = publish('wait');
    gateway.submit(source, {});
    await running(crew);
    machine.save(() => { a.xid = 79; });
    await fails();
    await crew.stop();
    machine.save(() => { delete a.xid; });
    gateway.log.length = 0;
    gateway.sources.push(publish('brief', { name: 'both', environments: ['cpu', 'nvidia'] }));
    crew.start(gateway.url, { ...machine.env, ...fast });
    await until(() => told(a.uuid)?.state === 'quarantined', 'quarantine');
    const claims = () => gateway.log.filter((r) => r.path.startsWith('/v1/claims'));
    await until(() => claims().length > 0, 'a claim for what runs on the CPU');
    for (const c of claims()) assert.ok(c.body.sources && !c.body.sources.includes(source.id), JSON.stringify(c.body));
    gateway.submit(source, {}, { force: true }); // given in spite of the list: handed back, without penalty
    const { body } = await fails();
    assert.deepEqual([body.code, body.released], ['no_device', true]);
    assert.equal((await execute(worker, ['devices', 'clear', a.uuid], { OGPU_WORK_DIR: crew.work })).code, 0);
    await until(() => told(a.uuid)?.state === 'free', 'free');
    gateway.submit(publish('brief', { name: 'next' }), {});
    assert.equal((await outputs()).env.NVIDIA_VISIBLE_DEVICES, a.uuid);
});

test('a lost card is free again when it answers again; meanwhile the other one serves', async () => {
    const a = card(0, { memory_mb: 24576 });
    const b = card(1);
    const machine = machineOf(a, b);
    gateway.submit(publish('wait'), {});
    const crew = await hire(machine);
    await running(crew);
    machine.save(() => { a.lost = true; });
    assert.equal((await fails()).body.code, 'device_lost');
    const brief = publish('brief', { name: 'brief' });
    gateway.submit(brief, {});
    assert.equal((await outputs()).env.NVIDIA_VISIBLE_DEVICES, b.uuid);
    machine.save(() => { a.lost = false; });
    await until(() => told(a.uuid)?.state === 'free', 'it is back');
});

test('two slots, one card: one task at a time on it; what needs none goes beside', async () => {
    const a = card(0);
    const source = publish('wait');
    const beside = publish('brief', { name: 'beside', environments: ['cpu'] });
    gateway.submit(source, {});
    const crew = await hire(machineOf(a), { OGPU_SLOTS: '2' });
    await running(crew);
    await until(() => gateway.log.some((r) => r.body?.sources?.length === 1 && r.body.sources[0] === beside.id), 'a claim for the rest');
    gateway.submit(source, {}, { force: true }); // given in spite of the list: handed back, it needs the card
    const { body } = await fails();
    assert.deepEqual([body.code, body.released], ['no_device', true]);
    gateway.submit(beside, {});
    assert.equal((await outputs()).env.NVIDIA_VISIBLE_DEVICES, '');
    assert.ok(crew.processes().length > 0, 'the first task goes on');
});

test('a card belongs to one worker of a machine: another one neither sees it free nor claims for it', async () => {
    const a = card(0);
    const machine = machineOf(a);
    gateway.submit(publish('wait'), {});
    const first = await hire(machine);
    await running(first);
    const listed = await execute(worker, ['devices', '--json'], { ...machine.env, OGPU_WORK_DIR: join(machine.dir, 'none') });
    assert.equal(JSON.parse(listed.stdout).devices[1].state, 'busy');
    const before = gateway.log.length;
    const second = await hire(machine);
    const mine = () => gateway.log.slice(before).filter((r) => /providers\/.*heartbeat/.test(r.path)).map((r) => r.body.devices[1].state);
    await until(() => mine().includes('busy'), 'busy');
    assert.equal(second.events('claimed').length, 0, second.text); // its host ids may be another suite's too
    await first.stop('SIGKILL');
    await until(() => mine().at(-1) === 'free', 'the lock ended with its worker');
});

test('a source that wants much of a card gets a big one, and is ended when it takes more than it wanted', async () => {
    const small = card(0, { memory_mb: 24576 });
    const big = card(1);
    const machine = machineOf(small, big);
    gateway.submit(publish('wait', { limits: { card_memory_mb: 40000 } }), {});
    const crew = await hire(machine);
    await running(crew);
    await until(() => told(big.uuid)?.state === 'leased', 'the big one');
    machine.save(() => { big.telemetry.process_mb = 40001; });
    const { body } = await fails();
    assert.equal(body.code, 'vram_limit');
    assert.match(body.message, /40001 MiB .* 40000 allowed/);
    const none = publish('brief', { name: 'too much', limits: { card_memory_mb: 90000 } });
    gateway.submit(none, {}, { force: true });
    assert.equal((await fails(2)).body.code, 'no_device');
});

test('without a place for locks no card is promised, and the worker works on', async () => {
    const machine = machineOf(card(0));
    const source = publish('brief', { environments: ['cpu', 'nvidia'] });
    gateway.submit(source, {});
    await hire(machine, { OGPU_DEVICE_LOCKS: '/proc/no/such/folder' });
    assert.deepEqual((await gateway.saw(/POST \/v1\/providers$/)).body.environments, ['cpu']);
    assert.equal((await outputs()).env.NVIDIA_VISIBLE_DEVICES, '');
});

/* ---- memory ---- */

const lockOf = (machine, id) => readFileSync(join(machine.dir, 'locks', `${id}.lock`), 'utf8');

function remembering() {
    const a = card(0, { memory_mb: 160 });
    const memory = new Memory(a.uuid);
    trash.push(memory);
    memory.close = () => drop(memory.dir);
    return { a, memory, machine: machineOf(a) };
}

test('what one tenant leaves in a card\'s memory is gone before the next', async () => {
    const { a, memory, machine } = remembering();
    memory.leave(0); // nobody knows whose: the first lease scrubs too
    gateway.submit(publish('nap'), {});
    const crew = await hire(machine, memory.env);
    await running(crew);
    assert.ok(memory.clean);
    memory.leave(77 << 20);
    await gateway.saw(/respond$/);
    await until(() => crew.events('scrubbed').length >= 2 && memory.clean, `a scrub\n${crew.text}`);
    await until(() => lockOf(machine, a.uuid) === '', 'reserved again');
    assert.match(crew.events('scrubbed')[0].report, /"scrubbed_mb":160.*"dirty_before":[1-9].*"dirty_after":0/);
    await crew.stop();
    assert.equal(lockOf(machine, a.uuid), 'clean\n');
});

for (const [fault, code, why] of [
    ['stuck', 'residue', /held bytes after it was zeroed/],
    ['hoard', 'scrub', /not all of its memory could be had/],
    ['held', 'scrub', /not all of its memory could be had/],
    ['fail', 'scrub', /the CUDA driver failed while scrubbing/],
]) {
    test(`a card that cannot be scrubbed (${fault}) gets no further tenant`, async () => {
        const { a, memory, machine } = remembering();
        const crew = await hire(machine, memory.env);
        gateway.submit(publish('nap'), {});
        await running(crew);
        memory.leave(0);
        memory.fault(fault);
        await gateway.saw(/respond$/);
        await until(() => told(a.uuid)?.state === 'quarantined', `quarantine\n${crew.text}`);
        assert.equal(told(a.uuid).fault.code, code);
        assert.match(told(a.uuid).fault.message, why);
    });
}

test('a card that another process is on comes back dirty: it stays busy, and is scrubbed when that one has gone', async () => {
    const a = card(0, { memory_mb: 160, uuid: 'MIG-0000-2-a' }); // one that the stand-in NVML knows
    const memory = new Memory(a.uuid);
    trash.push(memory);
    memory.close = () => drop(memory.dir);
    const machine = machineOf(a);
    const other = join(machine.dir, 'process');
    const env = { ...memory.env, LD_LIBRARY_PATH: `${join(fake, 'cuda')}:${join(fake, 'nvml')}`, FAKE_NVML_PROCESS: other };
    const crew = await hire(machine, env);
    gateway.submit(publish('nap'), {});
    await running(crew);
    memory.leave(0);
    writeFileSync(other, a.uuid);
    machine.save(() => { a.telemetry.processes = 1; });
    await gateway.saw(/respond$/);
    await until(() => crew.events('device_held').length > 0 && told(a.uuid)?.state === 'busy', `busy\n${crew.text}`);
    assert.deepEqual([lockOf(machine, a.uuid), memory.clean, quarantined(crew)], ['', false, []]);
    rmSync(other);
    machine.save(() => { a.telemetry.processes = 0; });
    await until(() => memory.clean, `a scrub\n${crew.text}`);
    gateway.submit(publish('brief', { name: 'next' }), {});
    assert.equal((await outputs(2)).env.NVIDIA_VISIBLE_DEVICES, a.uuid);
});

test('a killed worker leaves a card that is scrubbed before anybody gets it', async () => {
    const { a, memory, machine } = remembering();
    gateway.submit(publish('wait'), {});
    const crew = await hire(machine, memory.env);
    await running(crew);
    memory.leave(0);
    await crew.stop('SIGKILL');
    await crew.nothingLeft();
    assert.ok(!memory.clean);
    assert.equal(lockOf(machine, a.uuid), '');
    crew.start(gateway.url, { ...machine.env, ...fast, ...memory.env });
    await until(() => memory.clean, `a scrub\n${crew.text}`);
    gateway.submit(publish('brief', { name: 'next' }), {});
    assert.equal((await outputs()).env.NVIDIA_VISIBLE_DEVICES, a.uuid);
});
