// SPDX-License-Identifier: MIT
// Bodies and values at and beyond their bounds: malformed is 400, well-formed and wrong is 422 with a pointer, nothing has an effect.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { canonical, expect, manifest, sha256 } from '../support/actors.mjs';
import { UNIT, World, raw } from '../support/world.mjs';

let w, client, source;

before(async () => {
    w = await World.up();
    client = await w.client(10n ** 24n);
    source = await w.source(client, { max_expiry_s: 2592000 });
});
after(() => w?.down());

const json = { 'content-type': 'application/json' };
const post = (body, { path = '/v1/tasks', headers = json, http = client } = {}) =>
    raw(w.one, { method: 'POST', path, headers: { authorization: `Bearer ${http.token}`, ...headers }, body });
const tasks = async () => Number((await w.sql.query('SELECT count(*) AS n FROM task'))[0].n);
/** A task's body as text; `over` holds JSON texts by member. */
const order = (over = {}) => {
    const all = { source: JSON.stringify(source.id), input: '{}', reward: '"1000000000000"', ...over };
    return `{${Object.entries(all).filter(([, v]) => v !== undefined).map(([k, v]) => `${JSON.stringify(k)}:${v}`).join(',')}}`;
};
const nested = (depth) => '['.repeat(depth) + ']'.repeat(depth);

test('what is no JSON, or not JSON that every reader reads alike, is 400', async () => {
    const was = await tasks();
    const bytes = (...b) => Buffer.concat(b.map((x) => (typeof x === 'string' ? Buffer.from(x) : Buffer.from(x))));
    const [head, tail] = order({ input: '{"a":"@"}' }).split('@');
    const texts = ['', ' ', '{', '}', '{}x', '{} {}', '{"a"}', '{"a":}', '{"a":1,}', "{'a':1}", '{a:1}', '// x\n{}', '{"a":tru}', '\ufeff{}', '{"source"', 'NaN',
        ...['NaN', 'Infinity', '-Infinity', '01', '+1', '.5', '1.', '0x10', '1e', '-', '1_000', '١', '1e400', '-1e400', '1'.padEnd(41, '0'), '18446744073709551616', '9223372036854775808', 'undefined', '[1,]', '[,1]', '"\t"', '"a\nb"', '"\\x41"', '"\\u12"', '"\\ud800"', '"\\udc00\\ud800"',
            '"\\u0000"', '{"\\u0000":1}', '{"b":1,"b":1}', '{"b":1,"\\u0062":2}', '{"c":{"b":1,"b":2}}', '[{"b":1,"b":2}]'].map((v) => order({ input: `{"a":${v}}` })),
        order().replace('"input"', '"reward":"1","input"'), order({ input: `{"a":${nested(15)}}` }), order({ input: `{"a":${nested(100_000)}}` }), nested(2048),
        ...[[0x00], [0xff], [0xc0, 0xaf], [0xe0, 0x80, 0xaf], [0xed, 0xa0, 0x80], [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80], [0xc3], [0x80]].map((b) => bytes(head, b, tail)),
        Buffer.from(order(), 'utf16le'), bytes(order(), [0])];
    for (const body of texts) {
        const reply = await post(body);
        assert.equal(reply.status, 400, `${body.toString().slice(0, 100)}: ${reply.bytes}`);
        assert.equal(reply.json.code, 'BAD_JSON');
    }
    assert.equal(await tasks(), was);
});

test('sixteen deep is read', async () => {
    expect(await post(order({ input: `{"a":${nested(14)}}` })), 201);
});

