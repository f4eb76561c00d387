// SPDX-License-Identifier: MIT
// Forged, stale, swapped and twisted signatures over HTTP: each is refused with its documented code, nothing is lost by it, and
// the right one still counts afterwards.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Http, Provider, canonical, expect, idBytes, sha256 } from '../support/actors.mjs';
import { sleep } from '../support/stack.mjs';
import { World, domain } from '../support/world.mjs';

const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const hex = (n, bytes = 32) => n.toString(16).padStart(2 * bytes, '0');
let w, client, source;

before(async () => {
    w = await World.up();
    client = await w.client();
    source = await w.source(client);
});
after(() => w?.down());

const uuid = (typeid) => idBytes(typeid).slice(2);
const now = () => Math.floor(Date.now() / 1000);
const without = (o, ...names) => Object.fromEntries(Object.entries(o).filter(([k]) => !names.includes(k)));
/** The same provider as it would sign for another chain or contract. */
const elsewhere = (p, over) => Object.assign(Object.create(p), { domain: { ...p.domain, ...over } });
const otherDomains = [{ chainId: 1 }, { chainId: 31338 }, { verifyingContract: `0x${'22'.repeat(20)}` }, { version: '2' }, { name: 'OpenGPU gateway' }];

/** What can be done to a good signature without its key. */
function twists(signature) {
    const [r, s, v] = [BigInt(signature.slice(0, 66)), BigInt(`0x${signature.slice(66, 130)}`), parseInt(signature.slice(130), 16)];
    const make = (r_, s_, v_) => `0x${hex(r_)}${hex(s_)}${hex(BigInt(v_), 1)}`;
    return {
        'the high-s twin': make(r, N - s, 55 - v), 'high s, same v': make(r, N - s, v), 'the other v': make(r, s, 55 - v),
        ...Object.fromEntries([0, 1, 2, 26, 29, 35, 36, 255].map((x) => [`v ${x}`, make(r, s, x)])), 'v as parity': make(r, s, v - 27),
        'r 0': make(0n, s, v), 's 0': make(r, 0n, v), 'r n': make(N, s, v), 's n': make(r, N, v), 'r n-1': make(N - 1n, s, v), 'all ones': `0x${'ff'.repeat(65)}`, 'all zero': `0x${'00'.repeat(65)}`,
        'r and s swapped': make(s, r, v), 's off by one': make(r, s + 1n, v),
    };
}
const misshapen = (signature) => ['', '0x', signature.slice(2), signature.slice(0, -2), `${signature}00`, signature.slice(0, 130), `0X${signature.slice(2)}`, signature.replace(/.$/, 'g'), null, 7];

async function refused(send, good, code) {
    for (const [what, signature] of Object.entries(twists(good.signature))) {
        const reply = await send({ ...good, signature });
        assert.equal(reply.status, 422, `${what}: ${reply.bytes}`);
        assert.equal(reply.json.code, code, what);
    }
    for (const signature of misshapen(good.signature)) {
        const reply = await send({ ...good, signature });
        assert.equal(reply.json.code, 'VALIDATION_ERROR', String(signature));
        assert.equal(reply.json.errors[0].pointer, '/signature');
    }
}

