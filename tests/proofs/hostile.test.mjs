// SPDX-License-Identifier: MIT
// ogpu-verify and documents that lie, are broken or want to break it: never believed, never a crash. The honest ones are made here,
// by viem, OpenZeppelin's library and docs/settlement.md, so that nothing of the gateway vouches for them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SimpleMerkleTree } from '@openzeppelin/merkle-tree';
import { getAddress, hashTypedData, keccak256 } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { idBytes } from '../support/actors.mjs';
import { RESPONSE_TYPES, closeEpoch, encodeEvent, hex, logPath, logRoot } from '../support/epoch.mjs';
import { build } from '../support/stack.mjs';

const dir = mkdtempSync(join(process.env.OGPU_TEST_TMP ?? tmpdir(), 'ogpu-hostile-'));
after(() => rmSync(dir, { recursive: true, force: true }));

// `ignored`: what a check against a given root cannot know (which epoch the root is of, whose id it is, the transaction) or does not read.
/** @returns {Promise<{status: ?number, signal: ?string, out: string, err: string}>} */
const verify = (args, input = '') => new Promise((done, failed) => {
    const child = spawn(join(build, 'bin', 'ogpu-verify'), args);
    let [out, err] = ['', ''];
    child.stdout.on('data', (d) => { out += d; });
    child.stderr.on('data', (d) => { err += d; });
    child.stdin.on('error', () => {}); // it need not read all of what is too large
    child.on('error', failed);
    child.on('close', (status, signal) => done({ status, signal, out, err }));
    child.stdin.end(input);
});

function payout() {
    const entries = Buffer.concat(Array.from({ length: 40 }, (_, i) => {
        const b = Buffer.alloc(10);
        b.writeUInt32BE(i + 1, 0);
        b.writeUIntBE(1000 + i, 4, 6);
        return b;
    }));
    const padded = Buffer.concat([entries, Buffer.alloc(480 - 400)]);
    const chunks = [0, 1, 2].map((i) => hex(padded.subarray(160 * i, 160 * (i + 1))));
    const tree = SimpleMerkleTree.of(chunks.map((c) => keccak256(c)), { sortLeaves: false });
    return { root: tree.root, ignored: ['.epoch', '.address'], document: { address: getAddress(hex(randomBytes(20))), id: 20, epoch: 3, units: '1019', chunk: chunks[1], index: 3, proof: tree.getProof(1), root: tree.root } };
}

function score() {
    const providers = Array.from({ length: 9 }, () => hex(randomBytes(20)));
    const events = Array.from({ length: 60 }, () => ({ kind: 1 + randomInt(3), epoch: 5, task: hex(randomBytes(16)), attempt: hex(randomBytes(16)), provider: providers[randomInt(9)], payee: hex(randomBytes(20)), response: hex(randomBytes(32)), amount: 7, at: randomInt(1e9), before: 5000 }));
    const closed = closeEpoch(5, events);
    return { root: closed.score_root, ignored: ['.provider'], document: { provider: 'prv_01m826rg48fw2t5bgvbnps4wbh', leaf: closed.leaves[2], proof: closed.tree.getProof(2), root: closed.score_root, epoch: 5 } };
}

async function task() {
    const provider = privateKeyToAccount(generatePrivateKey());
    const id = 'tsk_01m826rm18fa4azytb7bgkqykk';
    const message = { task: idBytes(id), attempt: hex(randomBytes(16)), epoch: 2, provider: provider.address, manifest: hex(randomBytes(32)), input: hex(randomBytes(32)), output: hex(randomBytes(32)) };
    const typed = { domain: { name: 'OpenGPU Gateway', version: '1', chainId: 31337, verifyingContract: getAddress(hex(randomBytes(20))) }, types: RESPONSE_TYPES, primaryType: 'Response', message };
    const payee = getAddress(hex(randomBytes(20)));
    const mine = encodeEvent({ kind: 1, epoch: 8, task: message.task, attempt: message.attempt, provider: provider.address, payee, response: hashTypedData(typed), amount: 250000000000000000n, at: 1_700_000_000_000_000n });
    const log = Array.from({ length: 11 }, (_, i) => (i === 6 ? mine : randomBytes(153)));
    const root = hex(logRoot(log));
    return {
        root, ignored: ['.tx_hash'],
        document: {
            task: id, typed_data: typed, signature: await provider.signTypedData(typed), event: { kind: 'accepted', encoded: hex(mine), payee, amount: '250000000000000000', accepted_at: '2023-11-14T22:13:20.000000Z' },
            inclusion: { index: 6, size: 11, proof: logPath(6, log).map(hex), root }, epoch: 8, chain_id: 31337, contract: typed.domain.verifyingContract, tx_hash: hex(randomBytes(32)),
        },
    };
}

