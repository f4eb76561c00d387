// SPDX-License-Identifier: MIT
// What an operator asks the relayer: status, simulate, voucher, metrics; and what a wrong command line is answered.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { encryptKeystoreJson } from 'ethers';
import { recoverTypedDataAddress } from 'viem';
import { freePort } from '../support/free_port.mjs';
import { build, eventually } from '../support/stack.mjs';
import { Lane, OGPU } from './lane.mjs';
import { Signer } from './signer.mjs';

let lane;
const REWARD = OGPU / 100n;

before(async () => {
    lane = await Lane.up();
});
after(() => lane?.down());

const run = (args, env = {}) => spawnSync(join(build, 'bin/ogpu-relayer'), args, { env: { ...process.env, ...lane.stack.env, ...lane.env, ...env }, encoding: 'utf8' });
const json = (args, env) => {
    const r = run(args, env);
    assert.equal(r.status, 0, r.stderr);
    return JSON.parse(r.stdout);
};
const fails = (args, why, env) => {
    const r = run(args, env);
    assert.equal(r.status, 1);
    assert.match(r.stderr, why);
};

test('help names every command, and mistakes are told in a sentence', () => {
    const help = run(['--help']);
    assert.equal(help.status, 0);
    for (const name of ['run', 'status', 'simulate', 'again', 'accept', 'voucher', 'signer']) {
        assert.match(help.stdout, new RegExp(`^  ${name} `, 'm'));
        assert.equal(run([name, '--help']).status, 0);
    }
    fails(['settle'], /no command is called 'settle'/);
    fails(['status', '--colour', 'red'], /unknown option '--colour'/);
    fails(['run'], /OGPU_SETTLER_KEY_FILE or OGPU_SIGNER_SOCKET is required/, { OGPU_SETTLER_KEY_FILE: '' });
    fails(['status'], /another chain than 1071/, { L1_CHAIN_ID: '1071' });
    fails(['run', '--metrics-listen', 'nowhere'], /must be host:port/);
    fails(['voucher', '--account', 'me'], /must be addresses/);
});

test('status and simulate say what waits, and change nothing', async () => {
    for (let i = 0; i < 3; i++) {
        await lane.earn(REWARD);
    }
    const s = json(['status'], { OGPU_SETTLER_KEY_FILE: '' });
    assert.equal(s.settler, lane.settler.address);
    assert.equal(s.unsettled_wei, String(3n * REWARD));
    assert.deepEqual([s.waiting_payouts, s.open_batches, s.last_epoch, s.mined_nonce, s.next_nonce], [3, 0, 0, 0, 0]);
    assert.equal(s.silence_s, 86400);
    const v = json(['simulate'], { OGPU_SETTLER_KEY_FILE: '' });
    assert.deepEqual([v.epoch, v.payouts, v.entries, v.increase_units, v.accepted], [1, 3, 2, Number(3n * REWARD / 10n ** 12n), true]);
    assert.ok(v.gas > 50_000 && v.gas < 200_000, String(v.gas));
    assert.deepEqual(await lane.sql.query('SELECT 1 FROM batch'), []);
    assert.equal(await lane.chain.read(lane.chain.settlement, 'lastEpoch'), 0n);
    const key = [lane.first.master];
    const [{ chain_id: right }] = await lane.sql.query('SELECT chain_id FROM account WHERE address = $1', key);
    await lane.sql.query('UPDATE account SET chain_id = 2000000000 WHERE address = $1', key);
    const bad = json(['simulate']);
    assert.equal(bad.accepted, false);
    assert.notEqual(bad.reason, '');
    await lane.sql.query('UPDATE account SET chain_id = $2 WHERE address = $1', [...key, right]);
});

test('a voucher is what the books say, and the contract takes it', async () => {
    const account = `0x${lane.first.master.toString('hex')}`;
    const v = json(['voucher', '--account', account], { OGPU_SIGNER_KEY_FILE: lane.stack.env.OGPU_SIGNER_KEY_FILE });
    assert.equal(v.earned, String(3n * REWARD / 10n ** 12n));
    await lane.chain.send(lane.payer, lane.chain.settlement, 'postVoucher', [v.id, Number(v.earned), BigInt(v.deadline), v.signature]);
    fails(['voucher', '--account', `0x${'12'.repeat(20)}`], /has no account here/);
});

