// SPDX-License-Identifier: MIT
// What every caller may rely on, whatever the operation: request ids, tags, pages, times, problems, methods.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Http, expect, manifest, sha256 } from '../support/actors.mjs';
import { confirmBatch } from '../support/batch.mjs';
import { World, raw } from '../support/world.mjs';

const octets = { 'content-type': 'application/octet-stream' };
let w, client, source, provider, done, began, made;

before(async () => {
    w = await World.up();
    client = await w.client();
    source = await w.source(client);
    provider = await w.provider(source);
    began = Date.now();
    ({ task: done } = await w.succeeded(client, source, provider));
    made = Date.now();
    await w.onChain(provider.master.address);
    expect(await client.post('/v1/withdrawals', { amount: '1000000000000' }), 201);
});
after(() => w?.down());

const auth = () => ({ authorization: `Bearer ${client.token}` });

test('X-Request-Id: taken over, else made, in header and problem alike', async () => {
    for (const id of ['12345678', 'req_A-z_09', 'x'.repeat(64)]) {
        const reply = await raw(w.one, { path: '/v1/tasks/none', headers: { ...auth(), 'x-request-id': id } });
        assert.equal(reply.headers.get('x-request-id'), id);
        assert.equal(reply.json.request_id, id);
        assert.equal(reply.json.error.request_id, id);
    }
    const made = new Set();
    const odd = ['1234567', 'x'.repeat(65), 'with.dots.in', 'with blank', 'ä'.repeat(9), '"quoted-id"', '12345678,12345678', '<script>', undefined];
    for (const id of odd) {
        const reply = await raw(w.one, { path: '/v1/tasks/none', headers: { ...auth(), ...(id ? { 'x-request-id': Buffer.from(id).toString('latin1') } : {}) } });
        assert.match(reply.headers.get('x-request-id'), /^req_[0-9a-z]{26}$/, id);
        assert.equal(reply.json.request_id, reply.headers.get('x-request-id'));
        made.add(reply.json.request_id);
    }
    assert.equal(made.size, odd.length);
});

test('single resources: a tag, 304 while it is the same, another tag when it is not', async () => {
    const blob = `/v1/blobs/${sha256('tagged')}`;
    expect(await client.put(blob, Buffer.from('tagged'), octets), 201);
    const batch = await confirmBatch(w);
    const paths = [source.urls.self, done.urls.self, done.urls.result, `/v1/providers/${provider.id}`, `/v1/settlements/${batch.id}`, `/v1/proofs/${client.account.address}`, '/v1/account', blob, '/openapi.json', '/openapi.yaml', '/docs/'];
    for (const path of paths) {
        const full = await client.get(path);
        const tag = full.headers.get('etag');
        assert.match(tag, /^"[\x21\x23-\x7e]+"$/, path);
        assert.equal((await raw(w.two, { path, headers: auth() })).headers.get('etag'), tag, `${path} on the other gateway`);
        for (const match of [tag, `W/${tag}`, '*', `"other", ${tag}`, `W/"a",W/${tag} , "b"`]) {
            const reply = await raw(w.one, { path, headers: { ...auth(), 'if-none-match': match } });
            assert.equal(reply.status, 304, `${path} ${match}`);
            assert.equal(reply.bytes.length, 0);
            for (const name of ['etag', 'cache-control', 'vary', 'x-request-id']) {
                assert.equal(reply.headers.has(name), full.headers.has(name), `${path} ${name}`);
            }
        }
        for (const match of ['"other"', tag.slice(0, -2) + '"', tag.replaceAll('"', ''), '']) {
            assert.equal((await raw(w.one, { path, headers: { ...auth(), 'if-none-match': match } })).status, 200, `${path} ${match}`);
        }
        const head = await raw(w.one, { method: 'HEAD', path, headers: auth() });
        assert.equal(head.status, 200);
        assert.equal(head.bytes.length, 0);
        const said = (r) => [...r.headers].filter(([n]) => !['date', 'x-request-id', 'connection', 'keep-alive'].includes(n)).sort();
        assert.deepEqual(said(head), said(await raw(w.one, { path, headers: auth() })), path);
        assert.equal((await raw(w.one, { method: 'HEAD', path, headers: { ...auth(), 'if-none-match': tag } })).status, 304);
    }
});

