// SPDX-License-Identifier: MIT
// Bodies that are too long and come all the same: the answer is there before their end, and no reset overtakes it, neither on the
// server's own port nor through HAProxy. Whoever never ends is cut off.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePort } from '../support/free_port.mjs';
import { answers, ask, counters, request, sleep, start } from './probe.mjs';

const MIB = 1 << 20;
const piece = Buffer.alloc(65536, 'x');
let server, haproxy, folder, front;

before(async () => {
    server = await start('quiet');
    front = await freePort();
    folder = mkdtempSync(join(process.env.OGPU_TEST_TMP ?? tmpdir(), 'large-'));
    const config = join(folder, 'haproxy.cfg');
    writeFileSync(config, `defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
frontend front
    bind 127.0.0.1:${front}
    default_backend back
backend back
    server one 127.0.0.1:${server.port}
`);
    haproxy = spawn('haproxy', ['-db', '-f', config], { stdio: 'ignore' });
    await answers(front);
});
after(async () => {
    haproxy.kill('SIGKILL');
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
});

/** Sends `bytes` of body however the server takes it. @returns the answer, and whether all of the body could be written */
function send(port, path, bytes, { method = 'POST', length } = {}) {
    return new Promise((done, failed) => {
        const headers = { 'content-type': 'application/json', ...(length ? { 'content-length': bytes } : { 'transfer-encoding': 'chunked' }) };
        const req = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false });
        const out = { status: 0, body: '', sent: false };
        let left = bytes;
        const more = () => {
            while (left > 0) {
                const n = Math.min(left, piece.length);
                left -= n;
                if (!req.write(piece.subarray(0, n))) {
                    req.once('drain', more);
                    return;
                }
            }
            req.end(() => { out.sent = true; });
        };
        req.on('response', (res) => {
            out.status = res.statusCode;
            out.headers = res.headers;
            res.setEncoding('utf8').on('data', (d) => { out.body += d; });
            res.on('error', failed);
            res.on('end', () => done(out));
        });
        req.on('error', (e) => (out.status ? undefined : failed(e)));
        more();
    });
}

function told(reply) {
    assert.equal(reply.status, 413);
    assert.equal(reply.headers['content-type'], 'application/problem+json');
    assert.equal(reply.headers['cache-control'], 'no-store');
    assert.match(reply.headers['x-request-id'], /^req_/);
    assert.ok(Date.parse(reply.headers.date) > 0);
    const problem = JSON.parse(reply.body);
    assert.deepEqual([problem.status, problem.code], [413, 'TOO_LARGE']);
}

for (const length of [false, true]) {
    for (const size of [70_000, 200_000, 9 * MIB, 30 * MIB]) {
        test(`${size} bytes ${length ? 'with their length' : 'in chunks'} to an operation that takes 64 KiB`, async () => {
            for (let i = 0; i < 3; i++) {
                told(await send(server.port, '/echo', size, { length }));
                told(await send(front, '/echo', size, { length }));
            }
        });
    }
}

test('a stream that is longer than its operation takes is told as well', async () => {
    told(await send(server.port, '/stream', 80 * MIB, { method: 'PUT' }));
    told(await send(front, '/stream', 80 * MIB, { method: 'PUT' }));
});

test('all that is not too much for us to throw away is read, so the connection ends by an end and not by a reset', async () => {
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    let [text, ended, error] = ['', false, null];
    socket.setEncoding('latin1').on('data', (d) => { text += d; });
    socket.on('end', () => { ended = true; });
    socket.on('error', (e) => { error = e; });
    const write = (b) => new Promise((done) => { socket.write(b, () => setImmediate(done)); }); // so that what comes is read
    await write('POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n');
    for (let i = 0; i < 30 * 16; i++) {
        await write(`${piece.length.toString(16)}\r\n`);
        await write(piece);
        await write('\r\n');
    }
    assert.match(text, /^HTTP\/1\.1 413 /, 'answered before its end');
    await write('0\r\n\r\n');
    for (let i = 0; i < 500 && !ended && !error; i++) {
        await sleep(10);
    }
    assert.equal(error, null);
    assert.ok(ended);
    assert.equal(text.match(/HTTP\/1\.1 /g).length, 1, 'one answer');
    socket.destroy();
});

test('who never ends is cut off, and what comes after on the connection is no request', async () => {
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    let [text, over, sent] = ['', false, 0];
    socket.setEncoding('latin1').on('data', (d) => { text += d; });
    socket.on('error', () => { over = true; });
    socket.on('close', () => { over = true; });
    socket.write('POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n');
    while (!over && sent < 200 * MIB) {
        await new Promise((done) => { socket.write(Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]), () => setImmediate(done)); });
        sent += piece.length;
    }
    assert.ok(over, `took ${sent} bytes`);
    assert.match(text, /^HTTP\/1\.1 413 /);
    const late = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
    let answers = '';
    late.setEncoding('latin1').on('data', (d) => { answers += d; });
    late.on('error', () => {});
    late.write(`POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n${'x'.repeat(70000)}GET /livez HTTP/1.1\r\nHost: a\r\n\r\n`);
    await new Promise((done) => { late.on('end', done); late.on('close', done); });
    assert.equal(answers.match(/HTTP\/1\.1 /g).length, 1);
    late.destroy();
});

test('the server is as it was', async () => {
    assert.equal((await ask(server.port, request('GET /livez'))).status, 200);
    assert.equal((await counters(server.port)).undelivered, 0);
});
