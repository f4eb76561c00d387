// SPDX-License-Identifier: MIT
// Clients that take their time: every deadline is absolute, one byte a moment does not move it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, Probe, request, sleep, start } from './probe.mjs';

/** Sends `text` one byte at a time; resolves to the milliseconds until the server closed. */
async function drip(port, text, every, limit) {
    const probe = new Probe(port);
    const begun = Date.now();
    await probe.opened;
    for (let i = 0; !probe.closed && Date.now() - begun < limit; i++) {
        if (text) probe.send(text[i % text.length]);
        await sleep(every);
    }
    const ms = probe.closed ? Date.now() - begun : Infinity;
    probe.drop();
    return { ms, text: probe.text };
}

test('deadlines', async (t) => {
    const server = await start('quiet', 'headers_ms=800', 'request_ms=1500', 'idle_ms=1000',
        'age_ms=4000', 'bytes_per_s=100000');
    const within = ({ ms }, from, to) => assert.ok(ms >= from && ms <= to, `cut after ${ms} ms`);

    await t.test('a request line that drips', async () => {
        within(await drip(server.port, `GET /${'x'.repeat(999)}`, 100, 5000), 700, 2000);
    });
    await t.test('headers that drip', async () => {
        within(await drip(server.port, `GET /livez HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(999)}`, 40, 5000), 700, 2000);
    });
    await t.test('nothing at all', async () => {
        within(await drip(server.port, '', 100, 5000), 700, 2000);
    });
    await t.test('a body that drips', async () => {
        const head = 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n';
        const probe = new Probe(server.port);
        const begun = Date.now();
        probe.send(head);
        while (!probe.closed && Date.now() - begun < 6000) {
            probe.send('1');
            await sleep(100);
        }
        within({ ms: Date.now() - begun }, 1400, 4000);
    });
    await t.test('a stream that drips in chunks', async () => {
        const probe = new Probe(server.port);
        const begun = Date.now();
        probe.send('PUT /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
        while (!probe.closed && Date.now() - begun < 8000) {
            probe.send('1\r\nx\r\n');
            await sleep(100);
        }
        within({ ms: Date.now() - begun }, 1400, 5000);
    });
    await t.test('a steady stream outlives the request deadline', async () => {
        const probe = new Probe(server.port);
        const pieces = 30;
        const piece = 'x'.repeat(20000);
        probe.send(`PUT /stream HTTP/1.1\r\nHost: a\r\nContent-Length: ${pieces * piece.length}\r\n\r\n`);
        for (let i = 0; i < pieces; i++) { // 200 kB/s for 3 s
            probe.send(piece);
            await sleep(100);
        }
        const [reply] = await probe.replies(1);
        assert.equal(reply?.status, 201);
        probe.drop();
    });
    await t.test('a long poll outlives it too', async () => {
        const reply = await ask(server.port, request('GET /wait?ms=2500'), 5000);
        assert.equal(reply.status, 204);
    });
    await t.test('a second request line that drips', async () => {
        const probe = new Probe(server.port);
        const begun = Date.now(); // before the server's own clock for it
        probe.send(request('GET /livez'));
        await probe.replies(1);
        while (!probe.closed && Date.now() - begun < 6000) {
            probe.send('G');
            await sleep(100);
        }
        within({ ms: Date.now() - begun }, 700, 3000);
    });
    await t.test('an old connection is told to close, an idle one is cut', async () => {
        const probe = new Probe(server.port);
        const begun = Date.now();
        let last;
        for (let n = 1; !probe.closed && Date.now() - begun < 8000; n++) {
            probe.send(request('GET /livez'));
            last = (await probe.replies(n)).at(-1);
            await sleep(100);
        }
        assert.equal(last.headers.connection, 'close');
        within({ ms: Date.now() - begun }, 3000, 5500);
        const idle = new Probe(server.port);
        const idle_since = Date.now();
        idle.send(request('GET /livez'));
        await idle.replies(1);
        assert.ok(await idle.closes(5000));
        within({ ms: Date.now() - idle_since }, 900, 2500);
    });
    await server.stop();
});

test('two hundred dripping clients over the limit of a hundred: service is back with the deadline', async () => {
    const server = await start('quiet', 'headers_ms=1000', 'connections=100');
    const attackers = Array.from({ length: 200 }, () => new Probe(server.port));
    let on = true;
    const attack = (async () => {
        for (let i = 0; on; i++) {
            for (const probe of attackers) probe.send('GET /livez HTTP/1.1\r\nHost: a\r\nX-Y: zzzzzzz'[i % 36]);
            await sleep(150);
        }
    })();
    await sleep(300);
    const begun = Date.now();
    const reply = await ask(server.port, request('GET /livez'), 9000);
    assert.equal(reply.status, 200);
    assert.ok(Date.now() - begun < 6000, `served after ${Date.now() - begun} ms`);
    on = false;
    await attack;
    await Promise.all(attackers.map((probe) => probe.closes(6000)));
    assert.equal(attackers.filter((probe) => !probe.closed).length, 0);
    await server.stop();
});
