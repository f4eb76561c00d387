// SPDX-License-Identifier: MIT
// Request lines and header lines: what is refused, how, and what stays usable afterwards.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ask, json, parse, Probe, request, sleep, start } from './probe.mjs';

let server;
before(async () => { server = await start('quiet'); });
after(() => server.stop());

const raw = (text) => ask(server.port, text);

const targets = {
    '*': 400, 'http://a/livez': 400, livez: 400, '/a b': 400, '/livez%00': 400, '/li%vez': 400,
    '/livez%0d%0aX:y': 400, '/livez#x': 400, '/l\x01': 400, '/\xff': 400, '/%ff': 404, '/livez/': 404,
    '//livez': 404, '/./livez': 404, '/../livez': 404, '/LIVEZ': 404, '/livez?a=%': 400, '/livez?%00': 400,
    '/livez?a=1': 422, '/thing/': 200, '/thing/%2e%2e%2flivez': 200, '/': 200, '/livez': 200,
    '/problems/task_not_found': 200, '/problems/nothing': 404, '/docs': 308, '/docs/': 404,
};
for (const [target, status] of Object.entries(targets)) {
    test(`GET ${JSON.stringify(target)} is ${status}`, async () => {
        assert.equal((await raw(request(`GET ${target}`))).status, status);
    });
}

const lines = {
    'GET /livez HTTP/1.1\r\n\r\n': [400], // no Host
    'GET /livez HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n': [400],
    'GET /livez HTTP/1.1\r\nHost:\r\n\r\n': [400],
    'GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n': [400],
    'GET /livez HTTP/1.2\r\nHost: a\r\n\r\n': [400],
    'GET /livez HTTP/2.0\r\nHost: a\r\n\r\n': [400, 505],
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n': [400, 505],
    'GET /livez\r\n\r\n': [400, 0],
    'GET\r\n\r\n': [400, 0],
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03': [0], // a TLS hello
    'GET /livez HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n': [400],
    'GET /livez HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n': [200], // dropped by libmicrohttpd, unseen
    'GET /livez HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n': [400],
    'GET /livez HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n': [400],
    'GET /livez HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n': [400],
    'GET /livez HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n': [400],
    'GET /livez HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n': [400],
    'GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx': [400], // GET with a body
    'G\x00T /livez HTTP/1.1\r\nHost: a\r\n\r\n': [400, 404, 405, 0],
    'GET /livez HTTP/1.0\r\nHost: a\r\n\r\n': [200],
};
for (const [text, allowed] of Object.entries(lines)) {
    test(`${JSON.stringify(text.slice(0, 70))} is ${allowed.join(' or ')}`, async () => {
        const { status } = await ask(server.port, text, allowed.includes(0) ? 700 : 5000);
        assert.ok(allowed.includes(status), `status ${status}`);
    });
}

test('a long target is refused, one byte less is read', async () => {
    const pad = (n) => `/thing/${'x'.repeat(n - 7)}`;
    assert.equal((await raw(request(`GET ${pad(4096)}`))).status, 200);
    assert.equal((await raw(request(`GET ${pad(4097)}`))).status, 400);
    assert.ok([400, 414, 0].includes((await raw(request(`GET ${pad(60000)}`))).status));
});

test('many and long headers are refused', async () => {
    const many = (n) => Array.from({ length: n }, (_, i) => `X-${i}: y\r\n`).join('');
    assert.equal((await raw(request('GET /livez', many(63)))).status, 200);
    assert.equal((await raw(request('GET /livez', many(64)))).status, 400);
    assert.ok([400, 431].includes((await raw(request('GET /livez', many(1500)))).status));
    assert.equal((await raw(request('GET /livez', `X: ${'y'.repeat(4096)}\r\n`))).status, 200);
    assert.equal((await raw(request('GET /livez', `X: ${'y'.repeat(4097)}\r\n`))).status, 400);
    assert.ok([400, 431].includes((await raw(request('GET /livez', `X: ${'y'.repeat(70000)}\r\n`))).status));
});

