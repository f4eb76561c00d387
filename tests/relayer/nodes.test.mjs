// SPDX-License-Identifier: MIT
// Nodes that lie, lag, disagree, hang, or speak in tongues: what was decided by nonce and receipt stays right.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { toHex } from 'viem';
import { eventually } from '../support/stack.mjs';
import { Lane } from './lane.mjs';
import { FaultyNode, dialects } from '../support/faulty_node.mjs';

let lane, one, two, relayer;

before(async () => {
    lane = await Lane.up();
    one = await FaultyNode.start(lane.stack.env.L1_RPC_URL);
    two = await FaultyNode.start(lane.stack.env.L1_RPC_URL);
});
after(async () => {
    await lane?.down();
    await one?.stop();
    await two?.stop();
});
afterEach(async () => {
    if (relayer) {
        await lane.end(relayer);
    }
    relayer = undefined;
    one.misbehave(null);
    two.misbehave(null);
    await lane.verify();
});

const start = (urls, env = {}) => {
    relayer = lane.relayer({ L1_RPC_URL: urls.map((s) => s.url).join(','), ...env });
};

test('a refusal in any client\'s words decides nothing: the transaction was taken, or is said again', async () => {
    for (const taken of [true, false]) {
        const left = [...dialects];
        one.misbehave(async ({ method, call }) => {
            if (method !== 'eth_sendRawTransaction' || left.length === 0) {
                return null;
            }
            const [, code, message] = left.shift();
            if (taken) {
                await call();
                left.length = Math.min(left.length, 1);
            } else {
                left.splice(0, 9);
            }
            return { error: { code, message } };
        });
        start([one], { OGPU_RESEND_S: '1' });
        await lane.earn();
        await lane.settled();
        await lane.end(relayer);
    }
    const [{ n }] = await lane.sql.query('SELECT count(*) AS n FROM chain_tx');
    assert.equal(n, 2n, 'nothing was signed twice for a node\'s words');
});

test('HTML, silence, cut connections and empty answers of one node: the other one serves', async () => {
    for (const how of ['html', 'hang', 'reset', 'empty']) {
        one.misbehave(() => how);
        start([one, two], { OGPU_RPC_TIMEOUT_MS: '700' });
        await lane.earn();
        await lane.settled();
        await lane.end(relayer);
    }
});

test('accepted, and then no answer: found by its receipt', async () => {
    one.misbehave(async ({ method, call }) => {
        if (method !== 'eth_sendRawTransaction') {
            return null;
        }
        await call();
        return 'hang';
    });
    start([one], { OGPU_RPC_TIMEOUT_MS: '700' });
    await lane.earn();
    await lane.settled();
});

test('a node a hundred blocks behind is not believed about nonces and heads', async () => {
    const old = await lane.chain.public.getBlockNumber();
    await lane.chain.node.mine({ blocks: 100 });
    const at = (p) => p.map((v) => (v === 'latest' ? toHex(old) : v));
    one.misbehave(({ method, params }) => {
        switch (method) {
        case 'eth_blockNumber':
            return { result: toHex(old) };
        case 'eth_getTransactionReceipt':
            return { result: null };
        default:
            return one.ask(method, at(params));
        }
    });
    start([one, two]);
    await lane.earn();
    await lane.earn();
    await lane.settled();
    assert.match(lane.log(), /"alarm","name":"nodes"/);
});

const mute = ['without a status', (r) => delete r.status];
const shapeless = ['whose logs are no list', (r) => { r.logs = {}; }];
for (const [what, spoil] of [mute, shapeless]) {
    test(`one of three gives receipts ${what}: the others are asked`, async () => {
        // It is asked first: it says that it knows a block more than the others.
        one.misbehave(async ({ method, call }) => {
            const out = await call();
            if (method === 'eth_blockNumber') {
                out.result = toHex(BigInt(out.result) + 1n);
            }
            if (method === 'eth_getTransactionReceipt' && out.result) {
                spoil(out.result);
            }
            return out;
        });
        await lane.end(lane.indexer); // else it may book the batch before the relayer asks
        start([one, two, { url: lane.stack.env.L1_RPC_URL }]);
        await lane.earn();
        await eventually(async () => (await lane.sql.query("SELECT 1 FROM chain_tx t JOIN batch b ON b.id = t.batch_id WHERE t.state = 'mined' AND b.state = 'submitted'")).length === 1, 'the receipt of another');
        lane.indexer = lane.stack.start('ogpu-indexer', lane.finality);
        await lane.settled();
    });
}

