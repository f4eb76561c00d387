// SPDX-License-Identifier: MIT
// Who may do what: every route × every kind of caller × own, another's and a missing object. What is not one's own is answered
// as what is not there, to the header.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Http, expect, manifest, sha256 } from '../support/actors.mjs';
import { eventually } from '../support/stack.mjs';
import { World, raw } from '../support/world.mjs';

const octets = { 'content-type': 'application/octet-stream' };
let w, owner, stranger, source, provider, other, done, open, claim, blob, sealed, challenge;

before(async () => {
    w = await World.up();
    [owner, stranger] = [await w.client(), await w.client()];
    source = await w.source(owner);
    [provider, other] = [await w.provider(source), await w.provider(source)];
    done = (await w.succeeded(owner, source, provider, Buffer.from('of the owner'))).task;
    ({ task: open, claim } = await w.claimed(owner, source, provider, { expires_in_s: 600 }));
    blob = sha256('uploaded');
    expect(await owner.put(`/v1/blobs/${blob}`, Buffer.from('uploaded'), octets), 201);
    sealed = await provider.upload(claim, Buffer.from('sealed'));
    const device = { environment: 'nvidia', name: 'test', uuid: 'GPU-rights', memory_mb: 1 };
    expect(await provider.post(`/v1/providers/${provider.id}/heartbeat`, { devices: [device] }), 200);
    challenge = expect(await provider.post(`/v1/providers/${provider.id}/challenges`, { device: device.uuid }), 201).id;
});
after(() => w?.down());

const ABSENT = {
    task: 'tsk_01m826rm18fa4azytb7bgkqykk', attempt: 'att_01m826r1fgfa785jf9y9fq15sx', source: 'src_01m826rk20fh3bns8gc9pxehqh',
    provider: 'prv_01m826rg48fw2t5bgvbnps4wbh', sha256: 'cd'.repeat(32), challenge: 'chl_01m826rpz0exsvkcsyygkys0ra',
};
const outputs = [{ name: 'a', media_type: 'text/plain', size: 6, sha256: sha256('sealed') }];
const signature = `0x${'11'.repeat(64)}1b`;
const bodies = {
    createSource: () => ({ manifest: manifest() }), createTask: () => ({ source: source.id, input: {}, reward: '1' }), createWithdrawal: () => ({ amount: '1000000000000' }),
    createClaim: () => ({ claim_ref: randomUUID() }), respondAttempt: () => ({ epoch: 1, outputs, signature }), failAttempt: () => ({ code: 'no', message: '' }),
    createChallenge: () => ({ device: 'GPU-rights' }), commitChallenge: () => ({ root: 'ab'.repeat(32) }), openChallenge: () => ({ rows: [{ values: '00000000', path: [] }] }),
    heartbeatProvider: () => ({ devices: [] }), putRegistration: () => ({ environments: ['cpu'], nonce: 1, deadline: Math.floor(Date.now() / 1000) + 60, signature }),
};

/** Routes that ask for credentials. `at` fills the ids of the path. */
function guarded() {
    return Object.entries(w.contract.document.paths).flatMap(([template, item]) => ['get', 'put', 'post', 'delete']
        .filter((m) => item[m]?.security?.length > 0).map((m) => ({
            id: item[m].operationId,
            method: m.toUpperCase(),
            template,
            scopes: item[m]['x-scopes'] ?? [],
            kinds: new Set(item[m].security.map((s) => (Object.keys(s)[0] === 'providerToken' ? 'provider' : 'key'))),
            at: (ids) => template.replace(/\{(\w+)\}/g, (_, name) => ids[name]),
        })));
}

const call = (http, route, ids, method = route.method) => {
    const body = bodies[route.id]?.() ?? (route.method === 'PUT' ? Buffer.from('sealed') : undefined);
    return http.call(method, route.at(ids), method === 'GET' || method === 'HEAD' ? undefined : body, body instanceof Uint8Array ? octets : {});
};

const theirs = () => ({ task: done.id, attempt: claim.attempt, source: source.id, provider: provider.id, sha256: blob, challenge });

