// SPDX-License-Identifier: MIT
// A market whose payouts a real relayer settles on a real chain, and the questions every test asks of it in the end.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { Chain } from '../support/chain.mjs';
import { Market, OGPU } from '../support/market.mjs';
import { Sql } from '../support/sql.mjs';
import { Stack, build, eventually } from '../support/stack.mjs';

export { OGPU };
const UNIT = 10n ** 12n;

export class Lane {
    /** @param {object} env settings of the stack @param {string} [type] of transactions, where not what viem chooses */
    static async up(env = {}, type = undefined) {
        const l = new Lane();
        l.stack = Stack.up('postgres migrate anvil contracts', { OGPU_EXIT_SILENCE_S: '86400', ...env });
        // The next block is final here: what a reorg does is tests/chain's.
        l.finality = { OGPU_FINALITY: 'depth:0', OGPU_POLL_MS: '50' };
        l.env = { ...l.finality, OGPU_BATCH_AGE_S: '0', OGPU_RESEND_S: '1', OGPU_BUMP_S: '600' };
        l.sql = await Sql.open(l.stack.env.DATABASE_URL);
        l.m = new Market(l.sql);
        l.chain = new Chain(l.stack.env);
        l.chain.type = type;
        l.settler = privateKeyToAccount(`0x${readFileSync(l.stack.env.OGPU_SETTLER_KEY_FILE, 'utf8').trim()}`);
        l.indexer = l.stack.start('ogpu-indexer', l.finality);
        const payer = await l.chain.wallet();
        await l.chain.deposit(payer, payer.account.address, 100n * OGPU);
        const { id } = await l.account(payer.account.address);
        const key = randomUUID();
        await l.sql.write('api_key_create', { id: key, account: id, hash: randomBytes(32), hint: 'x', name: '', scopes: 63 });
        l.payer = payer;
        l.client = { id, key };
        l.source = await l.m.source(l.client);
        l.first = await l.provider();
        return l;
    }

    /** Once its registration is final. */
    account(address) {
        return eventually(async () => {
            const [row] = await this.sql.query('SELECT * FROM account WHERE address = $1 AND chain_id IS NOT NULL', [Buffer.from(address.slice(2), 'hex')]);
            return row && this.m.balance(row).then((b) => b.available + b.frozen > 0n || address !== this.payer?.account.address ? row : null);
        }, `${address} final`);
    }

    /** Who earns for a master of its own, on chain unless told otherwise. */
    async provider(registered = true) {
        const master = randomBytes(20);
        const [{ id }] = await this.sql.write('provider_register', { id: randomUUID(), address: randomBytes(20), master, master_signed: true, environments: 1, nonce: 1n, token_hash: randomBytes(32) });
        await this.sql.write('registration_put', { source: this.source.id, provider: id, manifest_hash: this.source.hash, environments: 1, nonce: 2n });
        if (registered) {
            await this.chain.register(this.payer, toHex(master));
            await this.account(toHex(master));
        }
        return { id, master };
    }

    /** One task won: the reward is the master's payable from then on. */
    earn(reward = OGPU / 10n, provider = this.first) {
        return this.m.earn(this.client, this.source, provider, { reward: String(reward) });
    }

    /** newest() knows no batch from before this. */
    async begin() {
        [{ epoch: this.since }] = await this.sql.query('SELECT COALESCE(max(epoch), 0) AS epoch FROM batch');
    }

    /** The transactions of the newest batch since begin(), the newest first. A finished batch keeps the offers that were outbid: an older one's would pass for this one's. */
    newest() {
        return this.sql.query('SELECT t.* FROM chain_tx t WHERE batch_id = (SELECT id FROM batch WHERE epoch > $1 ORDER BY epoch DESC LIMIT 1) ORDER BY created_at DESC', [this.since]);
    }

    relayer(env = {}) {
        return this.stack.start('ogpu-relayer', { ...this.env, ...env });
    }

    /** The build with kill points. ended: the signal or status it ended with. */
    doomed(point, env = {}) {
        return this.stack.start('ogpu-relayer', { ...this.env, ...env, OGPU_KILLPOINT: point }, [], 'tests/relayer');
    }

    async end(child, signal = 'SIGTERM') {
        child.kill(signal);
        return child.ended;
    }

    log() {
        return this.stack.log('ogpu-relayer');
    }

    /** Everything payable is on chain, final and booked; but for dust and what is parked. */
    async settled() {
        await eventually(async () => {
            const [row] = await this.sql.query(`SELECT (SELECT count(*) FROM ledger_entry l WHERE to_bucket = 'payable' AND kind IN ('accept', 'withdraw') AND batch_id IS NULL
                AND NOT EXISTS (SELECT FROM parked_entry p WHERE (p.ref, p.kind) = (l.ref, l.kind) AND p.until > now())) AS loose, (SELECT count(*) FROM batch WHERE state IN ('batched', 'submitted')) AS open`);
            return row.loose === 0n && row.open === 0n;
        }, 'all settled', 60_000);
    }

    /** What must hold whatever happened: the auditor is silent, and the contract's totals are the ledger's, to the wei. */
    async verify() {
        const audit = spawnSync(join(build, 'bin/ogpu-auditor'), ['--quiet'], { env: { ...process.env, ...this.stack.env }, encoding: 'utf8' });
        assert.equal(audit.status, 0, audit.stdout + audit.stderr);
        const [row] = await this.sql.query(`SELECT (SELECT COALESCE(sum(increase_units), 0)::int8 FROM batch WHERE state = 'confirmed') AS declared, (SELECT count(*) FROM batch WHERE state = 'confirmed') AS epochs,
            (SELECT sum(claimable)::text FROM balance) AS claimable, (SELECT sum(available + frozen + payable + claimable)::text FROM balance) AS owned`);
        assert.equal(await this.chain.read(this.chain.settlement, 'committed'), row.declared);
        assert.equal(await this.chain.read(this.chain.settlement, 'lastEpoch'), row.epochs);
        assert.equal(BigInt(row.claimable), row.declared * UNIT);
        const [{ fees }] = await this.sql.query("SELECT COALESCE(sum(amount), 0)::text AS fees FROM ledger_entry WHERE to_bucket = 'fee'");
        assert.equal(BigInt(row.owned) + BigInt(fees), await this.chain.read(this.chain.vault, 'totalDeposited'));
        // Each batch is on chain once, and no nonce was left out.
        const once = await this.sql.query("SELECT batch_id FROM chain_tx WHERE state = 'final' GROUP BY 1 HAVING count(*) <> 1");
        assert.deepEqual(once, []);
    }

    async down() {
        await this.sql?.close();
        await this.stack?.down();
    }
}
