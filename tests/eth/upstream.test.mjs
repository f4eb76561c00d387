// SPDX-License-Identifier: MIT
// Upstream's contracts by our table against ethers and viem: hashes, calls, results, logs, random and hostile.
import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { after, before, test } from 'node:test';
import { random_hex, random_uint, require, start_driver } from './driver.mjs';
import { ERRORS, FUNCTIONS, TOPICS } from './upstream-truth.mjs';

const viem = require('viem');
const ethers = require('ethers');
const coder = ethers.AbiCoder.defaultAbiCoder();

let driver, ask, rows;

before(async () => {
    driver = start_driver();
    ask = driver.ask;
    rows = (await ask('upstream')).map((row, i) => ({ ...row, row: String(i) }));
});
after(async () => assert.equal(await driver.end(), 0));

const refused = (op, fields, code = 'E_PEER') => assert.rejects(ask(op, fields), { code });

/** The table's texts are ethers' own notation, but for the word `tuple`. */
const params = (text) => ethers.ParamType.from(`tuple${text.replaceAll('(', 'tuple(').slice(5)}`).components;
const fragment = (r) => ethers.Fragment.from(`${r.kind} ${r.name}${r.in.replaceAll('(', 'tuple(').slice(5)}${r.out && r.out !== '()' ? ` returns ${r.out.replaceAll('(', 'tuple(').slice(5)}` : ''}`);
const viemAbi = (f) => JSON.parse(f.format('json'));

const TEXTS = [
    () => '', () => 'https://cipfs.example/ipfs/Qm', () => 'ä→🜁', () => 'x'.repeat(31), () => 'x'.repeat(32), () => 'x'.repeat(33),
    () => 'a\0b', () => randomBytes(randomInt(400)).toString('hex'),
];

/** A random value of an ethers ParamType, as ethers takes it. */
function random_value(p) {
    if (p.baseType === 'array') return Array.from({ length: randomInt(4) }, () => random_value(p.arrayChildren));
    if (p.baseType === 'tuple') return p.components.map(random_value);
    if (p.type === 'string') return TEXTS[randomInt(TEXTS.length)]();
    if (p.type === 'bytes') return random_hex(randomInt(100));
    if (p.type === 'bool') return randomInt(2) === 1;
    if (p.type === 'address') return ethers.getAddress(random_hex(20));
    if (p.type.startsWith('uint')) return random_uint(Number(p.type.slice(4)));
    return random_hex(Number(p.type.slice(5)));
}

/** The same as the driver takes and gives it. */
function tree(p, v) {
    if (p.baseType === 'array') return v.map((x) => tree(p.arrayChildren, x));
    if (p.baseType === 'tuple') return p.components.map((c, i) => tree(c, v[i]));
    if (p.type === 'string') return viem.toHex(Buffer.from(v));
    if (p.type === 'bytes') return v;
    if (p.type.startsWith('bytes')) return viem.padHex(v, { dir: 'right', size: 32 });
    return viem.toHex(p.type === 'bool' ? Number(v) : BigInt(v), { size: 32 });
}
const trees = (ps, vs) => ps.map((p, i) => tree(p, vs[i]));

// ---- the table ----

test('every selector and topic that is known of the deployed contracts is in the table', () => {
    const hash = (contract, name, kind) => rows.find((r) => r.contract === contract && r.name === name && r.kind === kind)?.hash;
    for (const [at, selector] of Object.entries(FUNCTIONS)) {
        assert.equal(hash(...at.split('.'), 'function')?.slice(0, 10), selector, at);
    }
    for (const [at, selector] of Object.entries(ERRORS)) {
        assert.equal(hash(...at.split('.'), 'error')?.slice(0, 10), selector, at);
    }
    for (const [at, topic] of Object.entries(TOPICS)) {
        assert.equal(hash(...at.split('.'), 'event'), topic, at);
    }
});