test('Binding: only the provider itself makes itself known', async () => {
    const p = new Provider(w.one, domain);
    const send = (body) => new Http(w.two).post('/v1/providers', body);
    const good = await p.registerBody();
    const bad = async (body, code = 'BAD_SIGNATURE') => assert.equal((await send(body)).json.code, code);
    await refused(send, without(good, 'master_signature'), 'BAD_SIGNATURE');
    const stranger = new Provider(w.one, domain);
    await bad({ ...good, address: stranger.account.address });
    await bad({ ...good, master: stranger.master.address });
    await bad({ ...good, nonce: good.nonce + 1 });
    await bad({ ...good, deadline: good.deadline + 1 });
    await bad({ ...good, signature: good.master_signature });
    await bad({ ...good, master_signature: good.signature });
    await bad({ ...good, master_signature: (await stranger.registerBody()).master_signature });
    for (const over of otherDomains) {
        await bad(await elsewhere(p, over).registerBody());
    }
    await bad({ ...good, signature: await p.account.signMessage({ message: 'Binding' }) });
    for (const deadline of [0, 1, now() - 1, now() + 86400 + 60, 253402300799]) {
        await bad(await p.registerBody({ deadline }), 'SIGNATURE_EXPIRED');
    }
    assert.equal((await send({ ...good, deadline: 253402300800 })).json.code, 'VALIDATION_ERROR');
    assert.equal((await send({ ...good, nonce: 2 ** 53 })).json.code, 'VALIDATION_ERROR');
    assert.equal((await w.sql.query('SELECT count(*) AS n FROM provider WHERE address = $1', [Buffer.from(p.account.address.slice(2), 'hex')]))[0].n, 0n);
    const made = expect(await send({ ...good, address: good.address.toLowerCase() }), 201);
    assert.equal(made.provider.address, p.account.address);
    assert.equal(made.provider.bound, true);
    await bad(good, 'NONCE_USED');
    // Nobody takes a bound provider's earnings elsewhere by the provider's key alone.
    const thief = new Provider(w.one, domain, undefined, stranger.master);
    thief.account = p.account;
    await bad(without(await thief.registerBody(), 'master_signature'), 'MASTER_BOUND');
    await bad(await thief.registerBody(), 'MASTER_BOUND');
    const bind = without(await thief.registerBody(), 'address', 'environments');
    assert.equal((await new Http(w.one).post(made.provider.urls.bind, bind)).json.code, 'MASTER_BOUND');
    assert.equal(expect(await client.get(made.provider.urls.self), 200).master, p.master.address);
});

test('Binding: only the master binds', async () => {
    const p = new Provider(w.one, domain);
    const { provider } = expect(await p.post('/v1/providers', without(await p.registerBody(), 'master_signature')), 201);
    assert.equal(provider.bound, false);
    const at = (body) => new Http(w.two).post(provider.urls.bind, body);
    const good = without(await p.registerBody(), 'address', 'environments');
    await refused(at, good, 'BAD_SIGNATURE');
    for (const [what, signature] of Object.entries(twists(good.master_signature))) {
        assert.equal((await at({ ...good, master_signature: signature })).json.code, 'BAD_SIGNATURE', what);
    }
    assert.equal((await at({ ...good, master_signature: good.signature })).json.code, 'BAD_SIGNATURE');
    assert.equal((await at(without(await p.registerBody({ deadline: now() - 1 }), 'address', 'environments'))).json.code, 'SIGNATURE_EXPIRED');
    const other = new Provider(w.one, domain);
    assert.equal((await at(without(await other.registerBody(), 'address', 'environments'))).json.code, 'BAD_SIGNATURE');
    assert.equal(expect(await client.get(provider.urls.self), 200).bound, false);
    assert.equal(expect(await at(good), 200).bound, true);
    assert.equal((await at(good)).json.code, 'NONCE_USED');
});

test('Registration: for this source, these environments, this provider, once', async () => {
    const [p, q] = [await w.provider(), await w.provider()];
    const second = await w.source(client, { name: 'another' });
    const at = (body, s = source) => p.put(`${s.urls.registrations}/${p.id}`, body);
    const bad = async (body, code = 'BAD_SIGNATURE', s = source) => assert.equal((await at(body, s)).json.code, code);
    const good = await p.registrationBody(source);
    await refused(at, good, 'BAD_SIGNATURE');
    await bad(good, 'BAD_SIGNATURE', second);
    await bad(await q.registrationBody(source));
    await bad({ ...good, environments: ['cpu', 'nvidia'] });
    await bad({ ...good, environments: ['nvidia'] });
    await bad({ ...good, nonce: good.nonce + 1 });
    for (const over of otherDomains) {
        await bad(await elsewhere(p, over).registrationBody(source));
    }
    for (const deadline of [now() - 1, now() + 86400 + 60]) {
        await bad(await p.registrationBody(source, { deadline }), 'SIGNATURE_EXPIRED');
    }
    assert.equal((await q.put(`${source.urls.registrations}/${p.id}`, good)).json.code, 'SCOPE_DENIED');
    assert.equal((await p.claim(0)).status, 204);
    expect(await at(good), 200);
    // The nonce served: the same again is the same, another source with it is not.
    expect(await at(good), 200);
    await bad(await p.registrationBody(second, { nonce: good.nonce }), 'NONCE_USED', second);
    expect(await at(await p.registrationBody(second), second), 200);
});

