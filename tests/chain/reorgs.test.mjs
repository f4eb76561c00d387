// SPDX-License-Identifier: MIT
// The chain rewinds 1, 2, 7 and 64 blocks under every state of a batch, and under deposits and registrations. The depth is the
// whole of what is not final yet, so each rewind goes just up to the last booked block. Each thing is booked once, and the books
// equal the pool. REORG_DEPTHS chooses; make soak runs all.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, test } from 'node:test';
import { encodeFunctionData, toHex } from 'viem';
import { Ledger } from '../support/ledger.mjs';
import { OGPU } from '../support/market.mjs';
import { eventually, sleep } from '../support/stack.mjs';

const DEPTHS = (process.env.REORG_DEPTHS ?? '1 64').split(' ').map(Number);
let l, client, source, one, indexer, relayer, depth, epoch = 0;

before(async () => {
    l = await Ledger.up({ OGPU_CLAIM_DELAY_S: '1', OGPU_EXIT_SILENCE_S: '10000000', OGPU_EXIT_WINDOW_S: '100', OGPU_RESEND_S: '1', OGPU_BUMP_S: '3600' });
    indexer = l.indexer();
    client = await l.client();
    source = await l.m.source(client);
    one = await l.provider(source);
    await l.chain.node.setAutomine(false);
});
after(() => l?.down());

const mine = (blocks) => l.chain.node.mine({ blocks });
const reorg = (blocks, keep = []) => l.chain.public.request({ method: 'anvil_reorg', params: [blocks, keep] });
const batch = async (n = epoch) => (await l.sql.query('SELECT * FROM batch WHERE epoch = $1', [n]))[0];
const tx = async () => (await l.sql.query("SELECT t.* FROM chain_tx t JOIN batch b ON b.id = t.batch_id WHERE b.epoch = $1 AND t.raw IS NOT NULL", [epoch]))[0];
const txState = (state) => eventually(async () => (await tx())?.state === state, `the transaction of epoch ${epoch} ${state}`);
const pending = () => eventually(async () => (await l.chain.node.getTxpoolStatus()).pending > 0, 'a transaction in the pool');
const earn = async () => {
    epoch++;
    await l.earn(client, source, one, OGPU / 10n);
};

/** Booked once, and all else with it. */
async function confirmed() {
    await mine(depth);
    await l.confirmed(epoch);
    assert.equal(await l.read('lastEpoch'), BigInt(epoch), 'settled once on chain');
}

async function signed(wallet, functionName, args, value = 0n) {
    const request = await wallet.prepareTransactionRequest({ to: l.chain.vault.address, data: encodeFunctionData({ abi: l.chain.vault.abi, functionName, args }), value });
    return wallet.signTransaction(request);
}
/** Into the pool, for certain: the node answers before it is there. */
async function send(raw) {
    await l.chain.public.sendRawTransaction({ serializedTransaction: raw });
    await pending();
}

