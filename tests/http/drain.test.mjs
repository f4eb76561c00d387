// SPDX-License-Identifier: MIT
// SIGTERM: not ready, long polls end, what is in flight finishes, exit 0.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, Probe, request, sleep, start } from './probe.mjs';

test('finishes what is in flight and loses nothing', async () => {
    const server = await start('quiet', 'lame_ms=2500');
    const waiting = new Probe(server.port);
    const working = new Probe(server.port);
    const idle = new Probe(server.port);
    const kept = new Probe(server.port);
    waiting.send(request('GET /wait?ms=30000'));
    working.send(request('GET /pool?ms=6000'));
    idle.send(request('GET /livez'));
    await idle.replies(1);
    await sleep(100);
    const begun = Date.now();
    server.child.kill('SIGTERM');
    await sleep(100);

    const ready = await ask(server.port, request('GET /readyz'));
    assert.equal(ready.status, 503);
    assert.equal(JSON.parse(ready.body).status, 'draining');
    assert.equal(ready.headers.connection, 'close');
    assert.equal((await ask(server.port, request('GET /livez'))).status, 200);
    kept.send(request('GET /livez'));
    const [last] = await kept.replies(1);
    assert.equal(last.status, 200);
    assert.equal(last.headers.connection, 'close');
    const [polled] = await waiting.replies(1);
    assert.equal(polled.status, 204);
    assert.ok(Date.now() - begun < 2500, 'the long poll ended at once');

    await sleep(Math.max(0, begun + 2500 - Date.now()));
    let late;
    do late = await ask(server.port, request('GET /livez'), 500); while (late.status !== 0 && Date.now() - begun < 5000);
    assert.equal(late.status, 0, 'nothing new is accepted');
    assert.ok(await idle.closes(1000));
    const [worked] = await working.replies(1, 10_000);
    assert.equal(worked.status, 200);
    assert.equal(await server.ended, 0);
    assert.ok(server.log.includes('drain_over'));
});

test('cuts what does not end, and still exits 0', async () => {
    const server = await start('quiet', 'lame_ms=50', 'drain_ms=400');
    const probe = new Probe(server.port);
    probe.send('POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{');
    const working = new Probe(server.port);
    working.send(request('GET /pool?ms=2000'));
    await sleep(100);
    const begun = Date.now();
    server.child.kill('SIGTERM');
    assert.equal(await server.ended, 0);
    assert.ok(Date.now() - begun < 3500);
    assert.ok(server.log.includes('drain_cut'));
    probe.drop();
    working.drop();
});

test('a second signal skips the lame time', async () => {
    const server = await start('quiet', 'lame_ms=20000');
    const begun = Date.now();
    server.child.kill('SIGTERM');
    await sleep(100);
    server.child.kill('SIGINT');
    assert.equal(await server.ended, 0);
    assert.ok(Date.now() - begun < 5000);
});

test('a taken port and a bad address are one clear line', async () => {
    const server = await start('quiet');
    await assert.rejects(start(`listen=127.0.0.1:${server.port}`), /cannot listen on 127\.0\.0\.1:\d+: Address already in use/);
    await assert.rejects(start('listen=nonsense'), /listen address nonsense is not host:port/);
    await server.stop();
});
