// SPDX-License-Identifier: MIT
// What stops settlement and how it goes on: a settler changed while a batch was under way, a batch that reverted, and the one
// command that has it signed anew. Each epoch is settled once, and the auditor finds nothing.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { parseGwei, toBytes, toHex } from 'viem';
import { Ledger } from '../support/ledger.mjs';
import { OGPU } from '../support/market.mjs';
import { build, eventually } from '../support/stack.mjs';

let l, client, source, one, relayer;

before(async () => {
    l = await Ledger.up({ OGPU_CLAIM_DELAY_S: '300', OGPU_EXIT_SILENCE_S: '1000000', OGPU_EXIT_WINDOW_S: '5000', OGPU_ADMIN_DELAY_S: '50', OGPU_UNBONDING_S: '100', OGPU_APPEAL_S: '60', OGPU_RESEND_S: '1' });
    l.indexer();
    client = await l.client();
    source = await l.m.source(client);
    one = await l.provider(source);
});
after(() => l?.down());
afterEach(async () => {
    await end();
    await l.chain.node.setAutomine(true);
    await l.whole();
    const once = await l.sql.query("SELECT batch_id FROM chain_tx WHERE state = 'final' GROUP BY 1 HAVING count(*) <> 1");
    assert.deepEqual(once, []);
    const [{ epochs }] = await l.sql.query("SELECT count(*) AS epochs FROM batch WHERE state = 'confirmed'");
    assert.equal(await l.read('lastEpoch'), epochs);
});

const run = (args, env = {}) => spawnSync(join(build, 'bin/ogpu-relayer'), args, { env: { ...process.env, ...l.stack.env, ...l.settings, ...env }, encoding: 'utf8' });
const alarms = (name) => l.stack.log('ogpu-relayer').split(`"alarm","name":"${name}"`).length - 1;
const earn = (wei = OGPU) => l.earn(client, source, one, wei);
const open = () => l.sql.query("SELECT t.* FROM chain_tx t JOIN batch b ON b.id = t.batch_id WHERE b.state = 'submitted'");
const settled = (wei) => l.holds(one.address, 'claimable', wei);

const start = (env) => {
    relayer = l.relayer(env);
};
async function end() {
    if (relayer) {
        await l.stop(relayer);
    }
    relayer = undefined;
}

/** A batch that is sent and that no block takes. */
async function waits() {
    await l.chain.node.setAutomine(false);
    await earn();
    start();
    await eventually(async () => (await l.chain.node.getTxpoolStatus()).pending > 0 && (await open())[0]?.state === 'sent', 'sent');
}

/** One block with what `wallet` asks for, before all that waits. */
async function overtake(wallet, contract, functionName, args) {
    const hash = await wallet.writeContract({ ...contract, functionName, args, gas: 1_000_000n, maxFeePerGas: parseGwei('900'), maxPriorityFeePerGas: parseGwei('800') });
    await l.chain.node.mine({ blocks: 1 });
    assert.equal((await l.chain.public.waitForTransactionReceipt({ hash })).status, 'success');
    await l.chain.node.setAutomine(true);
}

/** The same, once the relayer has seen that its batch reverted in that block. */
async function spoil(...what) {
    const before = alarms('reverted');
    await overtake(...what);
    await eventually(() => alarms('reverted') > before, 'the alarm');
}

test('the settler is dismissed under a batch that reverts: its successor settles it', async () => {
    await waits();
    await spoil(l.role('guardian'), l.chain.settlement, 'dismiss', [l.role('settler').account.address]);
    await end();
    await l.nameSettler();
    start();
    await settled(OGPU);
});

test('the settler is dismissed under a batch that no block takes: its successor settles it', async () => {
    await waits();
    await end();
    const [tx] = await open();
    await l.chain.public.request({ method: 'anvil_dropTransaction', params: [`0x${tx.hash.toString('hex')}`] });
    await l.chain.node.setAutomine(true);
    await l.newSettler();
    start();
    await settled(2n * OGPU);
    // The old one comes after all: it finds its epoch taken.
    await l.chain.public.request({ method: 'eth_sendRawTransaction', params: [`0x${tx.raw.toString('hex')}`] }).catch(() => null);
    await earn();
    await settled(3n * OGPU);
});