test('a tag changes with what it tags', async () => {
    const tag = async (path) => (await client.get(path)).headers.get('etag');
    const made = await w.submit(client, source);
    const task = expect(made, 201);
    const before_ = await tag(task.urls.self);
    assert.equal(made.headers.get('etag'), before_);
    const money = await tag('/v1/account');
    expect(await client.post(task.urls.cancel), 200);
    assert.notEqual(await tag(task.urls.self), before_);
    assert.notEqual(await tag('/v1/account'), money);
    const s = await w.source(client, { name: 'retires' });
    const [was, offered] = [await tag(s.urls.self), await w.provider()];
    await offered.offer(s);
    const counted = await tag(s.urls.self);
    assert.notEqual(counted, was);
    expect(await client.post(s.urls.retire), 200);
    assert.notEqual(await tag(s.urls.self), counted);
});

/** All rows of a list by its Link headers; `between` runs after each page. */
async function walk(http, path, between = () => {}) {
    const rows = [];
    for (let next = path, pages = 0; next; pages++) {
        assert.ok(pages < 100, path);
        const page = await http.get(next);
        const { data, has_more: more, next_cursor: cursor } = expect(page, 200);
        const link = page.headers.get('link')?.match(/^<([^>]+)>; rel="next"$/)?.[1];
        assert.equal(more, cursor !== null);
        assert.equal(more, link !== undefined);
        assert.ok(!more || link.includes(`cursor=${cursor}`));
        rows.push(...data);
        await between(data);
        next = link;
    }
    return rows;
}

test('pages stay right while rows arrive, and keep their filters', async () => {
    const mine = await w.source(client, { name: 'paged' });
    const ids = [];
    for (let i = 0; i < 7; i++) {
        ids.push(expect(await w.submit(client, mine), 201).id);
    }
    expect(await client.post(`/v1/tasks/${ids[3]}/cancel`), 200);
    const rows = await walk(client, `/v1/tasks?limit=2&source=${mine.id}&status=queued`, () => w.submit(client, mine));
    assert.deepEqual(rows.map((t) => t.id), ids.filter((_, i) => i !== 3).reverse());
    for (let i = 0; i < 3; i++) {
        await w.provider(mine);
    }
    const whole = async (path) => (await client.get(`${path}${path.includes('?') ? '&' : '?'}limit=100`)).json.data;
    for (const path of ['/v1/account/ledger', '/v1/providers', '/v1/sources', '/v1/sources?status=active', `/v1/sources?owner=${client.account.address.toLowerCase()}`, mine.urls.registrations, done.urls.events, '/v1/settlements', '/v1/withdrawals']) {
        const all = await whole(path);
        assert.deepEqual(await walk(client, `${path}${path.includes('?') ? '&' : '?'}limit=1`), all, path);
        assert.ok(all.length > 0, path);
    }
    const late = await walk(client, '/v1/providers?limit=2', () => w.provider());
    assert.equal(new Set(late.map((p) => p.id)).size, late.length);
});

test('limits and cursors that are none', async () => {
    const { next_cursor: cursor } = expect(await client.get('/v1/account/ledger?limit=1'), 200);
    for (const limit of ['0', '101', '-1', '1.5', '+1', '', 'x', '1e1', '0x1', '99999999999999999999', ' 1', '1&limit=2']) {
        const reply = await raw(w.one, { path: `/v1/account/ledger?limit=${limit.replace(' ', '%20')}`, headers: auth() });
        assert.equal(reply.status, 422, `limit=${limit}: ${reply.bytes}`);
        assert.deepEqual([reply.json.errors[0].pointer, reply.json.errors[0].in], ['/limit', 'query']);
    }
    expect(await client.get('/v1/account/ledger?limit=100'), 200);
    const broken = [cursor.slice(0, -1), cursor.slice(1), `${cursor}A`, `${cursor}${cursor}`, 'A', 'A'.repeat(512), ...Array.from(cursor, (c, i) => cursor.slice(0, i) + (c === 'A' ? 'B' : 'A') + cursor.slice(i + 1))];
    for (const c of broken) {
        assert.equal((await client.get(`/v1/account/ledger?cursor=${c}`)).json.code, 'BAD_CURSOR', c);
    }
    for (const path of ['/v1/tasks', '/v1/sources', '/v1/providers', '/v1/settlements', '/v1/withdrawals', source.urls.registrations, done.urls.events]) {
        assert.equal((await client.get(`${path}?cursor=${cursor}`)).json.code, 'BAD_CURSOR', path);
    }
    for (const c of ['', '%00', 'a=b', 'A'.repeat(513), "'"]) {
        assert.ok([400, 422].includes((await raw(w.one, { path: `/v1/account/ledger?cursor=${c}`, headers: auth() })).status), c);
    }
    for (const query of ['status=nothing', 'source=x', `source=${done.id}`, 'owner=0x12', 'Limit=1', 'limit=1;cursor=x']) {
        assert.equal((await raw(w.one, { path: `/v1/tasks?${query}`, headers: auth() })).status, 422, query);
    }
});

