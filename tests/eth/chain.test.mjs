// SPDX-License-Identifier: MIT
// Our transactions, contract calls, events and trees against viem, ethers and OpenZeppelin.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { random_hex, random_uint, require, start_driver } from './driver.mjs';

const viem = require('viem');
const { privateKeyToAccount } = require('viem/accounts');
const ethers = require('ethers');
const { SimpleMerkleTree } = require('@openzeppelin/merkle-tree');

let driver, ask;

before(() => { driver = start_driver(); ask = driver.ask; });
after(async () => assert.equal(await driver.end(), 0));

const refused = (op, fields, code) => assert.rejects(ask(op, fields), { code });

// ---- transactions ----

function random_tx(type, i) {
    return {
        type, chainId: i < 3 ? [1071n, 200820172034n, 31337n][i] : random_uint(48) + 1n,
        nonce: random_uint(40), gas: random_uint(40), maxFee: random_uint(63), priorityFee: random_uint(60),
        to: i % 7 === 0 ? null : random_hex(20), value: viem.numberToHex(random_uint(256), { size: 32 }),
        data: random_hex([0, 1, 4, 55, 56, 300][i % 6]),
    };
}

function viem_tx(t) {
    const common = {
        chainId: Number(t.chainId), nonce: Number(t.nonce), gas: t.gas,
        to: t.to ?? undefined, value: viem.hexToBigInt(t.value), data: t.data,
    };
    return t.type === 'legacy' ? { ...common, type: 'legacy', gasPrice: t.maxFee }
        : { ...common, type: 'eip1559', maxFeePerGas: t.maxFee, maxPriorityFeePerGas: t.priorityFee };
}

for (const type of ['eip1559', 'legacy']) {
    test(`${type} transactions: digest, bytes, hash`, async () => {
        for (let i = 0; i < 100; i++) {
            const t = random_tx(type, i);
            if (t.priorityFee > t.maxFee) t.priorityFee = t.maxFee;
            const key = random_hex(32);
            const account = privateKeyToAccount(key);
            const got = await ask('tx', { ...t, key });
            const unsigned = viem.serializeTransaction(viem_tx(t));
            assert.equal(got.digest, viem.keccak256(unsigned));
            const raw = await account.signTransaction(viem_tx(t));
            assert.equal(got.raw, raw);
            assert.equal(got.hash, viem.keccak256(raw));
            const read = ethers.Transaction.from(got.raw);
            assert.equal(read.from, account.address);
            assert.equal(read.hash, got.hash);
            assert.equal(read.chainId, t.chainId);
        }
    });
}

test('legacy transactions of 64-bit chains', async () => {
    for (const chainId of [(1n << 62n) - 1n, (1n << 63n) + 5n, (1n << 64n) - 1n]) {
        const key = random_hex(32);
        const t = { ...random_tx('legacy', 1), chainId };
        const got = await ask('tx', { ...t, key });
        const wallet = new ethers.Wallet(key);
        const raw = await wallet.signTransaction({
            type: 0, chainId, nonce: Number(t.nonce), gasLimit: t.gas, gasPrice: t.maxFee, to: t.to,
            value: viem.hexToBigInt(t.value), data: t.data,
        });
        assert.equal(got.raw, raw);
    }
});

// ---- contract calls and events ----

const FUNCTIONS = ['deposit(address)', 'register(address)', 'idOf(address)', 'accountOf(uint32)', 'deposited(uint32)', 'totalDeposited()',
    'settle(uint64,uint64,bytes32,bytes32,bytes)', 'claimPayout(uint64,bytes,uint8,bytes32[])', 'claimed(uint32)',
    'rootOf(uint64)', 'delay()', 'lastEpoch()'];
const EVENTS = ['Registered(uint32 indexed,address indexed)', 'Deposited(uint32 indexed,address indexed,uint256)',
    'Settled(uint64 indexed,bytes32,uint64,bytes32,bytes32,uint256)',
    'Claimed(uint32 indexed,address indexed,uint64,uint256)'];

const types_of = (signature) => signature.slice(signature.indexOf('(') + 1, -1).split(',').filter(Boolean)
    .map((t) => ({ type: t.replace(' indexed', ''), indexed: t.endsWith(' indexed') }));