const kinds = { payout: payout(), score: score(), task: await task() };

test('the honest documents are believed, from a file and from standard input', async () => {
    for (const [kind, { document, root }] of Object.entries(kinds)) {
        const file = join(dir, `${kind}.json`);
        writeFileSync(file, JSON.stringify(document));
        for (const got of [await verify([kind, file, '--root', root]), await verify([kind, '-', '--root', root], JSON.stringify(document, null, 4))]) {
            assert.equal(got.status, 0, `${kind}: ${got.err}`);
            assert.match(got.out, /^verified: .*\n$/);
        }
        const other = await verify([kind, file, '--root', hex(randomBytes(32))]);
        assert.deepEqual([other.status, other.out], [1, '']);
        assert.match(other.err, /^ogpu-verify: refuted: .*\n$/);
    }
});

/** Every place of a document: [path, object, key]. */
function* places(v, path = '') {
    for (const key of Object.keys(v)) {
        yield [`${path}.${key}`, v, key];
        if (v[key] !== null && typeof v[key] === 'object') {
            yield* places(v[key], `${path}.${key}`);
        }
    }
}

const GONE = Symbol('gone');
const WRONG = [GONE, null, -1, 4e18, 0.5, '', '0xzz', 'A'.repeat(3000), [[{}]]];

async function all(jobs) {
    const waiting = [...jobs];
    await Promise.all(Array.from({ length: 3 }, async () => {
        while (waiting.length > 0) {
            await waiting.pop()();
        }
    }));
}

test('a member gone, of another type, or altered: no document is believed, all are refused in words', async () => {
    const believed = [];
    const jobs = [];
    for (const [kind, { document, root, ignored }] of Object.entries(kinds)) {
        for (const [path] of [...places(document)]) {
            for (const wrong of WRONG) {
                const copy = structuredClone(document);
                const [, at, key] = [...places(copy)].find(([p]) => p === path);
                if (wrong === GONE && Array.isArray(at)) {
                    at.splice(Number(key), 1);
                } else if (wrong === GONE) {
                    delete at[key];
                } else if (JSON.stringify(at[key]) === JSON.stringify(wrong)) {
                    continue;
                } else {
                    at[key] = wrong;
                }
                jobs.push(async () => {
                    const got = await verify([kind, '-', '--root', root], JSON.stringify(copy));
                    if (got.status === 0) {
                        believed.push(`${kind}${path}`);
                    } else {
                        assert.ok([1, 2].includes(got.status) && /^ogpu-verify: (refuted|not checked): .+\n$/.test(got.err) && got.out === '', `${kind}${path} ${String(wrong).slice(0, 20)}: ${JSON.stringify(got)}`);
                    }
                });
            }
        }
        assert.ok(ignored.every((p) => [...places(document)].some(([q]) => q === p)));
    }
    await all(jobs);
    const ignored = new Set(Object.entries(kinds).flatMap(([kind, k]) => k.ignored.map((p) => kind + p)));
    assert.deepEqual([...new Set(believed)].filter((p) => !ignored.has(p)).sort(), [], 'only what is not looked at may be anything');
});

/** A place in the document's text outside of the members that are not looked at. */
function placeIn({ document, ignored }, text) {
    const spans = ignored.map((path) => {
        const names = path.slice(1).split('.');
        const member = `${JSON.stringify(names.at(-1))}:${JSON.stringify(names.reduce((v, n) => v[n], document))}`;
        return [text.lastIndexOf(member), text.lastIndexOf(member) + member.length];
    });
    for (;;) {
        const at = randomInt(text.length);
        if (!spans.some(([from, to]) => at >= from && at < to)) {
            return at;
        }
    }
}

