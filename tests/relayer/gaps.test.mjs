// SPDX-License-Identifier: MIT
// Counts that are told and taken back: by a node that lies, or by a reorganisation that takes a stranger's transaction with it. No
// lane waits for ever for a nonce that nobody will use, whenever the relayer is killed on the way, and nothing is paid twice.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { createWalletClient, toHex } from 'viem';
import { eventually } from '../support/stack.mjs';
import { Lane, OGPU } from './lane.mjs';
import { Signer } from './signer.mjs';
import { FaultyNode } from '../support/faulty_node.mjs';

const DEPTH = 3;
let lane, node, stranger, relayer;

before(async () => {
    lane = await Lane.up();
    // Here a rewind must not reach what is booked.
    lane.finality.OGPU_FINALITY = lane.env.OGPU_FINALITY = `depth:${DEPTH}`;
    await lane.end(lane.indexer);
    lane.indexer = lane.stack.start('ogpu-indexer', lane.finality);
    node = await FaultyNode.start(lane.stack.env.L1_RPC_URL);
    lane.env.L1_RPC_URL = node.url;
    stranger = createWalletClient({ account: lane.settler, chain: lane.chain.chain, transport: lane.chain.transport });
});
after(async () => {
    await lane?.down();
    await node?.stop();
});
beforeEach(() => lane.begin());
afterEach(async () => {
    if (relayer) {
        await lane.end(relayer);
    }
    relayer = undefined;
    node.misbehave(null);
    await lane.verify();
});

const start = (env) => {
    relayer = lane.relayer(env);
};
const mining = (on) => lane.chain.node.setIntervalMining({ interval: on ? 1 : 0 });
const mined = async () => BigInt(await lane.chain.public.getTransactionCount({ address: lane.settler.address }));
const lanes = async () => Object.fromEntries((await lane.sql.query('SELECT state, count(*) AS n FROM chain_nonce GROUP BY 1')).map((r) => [r.state, r.n]));
const alarms = (name) => lane.log().split(`"alarm","name":"${name}"`).length - 1;

/** Every count is so much too high, while `lying` holds. @param {(question: object) => boolean} lying */
const overstate = (more, lying) => node.misbehave(async ({ method, params, call }) => {
    if (method !== 'eth_getTransactionCount' || !lying(params)) {
        return null;
    }
    const { result } = await call();
    return { result: toHex(BigInt(result) + more) };
});

/** A batch signed five nonces too high, for the node's word, which is then taken back. */
async function misled(begin) {
    let lying = true;
    overstate(5n, () => lying);
    const at = await mined();
    await lane.earn(OGPU / 1000n);
    const child = begin();
    await eventually(async () => (await lane.newest())[0]?.nonce === at + 5n, 'signed where the node said');
    lying = false;
    return { at, child };
}

test('a node that once counts five too many: nothing is signed for it, and no place is lost', async () => {
    let lies = 1;
    overstate(5n, ([, tag]) => tag === 'latest' && lies-- > 0);
    const at = await mined();
    await lane.earn(OGPU / 1000n);
    start();
    await lane.settled();
    assert.equal(lies < 1, true, 'it was asked');
    assert.equal((await lane.newest())[0].nonce, at);
    assert.deepEqual(await lanes(), { ours: at + 1n });
});

test('a count that no key has is not believed, nor written down', async () => {
    let [asked, lying] = [0, true];
    overstate(10n ** 12n, () => { asked++; return lying; });
    const at = await mined();
    const before = await lanes();
    await lane.earn(OGPU / 1000n);
    start();
    await eventually(() => asked >= 5, 'asked some times');
    assert.equal(lane.log().includes('not to be believed'), true);
    assert.deepEqual(await lanes(), before);
    lying = false;
    await lane.settled();
    assert.equal((await lane.newest())[0].nonce, at);
});

