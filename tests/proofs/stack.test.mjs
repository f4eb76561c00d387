// SPDX-License-Identifier: MIT
// From work over HTTP to proofs anyone can check: real gateways, relayer (killed again and again), indexer and contracts.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { StandardMerkleTree } from '@openzeppelin/merkle-tree';
import { encodeAbiParameters, hashTypedData, keccak256, recoverTypedDataAddress, toFunctionSelector, toHex, zeroHash } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { Http, Provider, canonical, expect, idBytes, manifest, sha256 } from '../support/actors.mjs';
import { Chain } from '../support/chain.mjs';
import { SCORE_TYPES, bytes, closeEpoch, encodeEvent, eventsOf, hex, logRoot, rootOfPath, scoreValues } from '../support/epoch.mjs';
import { FaultyNode } from '../support/faulty_node.mjs';
import { Sql } from '../support/sql.mjs';
import { Stack, build, eventually, sleep } from '../support/stack.mjs';

const UNIT = 10n ** 12n;
const fast = { OGPU_POLL_MS: '100', OGPU_BATCH_AGE_S: '0', OGPU_RESEND_S: '2', OGPU_BUMP_S: '5' };
let stack, sql, chain, client, source, good, bad, lazy, relayer;
const won = [];

before(async () => {
    stack = Stack.up('postgres migrate redis anvil contracts gateways', { OGPU_CLAIM_DELAY_S: '2', OGPU_EXIT_SILENCE_S: '86400' });
    sql = await Sql.open(stack.env.DATABASE_URL);
    chain = new Chain(stack.env);
    stack.start('ogpu-indexer', fast);
    const account = privateKeyToAccount(generatePrivateKey());
    const payer = await chain.wallet();
    await chain.deposit(payer, account.address, 5n * 10n ** 18n);
    const made = spawnSync(join(build, 'bin/ogpu-gateway'), ['key', 'create', '--address', account.address, '--name', 'test'], { encoding: 'utf8', env: { ...process.env, DATABASE_URL: stack.env.DATABASE_URL } });
    client = new Http(`http://${stack.env.OGPU_GATEWAY_1}`, made.stdout.match(/ogpu_sk_live_[0-9A-Za-z]+/)[0]);
    await eventually(async () => (await client.get('/v1/account')).json.balances.available !== '0', 'the credit');
    source = expect(await client.post('/v1/sources', { manifest: manifest() }), 201);
    const domain = { chainId: Number(stack.env.L1_CHAIN_ID), verifyingContract: stack.env.L1_SETTLEMENT };
    [good, bad, lazy] = await Promise.all([1, 2, 3].map(async () => {
        const p = new Provider(`http://${stack.env.OGPU_GATEWAY_2}`, domain);
        await p.register();
        await p.offer(source);
        return p;
    }));
    for (const p of [good, bad, lazy]) {
        await chain.register(payer, p.master.address);
    }
    await eventually(async () => (await sql.query('SELECT 1 FROM account WHERE chain_id IS NOT NULL')).length === 4, 'the masters known');
});
after(async () => {
    await sql?.close();
    await stack?.down();
});

const submit = async (racers = 1) => expect(await client.post('/v1/tasks', { source: source.id, input: { n: won.length }, reward: String(1000n * UNIT + 7n), racers }), 201);

async function win() {
    const task = await submit();
    const claim = expect(await good.claim(20), 200);
    expect(await good.answer(claim, Buffer.from(`out ${won.length}`)), 202);
    assert.equal(expect(await client.get(`${task.urls.self}?wait=20`), 200).status, 'succeeded');
    won.push(task);
    return task;
}

