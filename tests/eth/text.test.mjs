// SPDX-License-Identifier: MIT
// Canonical JSON against the JavaScript engine that RFC 8785 takes its rules from; key texts against zlib.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { start_driver } from './driver.mjs';

let driver, ask;

before(() => { driver = start_driver(); ask = driver.ask; });
after(async () => assert.equal(await driver.end(), 0));

const canonical = (v) => {
    if (Array.isArray(v)) return `[${v.map(canonical).join(',')}]`;
    if (v === null || typeof v !== 'object') return JSON.stringify(v);
    return `{${Object.keys(v).sort().map((k) => `${JSON.stringify(k)}:${canonical(v[k])}`).join(',')}}`;
};

// What prints as an integer beyond 2^53 is refused (tests/unit/lib/test_json.c): it could not be read back.
const has_a_form = (v) => Math.abs(v) <= 2 ** 53 || /[.e]/.test(String(v));

const random_double = (i) => {
    for (;;) {
        const b = randomBytes(8);
        if (i % 3 === 0) b[0] = 0x3f + (b[0] & 1); // near 1, where people's numbers are
        if (i % 5 === 0) { b[1] &= 0xf0; b.fill(0, 2); } // powers of two
        const v = b.readDoubleBE();
        if (Number.isFinite(v) && has_a_form(v)) return v;
    }
};

test('20,000 doubles print as JavaScript prints them', async () => {
    for (let i = 0; i < 200; i++) {
        const list = Array.from({ length: 100 }, (_, k) => random_double(k));
        // 17 digits and a dot: jansson must read a real, not an integer
        const text = `[${list.map((v) => v.toExponential(16)).join(',')}]`;
        assert.equal(await ask('canonical', { text }), JSON.stringify(list));
    }
});

test('every power of two and of ten', async () => {
    const list = [];
    for (let e = -1074; e <= 1023; e++) list.push(2 ** e, -(2 ** e));
    for (let e = -323; e <= 308; e++) list.push(Number(`1e${e}`), Number(`9.5e${e - 1}`));
    const held = list.filter(has_a_form);
    assert.ok(held.length > 5000);
    const text = `[${held.map((v) => v.toExponential(16)).join(',')}]`;
    assert.equal(await ask('canonical', { text }), JSON.stringify(held));
});

const random_text = () => {
    const pool = ['a', 'Z', '"', '\\', '/', '\n', '\t', '\b', '\f', '\r', '\u0001', '\u001f', '\u007f', '\u0080', 'é', '€',
        '\u2028', '\ud7ff', '\ue000', '\ufb33', '\uffff', '😀', '\u{10000}', '\u{10ffff}'];
    return Array.from({ length: randomBytes(1)[0] % 8 }, () => pool[randomBytes(1)[0] % pool.length]).join('');
};

const random_json = (depth) => {
    const kind = randomBytes(1)[0] % (depth > 0 ? 8 : 5);
    if (kind === 0) return random_text();
    if (kind === 1) return randomBytes(6).readUIntBE(0, 6) * (kind - 2);
    if (kind === 2) return [null, true, false][randomBytes(1)[0] % 3];
    if (kind === 3) return random_text();
    if (kind === 4) return randomBytes(2).readInt16BE();
    const n = randomBytes(1)[0] % 7;
    if (kind === 5) return Array.from({ length: n }, () => random_json(depth - 1));
    return Object.fromEntries(Array.from({ length: n }, () => [random_text(), random_json(depth - 1)]));
};

test('random values: members sorted by UTF-16 units, minimal escapes', async () => {
    for (let i = 0; i < 1000; i++) {
        const value = random_json(5);
        assert.equal(await ask('canonical', { text: JSON.stringify(value, null, i % 3) }), canonical(value));
    }
});

test('what has no canonical form is refused', async () => {
    for (const text of ['9007199254740993', '-9007199254740993', '9223372036854775807'])
        await assert.rejects(ask('canonical', { text }), { code: 'E_RANGE' });
    for (const text of ['{"a":1,"a":2}', '1e999', '"\\ud800"', '[1', 'NaN', '9223372036854775808'])
        await assert.rejects(ask('canonical', { text }), { code: 'E_BAD_JSON' });
    assert.equal(await ask('canonical', { text: '9007199254740992' }), '9007199254740992');
});

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const check_of = (random) => {
    let n = crc32(random);
    let text = '';
    for (let i = 0; i < 6; i++, n = Math.floor(n / 62)) text = DIGITS[n % 62] + text;
    return text;
};

test('key texts carry the CRC-32 of zlib', async () => {
    const seen = new Set();
    for (const prefix of ['ogpu_sk_live_', 'ogpu_pt_'])
        for (let i = 0; i < 100; i++) {
            const token = await ask('key_make', { prefix });
            const random = token.slice(prefix.length, -6);
            assert.match(token, new RegExp(`^${prefix}[0-9A-Za-z]{38}$`));
            assert.equal(token.slice(-6), check_of(random));
            assert.equal(await ask('key_check', { prefix, token }), true);
            const wrong = (at) => token.slice(0, at) + DIGITS[(DIGITS.indexOf(token[at]) + 1) % 62] + token.slice(at + 1);
            for (let at = prefix.length; at < token.length; at++)
                assert.equal(await ask('key_check', { prefix, token: wrong(at) }), false);
            for (const bad of ['', prefix, token.slice(0, -1), `${token}0`, ` ${token}`, token.replace('_', '-')])
                assert.equal(await ask('key_check', { prefix, token: bad }), false);
            seen.add(random);
        }
    assert.equal(seen.size, 200);
});
