// SPDX-License-Identifier: MIT
// Sources as OpenGPU's users package them, unmodified: a compose file, an image in a registry, a
// service with the SDK's habits. What upstream swallows ends here with a reason.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { image, layerOf, tar } from '../../tools/oci_image.mjs';
import { Bench } from '../worker/support.mjs';
import { composeOf, composed, registry, sdk } from './support.mjs';

const made = sdk();
let bench, hub;
before(async () => {
    bench = new Bench('crun');
    hub = await registry(made);
});
after(() => {
    hub.close();
    bench.close();
});

const run = (fn, { more, tail, input = { x: 21 }, ...changes } = {}) =>
    bench.try(composed(composeOf(hub.host, made, more, tail), changes), Buffer.alloc(0), { archive: '-', fn, input });
const ended = async (end, fn, options) => {
    const r = await run(fn, options);
    assert.equal(r.end, end, JSON.stringify(r));
    return r;
};

test('pulled by its digest, run, called back', async () => {
    const { json, stderr } = await ended('ok', 'double');
    assert.equal(json.result, 42);
    assert.equal(json.greeting, 'image');
    assert.equal(json.uid, 1000); // upstream's images are made for root: not here
    assert.match(json.provider, /^0x0{40}$/);
    assert.ok(hub.seen.some((url) => url === `/v2/sdk/service/manifests/${made.digest}`), stderr);
});

test('an error of the handler, and no result: upstream logs and forgets; here the deadline names it', async () => {
    const failed = await ended('timeout', 'fail', { limits: { timeout_s: 1 } });
    assert.match(failed.reason, /no end after 1000 ms: the service took the task and did not call back; last words: ValueError/);
    assert.match((await ended('timeout', 'none', { limits: { timeout_s: 1 } })).reason, /handler returned None/);
});

test('an unknown function, an input that does not validate: at once, with the reason', async () => {
    assert.match((await ended('bad_output', 'nosuch')).reason, /no function 'nosuch' \(404\)/);
    assert.match((await ended('bad_output', 'double', { input: { y: 1 } })).reason, /refuses the input \(422\)/);
});

test('a second callback, a callback for another task: only the first of the task in flight counts', async () => {
    assert.equal((await ended('ok', 'twice')).json.result, 42);
    assert.equal((await ended('ok', 'stolen')).json.result, 42);
});

test('a slow start: the port says when', async () => {
    const r = await ended('ok', 'double', { more: ['      - INIT_MS=700'] });
    assert.ok(r.usage.start_ms + r.usage.wall_ms >= 650, JSON.stringify(r.usage));
});

test('a slow start that is too slow: the deadline, with the reason', async () => {
    const r = await ended('timeout', 'double', { more: ['      - INIT_MS=60000'], limits: { timeout_s: 1 } });
    assert.match(r.reason, /never listened on port 5555/);
});

test('readiness, where a service has it: work comes when it says 200', async () => {
    const more = ['      - READY_AFTER_MS=600'];
    const early = await ended('ok', 'double', { more });
    const late = await ended('ok', 'double', { more, readiness: '/readiness' });
    assert.ok(late.usage.start_ms + late.usage.wall_ms >= 550, JSON.stringify(late.usage));
    assert.ok(early.usage.wall_ms < late.usage.wall_ms);
    const never = await ended('timeout', 'double', { more: ['      - READY_AFTER_MS=60000'], readiness: '/readiness', limits: { timeout_s: 1 } });
    assert.match(never.reason, /not ready/);
});

test('command, entrypoint, environment, user and folder of the file', async () => {
    const { json } = await ended('ok', 'double', { more: ['      - GREETING=from the file', '    user: "1234:1234"', '    working_dir: /tmp',
        '    entrypoint: /app/service', '    command: [a, b]'] });
    assert.equal(json.greeting, 'from the file');
    assert.equal(json.uid, 1234);
    const bad = await ended('start_failure', 'double', { more: ['    entrypoint: ["/app/missing"]'] });
    assert.match(bad.reason, /missing/);
});

test('a named volume is the provider\'s cache: read only when he filled it, empty when not', async () => {
    const volume = { more: ['    volumes:', '      - weights:/models'], tail: ['volumes:', '  weights:'] };
    const empty = await ended('ok', 'double', volume);
    assert.deepEqual([empty.json.model, empty.json.writable], ['none', 'yes']);
    const folder = join(bench.dir, 'work/volumes/weights');
    mkdirSync(folder);
    writeFileSync(join(folder, 'weights'), 'seven billion\n');
    const filled = await ended('ok', 'double', volume);
    assert.deepEqual([filled.json.model, filled.json.writable], ['seven billion', 'no']);
});

test('a volume whose place the image leads elsewhere is refused', async () => {
    const linked = image([layerOf([{ path: '/app/service', data: 'x' }]),
        tar([{ name: 'models', type: '2', link: '/proc' }])], { Entrypoint: ['/app/service'] });
    const other = await registry(linked);
    const file = composeOf(other.host, linked, ['    volumes:', '      - weights:/models/x'], ['volumes:', '  weights:']);
    const r = await bench.try(composed(file), Buffer.alloc(0), { archive: '-' });
    other.close();
    assert.equal(r.end, 'refused');
    assert.match(r.stderr, /no folder \/models\/x for a volume, or a link/);
});

test('what would open the provider\'s machine is refused with its line, before anything is pulled', async () => {
    const asked = hub.seen.length;
    for (const [line, pattern] of [['    privileged: true', /compose\.cpu, line 11: privileged is refused/],
        ['    volumes: ["/:/host"]', /line 11: a folder of the provider/], ['    network_mode: host', /line 11: network_mode/],
        ['    devices: ["/dev/kvm"]', /line 11: a device/]]) {
        const r = await run('double', { more: [line] });
        assert.equal(r.end, 'refused');
        assert.match(r.stderr, pattern);
    }
    assert.equal(hub.seen.length, asked);
});
