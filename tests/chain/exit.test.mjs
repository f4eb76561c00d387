// SPDX-License-Identifier: MIT
// A forced exit is booked in the middle of a race: providers claim and answer through two gateways, clients submit, and the indexer
// is killed while it closes what is open. Afterwards no task is open, no attempt opens, every provider is told why, everyone gets
// out on chain what the books say, and chain and ledger agree to the wei.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { privateKeyToAccount, generatePrivateKey } from 'viem/accounts';
import { Http, Provider, expect, idBytes, manifest } from '../support/actors.mjs';
import { Chain } from '../support/chain.mjs';
import { Contract } from '../support/contract.mjs';
import { Ledger, UNIT } from '../support/ledger.mjs';
import { OGPU } from '../support/market.mjs';
import { Sql } from '../support/sql.mjs';
import { Stack, build, eventually } from '../support/stack.mjs';
import { Stranger } from '../support/stranger.mjs';
import { watch } from '../support/world.mjs';

const RACERS = 8;
const HELD = 600; // open tasks that nobody takes: several transactions of closing
const SILENCE = 1_000_000;
const DELAY = 300;
const WINDOW = 5000;
const l = new Ledger();
let wrong, urls, client, source, held, indexer, racers;
let racing = true;
const refusals = [];

const rows = (text, values) => l.sql.query(text, values);
const count = async (from) => Number((await rows(`SELECT count(*) AS n FROM ${from}`))[0].n);
const body = (over = {}) => ({ source: source.id, input: {}, reward: String(UNIT), racers: RACERS, expires_in_s: 3600, ...over });

async function makeClient() {
    const wallet = await l.chain.wallet();
    const { address } = wallet.account;
    const out = execFileSync(join(build, 'bin/ogpu-gateway'), ['key', 'create', '--address', address, '--name', 'test'], { encoding: 'utf8', env: { ...process.env, ...l.stack.env } });
    const made = Object.assign(new Http(urls[0], out.match(/ogpu_sk_live_[0-9A-Za-z]+/)[0]), { address, wallet });
    await l.chain.deposit(wallet, address, 100n * OGPU);
    await l.holds(address, 'available', 100n * OGPU);
    return made;
}

async function makeRacer(i) {
    const master = privateKeyToAccount(generatePrivateKey());
    const p = new Provider(urls[i % 2], { chainId: Number(l.stack.env.L1_CHAIN_ID), verifyingContract: l.stack.env.L1_SETTLEMENT }, undefined, master);
    await l.chain.register(client.wallet, master.address);
    await p.register();
    await p.offer(source);
    return p;
}

/** Claims and answers until the race ends; keeps every refusal. The last claim is left open, for whoever ends it. */
async function race(p, i) {
    while (racing) {
        const claim = await p.claim(1, { sources: [source.id] });
        if (claim.status === 204) {
            continue;
        }
        p.last = expect(claim, 200);
        const answered = i % 4 === 3 ? undefined : await p.answer(p.last, Buffer.from(`${i}`)).catch((e) => refusals.push(e.message));
        if (answered?.status >= 400) {
            refusals.push(answered.json.code);
        }
    }
}

/** Submits until it is refused: what was answered 201 must be there. */
async function submit() {
    const made = [];
    for (;;) {
        const reply = await client.post('/v1/tasks', body(), { 'idempotency-key': randomUUID() });
        if (reply.status !== 201) {
            assert.equal(expect(reply, 409).code, 'EXIT_BEGUN');
            return made;
        }
        made.push(reply.json.id);
    }
}

before(async () => {
    l.stack = Stack.up('postgres migrate redis anvil contracts gateways', { OGPU_DOCS_DIR: '', OGPU_FEE_BPS: '100', OGPU_CLAIM_DELAY_S: String(DELAY), OGPU_EXIT_SILENCE_S: String(SILENCE), OGPU_EXIT_WINDOW_S: String(WINDOW) });
    l.settings = { OGPU_POLL_MS: '50', OGPU_BATCH_AGE_S: '0', OGPU_FINALITY: 'depth:0' };
    l.sql = await Sql.open(l.stack.env.DATABASE_URL);
    l.chain = new Chain(l.stack.env);
    await l.chain.node.setIntervalMining({ interval: 0 });
    await l.chain.node.setAutomine(true);
    wrong = watch(new Contract(build));
    urls = [1, 2].map((n) => `http://${l.stack.env[`OGPU_GATEWAY_${n}`]}`);
    indexer = l.indexer();
    client = await makeClient();
    source = expect(await client.post('/v1/sources', { manifest: manifest() }), 201);
    held = expect(await client.post('/v1/sources', { manifest: manifest({ name: 'nobody-takes-it' }) }), 201);
    racers = [];
    for (let i = 0; i < RACERS; i++) {
        racers.push(await makeRacer(i));
    }
    await eventually(async () => await count('account WHERE chain_id IS NULL') === 0, 'everybody known on chain');
    for (let i = 0; i < HELD; i += 50) {
        await Promise.all(Array.from({ length: 50 }, async () => expect(await client.post('/v1/tasks', body({ source: held.id })), 201)));
    }
});
after(async () => {
    racing = false;
    Http.observe = undefined;
    await l.down();
});

