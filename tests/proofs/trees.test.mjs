// SPDX-License-Identifier: MIT
// Our trees against others: the test vectors of Certificate Transparency, RFC 6962 by its definitions, OpenZeppelin's library.
import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { after, before, test } from 'node:test';
import { StandardMerkleTree } from '@openzeppelin/merkle-tree';
import { start_driver } from '../eth/driver.mjs';
import { SCORE_TYPES, closeEpoch, hex, logPath, logRoot, rootOfPath, scoreValues } from '../support/epoch.mjs';

let driver, ask;

before(() => { driver = start_driver(); ask = driver.ask; });
after(async () => assert.equal(await driver.end(), 0));

// github.com/google/certificate-transparency, merkletree tests: eight entries, the heads of the trees of the first n, two paths.
const ENTRIES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map((h) => Buffer.from(h, 'hex'));
const HEADS = ['e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125', 'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7', '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef', 'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328'];
const FIRST_OF_EIGHT = ['96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7', '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
    '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4'];

test('the log tree: the published vectors', async () => {
    for (let n = 0; n <= 8; n++) {
        const out = await ask('log', { entries: ENTRIES.slice(0, n).map(hex) });
        assert.equal(out.root, `0x${HEADS[n]}`, `${n} entries`);
        assert.equal(hex(logRoot(ENTRIES.slice(0, n))), `0x${HEADS[n]}`, `the oracle at ${n}`);
    }
    const out = await ask('log', { entries: ENTRIES.map(hex) });
    assert.deepEqual(out.proofs[0], FIRST_OF_EIGHT.map((h) => `0x${h}`));
});

test('the log tree: every leaf of many sizes, by the RFC\'s definitions', async () => {
    for (const n of [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 257]) {
        const entries = Array.from({ length: n }, () => randomBytes(randomInt(200)));
        const out = await ask('log', { entries: entries.map(hex) });
        assert.equal(out.root, hex(logRoot(entries)));
        for (const m of n < 40 ? entries.keys() : [0, 1, n >> 1, n - 2, n - 1]) {
            assert.deepEqual(out.proofs[m], logPath(m, entries).map(hex), `leaf ${m} of ${n}`);
            assert.equal(hex(rootOfPath(entries[m], m, n, logPath(m, entries))), out.root);
            const path = { entry: hex(entries[m]), index: String(m), size: String(n), proof: out.proofs[m], root: out.root };
            assert.equal(await ask('log_verify', path), true);
        }
    }
});

test('the log tree: no other place, size, entry, length or order verifies', async () => {
    for (let round = 0; round < 150; round++) {
        const n = 2 + randomInt(40);
        const m = randomInt(n);
        const entries = Array.from({ length: n }, () => randomBytes(8));
        const path = logPath(m, entries);
        const good = { entry: hex(entries[m]), index: String(m), size: String(n), proof: path.map(hex), root: hex(logRoot(entries)) };
        const flipped = Buffer.from(path[0]);
        flipped[randomInt(32)] ^= 1 << randomInt(8);
        const bad = [{ entry: hex(randomBytes(8)) }, { index: String((m + 1) % n) }, { index: String(n) }, { index: '18446744073709551615' }, { size: '0' },
            { proof: good.proof.slice(1) }, { proof: good.proof.slice(0, -1) }, { proof: [...good.proof, hex(randomBytes(32))] }, { proof: [hex(flipped), ...good.proof.slice(1)] }, { proof: [] }];
        assert.equal(await ask('log_verify', good), true);
        for (const change of bad) {
            assert.equal(await ask('log_verify', { ...good, ...change }), false, JSON.stringify(change));
        }
        // Another size may share the path of a leaf (a perfect left half); what RFC 6962 says, we say.
        const size = n + 1 + randomInt(40);
        const led = rootOfPath(entries[m], m, size, path);
        assert.equal(await ask('log_verify', { ...good, size: String(size) }), led !== null && led !== undefined && hex(led) === good.root);
    }
});

const someEvents = (epoch, n, providers) => Array.from({ length: n }, () => {
    const p = providers[randomInt(providers.length)];
    return {
        kind: String(1 + randomInt(3)), epoch: String(epoch), task: hex(randomBytes(16)), attempt: hex(randomBytes(16)), provider: p.address, payee: hex(randomBytes(20)),
        response: hex(randomBytes(32)), amount: hex(randomBytes(32)), at: String(1_700_000_000_000_000n + BigInt(randomInt(n))), before: String(p.before),
    };
});

test('a closed epoch: roots, leaves and proofs as OpenZeppelin\'s library and the page\'s own words have them, in any order of events', async () => {
    for (const [n, k] of [[0, 1], [1, 1], [2, 2], [40, 3], [300, 50], [500, 200]]) {
        const providers = Array.from({ length: k }, () => ({ address: hex(randomBytes(20)), before: randomInt(10001) }));
        const events = someEvents(7, n, providers);
        const want = closeEpoch(7, events);
        const sent = events.map((e) => ({ ...e, amount: e.amount }));
        const out = await ask('close', { events: sent });
        assert.equal(out.score_root, want.score_root);
        assert.equal(out.log_root, want.log_root);
        assert.deepEqual(out.leaves.map((l) => ({ ...l, epoch: 7 })), want.leaves.map((l) => ({ ...l, provider: l.provider })).map(({ provider, accepted, rejected, expired, score, events_root }) => ({ provider, accepted, rejected, expired, score, events_root, epoch: 7 })));
        for (const [i, leaf] of want.leaves.entries()) {
            assert.ok(StandardMerkleTree.verify(want.score_root, SCORE_TYPES, scoreValues(leaf), out.proofs[i]), `leaf ${i} of ${k}`);
        }
        assert.deepEqual(await ask('close', { events: sent.sort(() => randomInt(3) - 1) }), out, 'another order');
    }
});
