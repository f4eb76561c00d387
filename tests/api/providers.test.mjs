// SPDX-License-Identifier: MIT
// Signatures and tokens of providers, keys of clients: who may act, from when, until when.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { Http, Provider, expect } from '../support/actors.mjs';
import { eventually } from '../support/stack.mjs';
import { World, domain } from '../support/world.mjs';

let w, sql, one, two, client, source;

before(async () => {
    w = await World.up();
    ({ sql, one, two } = w);
    client = await w.client();
    source = await w.source(client);
});
after(() => w?.down());

const code = (reply) => reply.json?.code;
const now = () => Math.floor(Date.now() / 1000);
const flip = (signature, at) => signature.slice(0, at) + ((parseInt(signature[at], 16) ^ 1).toString(16)) + signature.slice(at + 1);

test('a registration must be signed by the provider, for this chain, in time', async () => {
    const p = new Provider(one, domain);
    const good = await p.registerBody();
    const other = new Provider(one, domain);
    const cases = [
        [{ ...good, signature: flip(good.signature, 20) }, 'BAD_SIGNATURE'],
        [{ ...good, master: other.master.address }, 'BAD_SIGNATURE'],
        [{ ...good, nonce: good.nonce + 1 }, 'BAD_SIGNATURE'],
        [{ ...good, address: other.account.address }, 'BAD_SIGNATURE'],
        [{ ...good, master_signature: good.signature }, 'BAD_SIGNATURE'],
        [await new Provider(one, { ...domain, chainId: 1071 }, undefined, p.master).registerBody(), 'BAD_SIGNATURE'],
        [await p.registerBody({ deadline: now() - 1 }), 'SIGNATURE_EXPIRED'],
        [await p.registerBody({ deadline: now() + 90000 }), 'SIGNATURE_EXPIRED'],
    ];
    for (const [body, want] of cases) {
        assert.equal(code(await p.post('/v1/providers', body)), want);
    }
    const high = BigInt('0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141') - BigInt(`0x${good.signature.slice(66, 130)}`);
    const malleable = good.signature.slice(0, 66) + high.toString(16).padStart(64, '0') + (good.signature.endsWith('1b') ? '1c' : '1b');
    assert.equal(code(await p.post('/v1/providers', { ...good, signature: malleable })), 'BAD_SIGNATURE');
    assert.equal(expect(await p.post('/v1/providers', good), 201).provider.bound, true);
    assert.equal(code(await p.post('/v1/providers', good)), 'NONCE_USED');
});

test('two first registrations at once are one provider', async () => {
    const p = new Provider(one, domain);
    const bodies = await Promise.all([p.registerBody(), p.registerBody(), p.registerBody(), p.registerBody()]);
    const made = await Promise.all(bodies.map((b, i) => new Http(i % 2 ? one : two).post('/v1/providers', b)));
    const ids = new Set(made.map((r) => expect(r, 201).provider.id));
    assert.equal(ids.size, 1);
    const good = await Promise.all(made.map((r) => new Http(one, r.json.token).post(`/v1/providers/${[...ids][0]}/heartbeat`, { devices: [] })));
    assert.deepEqual(good.map((r) => r.status).sort(), [200, 401, 401, 401]);
});

test('a renewed token ends the former one in every gateway', async () => {
    const p = new Provider(one, domain);
    await p.register();
    const old = [new Http(one, p.token), new Http(two, p.token)];
    for (const h of old) {
        expect(await h.post(`/v1/providers/${p.id}/heartbeat`, { devices: [] }), 200);
    }
    await p.register();
    for (const h of old) {
        await eventually(async () => (await h.post('/v1/claims', { claim_ref: randomUUID() })).status === 401, 'the old token ends', 3000);
    }
    expect(await p.post(`/v1/providers/${p.id}/heartbeat`, { devices: [] }), 200);
});