test('a batch that reverts stops settlement, until an operator has it signed again', async () => {
    const { address } = l.role('settler').account;
    await waits();
    const [{ nonce }] = await open();
    const [{ epoch }] = await l.sql.query("SELECT epoch FROM batch WHERE state = 'submitted'");
    const again = (env) => run(['again', '--epoch', String(epoch)], { OGPU_SETTLER_KEY_FILE: '', ...env });
    assert.match(again().stderr, /may yet settle/, 'it is on its way');
    await spoil(l.role('guardian'), l.chain.settlement, 'dismiss', [address]);
    await l.admin(l.chain.settlement, 'setSettler', [address]);
    await end();
    start();
    const before = alarms('reverted');
    await eventually(() => l.stack.log('ogpu-relayer').split('"halted"').length > 3 && alarms('reverted') >= before, 'it stands');
    assert.deepEqual((await open()).map((t) => t.nonce), [nonce], 'nothing is signed');
    const { blockNumber } = await l.chain.public.getTransactionReceipt({ hash: toHex((await open())[0].hash) });
    const deep = (await l.chain.public.getBlockNumber()) - blockNumber + 1n;
    assert.match(again({ OGPU_FINALITY: `depth:${deep}` }).stderr, /may yet settle/, 'the revert is not final');
    assert.match(run(['again']).stderr, /epoch 0 is no batch on its way/);
    assert.match(run(['again', '--epoch', '1']).stderr, /epoch 1 is no batch on its way/);
    const said = again();
    assert.deepEqual([said.status, said.stdout], [0, `epoch ${epoch}: nonce ${nonce} did nothing, and is set aside\n`], said.stderr);
    await settled(4n * OGPU);
    assert.match(again().stderr, /is no batch on its way/);
    const txs = await l.sql.query("SELECT t.nonce, t.state FROM chain_tx t JOIN batch b ON b.id = t.batch_id WHERE b.epoch = $1 ORDER BY 1", [epoch]);
    assert.deepEqual(txs, [{ nonce, state: 'sent' }, { nonce: nonce + 1n, state: 'final' }]);
});

test('what an earlier settler signed and no block took is refused now: it is not taken apart, and waits', async () => {
    await waits();
    await end();
    const [{ hash }] = await open();
    const [{ epoch }] = await l.sql.query("SELECT epoch FROM batch WHERE state = 'submitted'");
    await l.chain.public.request({ method: 'anvil_dropTransaction', params: [toHex(hash)] });
    await l.chain.node.setAutomine(true);
    await l.newSettler();
    await l.admin(l.chain.settlement, 'setDailyCap', [4_500_000n]);
    start();
    await eventually(() => l.stack.log('ogpu-relayer').includes('is refused and was signed before'), 'the alarm');
    assert.equal(run(['again', '--epoch', String(epoch)]).stdout, `epoch ${epoch}: nothing is to be set aside\n`);
    await l.admin(l.chain.settlement, 'setDailyCap', [2n ** 62n]);
    await settled(5n * OGPU);
});

test('the cap is lowered under a batch: set aside, it is refused, and its payouts go into others', async () => {
    // 5 coins are settled today: 3 of 4 more are not too many.
    const [lock, call] = await l.announce(l.chain.settlement, 'setDailyCap', [8_500_000n]);
    for (let i = 0; i < 3; i++) {
        await earn();
    }
    await waits();
    const [{ id, epoch }] = await l.sql.query("SELECT id, epoch FROM batch WHERE state = 'submitted'");
    await spoil(l.role('admin'), lock, 'execute', call);
    const said = run(['again', '--epoch', String(epoch)]);
    assert.equal(said.status, 0, said.stderr);
    await eventually(async () => (await l.account(one.address)).claimable >= 8n * OGPU, 'three of them');
    assert.deepEqual(await l.sql.query('SELECT state FROM batch WHERE id = $1', [id]), [{ state: 'dropped' }]);
    // What it may have cost counts against the budget of its day, and of no other.
    await end();
    await l.caughtUp();
    const spent = async () => (await l.sql.read('gas_spent', { sender: toBytes(l.role('settler').account.address) }))[0].spent;
    assert.ok(BigInt(await spent()) > 0n);
    await l.sql.query('BEGIN');
    await l.sql.query("UPDATE chain_tx SET created_at = created_at - interval '1 day', updated_at = updated_at - interval '1 day'");
    const next = await spent();
    await l.sql.query('ROLLBACK');
    assert.equal(next, '0');
});