const random_value = (type, i) => {
    if (type === 'address') return viem.getAddress(random_hex(20));
    if (type === 'bytes32[]') return Array.from({ length: i % 5 }, () => random_hex(32));
    if (type === 'bytes') return random_hex([0, 1, 10, 31, 32, 33, 160, 1600][i % 8]);
    if (type.startsWith('bytes')) return random_hex(32);
    return random_uint(Number(type.slice(4)));
};

/** How the driver writes a value: dynamic ones as their bytes, others as their word. */
const driver_value = (type, value) => {
    if (type === 'bytes') return { data: value };
    if (type === 'bytes32[]') return { data: viem.concatHex(['0x', ...value]) };
    return { word: viem.encodeAbiParameters([{ type }], [value]) };
};
const driver_out = (type, value) => Object.values(driver_value(type, value))[0];

test('calls of every contract function', async () => {
    for (const signature of FUNCTIONS) {
        const types = types_of(signature);
        for (let i = 0; i < 40; i++) {
            const values = types.map((t) => random_value(t.type, i));
            const args = types.map((t, k) => driver_value(t.type, values[k]));
            const want = viem.concatHex([viem.toFunctionSelector(`function ${signature}`),
                viem.encodeAbiParameters(types, values)]);
            assert.equal(await ask('abi_call', { signature, args }), want);
            const contract = new ethers.Interface([`function ${signature}`]);
            assert.equal(contract.encodeFunctionData(signature, values), want);
            const back = await ask('abi_decode', {
                types: signature, n: String(types.length), data: `0x${want.slice(10)}`,
            });
            assert.deepEqual(back, types.map((t, k) => driver_out(t.type, values[k])));
        }
    }
});

test('arguments that do not fit are refused', async () => {
    const word = (n) => ({ word: viem.numberToHex(n, { size: 32 }) });
    const max = (bits) => (1n << BigInt(bits)) - 1n;
    for (const [signature, bits] of [['a(uint8)', 8], ['a(uint32)', 32], ['a(uint48)', 48], ['a(uint64)', 64],
        ['a(address)', 160], ['a(bool)', 1]]) {
        assert.equal((await ask('abi_call', { signature, args: [word(max(bits))] })).length, 2 + 8 + 64);
        await refused('abi_call', { signature, args: [word(max(bits) + 1n)] }, 'E_RANGE');
        await refused('abi_call', { signature, args: [word(1n << 255n)] }, 'E_RANGE');
    }
    await refused('abi_call', { signature: 'a(bytes16)', args: [word(1n)] }, 'E_RANGE');
    await refused('abi_call', { signature: 'a(bytes32[])', args: [{ data: '0x00' }] }, 'E_RANGE');
    await refused('abi_call', { signature: 'a(uint8)', args: [] }, 'E_INTERNAL');
    await refused('abi_call', { signature: 'a(string)', args: [word(1n)] }, 'E_INTERNAL');
});

test('hostile return data is refused', async () => {
    const pad = (n) => viem.numberToHex(n, { size: 32 }).slice(2);
    const types = '(uint64,bytes)';
    const good = `0x${pad(7n)}${pad(64n)}${pad(3n)}${'aabbcc'.padEnd(64, '0')}`;
    assert.deepEqual(await ask('abi_decode', { types, n: '2', data: good }), [`0x${pad(7n)}`, '0xaabbcc']);
    const bad = [
        '0x', good.slice(0, -2), `${good}00`, `${good}${pad(0n)}`,
        `0x${pad(1n << 64n)}${good.slice(66)}`,                                 // beyond its type
        `0x${pad(7n)}${pad(96n)}${pad(3n)}${'aabbcc'.padEnd(64, '0')}`,         // offset elsewhere
        `0x${pad(7n)}${pad(32n)}${pad(3n)}${'aabbcc'.padEnd(64, '0')}`,         // offset into the heads
        `0x${pad(7n)}${pad((1n << 256n) - 32n)}${pad(3n)}${'aabbcc'.padEnd(64, '0')}`,
        `0x${pad(7n)}${pad(64n)}${pad((1n << 64n) - 1n)}${'aabbcc'.padEnd(64, '0')}`,
        `0x${pad(7n)}${pad(64n)}${pad(33n)}${'aabbcc'.padEnd(64, '0')}`,
        `0x${pad(7n)}${pad(64n)}${pad(3n)}${'aabbccdd'.padEnd(64, '0')}`,       // dirty padding
    ];
    for (const data of bad) await refused('abi_decode', { types, n: '2', data }, 'E_PEER');
    const list = `0x${pad(32n)}${pad(1n << 59n)}`; // 2^59 words would be 2^64 bytes
    await refused('abi_decode', { types: '(bytes32[])', n: '1', data: list }, 'E_PEER');
});