test('methods: 405 names what is allowed, HEAD is GET without a body', async () => {
    for (const method of ['DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'CONNECT', 'get', 'FOO']) {
        const reply = await raw(request(`${method} /echo`));
        assert.equal(reply.status, 405, method);
        assert.equal(reply.headers.allow, 'GET, HEAD, POST');
    }
    const probe = new Probe(server.port);
    probe.send(request('HEAD /livez') + request('GET /livez'));
    for (const end = Date.now() + 3000; !probe.text.includes('{"status":"ok"}') && Date.now() < end;) await sleep(10);
    await sleep(50); // a body of HEAD's would be there too
    const head = parse(probe.text, 'HEAD')[0];
    assert.equal(head.status, 200);
    assert.equal(head.headers['content-length'], '15');
    assert.equal(probe.text.split('{"status":"ok"}').length, 2, 'one body only');
    probe.drop();
});

test('the request id is taken over when it fits', async () => {
    const id = async (value) => (await raw(request('GET /livez', `X-Request-Id: ${value}\r\n`)))
        .headers['x-request-id'];
    assert.equal(await id('abcd-EFG_1'), 'abcd-EFG_1');
    assert.equal(await id('x'.repeat(64)), 'x'.repeat(64));
    for (const bad of ['short', 'x'.repeat(65), 'has space', 'semi;colon']) {
        assert.match(await id(bad), /^req_[0-9a-hjkmnp-tv-z]{26}$/);
    }
});

test('bodies: type, size, form', async () => {
    const post = (headers, body) => raw(request('POST /echo', headers, body));
    assert.equal((await post(json, '{"a":1}')).body, '{"a":1}');
    assert.equal((await post('Content-Type: application/json; charset=utf-8\r\n', '[]')).status, 200);
    assert.equal((await post('Content-Type: text/plain\r\n', '{}')).status, 415);
    assert.equal((await post('Content-Type: application/jsonx\r\n', '{}')).status, 415);
    assert.equal((await post('', '{}')).status, 415);
    assert.equal((await post(json, '')).status, 400);
    assert.equal((await post(json, '{"a":1,"a":2}')).status, 400);
    const full = `"${'x'.repeat(65534)}"`;
    assert.equal((await post(json, full)).status, 200);
    const more = new Probe(server.port);
    more.send(request('POST /echo', json, `${full} `));
    assert.equal((await more.replies(1))[0]?.status, 413);
    assert.ok(await more.closes());
    more.drop();
    assert.equal((await post(`${json}Content-Encoding: gzip\r\n`, '{}')).status, 400);
    assert.equal((await raw(request('POST /ring', '', '{ }'))).status, 204);
    assert.equal((await raw(request('POST /ring', '', '{"a":1}'))).status, 400);
});

test('a refused small body leaves the connection usable', async () => {
    const probe = new Probe(server.port);
    probe.send(request('POST /nowhere', json, '{"a":1}') + request('GET /livez'));
    const replies = await probe.replies(2);
    assert.deepEqual(replies.map((r) => r.status), [404, 200]);
    assert.ok(!probe.closed);
    probe.drop();
});

test('a header value with a line break never leaves', async () => {
    const probe = new Probe(server.port);
    probe.send(request('GET /newline'));
    assert.ok(await probe.closes());
    assert.ok(!probe.text.includes('X-Evil'));
});

test('credentials: missing, mistyped, of the wrong kind, twice', async () => {
    const code = async (headers) => {
        const reply = await raw(request('GET /key', headers));
        return `${reply.status} ${JSON.parse(reply.body).code}`;
    };
    const key = `ogpu_sk_live_${'0'.repeat(38)}`;
    assert.equal(await code(''), '401 MISSING_CREDENTIALS');
    assert.equal(await code(`Authorization: Bearer ${key}\r\n`), '401 INVALID_API_KEY');
    assert.equal(await code(`X-API-Key: ${key}\r\n`), '401 INVALID_API_KEY');
    assert.equal(await code('Authorization: Basic YTpi\r\n'), '401 INVALID_API_KEY');
    assert.equal(await code('Authorization: Bearer\r\n'), '401 INVALID_API_KEY');
    assert.equal(await code(`Authorization: Bearer ${key}\r\nX-API-Key: ${key}\r\n`), '400 BAD_REQUEST');
    const reply = await raw(request('GET /key'));
    assert.equal(reply.headers['www-authenticate'], 'Bearer realm="ogpu"');
});
