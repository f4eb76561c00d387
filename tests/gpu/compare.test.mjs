// SPDX-License-Identifier: MIT
// The comparator against an oracle that shares nothing with it: JavaScript's numbers are IEEE doubles, one rounding an
// operation; floats are read by DataView, halves by arithmetic; ULPs are counted on BigInt.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { build } from '../support/stack.mjs';

const LANES = 256;
const CHUNK = 65536;
const dir = process.env.OGPU_TEST_TMP;
const view = new DataView(new ArrayBuffer(8));

const types = {
    f32: { width: 32, read: (b) => { view.setUint32(0, b); return view.getFloat32(0); } },
    bf16: { width: 16, read: (b) => { view.setUint32(0, b * 65536); return view.getFloat32(0); } },
    f16: {
        width: 16,
        read: (b) => {
            const [sign, e, f] = [b >> 15 ? -1 : 1, b >> 10 & 31, b & 1023];
            return sign * (e === 31 ? (f ? NaN : Infinity) : e ? (1024 + f) * 2 ** (e - 25) : f * 2 ** -24);
        },
    },
};

const hex = (v) => { view.setFloat64(0, v); return view.getBigUint64(0).toString(16).padStart(16, '0'); };

/** Place of a finite number among those of its type; both zeros have one. */
const place = (type, b) => {
    const top = 1n << BigInt(type.width - 1);
    return BigInt(b) >= top ? top - BigInt(b) : BigInt(b);
};

function oracle(type, rule, a, e) {
    const out = { n: a.length, tolerance: 0, ulp: 0, nan: 0, inf: 0, first: 2n ** 64n - 1n, max_ulp: 0n, max_abs: 0 };
    let [err2, ref2] = [0, 0];
    for (let base = 0; base < a.length; base += CHUNK) {
        const lanes = Array.from({ length: LANES }, () => [0, 0]);
        for (let i = base; i < Math.min(base + CHUNK, a.length); i++) {
            const [x, y] = [type.read(a[i]), type.read(e[i])];
            let bad = false;
            if (Number.isNaN(x) || Number.isNaN(y)) {
                bad = !(Number.isNaN(x) && Number.isNaN(y) && rule.nan);
                out.nan += bad;
            } else if (!Number.isFinite(x) || !Number.isFinite(y)) {
                bad = x !== y;
                out.inf += bad;
            } else {
                const d = x - y;
                const steps = place(type, a[i]) - place(type, e[i]);
                const ulps = steps < 0n ? -steps : steps;
                const far = rule.ulp >= 0 && ulps > BigInt(rule.ulp);
                const asked = rule.atol >= 0 || rule.rtol >= 0;
                const beyond = asked && Math.abs(d) > Math.max(rule.atol, 0) + Math.max(rule.rtol, 0) * Math.abs(y);
                lanes[i % LANES][0] += d * d;
                lanes[i % LANES][1] += y * y;
                out.max_abs = Math.max(out.max_abs, Math.abs(d));
                out.max_ulp = ulps > out.max_ulp ? ulps : out.max_ulp;
                out.tolerance += beyond;
                out.ulp += far;
                bad = beyond || far;
            }
            if (bad && BigInt(i) < out.first) {
                out.first = BigInt(i);
            }
        }
        for (let half = LANES / 2; half >= 1; half /= 2) {
            for (let l = 0; l < half; l++) {
                lanes[l] = [lanes[l][0] + lanes[l + half][0], lanes[l][1] + lanes[l + half][1]];
            }
        }
        [err2, ref2] = [err2 + lanes[0][0], ref2 + lanes[0][1]];
    }
    const l2 = err2 === 0 ? 0 : ref2 === 0 ? Infinity : Math.sqrt(err2 / ref2);
    const l2_beyond = rule.l2 >= 0 && l2 > rule.l2;
    return {
        ...out, first: out.first.toString(), max_ulp: Number(out.max_ulp), max_abs: hex(out.max_abs), err2: hex(err2), ref2: hex(ref2), l2: hex(l2), l2_beyond,
        close: !l2_beyond && out.first === 2n ** 64n - 1n,
    };
}

function ours(name, rule, a, e) {
    mkdirSync(dir, { recursive: true });
    const pack = types[name].width === 32 ? Uint32Array : Uint16Array;
    writeFileSync(join(dir, 'a'), Buffer.from(pack.from(a).buffer));
    writeFileSync(join(dir, 'e'), Buffer.from(pack.from(e).buffer));
    const args = [name, rule.atol, rule.rtol, rule.ulp, rule.l2, rule.nan ? 1 : 0].map(String);
    return JSON.parse(execFileSync(join(build, 'tests/gpu/compare_driver'), [...args, join(dir, 'a'), join(dir, 'e')], { encoding: 'utf8' }));
}

/** Expected bits and nearby actual ones; edges (zeros, denormals, infinities, NaNs, the largest numbers) come often. */
function tensor(type, n, spread) {
    const size = type.width / 8;
    const mask = 2 ** type.width - 1;
    const top = 2 ** (type.width - 1);
    const infinity = type === types.f32 ? 0x7f800000 : type === types.f16 ? 0x7c00 : 0x7f80;
    const edges = [0, 1, 2, infinity - 1, infinity, infinity + 1, top - 1, top, top + 1, top + infinity - 1, top + infinity, mask];
    const random = randomBytes(n * (size + 3));
    const at = (i) => random.readUIntLE(i * (size + 3), size);
    const e = Array.from({ length: n }, (_, i) => random[i * (size + 3) + size] < 20 ? edges[at(i) % edges.length] : at(i));
    const a = e.map((b, i) => {
        const coin = random[i * (size + 3) + size + 1];
        const step = random[i * (size + 3) + size + 2] % (2 * spread + 1) - spread;
        return coin < 4 ? edges[step + spread < edges.length ? step + spread : 0] : coin < 128 ? b : Math.min(mask, Math.max(0, b + step));
    });
    return [a, e];
}

const rules = [
    { atol: 0, rtol: -1, ulp: -1, l2: -1, nan: true }, { atol: 1e-3, rtol: 1e-2, ulp: -1, l2: -1, nan: true }, { atol: -1, rtol: 1e-6, ulp: -1, l2: 0.5, nan: false },
    { atol: -1, rtol: -1, ulp: 2, l2: -1, nan: true }, { atol: 1e30, rtol: 0.5, ulp: 100, l2: 1e-7, nan: false },
];

for (const [name, type] of Object.entries(types)) {
    test(`${name}: every figure has the oracle's bits`, () => {
        for (const [i, rule] of rules.entries()) {
            for (const n of [0, 1, 255, 256, 257, CHUNK - 1, CHUNK, 2 * CHUNK + 1]) {
                const [a, e] = tensor(type, n, 3 + i * 20);
                assert.deepEqual(ours(name, rule, a, e), oracle(type, rule, a, e), `${JSON.stringify(rule)} n=${n}`);
            }
        }
    });
    test(`${name}: equal tensors are close under every rule, one changed element is found`, () => {
        const finite = tensor(type, 70_000, 3)[1].map((b) => (Number.isFinite(type.read(b)) ? b : 0));
        for (const rule of rules) {
            assert.equal(ours(name, rule, finite, finite).close, true);
        }
        const wrong = [...finite];
        wrong[69_999] = finite[69_999] ^ 2 ** (type.width - 2);
        assert.deepEqual([ours(name, rules[0], wrong, finite)].map((r) => [r.close, r.first]), [[false, '69999']]);
    });
}