test('every row hashes as ethers and viem hash it, and no two of a contract are alike', () => {
    assert.ok(rows.length > 200);
    for (const r of rows) {
        const f = fragment(r);
        assert.equal(r.hash, ethers.id(f.format('sighash')), r.name);
        assert.equal(r.hash, viem.keccak256(viem.toHex(f.format('sighash'))), r.name);
    }
    assert.equal(new Set(rows.map((r) => `${r.contract} ${r.kind === 'event' ? r.hash : r.hash.slice(0, 10)}`)).size, rows.length);
});

// ---- calls, results, logs ----

test('calls and results of every function, both ways', async () => {
    for (const r of rows.filter((x) => x.kind !== 'event')) {
        const f = fragment(r);
        for (let i = 0; i < 4; i++) {
            const args = f.inputs.map(random_value);
            const data = ethers.concat([r.hash.slice(0, 10), coder.encode(f.inputs, args)]);
            assert.equal(await ask('upstream_call', { row: r.row, value: trees(f.inputs, args) }), data, r.name);
            assert.deepEqual(await ask('upstream_call_read', { row: r.row, data }), trees(f.inputs, args));
            if (r.kind === 'error') continue;
            assert.equal(data, viem.encodeFunctionData({ abi: [viemAbi(f)], functionName: r.name, args: named(f.inputs, args) }));
            const results = f.outputs.map(random_value);
            const back = coder.encode(f.outputs, results);
            assert.equal(await ask('upstream_return', { row: r.row, value: trees(f.outputs, results) }), back, r.name);
            assert.deepEqual(await ask('upstream_return_read', { row: r.row, data: back }), trees(f.outputs, results));
        }
    }
});

/** viem takes tuples as objects. */
const named = (ps, vs) => ps.map((p, i) => p.baseType === 'tuple' ? Object.fromEntries(p.components.map((c, j) => [c.name, vs[i][j]])) : vs[i]);

test('logs of every event, both ways', async () => {
    for (const r of rows.filter((x) => x.kind === 'event')) {
        const f = fragment(r);
        const face = new ethers.Interface([f]);
        for (let i = 0; i < 8; i++) {
            const args = f.inputs.map(random_value);
            const log = face.encodeEventLog(f, args);
            const value = trees(f.inputs, args);
            assert.deepEqual(await ask('upstream_log', { row: r.row, value }), log, r.name);
            assert.deepEqual(await ask('upstream_log_read', { row: r.row, ...log }), value);
            const seen = viem.decodeEventLog({ abi: [viemAbi(f)], ...log }).args;
            assert.equal(Object.keys(seen).length, f.inputs.length);
            await refused('upstream_log_read', { row: r.row, topics: log.topics, data: ethers.concat([log.data, '0x00']) });
            await refused('upstream_log_read', { row: r.row, topics: [...log.topics, ethers.ZeroHash], data: log.data });
            await refused('upstream_log_read', { row: r.row, topics: [], data: log.data });
        }
    }
});

// ---- any types ----

function random_type(depth) {
    const k = randomInt(depth > 0 ? 9 : 7);
    const bits = () => 8 * (1 + randomInt(32));
    if (k < 7) return [`uint${bits()}`, 'address', 'bool', 'string', 'bytes', `bytes${bits() / 8}`, 'uint256'][k];
    if (k === 7) return `${random_type(depth - 1)}[]`;
    return `(${Array.from({ length: 1 + randomInt(3) }, () => random_type(depth - 1)).join(',')})`;
}

