// SPDX-License-Identifier: MIT
// ogpu-indexer mirror on a chain that says what upstream's contracts say: from zero, killed, rewritten, lied to; and the API over it.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { encodeAbiParameters, keccak256, toHex } from 'viem';
import { expect } from '../support/actors.mjs';
import { eventually, sleep } from '../support/stack.mjs';
import { ETHER, Upstream, sourceParams } from './upstream.mjs';

let u, client;
const A = `0x${'a1'.repeat(20)}`, B = `0x${'b2'.repeat(20)}`;
const bare = (address) => address.slice(2).toLowerCase();

before(async () => {
    u = await Upstream.up();
    client = await u.world.client();
});
after(() => u?.down());
afterEach(() => u.world.verify());

const object = async (address) => (await u.sql.query("SELECT *, params::jsonb AS p FROM mirror_object WHERE encode(address, 'hex') = $1", [bare(address)]))[0];
const known = (address) => eventually(() => object(address), `${address} mirrored`);
const read = (address) => eventually(async () => { const o = await object(address); return o?.params && !o.due_at && o; }, `${address} read`);
const caughtUp = async () => {
    const head = await u.public.getBlockNumber({ cacheTime: 0 });
    await eventually(async () => (await u.sql.query("SELECT 1 FROM chain_cursor WHERE name = 'mirror:31337' AND block_no = $1", [head - 1n])).length === 1, `block ${head - 1n} booked`);
};
const settled = () => eventually(async () => (await u.sql.query('SELECT 1 FROM mirror_object WHERE due_at IS NOT NULL AND tries = 0')).length === 0, 'all read');
const taskAt = async (address) => {
    const { data } = expect(await client.get('/v1/tasks?origin=chain&limit=100'), 200);
    return data.find((t) => bare(t.address) === bare(address));
};
/** A task as the API shows it once the mirror has all that was said. */
async function shown(address) {
    await u.final();
    await caughtUp();
    await settled();
    return taskAt(address);
}

test('from zero: sources, tasks, attempts and responses as they were said', async () => {
    const s = await u.say('publishSource', sourceParams({ client: A }));
    const t = await u.say('publishTask', { source: s, config: 'https://example.org/ipfs/QmInput', expiryTime: 99_999_999_999n, payment: ETHER });
    const late = await u.say('publishTask', { source: s, config: '', expiryTime: 1n, payment: 2n });
    await u.say('attempt', t, A, ETHER);
    await u.say('attempt', t, B, ETHER / 2n);
    await u.say('submitResponse', { task: t, provider: B, data: 'https://example.org/ipfs/QmResult', payment: ETHER / 2n });
    u.mirror();
    const task = await shown(t);
    assert.equal(task.status, 'finalized');
    assert.deepEqual([task.attempts, task.lowest_bid, task.responses, task.overdue], [2, String(ETHER / 2n), 1, false]);
    assert.deepEqual(task.params.config, { text: 'https://example.org/ipfs/QmInput', size: 32, exact: true });
    assert.equal(task.params.payment, String(ETHER));
    assert.deepEqual(task.answer.params.data, { text: 'https://example.org/ipfs/QmResult', size: 33, exact: true });
    assert.equal(bare(task.answer.params.provider), bare(B));
    const second = await taskAt(late);
    assert.deepEqual([second.status, second.overdue, second.attempts, second.lowest_bid, second.answer], ['new', true, 0, null, null]);
    const source = expect(await client.get(task.urls.source), 200);
    assert.deepEqual([source.origin, source.status, source.tasks, bare(source.params.client)], ['chain', 'active', 2, bare(A)]);
    assert.deepEqual([source.params.imageEnvironments, source.params.minPayment, source.params.maxExpiryDuration], [3, String(ETHER / 1000n), '86400']);
    assert.equal(task.source, source.id);
});

test('what changes is followed: params, an end, an attempt that nobody marks, an expiry', async () => {
    const s = await u.say('publishSource', sourceParams());
    const quiet = await u.say('publishTask', { source: s, config: 'x', expiryTime: 5n, payment: 1n });
    await u.say('sayAttempted', quiet, A, 3n);
    assert.equal((await shown(quiet)).status, 'attempted', 'an attempt says so by itself');
    await u.say('sayResponse', B, quiet);
    assert.equal((await shown(quiet)).status, 'responded');
    await u.say('setTaskStatus', quiet, 4);
    assert.equal((await shown(quiet)).status, 'expired');
    await u.say('setTaskStatus', quiet, 77);
    assert.equal((await shown(quiet)).status, 'unknown');
    await u.say('updateSource', s, sourceParams({ minPayment: 42n, imageMetadataUrl: 'ipfs://new' }));
    await u.say('inactivateSource', s);
    await shown(quiet);
    const source = expect(await client.get((await taskAt(quiet)).urls.source), 200);
    assert.deepEqual([source.status, source.params.minPayment, source.params.imageMetadataUrl.text], ['retired', '42', 'ipfs://new']);
});