test('wrong values are 422, each with a pointer', async () => {
    const was = await tasks();
    const entries = (n, v = '"x"') => `{${Array.from({ length: n }, (_, i) => `"k${i}":${v}`).join(',')}}`;
    const hex = (n) => JSON.stringify(Array.from({ length: n }, (_, i) => i.toString(16).padStart(64, '0')));
    const wrong = {
        reward: ['1', '0', '1.0', '1e12', 'null', 'true', '[]', '{}', '""', '"01"', '"+1"', '"-1"', '"-0"', '" 1"', '"1 "', '"1e3"', '"0x1"', '"1.0"', '"1_0"', '"١"', `"${2n ** 256n}"`, `"${10n ** 78n}"`, `"${'9'.repeat(78)}"`, `"${'1'.repeat(1000)}"`, '"NaN"', '"Infinity"', undefined],
        racers: ['0', '9', '-1', '2.5', '"2"', 'null', 'true', '[2]', '9223372036854775807', '-9223372036854775808'],
        expires_in_s: ['0', '-1', '2592001', '1.5', '"60"', 'null', '253402300800'],
        input: ['[]', '"x"', '1', 'null', 'true', undefined],
        source: ['null', '1', '""', '"x"', `"${'tsk'}${source.id.slice(3)}"`, `"${source.id.toUpperCase()}"`, `"${source.id} "`, '"src_80000000000000000000000000"', '"0193d4b2-7c1e-7a44-9a51-6f1c1b9e0d17"', undefined],
        function: ['""', '"1a"', '"a b"', '"../x"', `"${'a'.repeat(65)}"`, '"é"', 'null', '7'],
        delivery: ['"consensus"', '""', 'null', '["first_valid"]'],
        input_blobs: ['{}', '"x"', `["${'AB'.repeat(32)}"]`, `["${'ab'.repeat(31)}"]`, `["${'ab'.repeat(32)}","${'ab'.repeat(32)}"]`, hex(17), '[null]', `["0x${'ab'.repeat(32)}"]`],
        metadata: ['[]', '{"a":1}', '{"a":null}', '{"a b":"x"}', '{"":"x"}', entries(17), `{"a":"${'x'.repeat(513)}"}`, `{"${'a'.repeat(65)}":"x"}`, '{"__proto__ ":"x"}'],
        surprise: ['1'], __proto__x: ['{}'], id: ['"tsk_01m826rm18fa4azytb7bgkqykk"'], status: ['"succeeded"'],
    };
    for (const [member, values] of Object.entries(wrong)) {
        for (const value of values) {
            const reply = await post(order({ [member]: value }));
            assert.equal(reply.status, 422, `${member} ${value}: ${reply.bytes}`);
            assert.ok(reply.json.errors?.[0].pointer.startsWith(`/${member}`), `${member} ${value}: ${reply.bytes}`);
            assert.ok(reply.json.errors[0].message.length > 5);
            assert.ok(reply.json.detail.startsWith(`/${member}`));
            assert.equal(`/${reply.json.error.param}`, reply.json.errors[0].pointer);
        }
    }
    for (const body of ['[]', 'null', 'true', '1', '"x"', '{}']) {
        assert.equal((await post(body)).status, 422, body);
    }
    const many = await post(order({ racers: '0', reward: '1', input: '[]', expires_in_s: '0' }));
    assert.deepEqual(many.json.errors.map((e) => e.pointer).sort(), ['/expires_in_s', '/input', '/racers', '/reward']);
    assert.equal(await tasks(), was);
});

test('numbers that readers would see differently are refused, others have one digest', async () => {
    for (const n of ['9007199254740993', '-9007199254740993', '9223372036854775807']) {
        const reply = await post(order({ input: `{"n":${n}}` }));
        assert.equal(reply.status, 422, n);
        assert.match(reply.json.detail, /^\/input/);
    }
    const inputs = ['{"n":-0}', '{"n":-0.0}', '{"n":1.0}', '{"n":1e3}', '{"n":1E-7}', '{"n":1e21}', '{"n":0.1}', '{"n":9007199254740991}', '{"n":5e-324}', '{"n":1.7976931348623157e308}', '{"b":1,"a":2,"A":3,"":4}',
        '{"é":1,"e\\u0301":2,"\\ud83d\\ude00":3,"\\ufb33":4,"\\u20ac":5}', '{"__proto__":{"x":1},"constructor":2,"toString":3}', '{"a":"\\u2028\\u202e\\u200b\\u007f\\u0001\\/\\\\\\""}', '{"a":[[],{},null,true,false,""]}'];
    for (const text of inputs) {
        const task = expect(await post(order({ input: text })), 201);
        // JSON.parse keeps __proto__ as an own member; stringify writes numbers and strings as RFC 8785 does.
        assert.equal(task.input_digest, sha256(canonical(JSON.parse(text))), text);
    }
});

test('one rule for integers: what they are, not how they are spelled', async () => {
    const publish = (mb) => post(JSON.stringify({ manifest: manifest({ name: 'spelled' }) }).replace('"memory_mb":64', `"memory_mb":${mb}`), { path: '/v1/sources' });
    const plain = expect(await publish('64'), 201);
    for (const mb of ['64.0', '6.4e1', '64.000000000000000001']) assert.equal(expect(await publish(mb), 201).manifest_hash, plain.manifest_hash, mb);
    for (const mb of ['64.5', '1e300', '"64"']) assert.equal((await publish(mb)).status, 422, mb);
    for (const [racers, status] of [['2', 201], ['2.0', 201], ['2e0', 201], ['2.5', 422]])
        assert.equal((await post(order({ racers }))).status, status, racers);
});

