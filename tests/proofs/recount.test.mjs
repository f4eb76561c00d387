// SPDX-License-Identifier: MIT
// A score counted again by ogpu-verify from events that somebody forged, left out, doubled or put in another order: always told, with
// the reason. The honest ones are made here, from docs/settlement.md, so that nothing of the gateway vouches for them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { bytes, closeEpoch, encodeEvent, hex, logRoot } from '../support/epoch.mjs';
import { build } from '../support/stack.mjs';

const dir = mkdtempSync(join(process.env.OGPU_TEST_TMP ?? tmpdir(), 'ogpu-recount-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const EPOCH = 7;
const BEFORE = 6210;
const provider = hex(randomBytes(20));
const event = (over = {}) => ({ kind: 1 + randomInt(3), epoch: EPOCH, task: hex(randomBytes(16)), attempt: hex(randomBytes(16)), provider, payee: hex(randomBytes(20)), response: hex(randomBytes(32)), amount: 7, at: 1000 + randomInt(1e9), before: BEFORE, ...over });
const others = Array.from({ length: 40 }, () => event({ provider: hex(randomBytes(20)), before: 5000 }));
// Two at the same microsecond: their order is the attempts'.
const mine = [event({ kind: 1, at: 500, attempt: `0x${'00'.repeat(15)}01` }), event({ kind: 2, at: 500, attempt: `0x${'00'.repeat(15)}02` }), ...Array.from({ length: 37 }, () => event())]
    .sort((a, b) => a.at - b.at || (a.attempt < b.attempt ? -1 : 1));
const closed = closeEpoch(EPOCH, [...others, ...mine]);
const index = closed.leaves.findIndex((l) => l.provider.toLowerCase() === provider);
const document = { provider: 'prv_01m826rg48fw2t5bgvbnps4wbh', leaf: closed.leaves[index], proof: closed.tree.getProof(index), root: closed.score_root, epoch: EPOCH, previous: { epoch: 3, score: BEFORE } };

let files = 0;
const page = (events) => ({ data: events.map((e) => ({ kind: 'any', encoded: hex(encodeEvent(e)) })), has_more: false, next_cursor: null });

/** What ogpu-verify says of these events. */
function recount(events, doc = document) {
    const file = join(dir, `events-${++files}.json`);
    writeFileSync(file, typeof events === 'string' ? events : JSON.stringify(Array.isArray(events) ? page(events) : events));
    const r = spawnSync(join(build, 'bin/ogpu-verify'), ['score', '-', '--root', closed.score_root, '--events', file], { input: JSON.stringify(doc), encoding: 'utf8' });
    return { status: r.status, text: r.stdout + r.stderr };
}

function refuted(events, why, doc) {
    const r = recount(events, doc);
    assert.equal(r.status, 1, `${why}: ${r.text}`);
    assert.match(r.text, why);
}

test('the honest events, on one page or on several', () => {
    const yes = recount(mine);
    assert.equal(yes.status, 0, yes.text);
    assert.match(yes.text, new RegExp(`^recounted: 39 events have the leaf's root and counts; from ${BEFORE} \\(as the document says\\) the formula gives ${document.leaf.score}\nverified: `));
    const file = join(dir, 'pages.json');
    writeFileSync(file, JSON.stringify([page(mine.slice(0, 10)), page(mine.slice(10, 11)), page(mine.slice(11))]));
    const pages = spawnSync(join(build, 'bin/ogpu-verify'), ['score', '-', '--root', closed.score_root, '--events', file], { input: JSON.stringify(document), encoding: 'utf8' });
    assert.equal(pages.status, 0, pages.stderr);
});

test('missing, doubled, reordered, added: each is told, at any place', () => {
    for (const at of [0, 1, 19, mine.length - 1]) {
        refuted(mine.toSpliced(at, 1), /the leaf counts \d+ accepted, .* the events are/);
        refuted(mine.toSpliced(at, 0, mine[at]), /an attempt is counted twice/);
        refuted(mine.toSpliced(at, 0, { ...mine[at], at: mine[at].at + 1 }), /an attempt is counted twice/);
    }
    for (const at of [0, 1, 19, mine.length - 2]) {
        refuted(mine.toSpliced(at, 2, mine[at + 1], mine[at]), /comes before the one it follows/);
    }
    refuted([...mine, event({ at: 2e9 })], /the leaf counts/);
    refuted([], /the leaf counts/);
    // One for another of the same kind: only the root tells.
    const kind = mine.at(-1).kind;
    refuted([...mine.slice(0, -1), event({ kind, at: 2e9 })], /their root is another/);
});

test('forged: a bit in any byte of an event', () => {
    for (let byte = 0; byte < 153; byte++) {
        const bit = 8 * byte + randomInt(8);
        const raw = page(mine);
        const b = bytes(raw.data[20].encoded);
        b[bit >> 3] ^= 1 << (bit & 7);
        raw.data[20].encoded = hex(b);
        const r = recount(raw);
        assert.ok(r.status === 1 || (r.status === 2 && bit < 8), `bit ${bit}: ${r.status} ${r.text}`);
    }
    refuted(mine.map((e, i) => (i === 5 ? { ...e, epoch: EPOCH + 1 } : e)), /event 6 is of epoch 8, not 7/);
    refuted(mine.map((e, i) => (i === 5 ? { ...e, provider: hex(randomBytes(20)) } : e)), /event 6 is another provider's/);
});

test('the formula: a leaf whose score does not follow from the one before', () => {
    refuted(mine, /from 9000 the formula gives \d+, the leaf says/, { ...document, previous: { epoch: 3, score: 9000 } });
    refuted(mine, /from 5000 the formula gives/, { ...document, previous: null });
    refuted(mine, /of a later epoch/, { ...document, previous: { epoch: EPOCH, score: BEFORE } });
    // A gateway that seals a score which does not follow: the proof holds, the count does not.
    const leaf = { ...document.leaf, score: document.leaf.score + 1 };
    const lie = closeEpoch(EPOCH, mine);
    assert.equal(lie.leaves.length, 1);
    assert.equal(hex(logRoot(mine.map(encodeEvent))), leaf.events_root);
});

test('what is no list of events is not checked, and never a crash', () => {
    for (const text of ['', '{', '[]', '{}', '{"data":{}}', '[{"data":[{}]}]', '{"data":[{"encoded":"0x00"}]}', '{"data":[7]}', `{"data":[{"encoded":"0x${'09'.repeat(153)}"}]}`]) {
        const r = recount(text);
        assert.ok(text === '[]' ? r.status === 1 : r.status === 2, `${text}: ${r.status} ${r.text}`);
    }
    assert.equal(recount(mine, { ...document, previous: 5000 }).status, 2);
    const { previous, ...without } = document;
    assert.ok(previous);
    assert.equal(recount(mine, without).status, 2);
    for (const args of [['payout', '-', '--root', closed.score_root, '--events', 'x'], ['score', '-', '--root', closed.score_root, '--previous', 'x'], ['score', '-', '--root', closed.score_root, '--events', '/nowhere']]) {
        assert.equal(spawnSync(join(build, 'bin/ogpu-verify'), args, { input: JSON.stringify(document), encoding: 'utf8' }).status, 2);
    }
});
