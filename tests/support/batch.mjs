// SPDX-License-Identifier: MIT
// One settlement batch, formed, sealed and booked as final by the statements of relayer and indexer, with a true Merkle root.
import { SimpleMerkleTree } from '@openzeppelin/merkle-tree';
import { randomUUID } from 'node:crypto';
import { keccak256 } from 'viem';
import { closeEpoch, eventsOf } from './epoch.mjs';
import { sha } from './market.mjs';
import { chainEvent, domain } from './world.mjs';

const CHUNK = 160;
const digits = '0123456789abcdefghjkmnpqrstvwxyz';

/** A uuid as TypeID text. */
export function typeId(prefix, uuid) {
    let n = BigInt(`0x${uuid.replaceAll('-', '')}`);
    let text = '';
    for (let i = 0; i < 26; i++, n /= 32n) {
        text = digits[Number(n % 32n)] + text;
    }
    return `${prefix}_${text}`;
}

/** The leaves of contracts/Entries.sol: 160-byte chunks, zeros behind the last entry. */
function leaves(entries) {
    const n = Math.ceil(entries.length / CHUNK);
    const padded = Buffer.concat([entries, Buffer.alloc(n * CHUNK - entries.length)]);
    return Array.from({ length: n }, (_, i) => keccak256(padded.subarray(i * CHUNK, (i + 1) * CHUNK)));
}

/** The epoch's scores stored and its roots, as the relayer does it, by other code. */
async function closedEpoch(w, batch, epoch) {
    await w.sql.write('epoch_gather', { batch, max: 1000 });
    const closed = closeEpoch(epoch, eventsOf(await w.sql.read('epoch_events', { batch }), epoch, domain));
    for (const { provider, events_root: root, ...leaf } of closed.leaves) {
        await w.sql.write('score_put', { ...leaf, batch, address: Buffer.from(provider.slice(2), 'hex'), events_root: Buffer.from(root.slice(2), 'hex') });
    }
    const [score_root, log_root] = [closed.score_root, closed.log_root].map((h) => Buffer.from(h.slice(2), 'hex'));
    return { score_root, log_root, log_leaves: Buffer.concat(closed.log.map((e) => sha(Buffer.concat([Buffer.from([0]), e])))) };
}

/** Settles whatever is payable now; not `final`: stops once it is sealed. @returns {Promise<{id: string, epoch: bigint}>} */
export async function confirmBatch(w, final = true) {
    const uuid = randomUUID();
    const [{ outcome, epoch }] = await w.sql.write('batch_form', { id: uuid, min_age_s: 0, min_count: 1, max_count: 4000 });
    if (outcome !== 'ok') {
        throw new Error(`batch_form: ${outcome}`);
    }
    const entries = Buffer.concat((await w.sql.read('batch_items', { batch: uuid })).map((i) => {
        const b = Buffer.alloc(10);
        b.writeUInt32BE(Number(i.chain_id) + (i.counter === 'spent' ? 2 ** 31 : 0), 0);
        b.writeUIntBE(Number(i.units), 4, 6);
        return b;
    }));
    const tree = SimpleMerkleTree.of(leaves(entries), { sortLeaves: false });
    const root = Buffer.from(tree.root.slice(2), 'hex');
    await w.sql.write('batch_seal', { id: uuid, entries, root, ...await closedEpoch(w, uuid, epoch) });
    const sealed = { id: typeId('bat', uuid), epoch, uuid, root };
    return final ? bookBatch(w, sealed) : sealed;
}

/** Books a sealed batch as final. */
export async function bookBatch(w, { id, epoch, uuid, root }) {
    const event = chainEvent();
    const sender = Buffer.alloc(20, 1);
    const [{ nonce }] = await w.sql.write('nonce_reserve', { batch: uuid, sender, mined: 0n, skip: 1000n });
    await w.sql.write('chain_tx_store', { hash: event.tx_hash, batch: uuid, sender, nonce, raw: Buffer.from('f8', 'hex'), max_fee: '1', tip: '1' });
    await w.sql.write('chain_tx_seen', { hash: event.tx_hash, state: 'mined', block_no: event.block_no });
    const [{ increase_units: increase, score_root, log_root }] = await w.sql.query('SELECT increase_units, score_root, log_root FROM batch WHERE id = $1', [uuid]);
    await w.sql.write('book_settled', { ...event, epoch, root, increase, block_time: 1_700_000_000_000_000n, score_root, log_root });
    return { id, epoch };
}