test('the API: lists, filters, pages; nothing of it can be bought, offered or changed', async () => {
    const all = expect(await client.get('/v1/sources?origin=chain&limit=100'), 200).data;
    assert.ok(all.length >= 2 && all.every((s) => s.origin === 'chain'));
    const page = expect(await client.get('/v1/sources?origin=chain&limit=1'), 200);
    const next = expect(await client.get(`/v1/sources?origin=chain&limit=1&cursor=${page.next_cursor}`), 200);
    assert.deepEqual([page.data[0].id, next.data[0].id], [all[0].id, all[1].id]);
    assert.equal((await client.get(`/v1/sources?limit=1&cursor=${page.next_cursor}`)).json.code, 'BAD_CURSOR');
    const mine = expect(await client.get(`/v1/sources?origin=chain&owner=${A}`), 200).data;
    assert.deepEqual(mine.map((s) => bare(s.params.client)), [bare(A)]);
    const [ended] = expect(await client.get('/v1/sources?origin=chain&status=retired'), 200).data;
    assert.equal(ended.status, 'retired');
    const active = expect(await client.get('/v1/sources?origin=chain&status=active'), 200).data;
    assert.deepEqual(active.map((s) => s.id), all.filter((s) => s.status === 'active').map((s) => s.id));
    assert.ok(active.length > 0 && active.length < all.length, `${active.length} of ${all.length}`);
    assert.deepEqual(expect(await client.get('/v1/sources'), 200).data, [], 'the gateway\'s own are another list');
    assert.deepEqual(expect(await client.get('/v1/tasks'), 200).data, []);
    const [source] = mine;
    const tasks = expect(await client.get(source.urls.tasks), 200).data;
    assert.deepEqual(tasks.map((t) => t.source), [source.id, source.id]);
    const first = expect(await client.get('/v1/tasks?origin=chain&limit=1'), 200);
    assert.notEqual(expect(await client.get(`/v1/tasks?origin=chain&limit=1&cursor=${first.next_cursor}`), 200).data[0].id, first.data[0].id);
    assert.equal((await client.get('/v1/tasks?origin=chain&status=queued')).status, 422);
    const one = await client.get(`${tasks[0].urls.self}?wait=20`);
    assert.deepEqual(expect(one, 200), tasks[0], 'there is nothing to wait for');
    assert.equal((await client.get(tasks[0].urls.self, { 'if-none-match': one.headers.get('etag') })).status, 304);
    const p = await u.world.provider();
    const balances = await u.world.balances(client);
    for (const reply of [
        await u.world.submit(client, source),
        await client.post(`${source.urls.self}/retire`),
        await client.post(`${tasks[0].urls.self}/cancel`),
        await p.put(`${source.urls.self}/registrations/${p.id}`, await p.registrationBody({ ...source, manifest_hash: 'ab'.repeat(32) })),
    ]) {
        assert.deepEqual([reply.status, reply.json.code], [409, 'ON_CHAIN']);
    }
    assert.deepEqual(await u.world.balances(client), balances);
    assert.equal((await client.get(`${tasks[0].urls.self}/result`)).status, 404);
});

