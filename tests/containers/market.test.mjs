// SPDX-License-Identifier: MIT
// A composed source on the real market: published at a gateway, pulled and run by a real worker,
// paid; what the gateway refuses it names with its line.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { expect } from '../support/actors.mjs';
import { eventually } from '../support/stack.mjs';
import { World } from '../support/world.mjs';
import { execute, processesOf, sweep, uidBase, worker } from '../worker/support.mjs';
import { composeOf, composed, registry, sdk } from './support.mjs';

const made = sdk();
const base = uidBase();
let w, stack, client, hub, home;

before(async () => {
    w = await World.up({ OGPU_LEASE_S: '4' });
    ({ stack } = w);
    client = await w.client();
    hub = await registry(made);
    home = join(stack.run, 'worker');
    mkdirSync(home);
});
after(async () => {
    hub?.close();
    if (home) sweep(join(home, 'work'));
    await w?.down();
});

const publish = (manifest) => client.post('/v1/sources', { manifest });
const submit = async (source, fn) => expect(await client.post('/v1/tasks',
    { source: source.id, function: fn, input: { x: 21 }, reward: '1000000000000', racers: 1, expires_in_s: 30 }), 201);

test('the gateway refuses with the line, and takes what can be run', async () => {
    const bad = await publish(composed(composeOf(hub.host, made, ['    cap_add: [SYS_ADMIN]'])));
    assert.equal(bad.status, 422);
    assert.equal(bad.json.code, 'BAD_MANIFEST');
    assert.match(bad.json.detail, /^\/manifest\/compose\/cpu: line 11: cap_add is refused/);
    const many = await publish(composed(composeOf(hub.host, made, ['    cap_add: [SYS_ADMIN]', '    pid: host'], ['networks: {}'])));
    assert.deepEqual(many.json.errors.map((e) => [e.pointer, /^line \d+: \S+/.exec(e.message)?.[0]]), [
        ['/manifest/compose/cpu', "line 13: 'networks'"], ['/manifest/compose/cpu', 'line 11: cap_add'], ['/manifest/compose/cpu', 'line 12: pid']]);
    for (const [changes, pattern] of [[{ environments: ['cpu', 'amd'] }, /a file for each of environments/], [{ contract: 'exec' }, /contract must be http/],
        [{ compose: { cpu: '' } }, /a file for each/], [{ compose: undefined }, /exactly one of image and compose/], [{ env: { A: 'b' } }, /belong into the compose/]]) {
        const r = await publish(composed(composeOf(hub.host, made), changes));
        assert.equal(r.status, 422, JSON.stringify(r.json));
        assert.match(r.json.detail, pattern);
    }
});

test('a registry on the provider\'s own machine is not looked at, unless the provider says so', async () => {
    const source = expect(await publish(composed(composeOf(hub.host, made), { name: 'near' })), 201);
    const key = join(home, 'far-key');
    await execute(worker, ['key', key]);
    const agent = stack.start('ogpu-worker', {
        ...w.settings, OGPU_URL: w.one, OGPU_PROVIDER_KEY_FILE: key, OGPU_SOURCES: source.id,
        OGPU_MASTER: '0x90F79bf6EB2c4f870365E785982E1f101E93b906', OGPU_WORK_DIR: join(home, 'far'), OGPU_UID_BASE: String(base),
    });
    const asked = await submit(source, 'double');
    const attempt = await eventually(async () => expect(await client.get(`/v1/tasks/${asked.id}/attempts`), 200).data.find((a) => a.status !== 'live'),
        'an ended attempt', 20_000);
    assert.match(attempt.error.message, /not a public one/);
    assert.deepEqual(hub.seen, [], 'nobody asked it anything');
    agent.kill('SIGTERM');
    await agent.ended;
});

test('published, claimed, pulled, run, accepted; the failure that upstream swallows is told', async () => {
    const source = expect(await publish(composed(composeOf(hub.host, made), { limits: { timeout_s: 2 } })), 201);
    const key = join(home, 'key');
    await execute(worker, ['key', key]);
    const agent = stack.start('ogpu-worker', {
        ...w.settings, OGPU_URL: w.one, OGPU_PROVIDER_KEY_FILE: key, OGPU_SOURCES: source.id,
        OGPU_MASTER: '0x90F79bf6EB2c4f870365E785982E1f101E93b906', OGPU_WORK_DIR: join(home, 'work'), OGPU_UID_BASE: String(base),
        OGPU_PRIVATE_REGISTRIES: 'true',
    });
    let go;
    hub.hold = new Promise((done) => { go = done; });
    const good = await submit(source, 'double');
    const attempts = async () => expect(await client.get(`/v1/tasks/${good.id}/attempts`), 200).data[0];
    const pulling = await eventually(async () => { const a = await attempts(); return a?.pulled_bytes > 0 && a; }, 'the image on its way', 20_000);
    assert.equal(pulling.phase, 'pulling');
    assert.ok(pulling.image_bytes > pulling.pulled_bytes, `${pulling.pulled_bytes} of ${pulling.image_bytes}`);
    go();
    const task = await eventually(async () => {
        const t = expect(await client.get(`/v1/tasks/${good.id}?wait=10`), 200);
        return t.finished_at && t;
    }, 'end of the task', 40_000);
    assert.equal(task.status, 'succeeded');
    assert.equal(JSON.parse((await client.get(task.result.outputs[0].url)).bytes).result, 42);
    const ended = await attempts();
    assert.deepEqual([ended.phase, ended.pulled_bytes, ended.image_bytes], [null, null, null], 'an ended attempt is at nothing');
    const bad = await submit(source, 'fail');
    const attempt = await eventually(async () => expect(await client.get(`/v1/tasks/${bad.id}/attempts`), 200).data.find((a) => a.status === 'failed'),
        'a failed attempt', 20_000);
    assert.match(JSON.stringify(attempt), /did not call back; last words: ValueError/);
    agent.kill('SIGTERM');
    await agent.ended;
    await eventually(() => processesOf(base).length === 0, 'end of all containers', 5000);
});

test('every exchange fitted and the books are right', () => w.verify());