test('bytes flipped, cut off and doubled anywhere', async () => {
    await all(Array.from({ length: 240 }, (_, i) => async () => {
        const kind = Object.keys(kinds)[i % 3];
        const text = JSON.stringify(kinds[kind].document);
        let b = Buffer.from(text);
        const at = placeIn(kinds[kind], text);
        if (i % 5 === 0) {
            b = b.subarray(0, at);
        } else if (i % 5 === 1) {
            b = Buffer.concat([b.subarray(0, at), b]);
        } else {
            b[at] ^= 1 << randomInt(8);
        }
        const got = await verify([kind, '-', '--root', kinds[kind].root], b);
        assert.equal(got.signal, null, b.toString('latin1'));
        if (got.status === 0) {
            assert.equal(b.toString().toLowerCase(), text.toLowerCase(), 'believed though it says more than hex digits in another case');
        } else {
            assert.ok([1, 2].includes(got.status), JSON.stringify(got));
        }
    }));
});

test('proofs too short, too long, of other leaves; trees of other sizes', async () => {
    const { document: s, root } = kinds.score;
    const { document: t, root: log } = kinds.task;
    for (const proof of [s.proof.slice(1), s.proof.slice(0, -1), [...s.proof, s.proof[0]], s.proof.toReversed()]) {
        assert.equal((await verify(['score', '-', '--root', root], JSON.stringify({ ...s, proof }))).status, 1);
    }
    assert.equal((await verify(['score', '-', '--root', root], JSON.stringify({ ...s, proof: Array(49).fill(root) }))).status, 2);
    for (const over of [{ index: 5 }, { index: 11 }, { size: 6 }, { size: 0 }, { index: 2 ** 52, size: 2 ** 53 - 1 }, { proof: t.inclusion.proof.slice(1) }, { proof: [] }, { proof: [...t.inclusion.proof, log] }]) {
        assert.equal((await verify(['task', '-', '--root', log], JSON.stringify({ ...t, inclusion: { ...t.inclusion, ...over } }))).status, 1, JSON.stringify(over));
    }
    // A score of zero bytes against a root that the contract would hold for "no scores".
    assert.equal((await verify(['score', '-', '--root', `0x${'00'.repeat(32)}`], JSON.stringify(s))).status, 1);
});

test('what is no document at all, and what is no question', async () => {
    const honest = JSON.stringify(kinds.score.document);
    const { root } = kinds.score;
    const huge = `{"leaf":"${'x'.repeat(70_000)}"}`;
    for (const text of ['', ' ', 'null', '[]', '"x"', '1', `${honest}${honest}`, `${honest}\0`, '['.repeat(40_000), '{"a":'.repeat(9000), huge, `${honest.slice(0, -1)},"epoch":5}`, randomBytes(5000), Buffer.from([0xff, 0xfe, 0x00])]) {
        const got = await verify(['score', '-', '--root', root], text);
        assert.deepEqual([got.status, got.signal, got.out], [2, null, ''], String(text).slice(0, 40));
    }
    for (const args of [[], ['score'], ['score', '-'], ['score', '-', '--root'], ['score', '-', '--root', 'x'], ['score', '-', '--root', root, '--rpc', 'http://127.0.0.1:9'], ['score', '-', '--rpc', 'http://127.0.0.1:9'],
        ['nothing', '-', '--root', root], ['score', '-', '--nonsense', '1'], ['score', dir, '--root', root], ['score', join(dir, 'absent'), '--root', root], ['score', '-', '--rpc', 'http://127.0.0.1:9', '--contract', '0x12'],
        ['score', '-', '--rpc', 'not a url', '--contract', `0x${'11'.repeat(20)}`]]) {
        const got = await verify(args, honest);
        assert.deepEqual([got.status, got.signal], [2, null], args.join(' '));
        assert.ok(got.err.length > 0);
    }
});
