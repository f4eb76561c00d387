// SPDX-License-Identifier: MIT
// Nodes that invent a deposit or keep one back: what moves money is booked as more than half of them tell it, and only when all
// deposits come to what the Vault counts.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { encodeEventTopics, toHex } from 'viem';
import { FaultyNode } from '../support/faulty_node.mjs';
import { freePort } from '../support/free_port.mjs';
import { Ledger } from '../support/ledger.mjs';
import { OGPU } from '../support/market.mjs';
import { eventually } from '../support/stack.mjs';

let l, nodes, indexer, client, metrics;

before(async () => {
    l = await Ledger.up();
    nodes = await Promise.all([1, 2, 3].map(() => FaultyNode.start(l.stack.env.L1_RPC_URL)));
    indexer = l.indexer();
    client = await l.client();
    await l.stop(indexer);
    indexer = null;
});
after(async () => {
    await l?.down();
    await Promise.all((nodes ?? []).map((n) => n.stop()));
});
afterEach(async () => {
    nodes.forEach((n) => n.misbehave(null));
    await l.whole();
    await l.stop(indexer);
    indexer = null;
});

const start = async (some) => {
    metrics = `127.0.0.1:${await freePort()}`;
    indexer = l.indexer({ L1_RPC_URL: some.map((n) => n.url).join(','), OGPU_METRICS_LISTEN: metrics });
};
/** The indexer's own figures, by name. */
async function figures() {
    const text = await (await fetch(`http://${metrics}/metrics`)).text();
    return Object.fromEntries([...text.matchAll(/^ogpu_indexer_(\w+)\{cursor="main"\} (\d+)$/gm)].map(([, name, value]) => [name, Number(value)]));
}
const shows = (is, what) => eventually(async () => is(await figures()), what);
const available = async () => (await l.account(client.address)).available;
const cursor = async () => (await l.sql.query("SELECT block_no FROM chain_cursor WHERE name = 'main'"))[0].block_no;
const said = (what) => l.stack.log('ogpu-indexer').match(what)?.length ?? 0;

const counts = (what) => {
    const before = said(what);
    return () => said(what) - before;
};

/** A deposit for the client that never was, in the last block asked for. */
async function invent(node, params) {
    const { result: block } = await node.ask('eth_getBlockByNumber', [params[0].toBlock, false]);
    const id = await l.chain.read(l.chain.vault, 'idOf', [client.address]);
    const topics = encodeEventTopics({ abi: l.chain.vault.abi, eventName: 'Deposited', args: { id, account: client.address } });
    return { address: l.chain.vault.address.toLowerCase(), topics, data: toHex(1000n * OGPU, { size: 32 }), blockNumber: params[0].toBlock, blockHash: block.hash, transactionHash: toHex(BigInt(params[0].toBlock), { size: 32 }), transactionIndex: '0x0', logIndex: '0x40', removed: false };
}
const inventing = (node) => async ({ method, params, call }) => {
    const out = await call();
    return method === 'eth_getLogs' ? { result: [...out.result, await invent(node, params)] } : out;
};
const silent = ({ method }) => (method === 'eth_getLogs' ? { result: [] } : null);
/** The same of a node that says it knows a block more than the others: it is asked first. */
const first = (rule) => async (call) => (call.method === 'eth_blockNumber' ? { result: toHex(BigInt((await call.call()).result) + 1n) } : rule(call));

/** Three nodes, and a deposit on top of what the client had: booked, and the blocks behind it. */
async function goOn(had) {
    await start(nodes);
    await l.chain.deposit(client.wallet, client.address, OGPU);
    await l.holds(client.address, 'available', had + OGPU);
    await l.chain.node.mine({ blocks: 3 });
    await l.caughtUp();
}

test('one of three invents a deposit: it is outvoted', async () => {
    nodes[1].misbehave(first(inventing(nodes[1])));
    const had = await available();
    const before = said(/"outvoted"/g);
    await goOn(had);
    assert.equal(await available(), had + OGPU);
    assert.ok(said(/"outvoted"/g) > before, 'and it is told');
    const booked = Number(await cursor());
    await shows((f) => f.outvoted_total > 0 && f.logs_booked_total > 0 && f.booked_block >= booked && f.final_block >= f.booked_block && f.nodes_usable === 3, 'and counted');
});

test('one of three keeps a deposit back: it is booked all the same', async () => {
    nodes[2].misbehave(first(silent));
    const had = await available();
    await start(nodes);
    await l.chain.deposit(client.wallet, client.address, OGPU);
    await l.caughtUp();
    assert.equal(await available(), had + OGPU);
});

test('three tell three stories: nothing is booked until two agree', async () => {
    await start(nodes);
    await l.caughtUp();
    const had = await available();
    nodes[0].misbehave(silent);
    nodes[1].misbehave(inventing(nodes[1]));
    const at = await cursor();
    const told = () => said(/no more than 1 of 3 nodes give the same answer/g);
    const before = told();
    await l.chain.deposit(client.wallet, client.address, OGPU);
    await eventually(() => told() > before + 2, 'it is said, and tried again');
    assert.deepEqual([await cursor(), await available()], [at, had]);
    nodes[1].misbehave(null);
    await l.holds(client.address, 'available', had + OGPU);
});