/** `bad` says another size than its output has and is rejected, `lazy` gives up, `good` wins in the end. */
async function trouble() {
    const task = await submit(3);
    const given = expect(await lazy.claim(20), 200);
    expect(await lazy.post(given.urls.fail, { code: 'out_of_memory', message: 'no' }), 200);
    const claim = expect(await bad.claim(20), 200);
    const outputs = [{ name: 'out.txt', media_type: 'text/plain', size: 4, sha256: await bad.upload(claim, Buffer.from('bad')) }];
    expect(await bad.post(claim.urls.respond, await bad.responseBody(claim, outputs)), 202);
    await eventually(async () => (await client.get(task.urls.attempts)).json.data.some((a) => a.status === 'rejected'), 'the rejection');
    const last = expect(await good.claim(20), 200);
    expect(await good.answer(last, Buffer.from('good')), 202);
    assert.equal(expect(await client.get(`${task.urls.self}?wait=20`), 200).status, 'succeeded');
    won.push(task);
}

const settled = () => eventually(async () => (await sql.query("SELECT 1 FROM ledger_entry l LEFT JOIN batch b ON b.id = l.batch_id WHERE l.kind = 'accept' AND b.state IS DISTINCT FROM 'confirmed'")).length === 0, 'all settled', 60_000);

test('work is settled while the relayer is killed again and again', async () => {
    await trouble();
    for (let round = 0; round < 4; round++) {
        relayer = stack.start('ogpu-relayer', fast);
        await Promise.all([win(), sleep(150 + 250 * round)]);
        relayer.kill('SIGKILL');
        await relayer.ended;
    }
    relayer = stack.start('ogpu-relayer', fast);
    await settled();
    await win(); // in an epoch of its own
    await settled();
});

test('the roots on chain are those of the rows, closed again by other code; every event counts once', async () => {
    const logs = await chain.public.getContractEvents({ ...chain.settlement, eventName: 'Settled', fromBlock: 0n });
    const batches = await sql.query('SELECT * FROM batch ORDER BY epoch');
    assert.ok(batches.length > 0 && logs.length === batches.length);
    const seen = { accepted: 0, rejected: 0, expired: 0 };
    const before = new Map();
    for (const [i, batch] of batches.entries()) {
        const domain = { chainId: Number(stack.env.L1_CHAIN_ID), verifyingContract: stack.env.L1_SETTLEMENT };
        const events = eventsOf(await sql.read('epoch_events', { batch: batch.id }), batch.epoch, domain);
        for (const e of events) {
            assert.equal(e.before, before.get(e.provider) ?? 5000, 'the score before');
        }
        const closed = closeEpoch(batch.epoch, events);
        closed.leaves.forEach((l) => before.set(l.provider, l.score));
        assert.equal(logs[i].args.scoreRoot, closed.score_root);
        assert.equal(logs[i].args.logRoot, closed.log_root);
        const shown = expect(await client.get('/v1/settlements'), 200).data.find((b) => b.epoch === Number(batch.epoch));
        assert.deepEqual([shown.root, shown.score_root, shown.log_root], [logs[i].args.root, closed.score_root, closed.log_root]);
        for (const leaf of closed.leaves) {
            Object.keys(seen).forEach((k) => { seen[k] += leaf[k]; });
        }
    }
    assert.deepEqual(seen, { accepted: won.length, rejected: 1, expired: 1 });
});

const verify = (kind, document, ...args) => spawnSync(join(build, 'bin', 'ogpu-verify'), [kind, '-', ...args], { input: JSON.stringify(document), encoding: 'utf8' });
const online = () => ['--rpc', stack.env.L1_RPC_URL, '--contract', stack.env.L1_SETTLEMENT];