/** A key of the right form that nobody made: its check digits are right. */
function forgedKey() {
    const crc = (text) => {
        let c = 0xffffffff;
        for (const b of Buffer.from(text)) {
            c ^= b;
            for (let i = 0; i < 8; i++) {
                c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
            }
        }
        return (c ^ 0xffffffff) >>> 0;
    };
    const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    const secret = 'A'.repeat(32);
    let [n, check] = [crc(secret), ''];
    for (let i = 0; i < 6; i++, n = Math.floor(n / 62)) {
        check = base62[n % 62] + check;
    }
    return `ogpu_sk_live_${secret}${check}`;
}

test('401: nobody, garbage, and a well-formed key that nobody made', async () => {
    const callers = {
        MISSING_CREDENTIALS: [new Http(w.one)],
        INVALID_API_KEY: ['garbage', `${owner.token}x`, owner.token.slice(0, -1), owner.token.replace(/.$/, (c) => (c === 'a' ? 'b' : 'a')), 'ogpu_pt_', `${provider.token}0`, forgedKey()]
            .map((t) => new Http(w.two, t)),
    };
    for (const route of guarded()) {
        for (const [code, list] of Object.entries(callers)) {
            for (const http of list) {
                const reply = await call(http, route, theirs());
                const wrongKind = http.token === forgedKey() && !route.kinds.has('key');
                assert.equal(reply.status, wrongKind ? 403 : 401, `${route.id} ${http.token}`);
                assert.equal(reply.json.code, wrongKind ? 'SCOPE_DENIED' : code, `${route.id} ${http.token}`);
                if (!wrongKind) {
                    assert.match(reply.headers.get('www-authenticate'), /^Bearer /);
                }
            }
        }
    }
});

test('a key works in either header, not in both', async () => {
    const inHeader = { 'x-api-key': owner.token };
    assert.equal((await raw(w.one, { path: '/v1/account', headers: inHeader })).status, 200);
    assert.equal((await raw(w.one, { path: '/v1/account', headers: { authorization: `bearer ${owner.token}` } })).status, 200);
    assert.equal((await raw(w.one, { path: '/v1/account', headers: { ...inHeader, authorization: `Bearer ${owner.token}` } })).status, 400);
    assert.equal((await raw(w.one, { path: '/v1/account', headers: { authorization: `Basic ${owner.token}` } })).status, 401);
    assert.equal((await raw(w.one, { path: `/v1/account?api_key=${owner.token}` })).status, 401);
});

test('403: the wrong kind of credentials, and a key without the scope', async () => {
    const all = ['sources:write', 'tasks:read', 'tasks:write', 'blobs:write', 'account:read', 'account:write'];
    const without = Object.fromEntries(all.map((s) => [s, w.key(owner, all.filter((x) => x !== s).join(','))]));
    const only = Object.fromEntries(all.map((s) => [s, w.key(owner, s)]));
    for (const route of guarded()) {
        if (!route.kinds.has('provider')) {
            assert.equal((await call(provider, route, theirs())).json.code, 'SCOPE_DENIED', route.id);
        }
        if (!route.kinds.has('key')) {
            assert.equal((await call(owner, route, theirs())).json.code, 'SCOPE_DENIED', route.id);
            continue;
        }
        for (const scope of route.scopes) {
            assert.equal((await call(without[scope], route, theirs())).json.code, 'SCOPE_DENIED', `${route.id} without ${scope}`);
        }
        // One scope is enough where one is asked for; an object that is not there keeps it from having an effect.
        const reply = await call(only[route.scopes[0]], route, ABSENT);
        assert.ok(![401, 403].includes(reply.status), `${route.id} with ${route.scopes[0]}: ${reply.status}`);
    }
});

/** A reply without what differs by its nature: ids, the request's id, the date. */
function bare(reply, ids) {
    const text = Object.values(ids).reduce((t, id) => t.replaceAll(id, 'ID'), reply.bytes.toString()).replaceAll(reply.headers.get('x-request-id'), 'REQUEST');
    const headers = [...reply.headers].filter(([name]) => !['date', 'x-request-id'].includes(name));
    return { status: reply.status, text, headers };
}

