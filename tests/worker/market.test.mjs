// SPDX-License-Identifier: MIT
// Real workers at a real gateway: races, and every way in which a worker can leave in the middle of
// a run. The task is always done in the end, by somebody, once; the auditor finds the books right.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { Sql } from '../support/sql.mjs';
import { Stack, eventually, sleep } from '../support/stack.mjs';
import { expect, newClient } from '../support/actors.mjs';
import { build, execute, hostile, imageOf, manifestOf, processesOf, sweep, uidBase, worker } from './support.mjs';

const settings = {
    L1_CHAIN_ID: '31337', L1_SETTLEMENT: '0x5FbDB2315678afecb367f032d93F642f64180aa3', L1_VAULT: `0x${'11'.repeat(20)}`,
    OGPU_LEASE_S: '4',
};
const master = '0x90F79bf6EB2c4f870365E785982E1f101E93b906';
const made = imageOf(hostile);
let stack, sql, client, url;
let serial = 0;
let crew = [];
const base = uidBase();

before(async () => {
    stack = Stack.up('postgres migrate redis gateways', settings);
    process.env.DATABASE_URL = stack.env.DATABASE_URL;
    sql = await Sql.open(stack.env.DATABASE_URL);
    url = `http://${stack.env.OGPU_GATEWAY_1}`;
    client = await newClient(url, sql);
});
afterEach(async () => {
    for (const w of crew) {
        w.kill('SIGKILL');
        await w.ended;
        await eventually(() => running() === 0, 'end of the containers', 5000);
        sweep(w.work);
    }
    crew = [];
});
after(async () => {
    await sql?.close();
    await stack?.down();
});

/** Publishes a manifest with its archive. */
async function publish(manifest, archive) {
    const put = await client.put(`/v1/blobs/${manifest.image.blob}`, archive);
    assert.ok([200, 201].includes(put.status), `${put.status}`); // 200 when it is there already
    return expect(await client.post('/v1/sources', { manifest }), 201);
}
const source = (act, changes) => publish(manifestOf(made, { name: `test-${++serial}`, command: ['/bin/hostile', act], ...changes }), made.archive);

/** Starts a worker for one source with a key, a master and host ids of its own; waits until it is registered there. */
async function hire(at, env = {}) {
    const name = `worker-${++serial}`;
    const home = join(stack.run, name);
    mkdirSync(home);
    const key = join(home, 'key');
    await execute(worker, ['key', key]);
    const w = stack.start('ogpu-worker', {
        ...settings, OGPU_URL: url, OGPU_PROVIDER_KEY_FILE: key, OGPU_MASTER: master.replace(/..$/, String(10 + serial)),
        OGPU_WORK_DIR: join(home, 'work'), OGPU_SOURCES: at.map((s) => s.id).join(','),
        OGPU_UID_BASE: String(base + 65536 * serial), ...env,
    });
    w.work = join(home, 'work');
    crew.push(w);
    for (const s of at) {
        const count = crew.length;
        await eventually(async () => (await client.get(`/v1/sources/${s.id}/registrations`)).json.data.length >= count, 'registration');
    }
    return w;
}

const submit = async (s, over = {}) =>
    expect(await client.post('/v1/tasks', { source: s.id, input: {}, reward: '1000000000000', racers: 1, ...over }), 201);
const attempts = async (task) => expect(await client.get(`/v1/tasks/${task.id}/attempts`), 200).data;
const ended = (task) => eventually(async () => {
    const t = expect(await client.get(`/v1/tasks/${task.id}?wait=10`), 200);
    return t.finished_at && t;
}, 'end of the task', 60_000);
const running = () => processesOf(base).length;
const live = (task) => eventually(async () => (await attempts(task)).find((a) => a.status === 'live') && running() > 0, 'a run');

test('three workers race; the first valid output wins, the others are told to stop', async () => {
    const manifest = JSON.parse(readFileSync(join(build, 'examples/mandelbrot.manifest.json')));
    const s = await publish(manifest, readFileSync(join(build, 'examples/mandelbrot.oci.tar')));
    for (let i = 0; i < 3; i++) await hire([s]);
    const tasks = [];
    for (let i = 0; i < 4; i++) tasks.push(await submit(s, { racers: 3, input: { x: i, y: 0, zoom: 2, size: 64 } }));
    for (const task of tasks) {
        const t = await ended(task);
        assert.equal(t.status, 'succeeded');
        assert.deepEqual(t.result.outputs.map((o) => o.name), ['output.json', 'tile.png']);
        const tile = await client.get(t.result.outputs[1].url);
        assert.equal(tile.bytes.toString('latin1', 1, 4), 'PNG');
    }
    await eventually(async () => (await Promise.all(tasks.map(attempts))).flat().every((a) => a.status !== 'live'), 'all attempts ended');
});

test('the worker is killed in the middle: its lease runs out, another does the task', async () => {
    const s = await source('nap');
    const first = await hire([s]);
    const task = await submit(s);
    await live(task);
    first.kill('SIGKILL');
    await eventually(() => running() === 0, 'end of the container', 5000);
    await hire([s]);
    assert.equal((await ended(task)).status, 'succeeded');
    const list = await attempts(task);
    assert.equal(list.length, 2);
    assert.deepEqual(list.map((a) => a.epoch).sort(), [1, 2]);
});

test('the worker is stopped past its lease and goes on: too late for this task, good for the next', async () => {
    const s = await source('nap', { limits: { timeout_s: 60 } });
    const first = await hire([s]);
    const task = await submit(s);
    await live(task);
    first.kill('SIGSTOP');
    await sleep(6000);
    await hire([s]);
    const t = await ended(task);
    first.kill('SIGCONT');
    assert.equal(t.status, 'succeeded');
    const [one] = (await attempts(task)).filter((a) => a.epoch === 1);
    assert.notEqual(one.status, 'won');
    crew[1].kill('SIGTERM');
    await crew[1].ended;
    assert.equal((await ended(await submit(s))).status, 'succeeded');
});

test('SIGTERM without time: the attempt is released, another does the task', async () => {
    const s = await source('nap');
    const first = await hire([s], { OGPU_DRAIN_S: '0' });
    const task = await submit(s);
    await live(task);
    first.kill('SIGTERM');
    assert.deepEqual(await first.ended, { code: 0, signal: null });
    assert.equal((await attempts(task))[0].status, 'released');
    await hire([s]);
    assert.equal((await ended(task)).status, 'succeeded');
});

test('a source that cannot succeed: told with the cause, attempt by attempt', async () => {
    const s = await source('words');
    await hire([s]);
    const task = await submit(s);
    const list = await eventually(async () => {
        const all = await attempts(task);
        return all.length > 0 && all.every((a) => a.status === 'failed') && all;
    }, 'a failed attempt');
    assert.match(JSON.stringify(list[0].error ?? list[0].reason), /exit/);
});

test('nothing runs any more, and the books are right', async () => {
    await eventually(() => running() === 0, 'end of all containers', 10_000);
    const audit = spawnSync(join(build, 'bin/ogpu-auditor'), [], { env: { ...process.env, DATABASE_URL: stack.env.DATABASE_URL }, encoding: 'utf8' });
    assert.equal(audit.status, 0, audit.stdout + audit.stderr);
});
