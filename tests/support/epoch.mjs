// SPDX-License-Identifier: MIT
// An epoch's trees as docs/settlement.md ("Proofs") describes them, written from that page alone: what our C says is compared with it.
// The score tree is OpenZeppelin's own; RFC 6962 is done here, by its recursive definitions.
import { StandardMerkleTree } from '@openzeppelin/merkle-tree';
import { createHash } from 'node:crypto';
import { hashTypedData } from 'viem';

const sha256 = (...parts) => parts.reduce((h, p) => h.update(p), createHash('sha256')).digest();

export const SCORE_TYPES = ['address', 'uint64', 'uint64', 'uint64', 'uint32', 'uint64', 'bytes32'];
export const RESPONSE_TYPES = {
    Response: [{ name: 'task', type: 'bytes16' }, { name: 'attempt', type: 'bytes16' }, { name: 'epoch', type: 'uint32' }, { name: 'provider', type: 'address' },
        { name: 'manifest', type: 'bytes32' }, { name: 'input', type: 'bytes32' }, { name: 'output', type: 'bytes32' }],
};

export const hex = (b) => `0x${Buffer.from(b).toString('hex')}`;
export const bytes = (text, n) => {
    const b = Buffer.from(text.replace(/^0x/, '').replaceAll('-', ''), 'hex');
    if (n !== undefined && b.length !== n) {
        throw new Error(`${text} is not ${n} bytes`);
    }
    return b;
};

/** RFC 6962, 2.1: MTH of the entries. */
export function logRoot(entries) {
    if (entries.length < 2) {
        return entries.length ? sha256(Buffer.from([0]), entries[0]) : sha256();
    }
    const k = 2 ** Math.floor(Math.log2(entries.length - 1));
    return sha256(Buffer.from([1]), logRoot(entries.slice(0, k)), logRoot(entries.slice(k)));
}

/** RFC 6962, 2.1.1: PATH(m, D[n]). */
export function logPath(m, entries) {
    if (entries.length === 1) {
        return [];
    }
    const k = 2 ** Math.floor(Math.log2(entries.length - 1));
    return m < k ? [...logPath(m, entries.slice(0, k)), logRoot(entries.slice(k))] : [...logPath(m - k, entries.slice(k)), logRoot(entries.slice(0, k))];
}

/** The root that an entry's path leads to, from the outside in: the reverse of PATH, no loop over bits. */
export function rootOfPath(entry, m, n, path) {
    if (n === 1) {
        return path.length === 0 ? sha256(Buffer.from([0]), entry) : null;
    }
    const k = 2 ** Math.floor(Math.log2(n - 1));
    const [sibling, rest] = [path.at(-1), path.slice(0, -1)];
    const inner = sibling && (m < k ? rootOfPath(entry, m, k, rest) : rootOfPath(entry, m - k, n - k, rest));
    return inner && (m < k ? sha256(Buffer.from([1]), inner, sibling) : sha256(Buffer.from([1]), sibling, inner));
}

const be = (value, n) => Buffer.from(BigInt(value).toString(16).padStart(2 * n, '0'), 'hex');

/** kind 1 · epoch 8 · task 16 · attempt 16 · provider 20 · payee 20 · response 32 · amount 32 · at 8 */
export function encodeEvent(e) {
    return Buffer.concat([be(e.kind, 1), be(e.epoch, 8), bytes(e.task, 16), bytes(e.attempt, 16), bytes(e.provider, 20), bytes(e.payee, 20), bytes(e.response, 32), be(e.amount, 32), be(e.at, 8)]);
}

const sorted = (events) => [...events].sort((a, b) => (BigInt(a.at) < BigInt(b.at) ? -1 : BigInt(a.at) > BigInt(b.at) ? 1 : Buffer.compare(bytes(a.attempt), bytes(b.attempt))));

export function score(before, { accepted, rejected, expired }) {
    return (32n * BigInt(before) + 10000n * BigInt(accepted)) / (32n + BigInt(accepted) + 2n * BigInt(expired) + 4n * BigInt(rejected));
}

/** Closes an epoch. Events: {kind, epoch, task, attempt, provider, payee, response, amount, at, before}. */
export function closeEpoch(epoch, events) {
    const log = sorted(events).filter((e) => BigInt(e.kind) === 1n).map(encodeEvent);
    const leaves = [];
    for (const provider of [...new Set(events.map((e) => e.provider.toLowerCase()))].sort()) {
        const own = sorted(events).filter((e) => e.provider.toLowerCase() === provider);
        const count = (kind) => own.filter((e) => BigInt(e.kind) === kind).length;
        const counts = { accepted: count(1n), rejected: count(2n), expired: count(3n) };
        leaves.push({ provider, ...counts, score: Number(score(own[0].before, counts)), epoch: Number(epoch), events_root: hex(logRoot(own.map(encodeEvent))) });
    }
    const tree = leaves.length > 0 ? StandardMerkleTree.of(leaves.map(scoreValues), SCORE_TYPES) : null;
    return { leaves, tree, log, score_root: tree ? tree.root : `0x${'00'.repeat(32)}`, log_root: hex(logRoot(log)) };
}

/** A leaf as OpenZeppelin's library and the contract take it. */
export const scoreValues = (l) => [l.provider, l.accepted, l.rejected, l.expired, l.score, l.epoch, l.events_root ?? l.eventsRoot];

/** Events from the rows of `epoch_events`. */
export function eventsOf(rows, epoch, domain) {
    return rows.map((r) => {
        const message = { task: hex(bytes(r.task)), attempt: hex(bytes(r.attempt)), epoch: r.attempt_epoch, provider: hex(r.address), manifest: hex(r.manifest_hash), input: hex(r.input_digest), output: r.output_digest && hex(r.output_digest) };
        const signed = r.output_digest && hashTypedData({ domain: { name: 'OpenGPU Gateway', version: '1', ...domain }, types: RESPONSE_TYPES, primaryType: 'Response', message });
        return { kind: r.kind, epoch, task: message.task, attempt: message.attempt, provider: message.provider, payee: hex(r.payee), response: signed ?? `0x${'00'.repeat(32)}`, amount: r.amount, at: r.at, before: r.score ?? 5000 };
    });
}
