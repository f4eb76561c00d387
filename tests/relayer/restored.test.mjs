// SPDX-License-Identifier: MIT
// Books restored from a backup that is older than the last batch on chain (docs/operate.md): what the chain has beyond them stops
// settlement, an operator looks at it and accepts it, and then all goes on, with the findings that the page names and no other.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Ledger } from '../support/ledger.mjs';
import { OGPU } from '../support/market.mjs';
import { Sql } from '../support/sql.mjs';
import { build, eventually } from '../support/stack.mjs';
import { Stranger } from '../support/stranger.mjs';

const DELAY = 300;
let l, client, source, one, two, indexer, relayer, stranger;

before(async () => {
    l = await Ledger.up({ OGPU_CLAIM_DELAY_S: String(DELAY), OGPU_EXIT_SILENCE_S: '1000000', OGPU_EXIT_WINDOW_S: '5000', OGPU_ADMIN_DELAY_S: '50', OGPU_UNBONDING_S: '100', OGPU_APPEAL_S: '60' });
    indexer = l.indexer();
    relayer = l.relayer();
    client = await l.client();
    source = await l.m.source(client);
    [one, two] = [await l.provider(source), await l.provider(source)];
    stranger = new Stranger(l.chain.public, await l.chain.wallet(), l.chain.settlement.address);
});
after(() => l?.down());

const earn = (who, wei) => l.earn(client, source, who, wei);
const run = (...args) => spawnSync(join(build, 'bin/ogpu-relayer'), args, { env: { ...process.env, ...l.stack.env, ...l.settings, OGPU_SETTLER_KEY_FILE: '' }, encoding: 'utf8' });
const accept = (...args) => {
    const r = run('accept', ...args);
    assert.equal(r.status, 0, r.stderr);
    return JSON.parse(r.stdout);
};

/** All that runs ends, and the database is what it was at `dump`. */
async function restore(dump) {
    await l.stop(relayer);
    await l.stop(indexer);
    await l.sql.close();
    execFileSync('psql', ['-q', '-v', 'ON_ERROR_STOP=1', l.stack.env.DATABASE_URL], { input: dump, stdio: ['pipe', 'ignore', 'inherit'] });
    l.sql = await Sql.open(l.stack.env.DATABASE_URL);
    l.m.sql = l.sql;
}

test('a batch that the books have forgotten is accepted, and settlement goes on', async () => {
    await earn(one, OGPU);
    await l.confirmed(1);
    const dump = execFileSync('pg_dump', ['--clean', '--if-exists', l.stack.env.DATABASE_URL], { maxBuffer: 1 << 28 });
    await earn(one, 2n * OGPU);
    await earn(two, OGPU);
    await eventually(async () => (await l.account(one.address)).claimable + (await l.account(two.address)).claimable === 4n * OGPU, 'settled');
    await l.chain.deposit(client.wallet, client.address, OGPU);
    await l.pass(DELAY);
    await stranger.claim((await stranger.proofs()).get(one.chainId));
    await l.caughtUp();
    const last = await l.read('lastEpoch');

    await restore(dump);
    indexer = l.indexer();
    await l.whole(['nobody_was_overpaid', 'no_foreign_batch']);
    assert.equal((await l.account(one.address)).debt, 2n * OGPU, 'paid, and owed by no books');
    const list = accept();
    assert.deepEqual(list.map((b) => [BigInt(b.epoch), b.accepted_at]), Array.from({ length: Number(last) - 1 }, (_, i) => [last - BigInt(i), null]));
    assert.equal(list.reduce((sum, b) => sum + b.increase_units, 0), 3_000_000);
    for (const { epoch, tx, block } of list) {
        const receipt = await l.chain.public.getTransactionReceipt({ hash: tx });
        assert.equal(receipt.blockNumber, BigInt(block), `epoch ${epoch}`);
    }
    relayer = l.relayer();
    await earn(two, OGPU);
    await eventually(() => l.stack.log('ogpu-relayer').split('"started"').length > 2, 'the relayer');
    assert.match(run('accept', '--epoch', String(last + 1n)).stderr, /the books know no foreign batch/);
    assert.equal(run('accept', '--epoch', '1').status, 1, 'ours');
    for (const { epoch } of list) {
        assert.equal((await l.sql.query('SELECT 1 FROM batch WHERE epoch > 1')).length, 0, 'nothing is settled before the last is accepted');
        const [b] = accept('--epoch', String(epoch));
        assert.equal(b.epoch, epoch);
        assert.deepEqual(accept('--epoch', String(epoch)), [b], 'once more changes nothing');
    }
    await l.holds(two.address, 'claimable', OGPU);
    await l.whole(['nobody_was_overpaid']);

    // The debt is worked off, and then there is no finding.
    await earn(one, 3n * OGPU);
    await l.holds(one.address, 'debt', 0n);
    await l.holds(one.address, 'claimable', OGPU);
    await l.whole();
    await l.pass(DELAY);
    await stranger.claimAll();
    await l.holds(one.address, 'claimable', 0n);
    await l.holds(two.address, 'claimable', 0n);
    await l.whole();
    // What both say twice is declared twice, for good: the page says so.
    const said = l.declared();
    assert.equal(said.status, 1);
    assert.match(said.text, /refuted: 3000000 units more are declared than listed/);
    // So the pool is short of as much for the last coins, until the house adds it.
    await l.stop(relayer);
    const { available } = await l.account(client.address);
    await earn(one, available);
    const trial = () => JSON.parse(run('simulate').stdout).accepted;
    assert.equal(trial(), false);
    await l.client(3n * OGPU);
    assert.equal(trial(), true);
    relayer = l.relayer();
    await l.holds(one.address, 'claimable', available);
    await l.pass(DELAY);
    await stranger.claimAll();
    await l.holds(one.address, 'claimable', 0n);
    await l.whole();
});
