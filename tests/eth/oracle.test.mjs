// SPDX-License-Identifier: MIT
// Our Keccak, RLP, EIP-712, signatures and transactions against viem and ethers.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { random_hex, random_uint, require, start_driver } from './driver.mjs';

const viem = require('viem');
const { privateKeyToAccount, sign } = require('viem/accounts');
const ethers = require('ethers');

const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

let driver, ask;

before(() => { driver = start_driver(); ask = driver.ask; });
after(async () => assert.equal(await driver.end(), 0));

const refused = (op, fields, code, words) =>
    assert.rejects(ask(op, fields), (e) => e.code === code && (!words || words.test(e.message)));

test('keccak at the block edges, and at random', async () => {
    const sizes = [0, 1, 31, 32, 64, 135, 136, 137, 271, 272, 273, 1000, 5000];
    for (let i = 0; i < 200; i++) sizes.push(randomBytes(2).readUInt16BE() % 700);
    for (const size of sizes) {
        const data = random_hex(size);
        assert.equal(await ask('keccak', { data }), viem.keccak256(data), `${size} bytes`);
        assert.equal(await ask('keccak', { data }), ethers.keccak256(data));
    }
});

test('sha256', async () => {
    for (const size of [0, 1, 55, 56, 63, 64, 65, 1000]) {
        const bytes = randomBytes(size);
        const want = createHash('sha256').update(bytes).digest('hex');
        assert.equal(await ask('sha256', { data: `0x${bytes.toString('hex')}` }), `0x${want}`);
    }
});

test('addresses: EIP-55 out, any case in', async () => {
    for (let i = 0; i < 200; i++) {
        const raw = random_hex(20);
        const want = viem.getAddress(raw);
        for (const text of [raw, want, `0x${raw.slice(2).toUpperCase()}`])
            assert.equal(await ask('address', { text }), want);
    }
    for (const text of ['', '0x', random_hex(19), random_hex(21), `0x${'g'.repeat(40)}`,
        random_hex(20).slice(2), `0X${'a'.repeat(40)}`, `${random_hex(20)} `])
        await refused('address', { text }, 'E_VALIDATION');
});

const random_item = (depth) => {
    const kind = randomBytes(1)[0];
    if (depth > 0 && kind < 100)
        return Array.from({ length: randomBytes(1)[0] % 6 }, () => random_item(depth - 1));
    return random_hex([0, 1, 1, 2, 20, 32, 54, 55, 56, 57, 255, 256, 300][kind % 13]);
};

test('RLP: random items both ways', async () => {
    for (let i = 0; i < 300; i++) {
        const item = random_item(4);
        const want = viem.toRlp(item);
        assert.equal(await ask('rlp', { item }), want);
        assert.equal(ethers.encodeRlp(item), want);
        assert.deepEqual(await ask('rlp_decode', { data: want }), item);
    }
    for (let b = 0; b < 256; b++) {
        const item = viem.numberToHex(b, { size: 1 });
        assert.equal(await ask('rlp', { item }), viem.toRlp(item));
    }
    const big = random_hex(70000);
    assert.equal(await ask('rlp', { item: [big] }), viem.toRlp([big]));
    assert.deepEqual(await ask('rlp_decode', { data: viem.toRlp([big]) }), [big]);
});

test('RLP: numbers lose their leading zeros', async () => {
    for (const n of [0n, 1n, 127n, 128n, 255n, 256n, (1n << 64n) - 1n, (1n << 256n) - 1n])
        assert.equal(await ask('rlp_number', { be: viem.numberToHex(n, { size: 32 }) }),
            viem.toRlp(n === 0n ? '0x' : viem.toHex(n)));
});

test('RLP: what is not canonical is refused', async () => {
    const bad = ['0x', '0x81', '0x8100', '0x817f', '0x8200', '0xb80100', `0xb837${'00'.repeat(55)}`,
        `0xb90038${'00'.repeat(56)}`, '0xb8', '0xb9ff', '0xbfffffffffffffffff', '0xc1', '0xc181',
        '0xc28100', '0xf800', `0xf837${'00'.repeat(55)}`, '0xff', '0xffffffffffffffffff',
        `0xf90038${'00'.repeat(56)}`, '0x0000', '0xc000', '0xc3c28000'.slice(0, 8)];
    for (const data of bad) await refused('rlp_decode', { data }, 'E_PEER');
    // every cut of a good text is refused
    const good = viem.toRlp([random_hex(60), [random_hex(3), '0x'], '0x05']);
    for (let at = 2; at < good.length; at += 2)
        await refused('rlp_decode', { data: good.slice(0, at) }, 'E_PEER');
});

const FIELDS = {
    Binding: [['provider', 'address'], ['master', 'address'], ['nonce', 'uint64'], ['deadline', 'uint64']],
    Registration: [['provider', 'address'], ['manifest', 'bytes32'], ['environments', 'uint8'],
        ['nonce', 'uint64'], ['deadline', 'uint64']],
    Response: [['task', 'bytes16'], ['attempt', 'bytes16'], ['epoch', 'uint32'], ['provider', 'address'],
        ['manifest', 'bytes32'], ['input', 'bytes32'], ['output', 'bytes32']],
};

const random_of = (type) => {
    if (type === 'address') return random_hex(20);
    if (type.startsWith('bytes')) return random_hex(Number(type.slice(5)));
    return random_uint(Number(type.slice(4)));
};