test('the exit is booked while eight racers claim and answer, and the indexer is killed in between', async () => {
    const relayer = l.relayer();
    const runners = racers.map(race);
    const submitting = submit();
    await eventually(async () => await count("task WHERE status = 'succeeded'") > 20, 'a race that goes on', 60_000);
    await l.confirmed(1);
    await l.stop(relayer); // from now on the gateway is silent
    // One open task that nobody can close for now: the indexer is killed before it is through.
    const holder = await Sql.open(l.stack.env.DATABASE_URL);
    await holder.query('BEGIN');
    const stuck = await holder.query("SELECT t.id FROM task t JOIN source s ON s.id = t.source_id WHERE s.name = 'nobody-takes-it' ORDER BY t.expires_at DESC LIMIT 1 FOR UPDATE OF t");
    assert.equal(stuck.length, 1);
    await l.chain.node.increaseTime({ seconds: SILENCE + DELAY });
    const stranger = new Stranger(l.chain.public, await l.chain.wallet(), l.chain.settlement.address);
    await l.settlement(stranger.wallet, 'beginExit', []);
    await eventually(async () => await count('chain_exit') === 1, 'the fence');
    await l.stop(indexer, 'SIGKILL');
    await holder.query('ROLLBACK');
    await holder.close();
    const made = await submitting;
    // Half closed, and nobody there to go on but the gateways' keepers.
    await eventually(async () => await count("task WHERE status IN ('queued', 'running', 'verifying')") === 0, 'the closing by the keepers', 60_000);
    assert.equal(await count('chain_exit WHERE closed_at IS NULL'), 1);
    indexer = l.indexer();
    await eventually(async () => await count('chain_exit WHERE closed_at IS NOT NULL') === 1, 'the closing', 60_000);
    assert.equal(await count("task WHERE status IN ('queued', 'running', 'verifying')"), 0, 'nothing is open');
    const opened = await count('attempt');
    // Every racer looks at what the book still offers, more than once.
    for (const p of racers) {
        assert.equal((await p.claim(0)).status, 204);
        assert.equal((await p.claim(0, { sources: [source.id] })).status, 204);
    }
    racing = false;
    await Promise.all(runners);
    assert.equal(await count('attempt'), opened, 'no attempt opened after the closing');
    assert.deepEqual([...new Set(refusals)].filter((c) => !['EXIT_BEGUN', 'TASK_CLOSED', 'LEASE_LOST'].includes(c) && !/LEASE_LOST|EXIT_BEGUN/.test(c)), [], 'why answers were refused');
    const known = await rows('SELECT count(*) AS n FROM task WHERE source_id <> (SELECT id FROM source WHERE name = $1)', ['nobody-takes-it']);
    assert.equal(Number(known[0].n), made.length, 'every acknowledged task is there');
    assert.equal(await count("task WHERE error_code = 'exit_begun' AND status = 'canceled'"), await count("task_event WHERE type = 'exit'"));
    assert.ok(await count("task WHERE error_code = 'exit_begun'") >= HELD);
    await l.whole();
});

test('whoever had an attempt is told why it ended, and blamed for nothing', async () => {
    const cut = await rows("SELECT id FROM attempt WHERE error_code = 'exit_begun' AND state = 'released'");
    const p = racers.find((r) => r.last && cut.some((a) => idBytes(r.last.attempt) === `0x${a.id.replaceAll('-', '')}`));
    assert.ok(p, 'somebody was in the middle of an attempt');
    const claim = p.last;
    const beat = expect(await p.post(claim.urls.heartbeat), 200);
    assert.deepEqual([beat.stop, beat.reason], [true, 'exit_begun']);
    assert.equal(expect(await p.post(claim.urls.fail, { code: 'late', message: '' }), 409).code, 'EXIT_BEGUN');
    const outputs = [{ name: 'o', media_type: 'text/plain', size: 1, sha256: '0'.repeat(64) }];
    assert.equal(expect(await p.post(claim.urls.respond, await p.responseBody(claim, outputs)), 409).code, 'EXIT_BEGUN');
    assert.equal(expect(await client.post('/v1/tasks', body()), 409).code, 'EXIT_BEGUN');
    const task = expect(await client.get(`/v1/tasks/${claim.task}`), 200);
    assert.deepEqual([task.status, task.error.code, task.live], ['canceled', 'exit_begun', 0]);
    const events = expect(await client.get(task.urls.events), 200).data;
    assert.deepEqual([events.at(-1).type, events.at(-1).to], ['exit', 'canceled']);
    assert.equal(await count("attempt WHERE error_code = 'exit_begun' AND state NOT IN ('released', 'beaten')"), 0);
});

test('everyone leaves with what the books say; chain and ledger are equal to the wei', async () => {
    const stranger = new Stranger(l.chain.public, await l.chain.wallet(), l.chain.settlement.address);
    await stranger.showAll();
    await l.pass(WINDOW);
    const before = await l.account(client.address);
    const due = await rows("SELECT COALESCE(sum(payable), 0)::text AS wei FROM balance");
    for (let id = 1; id <= await stranger.vault('lastId'); id++) {
        await l.settlement(stranger.wallet, 'exit', [id]).catch((e) => assert.match(e.message, /NothingToClaim/));
    }
    await l.caughtUp();
    const last = await l.account(client.address);
    assert.equal(before.frozen, 0n, 'every reward had returned');
    assert.equal(last.available, 0n);
    // What was accepted and never listed (payable) the chain has paid back to the client: its debt, and nothing else is.
    const [{ fees }] = await rows("SELECT COALESCE(sum(amount), 0)::text AS fees FROM ledger_entry f WHERE kind = 'fee' AND EXISTS (SELECT FROM ledger_entry a WHERE a.ref = f.ref AND a.kind = 'accept' AND a.batch_id IS NULL)");
    const unlisted = BigInt(due[0].wei) + BigInt(fees);
    assert.ok(last.debt >= 0n && last.debt <= unlisted + UNIT, `debt ${last.debt}, accepted and never listed ${unlisted}`);
    await l.whole(last.debt >= UNIT ? ['nobody_was_overpaid'] : []);
    assert.deepEqual([...new Set(wrong)], [], 'exchanges that do not fit the contract');
});