test('a voucher by a keystore, and by a signer that may sign vouchers of this contract; by no other', async () => {
    const account = `0x${lane.first.master.toString('hex')}`;
    const { OGPU_SIGNER_KEY_FILE: plain, L1_SETTLEMENT: settlement } = lane.stack.env;
    const types = { Voucher: [{ name: 'id', type: 'uint32' }, { name: 'earned', type: 'uint48' }, { name: 'deadline', type: 'uint64' }] };
    const role = await lane.chain.read(lane.chain.settlement, 'signer');
    const signedBy = ({ id, earned, deadline, signature }) => recoverTypedDataAddress({
        domain: { name: 'OpenGPU Gateway', version: '1', chainId: 31337, verifyingContract: settlement },
        types, primaryType: 'Voucher', message: { id, earned: Number(earned), deadline: BigInt(deadline) }, signature,
    });
    const dir = mkdtempSync(join(process.env.OGPU_TEST_TMP ?? tmpdir(), 'voucher-'));
    const file = (name, text) => {
        writeFileSync(join(dir, name), text, { mode: 0o600 });
        return join(dir, name);
    };
    const store = await encryptKeystoreJson({ address: role, privateKey: `0x${readFileSync(plain, 'utf8').trim()}` }, 'secret', { scrypt: { N: 1024, r: 8, p: 1 } });
    const v = json(['voucher', '--account', account], { OGPU_SIGNER_KEY_FILE: file('store', store), OGPU_SIGNER_PASSWORD_FILE: file('password', 'secret') });
    assert.equal(await signedBy(v), role);
    assert.match(v.pays, /up to the contract's dailyCap/);

    const ask = async (allow, check) => {
        const signer = await Signer.up(join(dir, `s${allow.length}`), { OGPU_SIGNER_ALLOW: allow, OGPU_SETTLER_KEY_FILE: plain });
        await check({ OGPU_SIGNER_KEY_FILE: '', OGPU_SIGNER_SOCKET: signer.socket });
        await signer.end();
    };
    await ask(`${settlement},voucher`, async (env) => {
        assert.equal(await signedBy(json(['voucher', '--account', account], env)), role);
        fails(['voucher', '--account', account], /chain 1 is not the signer's/, { ...env, L1_CHAIN_ID: '1' });
    });
    await ask(settlement, (env) => fails(['voucher', '--account', account], /vouchers of this contract are not allowed/, env));
    await ask(`0x${'12'.repeat(20)}, voucher`, (env) => fails(['voucher', '--account', account], /vouchers of this contract are not allowed/, env));
    fails(['voucher', '--account', account], /OGPU_SIGNER_KEY_FILE or OGPU_SIGNER_SOCKET is required/, { OGPU_SIGNER_KEY_FILE: '' });
    rmSync(dir, { recursive: true });
});

test('metrics while it settles', async () => {
    const port = await freePort();
    // An indexer faster than the relayer's look at the receipt would leave its gas unknown.
    await lane.end(lane.indexer);
    const relayer = lane.relayer({ OGPU_METRICS_LISTEN: `127.0.0.1:${port}` });
    await eventually(async () => (await lane.sql.query('SELECT 1 FROM chain_tx WHERE gas_used IS NOT NULL')).length === 1, 'its gas is known');
    lane.indexer = lane.stack.start('ogpu-indexer', lane.finality);
    await lane.settled();
    const scrape = async () => {
        const res = await fetch(`http://127.0.0.1:${port}/metrics`);
        assert.match(res.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
        return Object.fromEntries([...(await res.text()).matchAll(/^ogpu_relayer_(\S+) (\S+)$/gm)].map((m) => [m[1], Number(m[2])]));
    };
    const m = await eventually(async () => { const v = await scrape(); return v.gas_per_payout > 0 && v; }, 'figures of a settled batch');
    assert.equal(m.nonce_gap, 0);
    assert.equal(m.unsettled_wei, 0);
    assert.equal(m.oldest_payable_age_seconds, 0);
    const [{ gas_used: gas }] = await lane.sql.query('SELECT gas_used FROM chain_tx');
    assert.equal(m.gas_per_payout, Math.floor(Number(gas) / 3));
    assert.ok(m.balance_runway_seconds > 86400);
    assert.equal(m['alarm{name="reverted"}'], 0);
    assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 404);
    await lane.end(relayer);
    await lane.verify();
});
