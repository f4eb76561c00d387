// SPDX-License-Identifier: MIT
// Rates in a heartbeat: signed by the provider that tells them, of this device, within reason; or the heartbeat is refused and
// nothing changes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { expect } from '../support/actors.mjs';
import { fields, rated } from '../support/rates.mjs';
import { World, domain } from '../support/world.mjs';

const uuid = 'GPU-3f1a4c52-8b0e-4f6d-9a61-2c7d5e9b1f04';
const card = { environment: 'nvidia', name: 'Test card', uuid, memory_mb: 1 };
let w, p;

before(async () => {
    w = await World.up();
    p = await w.provider();
});
after(() => w?.down());

const beat = (...devices) => p.post(`/v1/providers/${p.id}/heartbeat`, { devices });
const sign = (over, account = p.account, device = uuid, where = domain) => rated(where, account, device, over);
const shown = async () => expect(await p.get(`/v1/providers/${p.id}`), 200).devices;

test('signed rates are there to read for anybody, until the next heartbeat', async () => {
    const devices = [{ environment: 'cpu', name: 'CPU' }, { ...card, benchmarks: await sign() }];
    expect(await beat(...devices), 200);
    assert.deepEqual(await shown(), devices);
    assert.deepEqual(expect(await p.get('/v1/providers'), 200).data.find((x) => x.id === p.id).devices, devices);
    expect(await beat(card), 200);
    assert.deepEqual(await shown(), [card]);
    // the same vector again, as every heartbeat of the day brings it, of many cards
    const many = await Promise.all(Array.from({ length: 64 }, async (_, i) => ({ ...card, uuid: `${uuid.slice(0, -2)}${10 + i}`,
        benchmarks: await sign({}, p.account, `${uuid.slice(0, -2)}${10 + i}`) })));
    expect(await beat(...many), 200);
    expect(await beat(...many), 200);
    assert.equal((await shown()).length, 64);
});

test('forged rates are refused, and nothing changes', async () => {
    const before = [{ ...card, benchmarks: await sign() }];
    expect(await beat(...before), 200);
    const good = await sign();
    const other = await w.provider();
    const flip = (at) => good.signature.slice(0, at) + (parseInt(good.signature[at], 16) ^ 1).toString(16) + good.signature.slice(at + 1);
    const forged = [
        ...Object.keys(fields).map((name) => ({ ...good, [name]: good[name] + 1 })),
        { ...good, version: 2 }, { ...good, measured_at: good.measured_at - 1 },
        { ...good, signature: flip(20) }, { ...good, signature: flip(80) }, { ...good, signature: `0x${'00'.repeat(65)}` },
        await sign({}, other.account), await sign({}, p.master), await sign({}, p.account, 'GPU-another'),
        await sign({}, p.account, uuid, { ...domain, chainId: 1 }), await sign({}, p.account, uuid, { ...domain, verifyingContract: `0x${'22'.repeat(20)}` }),
        { ...good, signature: (await p.registerBody()).signature },
    ];
    for (const benchmarks of forged) {
        const refused = await beat({ environment: 'cpu', name: 'CPU' }, { ...card, benchmarks });
        assert.deepEqual([refused.status, refused.json.code], [422, 'BAD_SIGNATURE'], JSON.stringify(benchmarks));
        assert.match(refused.json.detail, /^\/devices\/1\/benchmarks: the signature/);
    }
    const theirs = await other.post(`/v1/providers/${other.id}/heartbeat`, { devices: before });
    assert.equal(theirs.json.code, 'BAD_SIGNATURE', 'another provider\'s rates are nobody else\'s');
    assert.deepEqual(await shown(), before);
});

test('bad numbers are refused, signed or not', async () => {
    expect(await beat(card), 200);
    for (const name of Object.keys(fields)) {
        for (const value of [0, -1, 1.5, 1e9, '7', null]) {
            const benchmarks = { ...await sign(), [name]: value };
            const refused = await beat({ ...card, benchmarks });
            assert.equal(refused.json.code, 'VALIDATION_ERROR', `${name} ${value}`);
            assert.deepEqual(refused.json.errors.map((e) => e.pointer), [`/devices/0/benchmarks/${name}`]);
        }
        const text = JSON.stringify({ devices: [{ ...card, benchmarks: await sign() }] });
        for (const value of ['NaN', 'Infinity', '1e999', '-0.0']) {
            const refused = await p.call('POST', `/v1/providers/${p.id}/heartbeat`, Buffer.from(text.replace(new RegExp(`"${name}":\\d+`), `"${name}":${value}`)),
                { 'content-type': 'application/json' });
            assert.ok(['BAD_JSON', 'VALIDATION_ERROR'].includes(refused.json.code), `${name} ${value}: ${refused.bytes}`);
        }
        const { [name]: _, ...lacking } = await sign();
        assert.equal((await beat({ ...card, benchmarks: lacking })).json.code, 'VALIDATION_ERROR', `without ${name}`);
    }
    const soon = Math.floor(Date.now() / 1000) + 3600;
    for (const [device, said] of [[{ ...card, benchmarks: await sign({ measured_at: soon }) }, /future/],
        [{ environment: 'nvidia', name: 'nameless', benchmarks: await sign() }, /no uuid/]]) {
        const refused = await beat(device);
        assert.deepEqual([refused.status, refused.json.code], [422, 'VALIDATION_ERROR']);
        assert.match(refused.json.detail, said);
    }
    assert.deepEqual(await shown(), [card]);
});

test('every exchange fitted and the books are right', () => w.verify());
