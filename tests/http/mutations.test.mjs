// SPDX-License-Identifier: MIT
// Sound requests with a few bytes changed, from a fixed seed: whatever comes of them, the answer is one
// of those we give, and the server goes on as if nothing had been.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ask, json, parse, Probe, request, start } from './probe.mjs';

const ROUNDS = 600;
const SEED = Number(process.env.OGPU_TEST_SEED ?? 20261122);
const allowed = new Set([200, 201, 204, 304, 308, 400, 401, 403, 404, 405, 413, 414, 415, 422, 431, 503, 505]);

let server;
before(async () => { server = await start('quiet', 'headers_ms=700', 'request_ms=1500'); });
after(() => server.stop());

/** mulberry32: the same numbers for the same seed. */
function random(seed) {
    let a = seed;
    return (n) => {
        a = (a + 0x6d2b79f5) | 0;
        let t = Math.imul(a ^ (a >>> 15), 1 | a);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) % n;
    };
}

const chunked = `POST /echo HTTP/1.1\r\nHost: a\r\n${json}Transfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n`;
const sound = [
    request('GET /livez'),
    request('GET /tagged', 'If-None-Match: "v7"\r\nAccept: */*\r\n'),
    request('GET /thing/tsk_01m826rm18fa4azytb7bgkqykk?x=1'),
    request('POST /echo', `${json}Idempotency-Key: "abc"\r\nX-Request-Id: abcdefgh\r\n`, '{"a":[1,2,{"b":null}]}'),
    request('PUT /stream', 'Content-Type: application/octet-stream\r\n', 'some bytes'),
    request('GET /key', 'Authorization: Bearer ogpu_sk_live_abc\r\n'),
    chunked,
];
const pieces = ['\r', '\n', '\r\n', '\0', ' ', '\t', ':', '%00', '%', '\xff', 'chunked', '0', '-', ',', ';', '"', '\x7f',
    'Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n', 'Host: b\r\n', '\r\n\r\n', 'HTTP/1.1', '../', 'x'.repeat(5000)];

function mutate(text, rand) {
    let out = text;
    for (let n = 1 + rand(3); n > 0; n--) {
        const at = rand(out.length + 1);
        const kind = rand(4);
        const piece = pieces[rand(pieces.length)];
        if (kind === 0) out = out.slice(0, at) + piece + out.slice(at);
        else if (kind === 1) out = out.slice(0, at) + out.slice(at + 1 + rand(8));
        else if (kind === 2) out = out.slice(0, at) + String.fromCharCode(rand(256)) + out.slice(at + 1);
        else out = out.slice(0, at) + out.slice(rand(out.length));
    }
    return out;
}

test(`mutated requests, seed ${SEED}`, async () => {
    const rand = random(SEED);
    for (let round = 0; round < ROUNDS; round += 20) {
        const texts = Array.from({ length: 20 }, () => mutate(sound[rand(sound.length)], rand));
        const probes = texts.map((text) => {
            const probe = new Probe(server.port);
            probe.send(text);
            return probe;
        });
        await Promise.all(probes.map((probe) => probe.replies(1, 120)));
        probes.forEach((probe, i) => {
            for (const { status } of parse(probe.text)) {
                assert.ok(allowed.has(status), `${status} for ${JSON.stringify(texts[i])}`);
            }
            probe.drop();
        });
        assert.equal((await ask(server.port, request('GET /livez'))).status, 200, `after round ${round}`);
    }
});

test('nothing is left of them', async () => {
    const { body } = await ask(server.port, request('GET /metrics'));
    const figure = (name) => Number(body.match(new RegExp(`^${name} (.*)$`, 'm'))[1]);
    assert.equal(figure('ogpu_http_requests_in_flight'), 1);
    assert.equal(figure('ogpu_http_uploads'), 0);
});