test('scores: the contract says yes to each leaf and no to any other, and so does ogpu-verify', async () => {
    for (const p of [good, bad, lazy]) {
        const path = `/v1/providers/${p.id}/reputation/proof`;
        const document = expect(await client.get(path), 200);
        const { leaf, proof, epoch, root } = document;
        const asLeaf = (l) => ({ provider: l.provider, accepted: BigInt(l.accepted), rejected: BigInt(l.rejected), expired: BigInt(l.expired), score: l.score, epoch: BigInt(l.epoch), eventsRoot: l.events_root });
        const onChain = (l) => chain.read(chain.settlement, 'verifyScore', [BigInt(epoch), asLeaf(l), proof]);
        await eventually(() => onChain(leaf), 'the contract says yes');
        assert.ok(StandardMerkleTree.verify(root, SCORE_TYPES, scoreValues(leaf), proof));
        assert.deepEqual(expect(await client.get(`${path}?epoch=${epoch}`), 200), document);
        assert.equal((await client.get(`${path}?epoch=${epoch + 1000}`)).json.code, 'PROOF_NOT_FOUND');
        for (const change of [{ score: leaf.score + 1 }, { accepted: leaf.accepted + 1 }, { provider: stack.env.L1_VAULT }, { events_root: root }]) {
            assert.equal(await onChain({ ...leaf, ...change }), false);
            assert.equal(verify('score', { ...document, leaf: { ...leaf, ...change } }, ...online()).status, 1);
            assert.equal(verify('score', { ...document, leaf: { ...leaf, ...change } }, '--root', root).status, 1);
        }
        for (const args of [online(), ['--root', root]]) {
            const yes = verify('score', document, ...args);
            assert.equal(yes.status, 0, yes.stderr);
            assert.match(yes.stdout, new RegExp(`^verified: ${leaf.provider} has the score ${leaf.score} after epoch ${epoch} `));
        }
        assert.equal(verify('score', { ...document, epoch: 9999, leaf: { ...leaf, epoch: 9999 } }, ...online()).status, 2, 'an epoch the chain has not, or not yet: nobody can tell');
    }
});

/** All pages of a provider's events of an epoch, as anyone reads them. */
async function eventPages(p, epoch, limit) {
    const pages = [];
    const stranger = new Http(client.url);
    let path = `/v1/providers/${p.id}/reputation/events?epoch=${epoch}&limit=${limit}`;
    while (path) {
        const reply = await stranger.get(path);
        const page = expect(reply, 200);
        assert.equal(reply.headers.get('cache-control'), 'public, max-age=60');
        assert.equal((await stranger.get(path, { 'if-none-match': reply.headers.get('etag') })).status, 304);
        pages.push(page);
        path = page.has_more && reply.headers.get('link').match(/<([^>]*)>/)[1];
    }
    return pages;
}

test('events: an outsider counts every leaf again, from all pages, and the formula gives its score', async () => {
    const proofs = new Map(); // by provider and epoch
    for (const p of [good, bad, lazy]) {
        for (const { epoch } of await sql.query('SELECT epoch FROM score_leaf JOIN provider p ON p.id = provider_id WHERE p.address = $1 ORDER BY epoch', [bytes(p.account.address)])) {
            const document = expect(await client.get(`/v1/providers/${p.id}/reputation/proof?epoch=${epoch}`), 200);
            const pages = await eventPages(p, epoch, 1);
            const events = pages.flatMap((page) => page.data);
            assert.equal(pages.length, events.length, 'one a page');
            assert.equal(hex(logRoot(events.map((e) => bytes(e.encoded)))), document.leaf.events_root, 'by RFC 6962 alone');
            for (const kind of ['accepted', 'rejected', 'expired']) {
                assert.equal(events.filter((e) => e.kind === kind).length, document.leaf[kind]);
            }
            const before = proofs.get(p.id)?.at(-1);
            assert.deepEqual(document.previous, before ? { epoch: before.epoch, score: before.leaf.score } : null);
            const url = `${client.url}/v1/providers/${p.id}/reputation/events?epoch=${epoch}&limit=1`;
            await eventually(() => verify('score', document, ...online()).status === 0, 'the epoch is past its delay');
            let args = ['--events', url];
            if (before) {
                const file = join(stack.run, 'previous.json');
                writeFileSync(file, JSON.stringify(before));
                args = [...args, '--previous', file];
            }
            const yes = verify('score', document, ...online(), ...args);
            assert.equal(yes.status, 0, yes.stderr);
            assert.match(yes.stdout, new RegExp(`^recounted: ${events.length} events .* from ${before ? `${before.leaf.score} \\(proved\\)` : '5000 \\(where'}`));
            proofs.set(p.id, [...(proofs.get(p.id) ?? []), document]);
        }
    }
    const [first, second] = proofs.get(good.id);
    const file = join(stack.run, 'previous.json');
    writeFileSync(file, JSON.stringify({ ...first, leaf: { ...first.leaf, score: first.leaf.score + 1 } }));
    const url = `${client.url}/v1/providers/${good.id}/reputation/events?epoch=${second.epoch}`;
    assert.equal(verify('score', second, ...online(), '--events', url, '--previous', file).status, 1, 'a forged score before');
    assert.equal(verify('score', first, ...online(), '--events', url).status, 1, 'events of another epoch');
    assert.equal(verify('score', first, ...online(), '--events', `${client.url}/v1/providers/${good.id}/reputation/events?epoch=999`).status, 2, 'no events');
});