test('events of both contracts', async () => {
    for (const event of EVENTS) {
        const types = types_of(event);
        const plain = event.replaceAll(' indexed', '');
        assert.equal(await ask('abi_topic', { event }), viem.toEventSelector(`event ${plain}`));
        for (let i = 0; i < 40; i++) {
            const values = types.map((t) => random_value(t.type, i));
            const contract = new ethers.Interface([`event ${event}`]);
            const log = contract.encodeEventLog(plain, values);
            const fields = { event, topics: log.topics, data: log.data, n: String(types.length) };
            assert.deepEqual(await ask('abi_event', fields), types.map((t, k) => driver_out(t.type, values[k])));
            await refused('abi_event', { ...fields, topics: log.topics.slice(0, -1) }, 'E_PEER');
            await refused('abi_event', { ...fields, topics: [...log.topics, random_hex(32)] }, 'E_PEER');
            await refused('abi_event', { ...fields, topics: [random_hex(32), ...log.topics.slice(1)] }, 'E_PEER');
            await refused('abi_event', { ...fields, data: `${log.data}00` }, 'E_PEER');
        }
    }
});

// ---- trees ----

test('Merkle roots and proofs of 1 to 40 leaves', async () => {
    for (let n = 1; n <= 40; n++) {
        const leaves = Array.from({ length: n }, () => random_hex(32));
        const tree = SimpleMerkleTree.of(leaves, { sortLeaves: false });
        const root = await ask('merkle', { leaves });
        assert.equal(root, tree.root);
        for (let index = 0; index < n; index++) {
            const proof = await ask('proof', { leaves, index: String(index) });
            assert.deepEqual(proof, tree.getProof(index));
            assert.equal(await ask('verify', { leaf: leaves[index], proof, root }), true);
            assert.equal(await ask('verify', { leaf: random_hex(32), proof, root }), false);
            if (n > 1) {
                assert.equal(await ask('verify', { leaf: leaves[index], proof: proof.slice(1), root }), false);
                assert.equal(await ask('verify', { leaf: leaves[(index + 1) % n], proof, root }), false);
            }
        }
        await refused('proof', { leaves, index: String(n) }, 'E_RANGE');
    }
    await refused('merkle', { leaves: [] }, 'E_RANGE');
});

test('equal leaves', async () => {
    const leaf = random_hex(32);
    for (let n = 2; n < 10; n++) {
        const leaves = Array(n).fill(leaf);
        assert.equal(await ask('merkle', { leaves }), SimpleMerkleTree.of(leaves, { sortLeaves: false }).root);
    }
});

test('entries: bytes and root as the contract has them', async () => {
    for (const n of [1, 2, 15, 16, 17, 32, 33, 100]) {
        const entries = Array.from({ length: n }, () => ({
            id: (random_uint(30) + 1n).toString(), spent: randomBytes(1)[0] < 128, units: random_uint(48).toString(),
        }));
        const bytes = viem.concatHex(entries.map((e) => viem.encodePacked(['uint32', 'uint48'],
            [Number(e.id) + (e.spent ? 2 ** 31 : 0), Number(e.units)])));
        const chunks = [];
        for (let at = 0; at < n; at += 16)
            chunks.push(viem.padHex(viem.slice(bytes, at * 10, Math.min(n, at + 16) * 10), { dir: 'right', size: 160 }));
        const tree = SimpleMerkleTree.of(chunks.map((c) => viem.keccak256(c)), { sortLeaves: false });
        assert.deepEqual(await ask('entries', { entries }), { bytes, root: tree.root });
    }
    const one = (id, units) => ({ entries: [{ id, spent: false, units }] });
    for (const bad of [one('0', '1'), one('2147483648', '1'), one('1', '281474976710656')])
        await refused('entries', bad, 'E_RANGE');
    await refused('entries', { entries: [] }, 'E_RANGE');
});
