// SPDX-License-Identifier: MIT
// An idle gateway stays alive: the forced exit cannot begin while the relayer runs, and can once it is gone.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Chain } from '../support/chain.mjs';
import { Sql } from '../support/sql.mjs';
import { Stack, build, eventually } from '../support/stack.mjs';

const SILENCE = 12n;
const fast = { OGPU_POLL_MS: '100', OGPU_FINALITY: 'depth:0' };
let stack, sql, chain, stranger, relayer;

before(async () => {
    stack = Stack.up('postgres migrate anvil contracts', { OGPU_EXIT_SILENCE_S: String(SILENCE), OGPU_CLAIM_DELAY_S: '1' });
    sql = await Sql.open(stack.env.DATABASE_URL);
    chain = new Chain(stack.env);
    stranger = await chain.wallet();
    stack.start('ogpu-indexer', fast);
    relayer = stack.start('ogpu-relayer', fast);
});
after(async () => {
    await sql?.close();
    await stack?.down();
});

const beginExit = () => chain.public.simulateContract({ ...chain.settlement, functionName: 'beginExit', account: stranger.account });
const audit = () => spawnSync(join(build, 'bin', 'ogpu-auditor'), ['--quiet'], { env: { ...process.env, ...stack.env }, encoding: 'utf8' });

test('with nothing to settle and nobody registered, batches of padding keep the exit shut', async () => {
    const born = await chain.read(chain.settlement, 'born');
    for (const life of [1n, 2n, 3n]) {
        await eventually(async () => (await chain.read(chain.settlement, 'lastEpoch')) >= life, `epoch ${life}`, 60_000);
        await assert.rejects(beginExit(), /NotSilent/);
    }
    await eventually(async () => (await chain.public.getBlock()).timestamp >= born + 2n * SILENCE, 'twice the silence', 60_000);
    await assert.rejects(beginExit(), /NotSilent/);
    assert.equal(await chain.read(chain.settlement, 'committed'), 0n);
    const [row] = await sql.query('SELECT * FROM batch WHERE epoch = 1');
    assert.deepEqual(row.entries, Buffer.alloc(10));
    assert.equal(row.increase_units, 0n);
    const r = audit();
    assert.equal(r.status, 0, r.stdout + r.stderr);
});

test('a silence that the operator\'s own figure would reach is refused', async () => {
    const slow = stack.start('ogpu-relayer', { ...fast, OGPU_KEEPALIVE_S: String(SILENCE) });
    relayer.kill('SIGTERM');
    await relayer.ended;
    const wrong = stack.start('ogpu-relayer', { ...fast, OGPU_KEEPALIVE_S: String(SILENCE) });
    assert.equal((await slow.ended).code, 1);
    assert.equal((await wrong.ended).code, 1);
    assert.match(stack.log('ogpu-relayer'), /OGPU_KEEPALIVE_S must be below the contract's silence, 12 s/);
});

test('with the relayer gone, anyone begins the exit', async () => {
    await eventually(beginExit, 'the exit may begin', 60_000);
    await chain.send(stranger, chain.settlement, 'beginExit', []);
    assert.ok((await chain.read(chain.settlement, 'exitAt')) > 0n);
});