test('random types of any nesting round trip as in ethers; each cut and each flipped byte is refused or reads back the same', async () => {
    let kept = 0;
    for (let i = 0; i < 150; i++) {
        const types = `(${Array.from({ length: 1 + randomInt(4) }, () => random_type(3)).join(',')})`;
        const ps = params(types);
        const vs = ps.map(random_value);
        const data = coder.encode(ps, vs);
        assert.equal(await ask('tree_encode', { types, value: trees(ps, vs) }), data, types);
        assert.deepEqual(await ask('tree_decode', { types, data }), trees(ps, vs), types);
        const bytes = Buffer.from(data.slice(2), 'hex');
        await refused('tree_decode', { types, data: viem.toHex(bytes.subarray(0, randomInt(bytes.length))) });
        await refused('tree_decode', { types, data: viem.toHex(Buffer.concat([bytes, Buffer.alloc(32)])) });
        for (let j = 0; j < 10; j++) {
            const at = randomInt(bytes.length);
            const other = Buffer.from(bytes);
            other[at] ^= 1 << randomInt(8);
            const read = await ask('tree_decode', { types, data: viem.toHex(other) }).catch((e) => { assert.equal(e.code, 'E_PEER'); });
            if (read) {
                kept++;
                assert.equal(await ask('tree_encode', { types, value: read }), viem.toHex(other), 'one encoding per value');
            }
        }
    }
    assert.ok(kept > 100, `${kept} altered values were values`);
});

// ---- hostile ----

const word = (n) => viem.toHex(n, { size: 32 }).slice(2);
const MAX = 2n ** 256n - 1n;

test('hostile offsets, lengths and padding are refused', async () => {
    const cases = {
        'an offset to itself': ['(string)', word(0n)],
        'an offset to its own array': ['(uint256[][])', word(32n) + word(1n) + word(0n)],
        'an offset into the heads': ['(string,string)', word(32n) + word(64n) + word(0n)],
        'two offsets to one tail': ['(string,string)', word(64n) + word(64n) + word(0n)],
        'a gap before the tail': ['(string)', word(64n) + word(0n) + word(0n)],
        'an offset beyond': ['(string)', word(4096n)],
        'an offset of 2^256-1': ['(string)', word(MAX)],
        'an offset of 2^64+32': ['(string)', word(2n ** 64n + 32n) + word(0n)],
        'a length of 2^256-1': ['(string)', word(32n) + word(MAX)],
        'a length that wraps when padded': ['(bytes)', word(32n) + word(2n ** 64n - 1n)],
        'a length of one too many': ['(bytes)', word(32n) + word(33n) + word(0n)],
        'an array of 2^40': ['(uint256[])', word(32n) + word(2n ** 40n) + word(1n)],
        'an array of 2^59 tuples': ['((uint256,uint256)[])', word(32n) + word(2n ** 59n) + word(1n)],
        'dirty padding of bytes': ['(bytes)', word(32n) + word(1n) + `ff${'00'.repeat(30)}01`],
        'a dirty address': ['(address)', `01${'00'.repeat(31)}`],
        'a bool of 2': ['(bool)', word(2n)],
        'a uint8 of 256': ['(uint8)', word(256n)],
        'a dirty bytes4': ['(bytes4)', '00'.repeat(4) + '01'.padEnd(56, '0')],
        'nothing at all': ['(uint256)', ''],
        'half a word': ['(uint256)', '00'.repeat(16)],
    };
    for (const [what, [types, data]] of Object.entries(cases)) {
        await assert.rejects(ask('tree_decode', { types, data: `0x${data}` }), { code: 'E_PEER' }, what);
    }
});

test('values that do not fit are not encoded', async () => {
    await refused('tree_encode', { types: '(uint8)', value: [`0x${word(256n)}`] }, 'E_RANGE');
    await refused('tree_encode', { types: '(bool)', value: [`0x${word(2n)}`] }, 'E_RANGE');
    await refused('tree_encode', { types: '((uint8,uint8))', value: [[`0x${word(1n)}`]] }, 'E_RANGE');
    await refused('tree_encode', { types: '(uint8)', value: [] }, 'E_RANGE');
});

test('type texts that are wrong are refused', async () => {
    for (const types of ['', 'uint8', '(uint7)', '(uint264)', '(uint)', '(bytes0)', '(bytes33)', '(int8)', '(uint8', '(uint8))', '(uint8[)', '(uint8[2])', '(())', '(()[])', `${'('.repeat(9)}uint8${')'.repeat(9)}`, `(uint8${'[]'.repeat(9)})`, `(${Array(60).fill('bool').join(',')})`]) {
        await refused('tree_decode', { types, data: '0x' }, 'E_INTERNAL');
    }
});