const random_message = (primaryType) =>
    Object.fromEntries(FIELDS[primaryType].map(([name, type]) => [name, random_of(type)]));

const typed = (primaryType, chainId, contract, message) => ({
    domain: { name: 'OpenGPU Gateway', version: '1', chainId, verifyingContract: contract },
    types: { [primaryType]: FIELDS[primaryType].map(([name, type]) => ({ name, type })) },
    primaryType, message,
});

for (const primaryType of Object.keys(FIELDS)) {
    test(`EIP-712 ${primaryType}: digest, signature, signer`, async () => {
        for (let i = 0; i < 100; i++) {
            const chainId = i < 3 ? [1071n, 200820172034n, 31337n][i] : random_uint(53);
            const contract = random_hex(20);
            const message = random_message(primaryType);
            const data = typed(primaryType, chainId, contract, message);
            const digest = await ask(primaryType.toLowerCase(), { chainId, contract, ...message });
            assert.equal(digest, viem.hashTypedData(data));
            assert.equal(digest, ethers.TypedDataEncoder.hash(data.domain, data.types, message));
            if (i >= 10) continue;
            const account = privateKeyToAccount(random_hex(32));
            const signature = await account.signTypedData(data);
            assert.equal(await ask('recover', { digest, signature }), account.address);
        }
    });
}

test('EIP-712: chain ids of 64 bits', async () => {
    const message = random_message('Binding');
    for (const chainId of [(1n << 63n), (1n << 64n) - 1n]) {
        const data = typed('Binding', chainId, random_hex(20), message);
        assert.equal(await ask('binding', { chainId, contract: data.domain.verifyingContract, ...message }),
            ethers.TypedDataEncoder.hash(data.domain, data.types, message));
    }
});

test('signing gives what viem gives', async () => {
    for (let i = 0; i < 50; i++) {
        const key = random_hex(32);
        const digest = random_hex(32);
        const want = await sign({ hash: digest, privateKey: key, to: 'hex' });
        assert.equal(await ask('sign', { key, digest }), want);
        assert.equal(await ask('recover', { digest, signature: want }), privateKeyToAccount(key).address);
    }
    for (const key of [0n, N, N + 1n, (1n << 256n) - 1n])
        await refused('sign', { key: viem.numberToHex(key, { size: 32 }), digest: random_hex(32) }, 'E_CONFIG');
});

const joined = (r, s, v) => viem.concatHex([viem.numberToHex(r, { size: 32 }),
    viem.numberToHex(s, { size: 32 }), viem.numberToHex(v, { size: 1 })]);

const parts = (signature) => ({
    r: viem.hexToBigInt(viem.slice(signature, 0, 32)),
    s: viem.hexToBigInt(viem.slice(signature, 32, 64)),
    v: viem.hexToNumber(viem.slice(signature, 64)),
});

test('recover: twins, other v, out of range', async () => {
    for (let i = 0; i < 100; i++) {
        const digest = random_hex(32);
        const { r, s, v } = parts(await sign({ hash: digest, privateKey: random_hex(32), to: 'hex' }));
        // the high-s twin is the same signature to plain ECDSA: it must not count as another
        await refused('recover', { digest, signature: joined(r, N - s, v === 27 ? 28 : 27) },
            'E_BAD_SIGNATURE', /upper half/);
        if (i >= 10) continue;
        for (const other of [0, 1, 2, 26, 29, 30, 31, 35, 36, 255])
            await refused('recover', { digest, signature: joined(r, s, other) }, 'E_BAD_SIGNATURE', /v must/);
        for (const bad of [0n, N, N + 1n, (1n << 256n) - 1n]) {
            await refused('recover', { digest, signature: joined(bad, s, v) }, 'E_BAD_SIGNATURE');
            await refused('recover', { digest, signature: joined(r, bad, v) }, 'E_BAD_SIGNATURE');
        }
        const good = joined(r, s, v);
        for (const signature of ['0x', good.slice(0, -2), `${good}00`, viem.slice(good, 0, 64)])
            await refused('recover', { digest, signature }, 'E_BAD_SIGNATURE', /65 bytes/);
    }
});

test('recover: half the order is still low, one more is not', async () => {
    const digest = random_hex(32);
    const half = N / 2n;
    const r = parts(await sign({ hash: digest, privateKey: random_hex(32), to: 'hex' })).r;
    const signature = joined(r, half, 27);
    const want = await viem.recoverAddress({ hash: digest, signature });
    assert.equal(await ask('recover', { digest, signature }), want);
    await refused('recover', { digest, signature: joined(r, half + 1n, 27) }, 'E_BAD_SIGNATURE', /upper half/);
});

test('recover agrees with viem on random points', async () => {
    let points = 0;
    for (let i = 0; i < 100; i++) {
        const digest = random_hex(32);
        const signature = joined(random_uint(256), random_uint(254), 27 + (i & 1));
        const mine = await ask('recover', { digest, signature }).catch((e) => e.code);
        const want = await viem.recoverAddress({ hash: digest, signature }).catch(() => 'E_BAD_SIGNATURE');
        assert.equal(mine, want);
        points += mine !== 'E_BAD_SIGNATURE';
    }
    assert.ok(points > 5, 'some must be points, or nothing was compared');
});
