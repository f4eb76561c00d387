// SPDX-License-Identifier: MIT
// OpenGPU's container contract with services that keep it badly: nothing but the callback of the task
// in flight counts, once; what upstream swallows ends here with a reason.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Bench, hostile, imageOf } from '../worker/support.mjs';

const made = imageOf(hostile);
let bench;
before(() => { bench = new Bench('crun'); });
after(() => bench.close());

const serve = async (what, end, changes = {}) => {
    const limits = { timeout_s: 5, output_bytes: 1 << 20, ...changes.limits };
    const r = await bench.act(made, `http-${what}`, { contract: 'http', ...changes, limits });
    assert.equal(r.end, end, JSON.stringify(r));
    return r;
};

test('no callback at all (what upstream swallows): the deadline, with a reason', async () => {
    const r = await serve('silent', 'timeout', { limits: { timeout_s: 1 } });
    assert.match(r.reason, /no end after 1000 ms/);
});

test('the service leaves before its callback', async () => {
    const r = await serve('leave', 'exit');
    assert.equal(r.status, 3);
});

test('a service that never listens: the deadline', () => serve('x', 'timeout', { command: ['/bin/hostile', 'hang'], limits: { timeout_s: 1 } }));

test('a slow start is waited for', async () => {
    const r = await serve('slow-start', 'ok');
    assert.deepEqual(r.json, { slow: true });
    assert.ok(r.usage.start_ms + r.usage.wall_ms >= 950);
});

test('another answer than 202 to the run request', async () => {
    assert.match((await serve('teapot', 'bad_output')).reason, /answered POST \/run with 418/);
});

test('callbacks for another task, by another method, to no task: refused; then the real one counts', async () => {
    const { json } = await serve('odd', 'ok');
    assert.deepEqual(json, { wrong: 404, method: 405, root: 404 });
});

test('a callback before the task was handed over is refused', async () => {
    const guess = '0x0000000000000000000000000000000000000000'; // what `try` calls every task
    const { json } = await serve('early', 'ok', { env: { GUESS: guess } });
    assert.deepEqual(json, { early: 'refused' });
});

test('a callback in chunks, after 100 Continue', async () => {
    assert.deepEqual((await serve('chunked', 'ok')).json, { a: 1 });
});

test('a callback that is too large, no JSON, no object', async () => {
    assert.match((await serve('large', 'output_limit')).reason, /callback/);
    assert.match((await serve('text', 'bad_output')).reason, /one JSON object/);
    assert.match((await serve('list', 'bad_output')).reason, /one JSON object/);
});

test('a crowd of silent connections costs only the source its own time', () => serve('crowd', 'timeout', { limits: { timeout_s: 1 } }));