/** A stranger's check, by viem, SHA-256 and docs/settlement.md. @returns what is wrong */
async function refute(p) {
    const { message } = p.typed_data;
    const signer = await recoverTypedDataAddress({ ...p.typed_data, signature: p.signature });
    const event = encodeEvent({ kind: 1, epoch: p.epoch, task: message.task, attempt: message.attempt, provider: message.provider, payee: p.event.payee, response: hashTypedData(p.typed_data), amount: p.event.amount, at: BigInt(`0x${p.event.encoded.slice(-16)}`) });
    const receipt = await chain.public.getTransactionReceipt({ hash: p.tx_hash });
    const logs = await chain.public.getContractEvents({ ...chain.settlement, eventName: 'Settled', args: { epoch: BigInt(p.epoch) }, fromBlock: receipt.blockNumber, toBlock: receipt.blockNumber });
    const led = rootOfPath(event, p.inclusion.index, p.inclusion.size, p.inclusion.proof.map((h) => bytes(h, 32)));
    return [
        signer !== message.provider && 'another signed', hex(event) !== p.event.encoded && 'the event is not what the page says',
        message.task !== idBytes(p.task) && 'another task', !led || hex(led) !== logs[0].args.logRoot ? 'not in the log' : false,
    ].filter(Boolean);
}

test('tasks: each acceptance is proved to a stranger and to ogpu-verify', async () => {
    for (const task of won) {
        const document = expect(await client.get(`${task.urls.self}/proof`), 200);
        const { result } = expect(await client.get(task.urls.self), 200);
        assert.deepEqual(await refute(document), []);
        assert.equal(document.signature, result.signature);
        assert.equal(document.typed_data.message.output, `0x${sha256(canonical(result.outputs.map(({ url, ...o }) => o)))}`);
        assert.equal(document.event.payee, good.master.address);
        for (const args of [online(), ['--root', document.inclusion.root]]) {
            const yes = verify('task', document, ...args);
            assert.equal(yes.status, 0, yes.stderr);
            assert.match(yes.stdout, new RegExp(`^verified: ${good.account.address} signed .* ${good.master.address} was due ${document.event.amount} wei\n`));
        }
    }
    const [first, second] = await Promise.all(won.slice(0, 2).map(async (t) => (await client.get(`${t.urls.self}/proof`)).json));
    for (const change of [{ tx_hash: keccak256('0x01') }, { epoch: first.epoch + 1 }, { signature: second.signature }, { event: second.event }]) {
        const no = verify('task', { ...first, ...change }, ...online());
        assert.ok([1, 2].includes(no.status) && /refuted|not checked/.test(no.stderr), JSON.stringify(change));
    }
    assert.equal(verify('task', first, '--rpc', stack.env.L1_RPC_URL, '--contract', stack.env.L1_VAULT).status, 1, 'another contract');
    assert.equal(verify('task', first, '--rpc', 'http://127.0.0.1:9', '--contract', stack.env.L1_SETTLEMENT).status, 2, 'no node');
});