test('a name is one line that reads as it is', async () => {
    for (const name of ['a\nb', '\u001b[2J', '\u0085', 'a\u202eb', '\u2066', '\u2028']) {
        const reply = expect(await client.post('/v1/sources', { manifest: manifest({ name }) }), 422);
        assert.equal(reply.detail, '/manifest/name: must be one line without control characters or bidirectional overrides', JSON.stringify(name));
    }
    for (const name of ['שלום', '日本語 😀', '👩‍💻']) expect(await client.post('/v1/sources', { manifest: manifest({ name }) }), 201);
});

test('a refusal says what is wrong', async () => {
    const details = { '{"a"': "line 1 column 4: ':' expected", '"\\u0000"': 'line 1 column 8: a text holds a NUL character', '[]': 'the body must be an object' };
    for (const [body, detail] of Object.entries(details)) assert.equal((await post(body)).json.detail, detail);
});

test('the nil id is nobody\'s: not found, never everybody\'s', async () => {
    const nil = '0'.repeat(26);
    for (const [path, code] of [[`sources/src_${nil}`, 'SOURCE_NOT_FOUND'], [`tasks/tsk_${nil}`, 'TASK_NOT_FOUND'],
        [`providers/prv_${nil}`, 'PROVIDER_NOT_FOUND'], [`tasks/tsk_${nil}/proof`, 'TASK_NOT_FOUND']]) {
        assert.equal(expect(await client.get(`/v1/${path}`), 404).code, code);
    }
    assert.equal((await client.get(`/v1/tasks?source=src_${nil}`)).status, 422);
    assert.equal((await post(order({ source: `"src_${nil}"` }))).status, 422);
});

test('labels come back as they were given', async () => {
    const labels = { wide: '日本語 😀', rtl: 'שלום \u202e', combining: 'e\u0301', controls: '\u0001\t\r\n', quote: '"\\/', empty: '' };
    const task = expect(await client.post('/v1/tasks', { source: source.id, input: {}, reward: '1', metadata: labels }), 201);
    assert.deepEqual(task.metadata, labels);
    assert.deepEqual(expect(await client.get(task.urls.self), 200).metadata, labels);
});

test('a body of exactly the limit is read, one byte more is not', async () => {
    for (const [path, body, max] of [['/v1/withdrawals', JSON.stringify({ amount: UNIT.toString() }), 65536], ['/v1/sources', JSON.stringify({ manifest: manifest() }), 262144], ['/v1/tasks', order(), 1048576]]) {
        expect(await post(body.padEnd(max, ' '), { path }), 201);
        // Refused by its announced length and closed: bytes sent after that could cost the client the answer.
        const over = await raw(w.one, { method: 'POST', path, headers: { authorization: `Bearer ${client.token}`, ...json }, length: max + 1 });
        assert.equal(over.status, 413, path);
        assert.equal(over.json.code, 'TOO_LARGE');
        const chunked = await fetch(w.one + path, {
            method: 'POST', headers: { ...json, authorization: `Bearer ${client.token}` }, duplex: 'half',
            body: new ReadableStream({ start: (c) => { c.enqueue(Buffer.from(body.padEnd(max + 1, ' '))); c.close(); } }),
        });
        assert.equal(chunked.status, 413, `${path} chunked`);
    }
});

test('media types', async () => {
    for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON', 'application/json ;x=1']) {
        expect(await post(order(), { headers: { 'content-type': type } }), 201);
    }
    for (const headers of [{}, { 'content-type': 'text/json' }, { 'content-type': 'application/jsonx' }, { 'content-type': 'application/x-www-form-urlencoded' }, { 'content-type': 'text/plain, application/json' }, { 'content-type': '' }]) {
        const reply = await post(order(), { headers });
        assert.equal(reply.status, 415, JSON.stringify(headers));
    }
});

test('rewards around the balance', async () => {
    const balance = 10n ** 18n + 7n;
    const poor = await w.client(balance);
    const submit = (wei) => w.submit(poor, source, { reward: wei.toString() });
    for (const wei of [balance + 1n, 2n ** 255n, 2n ** 256n - 1n]) {
        const reply = await submit(wei);
        assert.equal(reply.status, 402, String(wei));
        assert.equal(reply.json.code, 'INSUFFICIENT_FUNDS');
        assert.equal(reply.json.error.type, 'invalid_request_error');
    }
    assert.equal((await submit(2n ** 256n)).status, 422);
    const all = expect(await submit(balance), 201);
    assert.equal(all.reward, balance.toString());
    const bare = { available: '0', frozen: balance.toString(), payable: '0', claimable: '0' };
    assert.deepEqual(await w.balances(poor), bare);
    assert.equal((await submit(1n)).status, 402);
    expect(await poor.post(all.urls.cancel), 200);
    assert.equal((await w.balances(poor)).available, balance.toString());
    const two = await Promise.all([submit(balance), submit(balance), submit(1n), submit(balance)]);
    const frozen = two.filter((r) => r.status === 201).reduce((n, r) => n + BigInt(r.json.reward), 0n);
    assert.ok(two.every((r) => [201, 402].includes(r.status)));
    assert.equal((await w.balances(poor)).frozen, frozen.toString());
    assert.ok(frozen > 0n && frozen <= balance);
});

