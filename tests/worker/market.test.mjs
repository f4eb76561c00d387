// SPDX-License-Identifier: MIT
// Real workers at a real gateway: races, and every way in which a worker can leave in the middle of
// a run. The task is always done in the end, by somebody, once; the auditor finds the books right.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { expect } from '../support/actors.mjs';
import { eventually, sleep } from '../support/stack.mjs';
import { Market } from './market.mjs';
import { build, manifestOf } from './support.mjs';

let m;
before(async () => { m = await Market.open(); });
afterEach(() => m?.fire());
after(() => m?.close());

test('three workers race; the first valid output wins, the others are told to stop', async () => {
    const manifest = JSON.parse(readFileSync(join(build, 'examples/mandelbrot.manifest.json')));
    const s = await m.publish(manifest, readFileSync(join(build, 'examples/mandelbrot.oci.tar')));
    for (let i = 0; i < 3; i++) await m.hire([s]);
    const tasks = [];
    for (let i = 0; i < 4; i++) tasks.push(await m.submit(s, { racers: 3, input: { x: i, y: 0, zoom: 2, size: 64 } }));
    for (const task of tasks) {
        const t = await m.ended(task);
        assert.equal(t.status, 'succeeded');
        assert.deepEqual(t.result.outputs.map((o) => o.name), ['output.json', 'tile.png']);
        const tile = await m.client.get(t.result.outputs[1].url);
        assert.equal(tile.bytes.toString('latin1', 1, 4), 'PNG');
    }
    await eventually(async () => (await Promise.all(tasks.map((t) => m.attempts(t)))).flat().every((a) => a.status !== 'live'), 'all attempts ended');
});

test('the worker is killed in the middle: its lease runs out, another does the task', async () => {
    const s = await m.source('nap');
    const first = await m.hire([s]);
    const task = await m.submit(s);
    await m.live(task);
    first.kill('SIGKILL');
    await eventually(() => m.running() === 0, 'end of the container', 5000);
    await m.hire([s]);
    assert.equal((await m.ended(task)).status, 'succeeded');
    const list = await m.attempts(task);
    assert.equal(list.length, 2);
    assert.deepEqual(list.map((a) => a.epoch).sort(), [1, 2]);
});

test('the worker is stopped past its lease and goes on: too late for this task, good for the next', async () => {
    const s = await m.source('nap', { limits: { timeout_s: 60 } });
    const first = await m.hire([s]);
    const task = await m.submit(s);
    await m.live(task);
    first.kill('SIGSTOP');
    await sleep(6000);
    await m.hire([s]);
    const t = await m.ended(task);
    first.kill('SIGCONT');
    assert.equal(t.status, 'succeeded');
    const [one] = (await m.attempts(task)).filter((a) => a.epoch === 1);
    assert.notEqual(one.status, 'won');
    m.crew[1].kill('SIGTERM');
    await m.crew[1].ended;
    assert.equal((await m.ended(await m.submit(s))).status, 'succeeded');
});

test('SIGTERM without time: the attempt is released, another does the task', async () => {
    const s = await m.source('nap');
    const first = await m.hire([s], { OGPU_DRAIN_S: '0' });
    const task = await m.submit(s);
    await m.live(task);
    first.kill('SIGTERM');
    assert.deepEqual(await first.ended, { code: 0, signal: null });
    assert.equal((await m.attempts(task))[0].status, 'released');
    await m.hire([s]);
    assert.equal((await m.ended(task)).status, 'succeeded');
});

test('a task whose image cannot be had: handed back, and its worker does others meanwhile', async () => {
    const good = await m.source('trap-empty');
    const other = { ...m.made, digest: `sha256:${'0'.repeat(64)}` }; // not what the archive holds
    const bad = await m.publish(manifestOf(other, { name: 'not-it', command: ['/bin/hostile', 'trap-empty'] }), m.made.archive);
    const older = await m.submit(bad);
    const younger = await m.submit(good);
    const first = await m.hire([bad, good]);
    assert.equal((await m.ended(younger)).status, 'succeeded');
    const [one, ...more] = await m.attempts(older);
    assert.deepEqual([one.status, one.error.code, more.length], ['released', 'image_refused', 0]);
    await m.hire([bad]);
    await eventually(async () => (await m.attempts(older)).length === 2, 'another operator\'s try');
    assert.equal((await m.ended(await m.submit(good))).status, 'succeeded');
    await eventually(async () => (await m.attempts(older)).every((a) => a.status === 'released'), 'the other\'s end');
    await m.sql.query('UPDATE attempt SET held_until = ogpu_now() WHERE id = (SELECT id FROM attempt WHERE held_until > ogpu_now() ORDER BY id LIMIT 1)');
    execFileSync('redis-cli', ['-u', m.stack.env.REDIS_URL, 'FLUSHALL']); // its clock does not jump
    const list = await eventually(async () => {
        const all = await m.attempts(older);
        return all.length === 3 && all;
    }, 'the first one\'s again');
    assert.equal(new Set(list.map((a) => a.provider)).size, 2);
    first.kill('SIGTERM');
    await first.ended;
    expect(await m.client.post(`/v1/tasks/${older.id}/cancel`, {}), 200);
});

test('a source that cannot succeed: told with the cause, attempt by attempt', async () => {
    const s = await m.source('words');
    await m.hire([s]);
    const task = await m.submit(s);
    const list = await eventually(async () => {
        const all = await m.attempts(task);
        return all.length > 0 && all.every((a) => a.status === 'failed') && all;
    }, 'a failed attempt');
    assert.match(JSON.stringify(list[0].error ?? list[0].reason), /exit/);
});

test('nothing runs any more, and the books are right', async () => {
    await eventually(() => m.running() === 0, 'end of all containers', 10_000);
    m.audit();
});