test('a batch inside its delay is not verified yet, a voided one is refuted: payout, score and task alike', async (t) => {
    const documents = { payout: `/v1/proofs/${good.master.address}`, score: `/v1/providers/${good.id}/reputation/proof`, task: `${won.at(-1).urls.self}/proof` };
    const node = await FaultyNode.start(stack.env.L1_RPC_URL);
    t.after(() => node.stop());
    const ask = (kind, document) => new Promise((done) => {
        const child = spawn(join(build, 'bin', 'ogpu-verify'), [kind, '-', '--rpc', node.url, '--contract', stack.env.L1_SETTLEMENT]);
        let text = '';
        child.stdout.on('data', (d) => { text += d; });
        child.stderr.on('data', (d) => { text += d; });
        child.on('close', (status) => done({ status, text }));
        child.stdin.end(JSON.stringify(document));
    });
    const rootOf = toFunctionSelector('function rootOf(uint64)');
    for (const [kind, path] of Object.entries(documents)) {
        const document = expect(await client.get(path), 200);
        const [root, time] = await chain.read(chain.settlement, 'rootOf', [BigInt(document.epoch)]);
        const ripe = time + await chain.read(chain.settlement, 'delay');
        const at = (seconds) => node.misbehave(async ({ method, params, call }) => {
            const out = await call();
            return method === 'eth_getBlockByNumber' && params[0] === 'latest' ? { result: { ...out.result, timestamp: toHex(seconds) } } : out;
        });
        at(ripe - 3n);
        const early = await ask(kind, document);
        assert.equal(early.status, 2, `${kind}: ${early.text}`);
        assert.match(early.text, new RegExp(`not checked: batch ${document.epoch} may still be voided, for 3 seconds`));
        assert.ok(!/verified/.test(early.text), early.text);
        at(ripe);
        const there = await ask(kind, document);
        assert.equal(there.status, 0, `${kind}: ${there.text}`);
        const answers = (...batch) => node.misbehave(async ({ method, params, call }) => (method === 'eth_call' && params[0].data.startsWith(rootOf) ? { result: encodeAbiParameters([{ type: 'bytes32' }, { type: 'uint64' }], batch) } : call()));
        answers(zeroHash, time);
        const voided = await ask(kind, document);
        assert.equal(voided.status, 1, `${kind}: ${voided.text}`);
        assert.match(voided.text, new RegExp(`refuted: batch ${document.epoch} was voided`));
        answers(zeroHash, 0n);
        const behind = await ask(kind, document);
        assert.equal(behind.status, 2, `a node that has not the batch yet, ${kind}: ${behind.text}`);
        assert.match(behind.text, new RegExp(`not checked: the node has no batch ${document.epoch}, or not yet`));
        assert.notEqual(root, zeroHash);
    }
});

test('a payout\'s proof by the same tool; a score that is about to come says so', async () => {
    const payout = expect(await client.get(`/v1/proofs/${good.master.address}`), 200);
    assert.equal(verify('payout', payout, ...online()).status, 0);
    const of = (chain) => verify('payout', payout, ...online(), '--chain-id', chain);
    assert.equal(of(stack.env.L1_CHAIN_ID).status, 0);
    for (const other of ['1', '0', '-1', `${stack.env.L1_CHAIN_ID}x`, '']) {
        assert.equal(of(other).status, 2, `a node of another chain is not asked: '${other}'`);
    }
    relayer.kill('SIGKILL');
    await relayer.ended;
    const task = await win();
    assert.equal((await client.get(`${task.urls.self}/proof`)).json.code, 'PROOF_NOT_FINAL');
    relayer = stack.start('ogpu-relayer', fast);
    await settled();
    assert.deepEqual(await refute(expect(await client.get(`${task.urls.self}/proof`), 200)), []);
    const audit = spawnSync(join(build, 'bin', 'ogpu-auditor'), ['--quiet'], { env: { ...process.env, ...stack.env }, encoding: 'utf8' });
    assert.equal(audit.status, 0, audit.stdout + audit.stderr);
});
