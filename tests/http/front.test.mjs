// SPDX-License-Identifier: MIT
// The same shapes through HAProxy, which repairs some of them: whatever it makes of a request, no
// other client's answer may be disturbed. Connections to the server are shared between clients here.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePort } from '../support/free_port.mjs';
import { answers, ask, counters, json, Probe, request, sleep, start } from './probe.mjs';
import { bodies, shapes, smuggled } from './shapes.mjs';

let server;
let haproxy;
let folder;
let port;

before(async () => {
    server = await start('quiet');
    port = await freePort();
    folder = mkdtempSync(join(process.env.OGPU_TEST_TMP ?? tmpdir(), 'front-'));
    const config = join(folder, 'haproxy.cfg');
    writeFileSync(config, `defaults
    mode http
    timeout connect 2s
    timeout client 5s
    timeout server 5s
    http-reuse always
frontend front
    bind 127.0.0.1:${port}
    default_backend back
backend back
    server one 127.0.0.1:${server.port} maxconn 2
`);
    execFileSync('haproxy', ['-c', '-f', config], { stdio: 'ignore' });
    haproxy = spawn('haproxy', ['-db', '-f', config], { stdio: 'ignore' });
    await answers(port);
});
after(async () => {
    haproxy.kill('SIGKILL');
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
});

/** Other clients' requests, one after the other on the shared connections. */
async function bystanders(label) {
    for (let i = 0; i < 3; i++) {
        const id = `bystander-${i}-${Date.now()}`;
        const reply = await ask(port, request('POST /echo', `${json}X-Request-Id: ${id}\r\n`, `["${id}"]`));
        assert.equal(reply.status, 200, label);
        assert.equal(reply.headers['x-request-id'], id, label);
        assert.equal(reply.body, `["${id}"]`, label);
    }
}

for (const [shape, headers] of Object.entries(shapes)) {
    test(`${shape}: bystanders get their own answers`, async () => {
        for (const [kind, body] of Object.entries(bodies)) {
            const probe = new Probe(port);
            probe.send(`POST /echo HTTP/1.1\r\nHost: a\r\n${json}${headers}\r\n${body}${smuggled}`);
            await probe.replies(1, 300);
            await bystanders(`${shape}, ${kind}`);
            probe.drop();
        }
    });
}

test('the server is as it was', async () => {
    assert.equal((await ask(server.port, request('GET /livez'))).status, 200);
    assert.equal((await counters(server.port)).undelivered, 0);
});