test('what is another\'s is answered as what is not there', async () => {
    const cells = [];
    const yours = theirs();
    const alike = async (http, route, have, lack, status) => {
        for (const method of route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]) {
            const [a, b] = [await call(http, route, have, method), await call(http, route, lack, method)];
            assert.equal(a.status, status, `${route.id}: ${a.bytes}`);
            assert.deepEqual(bare(a, have), bare(b, lack), route.id);
        }
        cells.push(route.id);
    };
    for (const route of guarded()) {
        const over = (have, lack) => [{ ...yours, ...have }, { ...yours, ...lack }];
        if (route.template.includes('{task}')) {
            await alike(stranger, route, ...over({}, { task: ABSENT.task }), 404);
            await alike(stranger, route, ...over({ task: open.id }, { task: ABSENT.task }), 404);
        } else if (route.template.includes('{attempt}')) {
            await alike(other, route, ...over({}, { attempt: ABSENT.attempt }), 404);
        } else if (route.id === 'getBlob') {
            for (const digest of [blob, sealed, sha256('of the owner')]) {
                await alike(stranger, route, ...over({ sha256: digest }, { sha256: ABSENT.sha256 }), 404);
                await alike(other, route, ...over({ sha256: digest }, { sha256: ABSENT.sha256 }), 404);
            }
        } else if (route.id === 'retireSource') {
            await alike(stranger, route, ...over({}, { source: ABSENT.source }), 404);
        } else if (route.template.includes('{provider}')) {
            await alike(other, route, ...over({}, { provider: ABSENT.provider }), 403);
        }
    }
    assert.ok(cells.length >= 17, cells.join());
    assert.equal(expect(await owner.get(source.urls.self), 200).status, 'active');
    assert.equal(expect(await owner.get(open.urls.self), 200).status, 'running');
});

test('an id of another kind, or none at all, is not there either', async () => {
    const uuid = '0193d4b2-7c1e-7a44-9a51-6f1c1b9e0d17';
    const odd = [source.id, claim.attempt, uuid, '1', '-1', '0', `${done.id}x`, done.id.toUpperCase(), done.id.slice(0, -1), `tsk_8${done.id.slice(5)}`, "tsk_' OR 1=1--",
        encodeURIComponent('../account'), '%00', 'tsk_%00', 'é'.repeat(9), 'tsk_ilouilouilouilouilouilouil'];
    for (const id of odd) {
        const reply = await raw(w.one, { path: `/v1/tasks/${encodeURI(id).replaceAll('%25', '%')}`, headers: { authorization: `Bearer ${owner.token}` } });
        assert.ok(reply.status === 404 || (id.includes('%00') && reply.status === 400), `${id}: ${reply.status}`);
    }
});

test('a stranger who uploads the same bytes learns nothing', async () => {
    expect(await stranger.put(`/v1/blobs/${blob}`, Buffer.from('uploaded'), octets), 201);
    expect(await stranger.get(`/v1/blobs/${blob}`), 200);
    const reference = { digest: `sha256:${'ab'.repeat(32)}` };
    const foreign = sha256('of the owner');
    for (const [a, b] of [
        [await w.submit(stranger, source, { input_blobs: [foreign] }), await w.submit(stranger, source, { input_blobs: [ABSENT.sha256] })],
        [await stranger.post('/v1/sources', { manifest: manifest({ image: { ...reference, blob: foreign } }) }), await stranger.post('/v1/sources', { manifest: manifest({ image: { ...reference, blob: ABSENT.sha256 } }) })],
    ]) {
        assert.equal(a.json.code, 'BLOB_NOT_FOUND');
        assert.deepEqual(bare(a, {}), bare(b, {}));
    }
});

test('lists hold the caller\'s own rows', async () => {
    for (const path of ['/v1/tasks?limit=100', '/v1/account/ledger?limit=100', '/v1/withdrawals?limit=100']) {
        const text = JSON.stringify(expect(await stranger.get(path), 200));
        assert.ok(!text.includes(done.id) && !text.includes(open.id), path);
    }
    const { next_cursor: cursor } = expect(await owner.get('/v1/tasks?limit=1'), 200);
    assert.deepEqual(expect(await stranger.get(`/v1/tasks?cursor=${cursor}`), 200).data, []);
    assert.deepEqual(expect(await stranger.get(`/v1/tasks?source=${source.id}`), 200).data, []);
});