test('a master binds by counter-signing; another one cannot take over', async () => {
    const p = new Provider(one, domain);
    const body = await p.registerBody();
    delete body.master_signature;
    const made = expect(await p.post('/v1/providers', body), 201);
    assert.equal(made.provider.bound, false);
    const bind = async (master, signers, former) => {
        const m = { master: master.address, nonce: Date.now() * 1000 + Math.floor(Math.random() * 1000), deadline: now() + 60 };
        const over = { master: m.master, nonce: BigInt(m.nonce), deadline: BigInt(m.deadline) };
        return p.post(`/v1/providers/${made.provider.id}/bind`, { ...m, signature: await p.signBinding(signers[0], over), master_signature: await p.signBinding(signers[1], over), ...(former ? { former_master_signature: await p.signBinding(former, over) } : {}) });
    };
    assert.equal(code(await bind(p.master, [p.account, p.account])), 'BAD_SIGNATURE');
    assert.equal(code(await bind(p.master, [p.master, p.master])), 'BAD_SIGNATURE');
    assert.equal(expect(await bind(p.master, [p.account, p.master]), 200).bound, true);
    const thief = privateKeyToAccount(generatePrivateKey());
    assert.equal(code(await bind(thief, [p.account, thief])), 'MASTER_BOUND');
    assert.equal(code(await bind(thief, [p.account, thief], thief)), 'BAD_SIGNATURE');
    const moved = new Provider(one, domain, undefined, thief);
    moved.account = p.account;
    assert.equal(code(await p.post('/v1/providers', await moved.registerBody())), 'MASTER_BOUND');
    // The bound master lets go: the heir takes over when its day has passed, not before.
    const heir = privateKeyToAccount(generatePrivateKey());
    const master = async () => expect(await p.get(`/v1/providers/${made.provider.id}`), 200).master;
    assert.equal(expect(await bind(heir, [p.account, heir], p.master), 200).master, p.master.address);
    const due = () => sql.query('SELECT next_master_at - ogpu_now() AS left FROM provider WHERE next_master_at IS NOT NULL');
    assert.equal((await due())[0].left.hours, 23);
    await sql.query('UPDATE provider SET next_master_at = ogpu_now() WHERE next_master_at IS NOT NULL');
    await eventually(async () => await master() === heir.address, 'the heir is the master', 30_000);
});

test('a registration names one manifest and environments both sides have', async () => {
    const p = new Provider(one, domain);
    await p.register();
    const path = `/v1/sources/${source.id}/registrations/${p.id}`;
    const other = { ...source, manifest_hash: 'ab'.repeat(32) };
    assert.equal(code(await p.put(path, await p.registrationBody(other))), 'BAD_SIGNATURE');
    const good = await p.registrationBody(source);
    assert.equal(code(await p.put(path, { ...good, environments: ['nvidia'] })), 'BAD_SIGNATURE');
    const stranger = new Provider(one, domain);
    await stranger.register();
    assert.equal((await stranger.put(path, good)).status, 403);
    const first = expect(await p.put(path, good), 200);
    assert.deepEqual(expect(await p.put(path, good), 200), first); // the same again is the same
    assert.equal(code(await p.put(path.replace(source.id, 'src_01m826rk20fh3bns8gc9pxehqh'), good)), 'SOURCE_NOT_FOUND');
    expect(await p.call('DELETE', path), 204);
    expect(await p.call('DELETE', path), 204);
    assert.equal((await p.claim()).status, 204);
});

test('a key does what its scopes say, until it is revoked', async () => {
    const reader = await w.client(0n, 'tasks:read,account:read');
    expect(await reader.get('/v1/account'), 200);
    const denied = await reader.post('/v1/tasks', { source: source.id, input: {}, reward: '1' });
    assert.equal(denied.status, 403);
    assert.equal(denied.json.code, 'SCOPE_DENIED');
    for (const help of [['create', '--help'], ['-h']]) assert.match(w.operator('key', ...help), /^usage: ogpu-gateway key create /);
    const listed = w.operator('key', 'list', '--address', reader.account.address);
    assert.match(listed, new RegExp(`^${reader.keyId} .*active tasks:read,account:read test$`, 'm'));
    assert.ok(!listed.includes(reader.token));
    w.operator('key', 'revoke', reader.keyId);
    for (const url of [one, two]) {
        await eventually(async () => (await new Http(url, reader.token).get('/v1/account')).status === 401, 'the key ends', 3000);
    }
    assert.match(w.operator('key', 'list', '--address', reader.account.address), /revoked/);
});

test('writes see a revoked key at once, whatever a cache says', async () => {
    const writer = await w.client();
    const submit = () => writer.post('/v1/tasks', { source: source.id, input: {}, reward: '1000000000000' });
    expect(await submit(), 201);
    await sql.query('UPDATE api_key SET revoked_at = ogpu_now() WHERE hint LIKE $1', [`%${writer.token.slice(-4)}`]); // no NOTIFY
    const refused = await submit();
    assert.equal(refused.status, 401);
    assert.equal(refused.json.code, 'KEY_REVOKED');
});

test('no money, no task; the refusal is replayed too', async () => {
    const poor = await w.client(10n ** 12n);
    const body = { source: source.id, input: {}, reward: (10n ** 12n + 1n).toString() };
    const first = await poor.post('/v1/tasks', body, { 'idempotency-key': 'poor' });
    assert.equal(first.status, 402);
    const again = await poor.post('/v1/tasks', body, { 'idempotency-key': 'poor' });
    assert.equal(again.status, 402);
    assert.equal(again.headers.get('idempotency-replayed'), 'true');
    expect(await poor.post('/v1/tasks', { ...body, reward: (10n ** 12n).toString() }), 201);
    const dust = await poor.post('/v1/withdrawals', { amount: '999999999999' });
    assert.equal(dust.status, 422);
    assert.equal((await poor.post('/v1/withdrawals', { amount: (10n ** 12n).toString() })).status, 402);
});

test('every exchange fitted and the books are right', () => w.verify());