for (const d of DEPTHS) {
    const at = (text) => `${d}: ${text}`;

    test(at('from here on only what is so deep is final'), async () => {
        depth = d;
        if (relayer) {
            await l.stop(relayer);
        }
        await l.stop(indexer);
        await mine(d + 1); // nothing that counts already may be within reach
        indexer = l.indexer({ OGPU_FINALITY: `depth:${d}` });
        relayer = l.relayer({ OGPU_FINALITY: `depth:${d}` });
        await l.whole([], d);
    });

    test(at('a deposit and its registration are taken out, and come again in another block'), async () => {
        const wallet = await l.chain.wallet();
        const { address } = wallet.account;
        const raw = await signed(wallet, 'deposit', [address], OGPU);
        await send(raw);
        await mine(d); // in the first of them: one block short of final
        await l.caughtUp(d);
        assert.equal(await l.account(address), undefined, 'not yet');
        await reorg(d);
        assert.equal(await l.chain.read(l.chain.vault, 'idOf', [address]), 0);
        await mine(d + 1);
        await l.caughtUp(d);
        assert.equal(await l.account(address), undefined, 'it never happened');
        await send(raw);
        await mine(d + 1);
        await l.holds(address, 'available', OGPU);
        await l.whole([], d);
    });

    test(at('a third registration comes in before the second: the books follow what became final'), async () => {
        const [a, b, c] = [await l.chain.wallet(), await l.chain.wallet(), await l.chain.wallet()];
        const rawA = await signed(a, 'register', [a.account.address]);
        const rawB = await signed(b, 'register', [b.account.address]);
        await send(rawA);
        await mine(1);
        await send(rawB);
        await mine(d);
        const first = await l.chain.read(l.chain.vault, 'idOf', [a.account.address]);
        await l.caughtUp(d);
        assert.equal((await l.account(a.account.address)).chain_id, BigInt(first), 'the first is final');
        assert.equal(await l.account(b.account.address), undefined, 'the second is not');
        const rawC = await signed(c, 'register', [c.account.address]);
        await reorg(d, [[rawC, 0]]);
        await send(rawB);
        await mine(d + 1);
        await eventually(async () => (await l.account(b.account.address))?.chain_id, 'the second');
        assert.equal((await l.account(c.account.address)).chain_id, BigInt(first) + 1n, 'who came in between has its id');
        assert.equal((await l.account(b.account.address)).chain_id, BigInt(first) + 2n);
        await l.whole([], d);
    });

    test(at('who earns and is registered, but not finally, is not listed'), async () => {
        const wallet = await l.chain.wallet();
        const { address } = wallet.account;
        const [p] = await l.sql.write('provider_register', { id: randomUUID(), address: Buffer.from(address.slice(2), 'hex'), master: Buffer.from(address.slice(2), 'hex'), master_signed: true, environments: 1, nonce: 1n, token_hash: Buffer.from(address.slice(2).padStart(64, '0'), 'hex') });
        await l.sql.write('registration_put', { source: source.id, provider: p.id, manifest_hash: source.hash, environments: 1, nonce: 2n });
        await send(await signed(wallet, 'register', [address]));
        await mine(d);
        await l.earn(client, source, p, OGPU / 100n);
        await sleep(400); // some rounds of the relayer
        assert.equal(await batch(epoch + 1), undefined);
        epoch++;
        await mine(1);
        await pending();
        await mine(1);
        await confirmed();
        await l.whole([], d);
    });

    test(at('under a batch that is formed and not sent'), async () => {
        await l.stop(relayer);
        await earn();
        await l.sql.write('batch_form', { id: randomUUID(), min_age_s: 0, min_count: 1, max_count: 100, born: 0n });
        assert.equal((await batch()).state, 'batched');
        await reorg(d);
        relayer = l.relayer({ OGPU_FINALITY: `depth:${d}` });
        await pending();
        await mine(1);
        await confirmed();
    });

    test(at('under a batch that is sent'), async () => {
        await earn();
        await txState('sent');
        await reorg(d);
        await pending();
        await mine(1);
        await confirmed();
    });

    test(at('over a batch that is mined: said again'), async () => {
        await earn();
        await pending();
        await mine(1);
        await txState('mined');
        await reorg(d);
        await txState('sent');
        await pending();
        await mine(1);
        await confirmed();
    });

    test(at('over a batch one block short of final, which comes back by itself at another height'), async () => {
        await earn();
        await pending();
        await mine(1);
        await txState('mined');
        await mine(d - 1);
        await l.caughtUp(d);
        assert.equal((await batch()).state, 'submitted');
        const raw = toHex((await tx()).raw);
        await reorg(d, [[raw, d - 1]]);
        await txState('mined');
        await mine(d - 1);
        assert.equal((await batch()).state, 'submitted', 'its depth counts anew');
        await confirmed();
    });

    test(at('over a batch one block short of final, which is gone'), async () => {
        await earn();
        await pending();
        await mine(1);
        await txState('mined');
        await mine(d - 1);
        await l.caughtUp(d);
        assert.equal((await batch()).state, 'submitted');
        await reorg(d);
        await pending();
        await mine(1);
        await confirmed();
    });

    test(at('over all that lies above a final batch: it stays booked'), async () => {
        await earn();
        await pending();
        await mine(1);
        await confirmed();
        const before = await batch();
        await reorg(d);
        await mine(d);
        await l.caughtUp(d);
        assert.deepEqual(await batch(), before);
    });
}

afterEach(async () => {
    await mine(depth); // what a test left pending must not hold the next one up
    await l.whole([], depth);
});

test('behind what was final: the indexer says so and books nothing over it', async () => {
    const [cursor] = await l.sql.query("SELECT block_no FROM chain_cursor WHERE name = 'main'");
    const other = await l.chain.wallet();
    await reorg(depth + 3, [[await signed(other, 'register', [other.account.address]), 0]]); // empty blocks might come back the same
    await mine(5);
    await eventually(() => /block \d+ was final and is another now/.test(l.stack.log('ogpu-indexer')), 'the alarm');
    assert.deepEqual((await l.sql.query("SELECT block_no FROM chain_cursor WHERE name = 'main'"))[0], cursor);
    await sleep(300);
    await l.stop(indexer);
    await l.sql.query("UPDATE chain_cursor SET block_hash = '', block_no = block_no - 10 WHERE name = 'main'"); // an operator has looked
    indexer = l.indexer({ OGPU_FINALITY: `depth:${depth}` });
});
