// SPDX-License-Identifier: MIT
// Kept containers: the second task finds the service of the first, another source never does, and no
// fault is forgiven. Nothing outlives the worker, however it ends.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { Crew, frozen, until } from './crew.mjs';
import { Gateway } from './gateway.mjs';
import { cgroupsOf, hostile, imageOf, manifestOf } from './support.mjs';

const made = imageOf(hostile);
let crew, gateway, done;

before(async () => { crew = await new Crew('warm').hire(); });
beforeEach(async () => {
    gateway = await new Gateway().open();
    gateway.blobs.set(made.blob, made.archive);
    crew.text = '';
    done = 0;
});
afterEach(async () => {
    await crew.stop('SIGKILL');
    gateway.close();
    await until(() => crew.processes().length === 0, 'end of the containers', 10000);
});
after(() => crew.close());

const publish = (changes = {}) => gateway.publish(manifestOf(made, { contract: 'http', command: ['/bin/hostile', 'http-on'], ...changes }));
const start = (env) => crew.start(gateway.url, env);
const counted = (match) => gateway.log.filter((r) => match.test(r.path) && r.status !== undefined).length;

/** Submits a task and waits until it was answered and its container is at rest or gone: output.json, or the failure's body. */
async function task(source, input = {}, extra = {}) {
    gateway.submit(source, input, { function: 'run', ...extra });
    const at = done++;
    await until(() => counted(/(respond|fail)$/) > at, 'an answer');
    const r = gateway.log.filter((x) => /(respond|fail)$/.test(x.path) && x.status !== undefined)[at];
    if (r.path.endsWith('fail')) return r.body;
    const of = (name) => r.body.outputs.find((o) => o.name === name)?.sha256;
    return { ...JSON.parse(gateway.blobs.get(of('output.json'))), files: r.body.outputs.map((o) => o.name) };
}

test('the second task finds the first one\'s service; what it keeps and what it loses', async () => {
    const source = publish();
    start();
    const first = await task(source);
    assert.deepEqual([first.served, first.tmp, first.out], [1, 0, 0]);
    await until(() => frozen(crew.processes()), 'a frozen container');
    const second = await task(source);
    // memory and /tmp are the service's own; /out belongs to one task
    assert.deepEqual([second.served, second.tmp, second.out], [2, 1, 0]);
    assert.deepEqual(second.files, ['left.txt', 'output.json']);
    for (const n of [3, 4, 5]) assert.equal((await task(source)).served, n);
    const [cold, ...warm] = crew.events('run_ended');
    assert.ok(warm.every((e) => e.end === 'ok'));
    const starts = warm.map((e) => Number(e.start_ms));
    assert.ok(Math.min(...starts) <= Number(cold.start_ms), `${starts} ms after ${cold.start_ms} ms`);
    assert.deepEqual(crew.events('run_begins').map((e) => e.warm), ['0', '1', '1', '1', '1']);
});

test('OGPU_WARM_MB=0 keeps nothing', async () => {
    const source = publish();
    start({ OGPU_WARM_MB: '0' });
    for (const n of [1, 1]) assert.equal((await task(source)).served, n);
    await until(() => crew.processes().length === 0, 'no container');
});

test('two sources never share, even of the same image', async () => {
    const [one, other] = [publish(), publish({ name: 'other' })];
    start();
    assert.deepEqual([(await task(one)).served, (await task(other)).tmp], [1, 0]);
    await until(() => frozen(crew.processes()) && crew.processes().length === 2, 'two frozen containers');
    assert.equal(new Set(crew.processes().map(({ uid }) => uid)).size, 2, 'host ids of their own');
    assert.deepEqual([(await task(one)).served, (await task(other)).served], [2, 2]);
});

test('a task with input files gets a container of its own', async () => {
    const source = publish();
    start();
    await task(source);
    assert.equal((await task(source, {}, { input_blobs: [made.blob] })).served, 1);
    assert.equal((await task(source)).served, 2);
});

for (const [fault, code] of [['hang', 'timeout'], ['teapot', 'bad_output']]) {
    test(`after ${fault}: the container is gone, the next task gets a fresh one`, async () => {
        const source = publish({ limits: { timeout_s: 1 } });
        start();
        assert.equal((await task(source)).served, 1);
        assert.equal((await task(source, { do: fault })).code, code);
        const next = await task(source);
        assert.deepEqual([next.served, next.tmp], [1, 0]);
    });
}

test('a callback for another task than the one in flight: that task is fine, its container is not used again', async () => {
    const source = publish();
    start();
    await task(source);
    assert.equal((await task(source, { do: 'other' })).served, 2);
    assert.equal((await task(source)).served, 1);
});

test('a service that left or stopped listening while nobody asked: the task is run afresh, not failed', async () => {
    const source = publish();
    start();
    assert.equal((await task(source, { do: 'stop' })).served, 1);
    assert.equal((await task(source)).served, 1);
    assert.equal((await task(source, { do: 'leave' })).served, 2);
    assert.equal((await task(source)).served, 1);
    assert.equal(crew.events('warm_stale').length, 2);
    assert.equal(counted(/fail$/), 0);
});

test('more output than allowed is a fault, too', async () => {
    const source = publish({ limits: { output_bytes: 4 } });
    start();
    for (const n of [1, 2]) {
        assert.equal((await task(source)).code, 'output_limit', `${n}`);
        await until(() => crew.processes().length === 0, 'no container');
    }
});

test('recycled after so many tasks', async () => {
    const source = publish();
    start({ OGPU_WARM_TASKS: '2' });
    const served = [];
    for (let i = 0; i < 5; i++) served.push((await task(source)).served);
    assert.deepEqual(served, [1, 2, 1, 2, 1]);
});

test('memory for one: the worthier stays', async () => {
    const [busy, rare] = [publish(), publish({ name: 'rare' })];
    start({ OGPU_WARM_MB: '20' });
    await task(busy);
    await task(busy);
    assert.equal((await task(rare, { do: 'hold' })).served, 1); // holds 24 MiB: more than all there is
    await until(() => crew.events('warm_ended').some((e) => e.why === 'evicted'), 'an eviction');
    assert.equal((await task(busy)).served, 3);
    assert.equal((await task(rare)).served, 1);
});

test('draining kills what is at rest', async () => {
    start();
    await task(publish());
    await until(() => frozen(crew.processes()), 'a frozen container');
    assert.deepEqual(await crew.stop(), { code: 0, signal: null });
    await crew.nothingLeft();
    assert.deepEqual(cgroupsOf(crew.work), []);
});

test('kill -9 of the worker: what was frozen is gone at once', async () => {
    start();
    await task(publish());
    await until(() => frozen(crew.processes()), 'a frozen container');
    await crew.stop('SIGKILL');
    await crew.nothingLeft();
});

test('kill -9 of the worker and of all its supervisors: what stays frozen ends when the next worker starts', async () => {
    start();
    await task(publish());
    await until(() => frozen(crew.processes()), 'a frozen container');
    const { pid } = crew.child;
    const supervisors = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8') + crew.threads()
        .map((tid) => readFileSync(`/proc/${pid}/task/${tid}/children`, 'utf8')).join(' ');
    for (const child of new Set(supervisors.trim().split(/\s+/))) process.kill(Number(child), 'SIGKILL');
    await crew.stop('SIGKILL');
    start();
    await until(() => crew.processes().length === 0, 'end of the containers', 15_000);
});