/** Another block of every number than the others have. */
const dissenting = (digit) => async ({ method, call }) => {
    const out = await call();
    if (method === 'eth_getBlockByNumber' && out.result) {
        out.result.hash = `0x${digit.repeat(64)}`;
    }
    return out;
};
/** Resyncing: it serves all that is asked of it, and says that the first block is the newest. */
const fresh = (node) => ({ method, params }) => (method === 'eth_getBlockByNumber' && !params[0].startsWith('0x') ? node.ask(method, ['0x0', false]) : null);

for (const [what, rule] of [['names other blocks as final', () => dissenting('e')], ['calls nothing but block 0 final', fresh]]) {
    test(`one of three ${what}: the other two are believed`, async () => {
        nodes[1].misbehave(first(rule(nodes[1])));
        const had = await available();
        const before = said(/"outvoted"/g);
        await goOn(had);
        assert.equal(said(/"outvoted"/g) > before, rule !== fresh, 'who contradicts is told of');
    });
}

for (const [what, rules, text] of [['name other blocks, each its own', [() => dissenting('e'), () => dissenting('d')], /the nodes name different blocks: none counts as final/g],
    ['call nothing but block 0 final', [fresh, fresh], /the nodes call block 0 final, and called \d+ so before/g]]) {
    test(`two of three ${what}: nothing is booked until one of them is back`, async () => {
        await start(nodes);
        await l.caughtUp();
        const had = await available();
        const at = await cursor();
        const told = counts(text);
        rules.forEach((rule, i) => nodes[i].misbehave(rule(nodes[i])));
        await l.chain.deposit(client.wallet, client.address, OGPU);
        await eventually(() => told() > 2, 'it is said, and tried again');
        assert.deepEqual([await cursor(), await available()], [at, had]);
        nodes[1].misbehave(null);
        await l.holds(client.address, 'available', had + OGPU);
    });
}

test('two nodes of which one is away: nothing is booked until it is back', async () => {
    await start(nodes.slice(0, 2));
    await l.caughtUp();
    const had = await available();
    const at = await cursor();
    nodes[1].misbehave(({ method }) => (method === 'eth_getLogs' ? 'reset' : null));
    const told = () => said(/no more than 1 of 2 nodes give the same answer/g);
    const before = told();
    await l.chain.deposit(client.wallet, client.address, OGPU);
    await eventually(() => told() > before, 'it is said');
    assert.deepEqual([await cursor(), await available()], [at, had]);
    nodes[1].misbehave(null);
    await l.holds(client.address, 'available', had + OGPU);
});

/** The first list with something in it is withheld. */
const once = () => {
    let left = 1;
    return async ({ method, call }) => {
        if (method !== 'eth_getLogs') {
            return null;
        }
        const out = await call();
        return out.result.length > 0 && left-- > 0 ? { result: [] } : out;
    };
};
const apart = /the vault counts \d+ wei deposited by block \d+, the logs \d+: nothing is booked/g;

test('a single node keeps a deposit back once: it is seen, and asked again', async () => {
    const had = await available();
    const told = counts(apart);
    nodes[0].misbehave(once());
    await start([nodes[0]]);
    await l.chain.deposit(client.wallet, client.address, OGPU);
    await l.holds(client.address, 'available', had + OGPU);
    assert.ok(told() > 0, 'and it is told');
});

test('a single node invents a deposit: nothing is booked until it is gone', async () => {
    await start([nodes[0]]);
    await l.caughtUp();
    const had = await available();
    const at = await cursor();
    const told = counts(apart);
    nodes[0].misbehave(inventing(nodes[0]));
    await l.chain.deposit(client.wallet, client.address, OGPU);
    await eventually(() => told() > 2, 'it is said, and tried again');
    assert.deepEqual([await cursor(), await available()], [at, had]);
    await shows((f) => f.halted === 1 && f.failures_total > 2 && f.booked_block < f.final_block, 'a figure to be alarmed by');
    nodes[0].misbehave(null);
    await l.holds(client.address, 'available', had + OGPU);
    await shows((f) => f.halted === 0 && f.last_look_timestamp_seconds > Date.now() / 1000 - 600, 'that goes when it is gone');
});

const pruned = { error: { code: -32000, message: 'missing trie node' } };
test('a node without the state of the block is believed after some tries; what it kept back shows with the next answer', async () => {
    const had = await available();
    nodes[0].misbehave(({ method }) => (method === 'eth_call' ? pruned : null));
    const passed = counts(/"deposits_unchecked"/g);
    await start([nodes[0]]);
    await l.chain.deposit(client.wallet, client.address, OGPU);
    await l.holds(client.address, 'available', had + OGPU);
    assert.equal(passed(), 1);
    await shows((f) => f.deposits_unchecked_total > 0, 'and counted');
    const at = await cursor();
    const hide = once();
    nodes[0].misbehave((call) => (call.method === 'eth_call' ? pruned : hide(call)));
    await l.chain.deposit(client.wallet, client.address, OGPU);
    await l.caughtUp();
    assert.equal(await available(), had + OGPU, 'nobody could know');
    const told = counts(apart);
    nodes[0].misbehave(null);
    await l.chain.node.mine({ blocks: 1 });
    await eventually(() => told() > 2, 'it is said, and nothing is booked over it');
    await l.stop(indexer);
    await l.sql.query("UPDATE chain_cursor SET block_hash = '', block_no = $1 WHERE name = 'main'", [at]); // an operator has looked
    await start([nodes[0]]);
    await l.holds(client.address, 'available', had + 2n * OGPU);
});