test('hostile strings: broken UTF-8, NUL, a megabyte', async () => {
    const params = (bytes) => [{ type: 'tuple', components: [{ type: 'address', name: 'source' }, { type: 'bytes', name: 'config' }, { type: 'uint256', name: 'expiryTime' }, { type: 'uint256', name: 'payment' }] }, { source: A, config: toHex(bytes), expiryTime: 2n ** 256n - 1n, payment: 2n ** 256n - 1n }];
    const said = async (bytes) => {
        const [type, value] = params(bytes);
        return u.sayRaw('publishTask((address,string,uint256,uint256))', [type], [value]);
    };
    const cases = [
        [Buffer.from([0xff, 0x41, 0xc3]), '\ufffdA\ufffd', false], [Buffer.from('a\0b'), 'a\ufffdb', false], [Buffer.from([0xed, 0xa0, 0x80]), '\ufffd\ufffd\ufffd', false],
        [Buffer.from('"\\\u0001\u2028</script>'), '"\\\u0001\u2028</script>', true], [Buffer.from('🜁'.repeat(1025)), '🜁'.repeat(1024), false],
        [Buffer.alloc(4096, 'x'), 'x'.repeat(4096), true], [Buffer.alloc(4097, 'x'), 'x'.repeat(4096), false],
    ];
    for (const c of cases) {
        c.push(await said(c[0]));
    }
    const huge = await u.deploy('HugeTask', [1_000_000n]);
    await u.say('sayTask', huge, A);
    const events = (await u.all()).events.length;
    await u.say('sayUpdated', A, 1_000_000n);
    await u.final();
    for (const [bytes, text, exact, address] of cases) {
        const { p } = await read(address);
        assert.deepEqual(p.config, { text, size: bytes.length, exact });
        assert.equal(p.payment, String(2n ** 256n - 1n));
    }
    assert.deepEqual((await read(huge)).p.config, { text: '\ufffd'.repeat(1365), size: 1_000_000, exact: false });
    assert.equal((await shown(cases[0][3])).overdue, false, 'a time beyond all calendars');
    const said_last = (await u.all()).events;
    assert.ok(said_last.length > events && said_last.at(-1).kind === 'updated', 'the update of a megabyte');
});

test('contracts that do not answer as they should are shown without their struct, and tried again', async () => {
    const word = (n) => n.toString(16).padStart(64, '0');
    const good = encodeAbiParameters([{ type: 'address' }, { type: 'string' }, { type: 'uint256' }, { type: 'uint256' }], [A, 'now', 1n, 2n]);
    const answers = ['0x', '0x00', `0x${word(1n)}`, `0x${word(0n)}${word(0n)}${word(1n)}${word(2n)}`, `0x${word(0n)}${word(128n)}${word(1n)}${word(2n)}${word(2n ** 255n)}`, `${good}00`, good.replace('6e6f77', '6e6f77ff')];
    const bad = [];
    for (const a of answers) {
        bad.push(await u.deploy('Answers', [a]));
        await u.say('sayTask', bad.at(-1), A);
    }
    await u.say('sayTask', B, A); // no code at all
    await u.final();
    await known(B);
    await eventually(async () => (await object(bad.at(-1)))?.tries > 0 && (await object(B))?.tries > 0, 'tried');
    for (const address of [...bad, B]) {
        const t = await taskAt(address);
        assert.deepEqual([t.params, t.params_block, t.overdue, t.status], [null, null, null, 'new'], address);
    }
    await u.mined(await u.wallet.writeContract({ address: bad[0], abi: u.parts.Answers.abi, functionName: 'set', args: [good] }));
    await u.final();
    assert.equal((await read(bad[0])).p.config.text, 'now');
});

test('logs that are no events of upstream stop nothing', async () => {
    const topic = (text) => keccak256(toHex(text));
    const before = (await u.all()).events.length;
    for (const data of ['0x', '0x01', `0x${'ff'.repeat(64)}`, `0x${'00'.repeat(63)}`, `0x${'00'.repeat(96)}`]) {
        await u.say('sayAnything', topic('TaskPublished(address,address)'), data);
    }
    await u.say('sayAnything', topic('SourceUpdated(address,(address,string,uint8,uint256,uint256,uint256,bool,string,uint8,uint256))'), `0x${'20'.padStart(64, '0').repeat(12)}`);
    await u.say('sayAnything', topic('Nothing()'), '0x');
    await u.say('register', A, B, 1);
    const t = await u.say('publishTask', { source: A, config: 'after', expiryTime: 1n, payment: 1n });
    await u.final();
    await read(t);
    assert.equal((await u.all()).events.length, before + 1);
    assert.match(u.stack.log('ogpu-indexer'), /log_skipped/);
});

