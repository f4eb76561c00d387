// SPDX-License-Identifier: MIT
// The scrubber alone, and a worker that has no task yet: what others hold of a card's memory.
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Crew, until } from '../worker/crew.mjs';
import { Gateway } from '../worker/gateway.mjs';
import { drop, execute, worker } from '../worker/support.mjs';
import { Machine, Memory, card, fake, probe, probeManifest, uuid } from './support.mjs';

const known = 'MIG-0000-2-a'; // to the stand-in NVML
const ends = ['clean', 'no driver', 'residue', 'partial', 'held', 'failed'];
let memory;
let other;

beforeEach(() => {
    memory = new Memory(known);
    other = join(memory.dir, 'process');
    memory.leave(5 << 20);
});
afterEach(() => drop(memory.dir));

const both = () => ({ ...memory.env, LD_LIBRARY_PATH: `${join(fake, 'cuda')}:${join(fake, 'nvml')}`, FAKE_NVML_PROCESS: other });
const scrub = async (env, id = known) => {
    const r = await execute(worker, ['device-scrub', id], env);
    return [ends[r.code], r.stdout === '' ? null : JSON.parse(r.stdout)];
};

test('while NVML lists a process on the card nothing is scrubbed; afterwards all is', async () => {
    writeFileSync(other, known);
    assert.deepEqual(await scrub(both()), ['held', null]);
    assert.ok(!memory.clean);
    writeFileSync(other, 'GPU-0000-0'); // on another card
    const [end, report] = await scrub(both());
    assert.deepEqual([end, report.total_mb, report.free_mb, report.scrubbed_mb, report.dirty_after], ['clean', 160, 160, 160, 0]);
    assert.ok(memory.clean);
});

test('memory in use that nobody is listed for is no clean card, however much of the rest was scrubbed', async () => {
    memory.fault('held');
    const [end, report] = await scrub(both());
    assert.deepEqual([end, report.total_mb, report.free_mb, report.scrubbed_mb, report.dirty_after], ['partial', 160, 120, 120, 0]);
    const alone = new Memory(uuid()); // without NVML too
    alone.fault('held');
    assert.equal((await scrub({ ...alone.env }, alone.file.slice(alone.dir.length + 1)))[0], 'partial');
    drop(alone.dir);
});

test('a worker leases no card that a process is on, whatever its last look said; nor quarantines it', async () => {
    const machine = new Machine([card(0, { memory_mb: 160, uuid: known })]);
    const gateway = await new Gateway().open();
    const crew = await new Crew('scrub').hire();
    const lock = () => readFileSync(join(machine.dir, 'locks', `${known}.lock`), 'utf8');
    try {
        writeFileSync(other, known);
        gateway.publish(probeManifest('brief'), probe.archive);
        crew.start(gateway.url, { ...machine.env, ...both(), OGPU_DEVICE_MS: '50' });
        await until(() => crew.events('device_held').length > 0, `held\n${crew.text}`);
        assert.deepEqual([memory.clean, crew.events('device_quarantined')], [false, []]);
        rmSync(other);
        await until(() => memory.clean && crew.events('scrubbed').some((e) => e.end === '0'), `a scrub\n${crew.text}`);
        await crew.stop();
        assert.equal(lock(), 'clean\n');
    } finally {
        if (crew.child) await crew.stop('SIGKILL');
        gateway.close();
        crew.close();
        drop(machine.dir);
    }
});
