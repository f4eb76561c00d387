// SPDX-License-Identifier: MIT
// The chain rewinds under a relayer that was killed between two of its arrows, before anybody has seen the batch. In what is taken
// back lie a deposit and a registration; all of it comes again, once. REORG_DEPTHS chooses the depths; make soak runs all. What
// happens to batches that are out is tests/chain/reorgs.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { encodeFunctionData } from 'viem';
import { Ledger } from '../support/ledger.mjs';
import { OGPU } from '../support/market.mjs';
import { eventually } from '../support/stack.mjs';

const DEPTHS = (process.env.REORG_DEPTHS ?? '1 7').split(' ').map(Number);
const STATES = [['r1', 'formed'], ['sealed', 'sealed, not yet sent'], ['r2', 'sealed, its nonce reserved'], ['r3', 'signed and stored'],
    ['r4', 'handed to the node, the answer unread']];
let l, client, source, one, indexer, depth, epoch = 0;

before(async () => {
    l = await Ledger.up({ OGPU_EXIT_SILENCE_S: '10000000', OGPU_EXIT_WINDOW_S: '100', OGPU_RESEND_S: '1', OGPU_BUMP_S: '3600' });
    indexer = l.indexer();
    client = await l.client();
    source = await l.m.source(client);
    one = await l.provider(source);
    await l.chain.node.setAutomine(false);
});
after(() => l?.down());

const mine = (blocks) => l.chain.node.mine({ blocks });
const pooled = async () => { const { pending, queued } = await l.chain.node.getTxpoolStatus(); return pending + queued; };

/** A deposit of somebody new, which registers them. */
async function newcomer() {
    const wallet = await l.chain.wallet();
    const { address } = wallet.account;
    const data = encodeFunctionData({ abi: l.chain.vault.abi, functionName: 'deposit', args: [address] });
    const raw = await wallet.signTransaction(await wallet.prepareTransactionRequest({ to: l.chain.vault.address, data, value: OGPU }));
    const send = async () => {
        const before = await pooled();
        await l.chain.public.sendRawTransaction({ serializedTransaction: raw });
        await eventually(async () => await pooled() > before, 'in the pool');
    };
    return { address, send };
}

for (const d of DEPTHS) {
    test(`${d}: from here on only what is so deep is final`, async () => {
        depth = d;
        await l.stop(indexer);
        await mine(d + 1);
        indexer = l.indexer({ OGPU_FINALITY: `depth:${d}` });
        await l.whole([], d);
    });

    for (const [point, what] of STATES) {
        test(`${d}: under a batch that is ${what}, and with it a deposit and a registration`, async () => {
            const settings = { ...l.settings, OGPU_FINALITY: `depth:${depth}` };
            const victim = l.stack.start('ogpu-relayer', { ...settings, OGPU_KILLPOINT: point }, [], 'tests/relayer');
            epoch++;
            await l.earn(client, source, one, OGPU / 10n);
            assert.equal((await victim.ended).signal, 'SIGKILL');
            const [before] = await l.sql.query('SELECT state, entries, root, log_root FROM batch WHERE epoch = $1', [epoch]);
            assert.equal(before.entries !== null, point !== 'r1', 'sealed or not');
            const { address, send } = await newcomer();
            await send();
            await mine(d); // in the first of them, with the batch if that is out
            assert.notEqual(await l.chain.read(l.chain.vault, 'idOf', [address]), 0);
            await l.chain.public.request({ method: 'anvil_reorg', params: [d, []] });
            assert.equal(await l.chain.read(l.chain.vault, 'idOf', [address]), 0, 'taken back');
            assert.equal(await l.read('lastEpoch'), BigInt(epoch - 1));
            const relayer = l.relayer({ OGPU_FINALITY: `depth:${d}` });
            await eventually(async () => await pooled() > 0, 'the batch in the pool');
            await mine(1);
            await send();
            await mine(d + 1);
            await l.confirmed(epoch);
            await l.holds(address, 'available', OGPU);
            assert.equal(await l.read('lastEpoch'), BigInt(epoch), 'settled once');
            const [{ nonces }] = await l.sql.query('SELECT count(DISTINCT nonce) AS nonces FROM chain_tx WHERE batch_id = (SELECT id FROM batch WHERE epoch = $1)', [epoch]);
            assert.equal(nonces, 1n);
            const [sealed] = await l.sql.query('SELECT entries, root, log_root FROM batch WHERE epoch = $1', [epoch]);
            if (point !== 'r1') {
                assert.deepEqual({ state: before.state, ...sealed }, before, 'what was sealed is what is settled');
            }
            await l.stop(relayer);
            await l.whole([], d);
        });
    }
}