test('one of three names other final blocks, or none but the first: batches are settled, with an alarm', async () => {
    const first = ({ method, params }) => (method === 'eth_getBlockByNumber' && !params[0].startsWith('0x') ? one.ask(method, ['0x0', false]) : null);
    const other = async ({ method, call }) => {
        const out = await call();
        if (method === 'eth_getBlockByNumber' && out.result) {
            out.result.hash = `0x${'e'.repeat(64)}`;
        }
        return out;
    };
    const alarms = () => lane.log().split('they disagree on what is final').length;
    const before = alarms();
    for (const rule of [first, other]) {
        one.misbehave(rule);
        start([two, { url: lane.stack.env.L1_RPC_URL }, one]);
        await lane.earn();
        await lane.settled();
        await lane.end(relayer);
    }
    assert.ok(alarms() > before, 'the alarm about the one that names others');
});

test('a node of another chain is never used', async () => {
    const before = one.count('eth_sendRawTransaction');
    one.misbehave(({ method }) => (method === 'eth_chainId' ? { result: '0x1' } : null));
    start([one, two]);
    await lane.earn();
    await lane.settled();
    assert.equal(one.count('eth_sendRawTransaction'), before);
    await lane.end(relayer);
    start([one]);
    assert.equal((await relayer.ended).code, 1);
    assert.match(lane.log(), /the node is of another chain than 31337/);
});

/** What is wrong with the Settled event: `data` is root, increase, score root, log root, count, 32 bytes each. */
const forged = (word) => (logs) => logs.map((l) => {
    const at = 2 + 64 * word;
    return { ...l, data: `${l.data.slice(0, at)}${'5'.repeat(64)}${l.data.slice(at + 64)}` };
});
for (const [what, spoil] of [['without our event', () => []], ['whose event names another score root', forged(2)], ['whose event names another log root', forged(3)]]) {
    test(`a receipt ${what} stops settlement with an alarm, until the node tells the truth`, async () => {
        const alarms = () => lane.log().split('"alarm","name":"missing_event"').length;
        const before = alarms();
        one.misbehave(async ({ method, call }) => {
            const out = await call();
            if (method === 'eth_getTransactionReceipt' && out.result) {
                out.result.logs = spoil(out.result.logs);
            }
            return out;
        });
        start([one]);
        await lane.end(lane.indexer);
        await lane.earn();
        await eventually(() => alarms() > before, 'the alarm');
        const [{ n }] = await lane.sql.query('SELECT count(*) AS n FROM batch');
        await lane.earn();
        const rounds = one.count('eth_getTransactionReceipt');
        await eventually(() => one.count('eth_getTransactionReceipt') > rounds + 5, 'more rounds');
        assert.equal((await lane.sql.query('SELECT count(*) AS n FROM batch'))[0].n, n, 'nothing more is settled');
        one.misbehave(null);
        lane.indexer = lane.stack.start('ogpu-indexer', lane.finality);
        await lane.settled();
    });
}

test('a revert on chain stops settlement with an alarm', async () => {
    one.misbehave(async ({ method, call }) => {
        const out = await call();
        if (method === 'eth_getTransactionReceipt' && out.result) {
            out.result.status = '0x0';
        }
        return out;
    });
    start([one]);
    await lane.end(lane.indexer);
    await lane.earn();
    await eventually(() => /"alarm","name":"reverted"/.test(lane.log()), 'the alarm');
    one.misbehave(null);
    lane.indexer = lane.stack.start('ogpu-indexer', lane.finality);
    await lane.settled();
});