test('times are RFC 3339 in UTC, and in order', async () => {
    const times = [done.created_at, done.updated_at, done.expires_at, done.finished_at, done.result.accepted_at, ...expect(await client.get(done.urls.events), 200).data.map((e) => e.at)];
    for (const t of times) {
        assert.match(t, /^20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d\.\d{6}Z$/);
        assert.ok(Number.isFinite(Date.parse(t)));
    }
    const at = Date.parse(done.created_at);
    assert.ok(at >= began - 1000 && at <= made + 1000, done.created_at);
    assert.ok(done.created_at <= done.finished_at && done.finished_at <= done.expires_at);
});

test('problems: one body for people, programs and OpenAI-style clients', async () => {
    const types = { 400: 'invalid_request_error', 401: 'authentication_error', 403: 'permission_error', 404: 'not_found_error', 409: 'conflict_error', 422: 'invalid_request_error' };
    const open = expect(await w.submit(client, source), 201);
    for (const reply of [
        await client.get('/v1/tasks?cursor=AAAA'), await new Http(w.one).get('/v1/account'), await client.post('/v1/claims', { claim_ref: 'x' }), await client.get('/v1/tasks/tsk_x'),
        await client.get(open.urls.result), await client.get('/v1/tasks?limit=0'), await client.get('/nowhere'), await client.post('/v1/tasks', []),
    ]) {
        const p = reply.json;
        assert.equal(reply.headers.get('content-type'), 'application/problem+json');
        assert.equal(p.status, reply.status);
        assert.deepEqual(p.error, { message: p.detail, type: types[p.status], param: p.error.param, code: p.code, request_id: p.request_id });
        assert.ok(p.error.param === null || p.errors[0].pointer === `/${p.error.param}`);
        assert.equal(reply.headers.get('cache-control'), 'no-store');
        assert.ok(p.detail.length > 0 && p.title.length > 0);
        const page = await fetch(new URL(new URL(p.type).pathname, w.one));
        assert.equal(page.status, 200, p.type);
        assert.ok((await page.text()).includes(p.code));
    }
    assert.equal((await client.get('/nowhere?x=1')).json.instance, '/nowhere');
});

test('404 for paths, 405 with Allow for methods', async () => {
    for (const path of ['/nowhere', '/v1', '/v1/', '/v1/tasks/', '//v1/tasks', '/v1//tasks', '/V1/tasks', '/v1/tasks/x/y', '/v1/Tasks', '/v1/tasks;x=1', '/docs/a/b', '/docs/../livez', '/docs/%2e%2e%2flivez', '/favicon.ico', '/.git/config']) {
        for (const method of ['GET', 'POST', 'HEAD']) {
            const reply = await raw(w.one, { method, path, headers: auth() });
            // An id that is none is an id that does not exist: there the method is judged first.
            const known = method === 'POST' && ['/v1/tasks/', '/docs/%2e%2e%2flivez'].includes(path);
            assert.equal(reply.status, known ? 405 : 404, `${method} ${path}`);
        }
    }
    for (const [template, item] of Object.entries(w.contract.document.paths)) {
        const known = ['get', 'post', 'put', 'patch', 'delete'].filter((m) => item[m]).flatMap((m) => (m === 'get' ? ['GET', 'HEAD'] : [m.toUpperCase()]));
        for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'].filter((m) => !known.includes(m))) {
            const reply = await raw(w.one, { method, path: template.replace(/\{\w+\}/g, 'x'), headers: auth() });
            assert.equal(reply.status, 405, `${method} ${template}`);
            assert.deepEqual(reply.headers.get('allow').split(', ').sort(), [...known].sort(), template);
        }
    }
});

test('a body where none is read may be empty or {}', async () => {
    const cancel = async (body, headers = { 'content-type': 'application/json' }) => {
        const task = expect(await w.submit(client, source), 201);
        return raw(w.one, { method: 'POST', path: task.urls.cancel, headers: { ...auth(), ...headers }, body });
    };
    for (const [body, headers] of [[undefined, {}], ['', {}], ['{}'], [' {} '], ['\n']]) {
        assert.equal((await cancel(body, headers)).status, 200, body);
    }
    assert.equal((await cancel('{"x":1}')).status, 422);
    assert.equal((await cancel('[]')).status, 422);
    assert.equal((await cancel('x')).status, 400);
    assert.equal((await client.post('/v1/sources', { manifest: manifest(), x: 1 })).json.errors[0].pointer, '/x');
});

test('every exchange fitted and the books are right', () => w.verify());