test('no member of an answer can be set by a request', async () => {
    let posted = 0;
    const resolve = (node) => w.contract.resolve(node) ?? {};
    for (const route of guarded().filter((r) => bodies[r.id] && r.method === 'POST')) {
        const { responses } = w.contract.document.paths[route.template].post;
        const schema = resolve(Object.entries(responses).find(([s]) => s.startsWith('2'))[1].content['application/json'].schema);
        const body = bodies[route.id]();
        for (const name of ['account', 'account_id', '__proto__', 'constructor', ...Object.keys(schema.properties)].filter((n) => !Object.hasOwn(body, n))) {
            if (['function', 'metadata', 'racers', 'delivery', 'released', 'sources'].includes(name)) {
                continue; // these it may
            }
            const text = `${JSON.stringify(body).slice(0, -1)},${JSON.stringify(name)}:null}`;
            const token = (route.kinds.has('key') ? owner : provider).token;
            const reply = await raw(w.one, { method: 'POST', path: route.at(theirs()), headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: text });
            assert.equal(reply.status, 422, `${route.id} ${name}: ${reply.bytes}`);
            assert.equal(reply.json.errors[0].pointer, `/${name}`);
            posted++;
        }
    }
    assert.ok(posted > 40, String(posted));
});

test('a claim reference is its provider\'s own, and work goes to the registered', async () => {
    const fresh = await w.source(owner, { name: 'claimed by reference' });
    const [p, q, unregistered] = [await w.provider(fresh), await w.provider(fresh), await w.provider()];
    const task = expect(await w.submit(owner, fresh), 201);
    const ref = { claim_ref: randomUUID() };
    const first = expect(await p.claim(10, ref), 200);
    assert.equal(first.task, task.id);
    assert.equal((await q.claim(0, ref)).status, 204);
    assert.deepEqual(expect(await p.claim(0, ref), 200).attempt, first.attempt);
    expect(await w.submit(owner, fresh), 201);
    assert.equal((await unregistered.claim(0)).status, 204);
    assert.equal((await unregistered.claim(0, { sources: [fresh.id] })).status, 204);
    const second = expect(await q.claim(10, ref), 200);
    assert.notEqual(second.attempt, first.attempt);
    assert.equal(expect(await p.claim(0, ref), 200).attempt, first.attempt);
    // Who withdrew gets no new work, and keeps what it has.
    assert.equal((await p.call('DELETE', `${fresh.urls.registrations}/${p.id}`)).status, 204);
    expect(await w.submit(owner, fresh), 201);
    assert.equal((await p.claim(0)).status, 204);
    expect(await p.answer(first, Buffer.from('kept')), 202);
    assert.equal(expect(await owner.get(`${task.urls.self}?wait=20`), 200).status, 'succeeded');
});

test('a revoked key ends at both gateways, for writes at once', async () => {
    const key = w.key(owner);
    const there = Object.assign(Object.create(key), { url: w.two });
    expect(await key.get('/v1/account'), 200);
    expect(await there.get('/v1/account'), 200);
    w.operator('key', 'revoke', key.keyId);
    for (const http of [key, there]) {
        assert.equal((await w.submit(http, source)).json.code, 'KEY_REVOKED');
    }
    for (const http of [key, there]) {
        await eventually(async () => (await http.get('/v1/account')).json.code === 'KEY_REVOKED', 'the revocation', 3000);
        for (const route of guarded().filter((r) => r.kinds.has('key'))) {
            assert.equal((await call(http, route, theirs())).json.code, 'KEY_REVOKED', route.id);
        }
    }
});

test('a renewed provider token ends the old one at both gateways', async () => {
    const old = [new Http(w.one, other.token), new Http(w.two, other.token)];
    for (const http of old) {
        expect(await http.post('/v1/claims', { claim_ref: randomUUID(), sources: [ABSENT.source] }), 204);
    }
    await other.register();
    for (const http of old) {
        await eventually(async () => (await http.post(`/v1/providers/${other.id}/heartbeat`, { devices: [] })).json.code === 'INVALID_API_KEY', 'the end of the token', 3000);
    }
    assert.equal((await other.post(`/v1/providers/${other.id}/heartbeat`, { devices: [] })).status, 200);
});

test('no credential is in any log', () => {
    for (const name of ['gateway-1', 'gateway-2']) {
        const log = w.stack.log(name);
        for (const secret of [owner.token, stranger.token, provider.token, other.token]) {
            assert.ok(log.includes('"event"') && !log.includes(secret.slice(13, 40)), name);
        }
    }
});

test('every exchange fitted and the books are right', () => w.verify());