test('duplicates count once, strangers wait for their parents', async () => {
    const s = await u.say('publishSource', sourceParams());
    const t = await u.say('publishTask', { source: s, config: 'dup', expiryTime: 1n, payment: 1n });
    await u.say('sayPublished', s);
    await u.say('sayTask', t, A);
    const orphan = await u.deploy('HugeTask', [1n]);
    await u.say('sayAttempted', orphan, A, 9n);
    const twice = await shown(t);
    assert.equal(bare(twice.source_address), bare(s), 'the first says whose it is');
    assert.equal(expect(await client.get(twice.urls.source), 200).tasks, 1);
    assert.equal(await taskAt(orphan), undefined);
    await u.say('sayTask', orphan, `0x${'ee'.repeat(20)}`);
    const later = await shown(orphan);
    assert.deepEqual([later.attempts, later.lowest_bid, later.status], [1, '9', 'attempted']);
    assert.equal((await client.get(later.urls.source)).json.code, 'SOURCE_NOT_FOUND');
});

test('kill -9 while it catches up from zero, two at once: the same as before, nothing twice', async () => {
    await u.final();
    await caughtUp();
    await settled();
    const want = await u.all();
    assert.ok(want.events.length > 30);
    await u.kill();
    await u.sql.query("TRUNCATE mirror_event, mirror_object; DELETE FROM chain_cursor WHERE name LIKE 'mirror:%'");
    for (let i = 0; i < 12; i++) {
        const one = u.mirror();
        const two = i % 3 === 0 ? u.mirror() : null;
        await sleep(15 + 12 * i);
        one.kill('SIGKILL');
        two?.kill('SIGKILL');
        await Promise.all([one.ended, two?.ended]);
    }
    u.mirror();
    await caughtUp();
    await eventually(async () => (await u.all()).objects.filter((o) => o.settled).length >= want.objects.filter((o) => o.settled).length, 'all read again');
    assert.deepEqual(await u.all(), want);
});

test('a chain rewritten below what was final: what is gone is forgotten, what came instead is booked', async () => {
    const s = await u.say('publishSource', sourceParams({ minPayment: 1n }));
    await u.final(1);
    const kept = await u.all();
    await caughtUp();
    const state = await u.node.snapshot();
    const gone = await u.say('publishTask', { source: s, config: 'gone', expiryTime: 1n, payment: 1n });
    await u.say('updateSource', s, sourceParams({ minPayment: 2n }));
    await u.say('inactivateSource', s);
    await u.final(5);
    await caughtUp();
    await settled();
    assert.equal((await read(s)).p.minPayment, '2');
    assert.ok(await object(gone));
    await u.node.revert({ id: state });
    const instead = await u.say('publishTask', { source: s, config: 'instead', expiryTime: 1n, payment: 7n });
    await u.final(12);
    await caughtUp();
    await settled();
    assert.match(u.stack.log('ogpu-indexer'), /rewound/);
    assert.equal((await read(instead)).p.config.text, 'instead');
    assert.equal(instead, gone, 'the same address, another task');
    const source = await read(s);
    assert.equal(source.p.minPayment, '1');
    const blocks = new Map();
    for (const e of (await u.all()).events) {
        blocks.set(e.block_no, e.block);
    }
    for (const [number, hash] of blocks) {
        assert.equal((await u.public.getBlock({ blockNumber: number })).hash, `0x${hash}`, `block ${number}`);
    }
    assert.equal(expect(await client.get((await taskAt(instead)).urls.source), 200).status, 'active');
    assert.ok((await u.all()).events.length >= kept.events.length);
});

test('reorgs at the head, of 1, 2 and 7 blocks, leave no trace', async () => {
    for (const depth of [1, 2, 7]) {
        const lost = await u.say('publishTask', { source: A, config: `lost ${depth}`, expiryTime: 1n, payment: BigInt(depth) });
        await u.final(depth - 1);
        await sleep(150);
        await u.public.request({ method: 'anvil_reorg', params: [depth, []] });
        await u.final(3);
        await caughtUp();
        assert.equal(await object(lost), undefined, `${depth}`);
    }
    const t = await u.say('publishTask', { source: A, config: 'stays', expiryTime: 1n, payment: 1n });
    await u.final();
    assert.equal((await read(t)).p.config.text, 'stays');
});

test('the wrong chain is refused, and so is what is no address', async () => {
    const log = () => u.stack.log('ogpu-indexer');
    assert.equal((await u.mirror({ UPSTREAM_CHAIN_ID: '1071' }).ended).code, 1);
    assert.match(log(), /the node is of another chain than 1071/);
    assert.equal((await u.mirror({ UPSTREAM_NEXUS: '0x12' }).ended).code, 1);
    assert.match(log(), /UPSTREAM_NEXUS must be an address/);
});
