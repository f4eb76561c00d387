// SPDX-License-Identifier: MIT
// Books and a chain that must agree, with everything in between: two gateways behind HAProxy, and scripted clients and providers
// that speak HTTP to them. Their signatures are real; containers there are none.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from 'viem';
import { provision } from '../../bench/provision.mjs';
import { Chain } from './chain.mjs';
import { Ledger } from './ledger.mjs';
import { OGPU } from './market.mjs';
import { Sql } from './sql.mjs';
import { Stack, build, eventually } from './stack.mjs';

export class Traffic extends Ledger {
    /** @param {number} payees providers, each with a master of its own @param {object} settings of indexer and relayer */
    static async up(payees, settings = {}) {
        const l = new Traffic();
        l.stack = Stack.up('postgres migrate redis anvil contracts gateways haproxy', { OGPU_FEE_BPS: '100', OGPU_DOCS_DIR: '', OGPU_EXIT_SILENCE_S: '10000000', OGPU_EXIT_WINDOW_S: '1000' });
        l.settings = { OGPU_POLL_MS: '200', OGPU_BATCH_AGE_S: '2', OGPU_BATCH_COUNT: '1000', OGPU_BATCH_MAX: '2000', ...settings };
        l.sql = await Sql.open(l.stack.env.DATABASE_URL);
        l.chain = new Chain(l.stack.env);
        l.world = await provision(l.stack.env.DATABASE_URL, { accounts: 20, sources: 5, providers: payees, chainId: l.stack.env.L1_CHAIN_ID, settlement: l.stack.env.L1_SETTLEMENT, deposit: 0n });
        writeFileSync(join(l.stack.run, 'world'), l.world.text, { mode: 0o600 });
        return l;
    }

    /** Every client deposits, every master registers, and the indexer knows all of them. */
    async fund(depth) {
        await this.chain.node.setIntervalMining({ interval: 0 });
        await this.chain.node.setAutomine(true);
        const payer = await this.chain.wallet();
        for (const a of this.world.accounts) {
            await this.chain.deposit(payer, toHex(a.address), 10n * OGPU);
        }
        for (const p of this.world.providers) {
            await this.chain.register(payer, toHex(p.master));
        }
        await this.chain.node.mine({ blocks: depth });
        const all = this.world.accounts.length + this.world.providers.length;
        await eventually(async () => await this.count('account WHERE chain_id IS NOT NULL') === all, 'all known');
        await this.chain.node.setAutomine(false);
        await this.chain.node.setIntervalMining({ interval: 1 });
    }

    /** One run of bench/load. @returns {Promise<object>} what it prints */
    load(...args) {
        const child = spawn(join(build, 'bench/load'), ['--to', new URL(this.stack.env.OGPU_URL).host, '--world', join(this.stack.run, 'world'), '--warmup', '0', '--hang', '60', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
        let out = '';
        child.stdout.on('data', (d) => { out += d; });
        return new Promise((done) => child.on('close', () => done(JSON.parse(out))));
    }

    async count(from) {
        return Number((await this.sql.query(`SELECT count(*) AS n FROM ${from}`))[0].n);
    }

    /** Until nothing is open: every task submitted was answered, judged and paid. */
    async work(patience = 60_000) {
        const open = () => this.count("task WHERE status IN ('queued', 'running', 'verifying')");
        const runs = [];
        for (let left = await open(), round = 0; left > 0 && round < 20; left = await open(), round++) {
            runs.push(await this.load('--traffic', 'roundtrip', '--connections', '48', '--requests', String(left), '--seconds', '0'));
            await eventually(async () => await this.count("response WHERE state IN ('checking', 'passed')") === 0, 'verdicts', patience);
        }
        return runs;
    }

    /** Until every payable is in a batch, and every batch final and booked. */
    settled(patience) {
        return eventually(async () => await this.count("ledger_entry WHERE to_bucket = 'payable' AND batch_id IS NULL") === 0 && await this.count("batch WHERE state <> 'confirmed'") === 0, 'all settled', patience);
    }
}
