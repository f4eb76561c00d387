// SPDX-License-Identifier: MIT
// Requests whose framing two parsers could read differently: one 400, the connection closed, and
// nothing that follows is ever served.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ask, counters, json, parse, Probe, request, start } from './probe.mjs';
import { bodies, shapes, smuggled } from './shapes.mjs';

let server;
before(async () => { server = await start('quiet'); });
after(() => server.stop());

for (const [shape, headers] of Object.entries(shapes)) {
    for (const [kind, body] of Object.entries(bodies)) {
        test(`${shape}, body ${kind}`, async () => {
            const probe = new Probe(server.port);
            probe.send(`POST /echo HTTP/1.1\r\nHost: a\r\n${json}${headers}\r\n${body}${smuggled}`);
            assert.ok(await probe.closes(), 'the connection is closed');
            const first = parse(probe.text)[0];
            assert.ok([400, 413].includes(first.status), `status ${first.status}`);
            assert.ok(!/HTTP\/1\.1 20/.test(probe.text), 'nothing was served');
        });
    }
}

test('chunked in HTTP/1.0', async () => {
    const probe = new Probe(server.port);
    probe.send(`POST /echo HTTP/1.0\r\nHost: a\r\n${json}Transfer-Encoding: chunked\r\n\r\n`
        + `2\r\n{}\r\n0\r\n\r\n${smuggled}`);
    assert.ok(await probe.closes());
    assert.deepEqual(parse(probe.text).map((r) => r.status), [400]);
});

test('our own refusal is one complete problem', async () => {
    const reply = await ask(server.port, 'POST /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
    assert.equal(reply.status, 400);
    assert.equal(reply.headers.connection, 'close');
    assert.equal(reply.headers['content-type'], 'application/problem+json');
    const problem = JSON.parse(reply.body);
    assert.equal(problem.code, 'BAD_REQUEST');
    assert.equal(problem.request_id, reply.headers['x-request-id']);
});

const chunks = {
    'a chunk size with sign': '+2\r\n{}\r\n0\r\n\r\n',
    'a chunk size in 0x': '0x2\r\n{}\r\n0\r\n\r\n',
    'no chunk size': '\r\n{}\r\n0\r\n\r\n',
    'a chunk size that overflows': 'fffffffffffffffff\r\n{}\r\n0\r\n\r\n',
    'a chunk longer than its size': '2\r\n{}x\r\n0\r\n\r\n',
    'a letter for a size': 'zz\r\n{}\r\n0\r\n\r\n',
    'a space before the size': ' 2\r\n{}\r\n0\r\n\r\n',
};
for (const [shape, body] of Object.entries(chunks)) {
    test(shape, async () => {
        const probe = new Probe(server.port);
        probe.send(`POST /echo HTTP/1.1\r\nHost: a\r\n${json}Transfer-Encoding: chunked\r\n\r\n${body}`);
        assert.ok(await probe.closes());
        assert.ok(!/HTTP\/1\.1 20/.test(probe.text), probe.text);
    });
}

test('sound chunks are read, in any cut, and the next request is served', async () => {
    const whole = `POST /echo HTTP/1.1\r\nHost: a\r\n${json}Transfer-Encoding: chunked\r\n\r\n`
        + '3\r\n{"a\r\n4;x=y\r\n":1}\r\n0\r\nX-Trailer: t\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n';
    for (const cut of [1, 7, 40, whole.length]) {
        const probe = new Probe(server.port);
        for (let i = 0; i < whole.length; i += cut) {
            probe.send(whole.slice(i, i + cut));
            if (cut < 40) await new Promise((done) => { setImmediate(done); });
        }
        const replies = await probe.replies(2);
        assert.deepEqual(replies.map((r) => r.status), [200, 200]);
        assert.equal(replies[0].body, '{"a":1}');
        probe.drop();
    }
});

test('no probe reached an operation', async () => {
    const { rings } = await counters(server.port);
    assert.equal(rings, 0);
    assert.equal((await ask(server.port, request('GET /livez'))).status, 200);
});