const output = (bytes, over = {}) => [{ name: 'out.txt', media_type: 'text/plain', size: bytes.length, sha256: sha256(bytes), ...over }];

test('Response: of this attempt, task, epoch, manifest, input and these outputs', async () => {
    const [p, q] = [await w.provider(source), await w.provider(source)];
    const { task, claim } = await w.claimed(client, source, p, { input: { which: 1 } });
    const { claim: mine2 } = await w.claimed(client, source, p, { input: { which: 2 } });
    const { claim: theirs } = await w.claimed(client, source, q, { input: { which: 3 } });
    const bytes = Buffer.from('the answer');
    await p.upload(claim, bytes);
    const send = (body, to = claim) => new Http(w.one, p.token).post(to.urls.respond, body);
    const bad = async (body, code = 'BAD_SIGNATURE', to = claim) => {
        const reply = await send(body, to);
        assert.equal(reply.json.code, code, reply.bytes.toString());
    };
    const good = await p.responseBody(claim, output(bytes));
    await refused(send, good, 'BAD_SIGNATURE');
    const swaps = {
        task: idBytes(mine2.task), attempt: idBytes(mine2.attempt), epoch: claim.epoch + 1, provider: q.account.address,
        manifest: `0x${'33'.repeat(32)}`, input: `0x${mine2.input_digest}`, output: `0x${sha256('[]')}`,
    };
    for (const [name, value] of Object.entries(swaps)) {
        await bad(await p.responseBody(claim, output(bytes), { [name]: value }));
    }
    for (const over of otherDomains) {
        await bad(await elsewhere(p, over).responseBody(claim, output(bytes)));
    }
    await bad(await q.responseBody(claim, output(bytes), { provider: p.account.address }));
    await bad({ ...good, epoch: 2 });
    await bad({ ...good, epoch: 4294967295 }, 'STALE_EPOCH');
    await bad({ ...(await p.responseBody(claim, output(bytes), { epoch: 2 })), epoch: 2 }, 'STALE_EPOCH');
    for (const over of [{ name: 'b.txt' }, { size: 1 }, { media_type: 'image/png' }, { sha256: sha256('else') }]) {
        await bad({ ...good, outputs: output(bytes, over) });
    }
    await bad({ ...good, outputs: [...output(bytes), ...output(bytes, { name: 'two' })] });
    // Signed in good order, but for outputs that are not here, or were uploaded elsewhere.
    await bad(await p.responseBody(claim, output(Buffer.from('never sent'))), 'OUTPUT_NOT_UPLOADED');
    await bad(await p.responseBody(mine2, output(bytes)), 'OUTPUT_NOT_UPLOADED', mine2);
    // One's own good response does not fit another attempt, and nobody answers for another.
    await bad(good, 'BAD_SIGNATURE', mine2);
    assert.equal((await q.post(claim.urls.respond, good)).json.code, 'ATTEMPT_NOT_FOUND');
    assert.equal((await q.post(claim.urls.respond, await q.responseBody(claim, output(bytes)))).json.code, 'ATTEMPT_NOT_FOUND');
    await bad(good, 'ATTEMPT_NOT_FOUND', theirs);
    for (const outputs of [[], [...output(bytes), ...output(bytes)], output(bytes, { name: '../x' }), output(bytes, { size: -1 }), output(bytes, { sha256: 'x' }), output(bytes, { extra: 1 })]) {
        await bad({ ...good, outputs }, 'VALIDATION_ERROR');
    }
    // Whoever was refused so often still has the attempt and is paid.
    assert.equal(expect(await client.get(task.urls.self), 200).status, 'running');
    expect(await send({ ...good, signature: good.signature.toUpperCase().replace('0X', '0x') }), 202);
    const done = expect(await client.get(`${task.urls.self}?wait=20`), 200);
    assert.equal(done.status, 'succeeded');
    assert.equal(done.result.provider, p.id);
    assert.equal(done.result.signature, good.signature);
    assert.equal(done.result.output_digest, sha256(canonical(output(bytes))));
    await bad(await p.responseBody(claim, output(bytes, { name: 'again' })), 'ALREADY_RESPONDED');
});