test('a source\'s own bounds', async () => {
    const strict = await w.source(client, { min_reward: '1000', max_expiry_s: 60 });
    for (const [over, status, code] of [[{ reward: '999' }, 422, 'REWARD_TOO_SMALL'], [{ reward: '0' }, 422, 'REWARD_TOO_SMALL'], [{ expires_in_s: 61 }, 422, 'EXPIRY_TOO_LONG'], [{}, 201], [{ expires_in_s: 1 }, 201], [{ racers: 1 }, 201], [{ racers: 8 }, 201]]) {
        const reply = await w.submit(client, strict, { reward: '1000', expires_in_s: 60, ...over });
        assert.equal(reply.status, status, JSON.stringify(over));
        assert.equal(reply.json.code, code);
    }
    const task = expect(await w.submit(client, source, { expires_in_s: 2592000 }), 201);
    assert.equal(Date.parse(task.expires_at) - Date.parse(task.created_at), 2592000_000);
});

test('withdrawals', async () => {
    const balance = 3n * UNIT + 5n;
    const poor = await w.client(balance);
    const out = (amount) => poor.post('/v1/withdrawals', { amount: amount.toString() });
    for (const [amount, status] of [[0n, 422], [1n, 422], [UNIT - 1n, 422], [balance + 1n, 402], [2n ** 256n - 1n, 402], [2n ** 256n, 422], [UNIT, 201], [balance - UNIT, 201], [UNIT, 402]]) {
        assert.equal((await out(amount)).status, status, String(amount));
    }
    assert.deepEqual(await w.balances(poor), { available: '0', frozen: '0', payable: balance.toString(), claimable: '0' });
});

test('manifests', async () => {
    const digest = `sha256:${'ab'.repeat(32)}`;
    const hosts = ['models.example.org'];
    const badEgress = [[], {}, { hosts }, { hosts, max_bytes: 0 }, { hosts, max_bytes: 2 ** 40 + 1 }, { hosts: [], max_bytes: 1 }, { hosts, max_bytes: 1, extra: 1 },
        ...['10.0.0.1', '127.1', '[::1]', 'localhost', '*', '*.org', 'a.*.org', 'a.org:0', 'a.org:65536', 'xn--a.org', 'a_b.org', 'user@a.org'].map((h) => ({ hosts: [h], max_bytes: 1 }))];
    const bad = [{ name: '' }, { name: 'x'.repeat(101) }, { contract: 'shell' }, { environments: [] }, { environments: ['cpu', 'cpu'] }, { environments: ['tpu'] }, { image: {} }, { image: { digest } },
        { image: { digest: 'ab'.repeat(32), blob: 'ab'.repeat(32) } }, { image: { digest, reference: 'registry.example/echo:latest' } }, { image: { digest, reference: `registry.example/echo@sha256:${'cd'.repeat(32)}` } },
        { image: { digest, reference: `registry.example/echo@${digest}`, blob: 'ab'.repeat(32) } }, { image: { digest, reference: `UPPER.example/echo@${digest}` } }, { image: { digest, reference: `../etc@${digest}` } },
        { limits: { memory_mb: 64 } }, { min_reward: 5 }, { max_expiry_s: 0 }, { command: [] }, { command: Array(65).fill('x') }, { env: { 'A B': 'x' } }, { env: { A: 1 } }, ...badEgress.map((egress) => ({ egress })), { extra: true }, { name: undefined }];
    for (const over of bad) {
        const reply = await client.post('/v1/sources', { manifest: manifest(over) });
        assert.equal(reply.status, 422, `${JSON.stringify(over)}: ${reply.bytes}`);
        assert.ok(['VALIDATION_ERROR', 'BAD_MANIFEST'].includes(reply.json.code));
    }
    const good = manifest({ name: 'Ünïcode 源 😀', description: '', command: ['sh', '-c', 'echo "$A"'], env: { A: 'ä=b', _x: '' },
        egress: { hosts: [...hosts, '*.cdn.example.org:8443'], max_bytes: 2 ** 40 } });
    const made = expect(await client.post('/v1/sources', { manifest: good }), 201);
    assert.equal(made.manifest_hash, sha256(canonical(good)));
    assert.deepEqual(expect(await client.get(made.urls.self), 200).manifest, good);
});

test('every exchange fitted and the books are right', () => w.verify());