test('a stranger\'s transaction is mined, waited for, and taken out by a reorganisation: its nonce is ours', async () => {
    await mining(false);
    const at = await mined();
    await stranger.sendTransaction({ to: lane.settler.address, value: 0n });
    await eventually(async () => (await lane.chain.node.getTxpoolStatus()).pending > 0, 'in the pool');
    await lane.chain.node.mine({ blocks: 1 });
    assert.equal(await mined(), at + 1n);
    await lane.earn(OGPU / 1000n);
    const waits = () => lane.log().split('not final: waiting').length;
    const before = waits();
    start();
    await eventually(() => waits() > before + 2, 'it waits');
    assert.deepEqual(await lane.newest(), []);
    await lane.chain.public.request({ method: 'anvil_reorg', params: [1, []] });
    assert.equal(await mined(), at);
    await mining(true);
    await lane.settled();
    assert.equal((await lane.newest())[0].nonce, at);
    assert.equal((await lanes()).foreign, undefined);
});

test('what a node said of final blocks too, and takes back: the places below are used up, and the batch is settled', async () => {
    const { at } = await misled(start);
    await lane.settled();
    assert.equal(await mined(), at + 6n);
    assert.equal((await lane.newest()).filter((t) => t.state === 'final').length, 1);
    assert.equal((await lanes()).filler, 5n);
    assert.ok(alarms('nonce_gap') > 0);
});

test('places that no block takes are offered dearer, signed by a signer that knows the contract alone', async () => {
    const { OGPU_SETTLER_KEY_FILE, L1_SETTLEMENT } = lane.stack.env;
    const signer = await Signer.up(join(lane.stack.run, 'signer.sock'), { OGPU_SETTLER_KEY_FILE, OGPU_SIGNER_ALLOW: L1_SETTLEMENT, OGPU_SIGNER_RATE: '10000' });
    lane.stack.children.push(signer.child);
    const { at } = await misled(() => start({ ...signer.settings, OGPU_BUMP_S: '1' }));
    node.misbehave(({ method }) => (method === 'eth_sendRawTransaction' ? { error: { code: -32000, message: 'txpool is full' } } : null));
    const offers = () => lane.sql.query('SELECT nonce, (array_agg(max_fee ORDER BY created_at))[1] AS first, (array_agg(max_fee ORDER BY created_at))[2] AS second FROM chain_tx WHERE batch_id IS NULL AND nonce >= $1 GROUP BY 1 HAVING count(*) > 1', [at]);
    const dearer = await eventually(async () => { const rows = await offers(); return rows.length === 5 && rows; }, 'a second offer for each place');
    for (const { nonce, first, second } of dearer) {
        assert.ok(BigInt(second) * 8n >= BigInt(first) * 9n, `${nonce}: ${first}, then ${second}`);
    }
    node.misbehave(null);
    await lane.settled();
    assert.equal(await mined(), at + 6n);
});

for (const [point, what] of [['f1', 'the places written down'], ['f2', 'one signed and stored'], ['f3', 'one sent']]) {
    test(`killed at ${point}: ${what}`, async () => {
        const { at, child } = await misled(() => lane.doomed(point));
        assert.equal((await child.ended).signal, 'SIGKILL');
        start();
        await lane.settled();
        assert.equal(await mined(), at + 6n);
        const twice = await lane.sql.query('SELECT nonce FROM chain_tx WHERE batch_id IS NULL AND nonce >= $1 GROUP BY nonce HAVING count(*) > 1', [at]);
        assert.deepEqual(twice, [], 'what was stored was sent, not signed again');
    });
}

test('a nonce of ours that a node said was a stranger\'s: the batch has two then, and is settled by one', async () => {
    let deaf = true;
    const at = await mined();
    await lane.earn(OGPU / 1000n);
    node.misbehave(async ({ method, call }) => {
        const more = (await lane.newest()).length > 0 ? 5n : 0n;
        switch (deaf && method) {
        case 'eth_sendRawTransaction':
            return { error: { code: -32000, message: 'txpool is full' } };
        case 'eth_getTransactionCount':
            return { result: toHex(BigInt((await call()).result) + more) };
        default:
            return null;
        }
    });
    start();
    await eventually(async () => (await lane.newest())[0]?.nonce === at + 5n, 'signed a second time');
    deaf = false;
    await lane.settled();
    const nonces = (await lane.newest()).map((t) => t.nonce).sort((a, b) => Number(a - b));
    assert.deepEqual(nonces, [at, at + 5n]);
    await lane.earn(OGPU / 1000n);
    await lane.settled();
    assert.equal((await lane.newest())[0].nonce, at + 6n, 'the lane goes on behind both');
    assert.equal(alarms('reverted'), 0);
});
