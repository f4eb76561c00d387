// SPDX-License-Identifier: MIT
// Faults of machines and sources at a real gateway. Each is told by its name, the task goes to
// another worker, nothing stays on the machine, and the books are right in the end.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { eventually, sleep } from '../support/stack.mjs';
import { frozen } from './crew.mjs';
import { Market } from './market.mjs';
import { cgroupsOf } from './support.mjs';

let m;
before(async () => { m = await Market.open(); });
afterEach(() => m?.fire());
after(() => m?.close());

const service = (changes) => m.source('http-on', { contract: 'http', ...changes });
const attemptsBy = (task, code) => eventually(async () => {
    const all = (await m.attempts(task)).filter((a) => a.status === 'failed');
    return all.length >= 2 && all.every((a) => JSON.stringify(a).includes(code)) && all;
}, `two attempts that ended with ${code}`, 30_000);

for (const [name, act, code, limits] of [
    ['a container that eats all memory', 'memory', 'out_of_memory', { memory_mb: 32 }],
    ['a container that hangs', 'hang', 'timeout', { timeout_s: 1 }],
]) {
    test(`${name}: told as ${code}, tried by another, nothing left`, async () => {
        const s = await m.source(act, { limits });
        const crew = [await m.hire([s]), await m.hire([s])];
        const list = await attemptsBy(await m.submit(s), code);
        assert.equal(new Set(list.map((a) => a.provider)).size, 2);
        for (const w of crew) await m.nothingLeft(w);
    });
}

test('a disk without room for the image: handed back without a run, done where there is room', async () => {
    const s = await m.source('nap');
    const disk = join(m.stack.run, 'small-disk');
    mkdirSync(disk);
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'none', disk]).status, 0);
    try {
        const cramped = await m.hire([s], { OGPU_WORK_DIR: join(disk, 'work') });
        const task = await m.submit(s);
        const [first] = await eventually(async () => {
            const all = await m.attempts(task);
            return all.length > 0 && all[0].status !== 'live' && all;
        }, 'the first attempt\'s end');
        assert.equal(first.status, 'released');
        await eventually(() => /image_unavailable.*No space left on device/.test(m.stack.log('ogpu-worker')), 'the cause in the log');
        cramped.kill('SIGTERM'); // it would try again and again
        assert.deepEqual(await cramped.ended, { code: 0, signal: null });
        await m.nothingLeft(cramped);
        await m.hire([s]);
        assert.equal((await m.ended(task)).status, 'succeeded');
    } finally {
        await m.fire();
        spawnSync('umount', [disk]);
    }
});

test('kill -9 while a container is kept: it is gone, the next task is done elsewhere', async () => {
    const s = await service();
    const first = await m.hire([s]);
    assert.equal((await m.ended(await m.submit(s))).status, 'succeeded');
    await eventually(() => frozen(m.processes()), 'a frozen container', 15_000);
    first.kill('SIGKILL');
    await first.ended;
    await m.nothingLeft(first);
    const second = await m.hire([s]);
    assert.equal((await m.ended(await m.submit(s))).status, 'succeeded');
    second.kill('SIGTERM');
    await second.ended;
    await m.nothingLeft(second);
    assert.deepEqual(cgroupsOf(second.work), []);
});

test('kill -9 in a kept container\'s second task: its lease runs out, another worker tries, the same worker starts clean', async () => {
    const s = await service({ limits: { timeout_s: 5 } });
    const first = await m.hire([s]);
    assert.equal((await m.ended(await m.submit(s))).status, 'succeeded');
    const task = await m.submit(s, { input: { do: 'hang' } });
    await eventually(() => m.running() > 0 && !frozen(m.processes()), 'a thawed container', 15_000);
    await m.live(task);
    first.kill('SIGKILL');
    await first.ended;
    await m.nothingLeft(first);
    const other = await m.hire([s]);
    const list = await eventually(async () => {
        const all = await m.attempts(task);
        return all.length === 2 && all.some((a) => a.status === 'live') && all;
    }, 'a second attempt', 15_000);
    assert.deepEqual(list.map((a) => a.epoch).sort(), [1, 2]);
    await eventually(async () => (await m.attempts(task)).some((a) => JSON.stringify(a).includes('timeout')), 'its end by time', 20_000);
    const again = await m.again(first);
    await eventually(() => cgroupsOf(again.work).length === 0, 'swept cgroups', 15_000);
    await m.nothingLeft(other);
});

test('a worker that is stopped past its lease with a kept container: it goes on, late and harmless', async () => {
    const s = await service();
    const first = await m.hire([s]);
    assert.equal((await m.ended(await m.submit(s))).status, 'succeeded');
    first.kill('SIGSTOP');
    const task = await m.submit(s);
    await sleep(1000);
    await m.hire([s]);
    assert.equal((await m.ended(task)).status, 'succeeded');
    first.kill('SIGCONT');
    await sleep(500);
    m.crew[1].kill('SIGTERM');
    await m.crew[1].ended;
    assert.equal((await m.ended(await m.submit(s))).status, 'succeeded');
    const answered = (await m.attempts(task)).filter((a) => a.status === 'won' || a.status === 'accepted');
    assert.ok(answered.length <= 1, JSON.stringify(answered));
});

test('the books are right, and the log is JSON to the last line', async () => {
    await eventually(() => m.running() === 0, 'end of all containers', 10_000);
    m.audit();
    for (const line of m.stack.log('ogpu-worker').trim().split('\n')) JSON.parse(line);
    assert.ok(readFileSync(join(m.stack.run, 'log/ogpu-worker.log'), 'utf8').length > 0);
});