test('late: a lapsed lease is not revived, and the next one is paid', async () => {
    const fast = await w.source(client, { name: 'lapses' });
    const [p, q] = [await w.provider(fast), await w.provider(fast)];
    const { task, claim } = await w.claimed(client, fast, p);
    const bytes = Buffer.from('late');
    await p.upload(claim, bytes);
    const body = await p.responseBody(claim, output(bytes));
    // By the row, as if its heartbeats had stopped long ago.
    await w.sql.query("UPDATE attempt SET lease_until = clock_timestamp() - interval '1 second' WHERE id = $1", [uuid(claim.attempt)]);
    assert.equal((await p.post(claim.urls.respond, body)).json.code, 'LEASE_LOST');
    assert.equal((await p.put(claim.urls.blobs.replace('{sha256}', sha256('x')), Buffer.from('x'), { 'content-type': 'application/octet-stream' })).json.code, 'LEASE_LOST');
    const next = expect(await q.claim(20), 200);
    assert.equal(next.task, task.id);
    assert.equal(next.epoch, 2);
    assert.equal((await p.post(claim.urls.respond, body)).json.code, 'LEASE_LOST');
    const twice = await p.responseBody({ ...claim, epoch: 2 }, output(bytes));
    assert.equal((await p.post(claim.urls.respond, twice)).json.code, 'STALE_EPOCH');
    expect(await q.answer(next, Buffer.from('in time')), 202);
    const done = expect(await client.get(`${task.urls.self}?wait=20`), 200);
    assert.equal(done.result.provider, q.id);
});

test('after the end: an expired task takes no answer and is refunded', async () => {
    const fast = await w.source(client, { name: 'expires' });
    const p = await w.provider(fast);
    const { task, claim } = await w.claimed(client, fast, p, { expires_in_s: 6 });
    const bytes = Buffer.from('too late');
    await p.upload(claim, bytes);
    const body = await p.responseBody(claim, output(bytes));
    await sleep(6100);
    assert.equal((await p.post(claim.urls.respond, body)).json.code, 'TASK_CLOSED');
    assert.equal(expect(await client.get(`${task.urls.self}?wait=20`), 200).status, 'expired');
    assert.equal((await p.post(claim.urls.respond, body)).json.code, 'TASK_CLOSED');
    assert.equal((await client.get(task.urls.result)).json.code, 'TASK_CLOSED');
});

test('a race has one winner, and the beaten one is told', async () => {
    const [p, q] = [await w.provider(source), await w.provider(source)];
    const task = expect(await w.submit(client, source, { racers: 2 }), 201);
    const claims = [expect(await p.claim(20), 200), expect(await q.claim(20), 200)];
    assert.deepEqual(claims.map((c) => c.task), [task.id, task.id]);
    const ready = await Promise.all([[p, claims[0], 'p'], [q, claims[1], 'q']].map(async ([who, claim, text]) => {
        await who.upload(claim, Buffer.from(text));
        return who.responseBody(claim, output(Buffer.from(text)));
    }));
    const replies = await Promise.all([p.post(claims[0].urls.respond, ready[0]), q.post(claims[1].urls.respond, ready[1])]);
    const done = expect(await client.get(`${task.urls.self}?wait=20`), 200);
    assert.equal(done.status, 'succeeded');
    const attempts = expect(await client.get(task.urls.attempts), 200).data;
    assert.deepEqual(attempts.map((a) => a.status).sort(), ['beaten', 'won']);
    assert.ok(replies.every((r) => r.status === 202 || ['TASK_CLOSED', 'LEASE_LOST'].includes(r.json.code)), replies.map((r) => r.bytes).join());
    const [{ n }] = await w.sql.query("SELECT count(*) AS n FROM ledger_entry WHERE kind = 'accept' AND ref = $1", [uuid(task.id)]);
    assert.equal(n, 1n);
});

test('every exchange fitted and the books are right', () => w.verify());
