// SPDX-License-Identifier: MIT
// Healthy books with everything in them: tasks in every state, a race, a fee, a withdrawal, a confirmed batch and a claim.
import { randomBytes, randomUUID } from 'node:crypto';
import { Market, OGPU, noEvents, sha } from './market.mjs';

let block = 1;
const at = () => ({ id: randomUUID(), block_no: BigInt(++block), log_index: 0, tx_hash: randomBytes(32) });

/** An account the chain knows, with a booked deposit. */
async function onChain(m, chainId, wei) {
    const address = randomBytes(20);
    await m.sql.write('book_registered', { ...at(), address, chain_id: chainId });
    if (wei > 0n) {
        await m.sql.write('book_deposited', { ...at(), address, amount: wei.toString() });
    }
    const [{ id }] = await m.sql.query('SELECT id FROM account WHERE address = $1', [address]);
    const key = randomUUID();
    await m.sql.write('api_key_create', { id: key, account: id, hash: randomBytes(32), hint: 'x', name: '', scopes: 63 });
    return { id, key, address };
}

async function provider(m, source, master) {
    const [{ id }] = await m.sql.write('provider_register', {
        id: randomUUID(), address: randomBytes(20), master, master_signed: true, environments: 1, nonce: 1n, token_hash: randomBytes(32),
    });
    await m.sql.write('registration_put', { source: source.id, provider: id, manifest_hash: source.hash, environments: 1, nonce: 2n });
    return { id };
}

/** Forms, seals and confirms one batch; entries as the relayer encodes them. */
export async function settle(m) {
    const id = randomUUID();
    const [{ outcome, epoch }] = await m.sql.write('batch_form', { id, min_age_s: 0, min_count: 1, max_count: 4000 });
    if (outcome !== 'ok') {
        throw new Error(outcome);
    }
    const entries = Buffer.concat((await m.sql.read('batch_items', { batch: id })).map((i) => {
        const b = Buffer.alloc(10);
        b.writeUInt32BE(Number(i.chain_id) + (i.counter === 'spent' ? 2 ** 31 : 0), 0);
        b.writeUIntBE(Number(i.units), 4, 6);
        return b;
    }));
    const root = sha(entries);
    await m.sql.write('batch_seal', { id, entries, root, ...noEvents });
    const event = at();
    const sender = Buffer.alloc(20, 1);
    const [{ nonce }] = await m.sql.write('nonce_reserve', { batch: id, sender, mined: 0n, skip: 1000n });
    await m.sql.write('chain_tx_store', { hash: event.tx_hash, batch: id, sender, nonce, raw: Buffer.from('f8', 'hex'), max_fee: '1', tip: '1' });
    await m.sql.write('chain_tx_seen', { hash: event.tx_hash, state: 'mined', block_no: event.block_no });
    const [{ increase_units: increase, score_root, log_root }] = await m.sql.query('SELECT increase_units, score_root, log_root FROM batch WHERE id = $1', [id]);
    await m.sql.write('book_settled', { ...event, epoch, root, increase, block_time: 1_700_000_000_000_000n, score_root, log_root });
    return { id, epoch, event, root };
}

/** @returns {Promise<object>} the names of what was made */
export async function healthyBooks(sql) {
    const m = new Market(sql);
    await sql.write('cursor_begin', { name: 'test', final_no: 1_000_000n, start_no: 0n });
    const client = await onChain(m, 1n, 100n * OGPU);
    const master = await onChain(m, 2n, 0n);
    const second = await onChain(m, 3n, 0n);
    const source = await m.source(client);
    const [p1, p2] = [await provider(m, source, master.address), await provider(m, source, second.address)];
    const open = { reward: '1000000000000000001', fee_bps: 100 };
    const won = await m.submit(client, source, { ...open, idem_key: 'won' });
    const loser = await m.open(won, p2);
    const winner = await m.win(won, p1);
    const queued = await m.submit(client, source, open);
    const running = await m.submit(client, source, open);
    const live = await m.open(running, p1);
    const verifying = await m.submit(client, source, open);
    const waiting = await m.respond(await m.open(verifying, p1), 1);
    const canceled = await m.submit(client, source, open);
    await sql.write('task_cancel', { id: canceled.id, account: client.id, key: client.key });
    const failed = await m.submit(client, source, { ...open, racers: 1 });
    await m.end(await m.open(failed, p1), 'failed', { attempts_max: 1 });
    const withdrawal = randomUUID();
    await sql.write('withdrawal_create', { id: withdrawal, account: client.id, key: client.key, amount: '5000000000000', idem_key: null, fingerprint: sha('') });
    const batch = await settle(m);
    const claim = { ...at(), chain_id: 2n, units: 989999n, amount: '989999000000000000' };
    await sql.write('book_claimed', claim);
    await sql.write('withdrawal_create', { id: randomUUID(), account: client.id, key: client.key, amount: '7000000000000', idem_key: null, fingerprint: sha('') });
    const voided = await settle(m);
    await sql.write('book_voided', { ...at(), epoch: voided.epoch, increase: 7n });
    for (const [kind, amount] of [['locked', '10'], ['unbonded', '4'], ['sanctioned', '5'], ['waived', '2'], ['unbonded', '1'], ['stake_claimed', '1']]) {
        await sql.write('book_stake', { ...at(), kind, address: master.address, amount, data: null });
    }
    return { voided, m, client, master, second, source, p1, p2, won, winner, loser, queued, running, live, verifying, waiting, canceled, failed, withdrawal, batch, claim };
}
