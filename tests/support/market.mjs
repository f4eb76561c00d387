// SPDX-License-Identifier: MIT
// A small marketplace made of rows, for tests of the statements: accounts with money, a source, providers, tasks.
import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';

export const OGPU = 10n ** 18n;
export const sha = (s) => createHash('sha256').update(s).digest();
/** The roots of a batch without events, as the relayer seals them. */
export const noEvents = { score_root: Buffer.alloc(32), log_root: sha(''), log_leaves: Buffer.alloc(0) };
const zero = '00000000-0000-0000-0000-000000000000';

export class Market {
    constructor(sql) {
        this.sql = sql;
    }

    /** An account whose deposit of `wei` is booked. */
    async client(wei = 100n * OGPU) {
        const [{ id }] = await this.sql.write('account_ensure', { address: randomBytes(20) });
        const key = randomUUID();
        await this.sql.write('api_key_create', { id: key, account: id, hash: randomBytes(32), hint: 'ogpu_sk_live_…test', name: '', scopes: 63 });
        if (wei > 0n) {
            await this.sql.query(
                `INSERT INTO ledger_entry (kind, ref, from_bucket, to_account, to_bucket, amount, at)
                 VALUES ('deposit', $1, 'external', $2, 'available', $3, ogpu_now())`, [randomUUID(), id, wei.toString()]);
            await this.sql.query('UPDATE balance SET available = available + $2 WHERE account_id = $1', [id, wei.toString()]);
        }
        return { id, key };
    }

    async source(owner, over = {}) {
        const id = randomUUID();
        const [row] = await this.sql.write('source_create', {
            id, account: owner.id, key: owner.key, name: 'test', manifest: '{}', manifest_hash: sha(id), environments: 1,
            min_reward: '1', max_expiry_s: 86400, blob: null, idem_key: null, fingerprint: sha('x'), ...over,
        });
        return { id, hash: sha(id), ...row };
    }

    /** A provider registered to `source`, with a master of its own. */
    async provider(source) {
        const address = randomBytes(20);
        const [{ id }] = await this.sql.write('provider_register', {
            id: randomUUID(), address, master: randomBytes(20), master_signed: true, environments: 1, nonce: 1n, token_hash: randomBytes(32),
        });
        if (source) {
            const [r] = await this.sql.write('registration_put', { source: source.id, provider: id, manifest_hash: source.hash, environments: 1, nonce: 2n });
            if (r.outcome !== 'ok') {
                throw new Error(r.outcome);
            }
        }
        return { id, address };
    }

    submitCall(client, source, over = {}) {
        return {
            id: randomUUID(), account: client.id, key: client.key, source: source.id, reward: OGPU.toString(), fee_bps: 0, racers: 2,
            expires_in_s: 600, function: '', input: '{}', input_digest: sha('{}'), input_blobs: Buffer.alloc(0), metadata: '{}',
            idem_key: null, fingerprint: sha('body'), ...over,
        };
    }

    async submit(client, source, over = {}) {
        const [row] = await this.sql.write('task_submit', this.submitCall(client, source, over));
        return row;
    }

    openCall(task, provider, over = {}) {
        return { id: randomUUID(), task: task.id, provider: provider.id, claim_ref: randomUUID(), lease_s: 60, ...over };
    }

    async open(task, provider, over = {}) {
        const [row] = await this.sql.write('attempt_open', this.openCall(task, provider, over));
        return { ...row, provider: provider.id };
    }

    /** The attempt's response: one output of five bytes. */
    async respond(attempt, epoch, over = {}) {
        const digest = sha(`out of ${attempt.id}`);
        await this.sql.write('blob_put', { digest, size: 5n, kind: 'attempt', owner: attempt.id, provider: attempt.provider, quota: 1000n });
        const [row] = await this.sql.write('response_submit', {
            id: randomUUID(), attempt: attempt.id, provider: attempt.provider, epoch, signature: randomBytes(65),
            outputs: JSON.stringify([{ media_type: 'text/plain', name: 'out', sha256: digest.toString('hex'), size: 5 }]), output_digest: digest, blobs: digest, check_s: 30, ...over,
        });
        return row;
    }

    async verdict(response, passed, over = {}) {
        const [row] = await this.sql.write('verdict', { response: response.id, passed, reason: passed ? '' : 'bad_signature', wait_s: 10, attempts_max: 3, ...over });
        return row;
    }

    /** One task won by its first response: its reward less the fee is the master's payable from then on. */
    async earn(client, source, provider, over = {}) {
        const task = await this.submit(client, source, over);
        assert.equal(task.outcome, 'ok');
        const { verdict } = await this.win(task, provider);
        assert.equal(verdict.status, 'succeeded');
        return task;
    }

    /** The attempt of `provider`, its response with one output, and the verdict that it passes. */
    async win(task, provider) {
        const a = await this.open(task, provider);
        const [{ epoch }] = await this.sql.query('SELECT epoch FROM attempt WHERE id = $1', [a.id]);
        const r = await this.respond(a, epoch);
        return { a, r, verdict: await this.verdict(r, true) };
    }

    async end(attempt, how, over = {}) {
        const [row] = await this.sql.write('attempt_end', { id: attempt.id, provider: how === 'lapsed' ? zero : attempt.provider, how, code: 'oom', message: 'out of memory', attempts_max: 3, ...over });
        return row;
    }

    async balance(account) {
        const [b] = await this.sql.query('SELECT available, frozen, payable, claimable FROM balance WHERE account_id = $1', [account.id]);
        return Object.fromEntries(Object.entries(b).map(([k, v]) => [k, BigInt(v)]));
    }

    async task(task) {
        const [t] = await this.sql.query('SELECT * FROM task WHERE id = $1', [task.id]);
        return t;
    }

    async attemptState(attempt) {
        const [a] = await this.sql.query('SELECT state FROM attempt WHERE id = $1', [attempt.id]);
        return a.state;
    }

    /** What must hold after every test that moves money; the shipped auditor knows more. */
    async books() {
        return this.sql.query(`
            SELECT 'balance' AS what, b.account_id::text AS id FROM balance b,
                 LATERAL (SELECT COALESCE(sum(amount) FILTER (WHERE to_account = b.account_id AND to_bucket = 'available'), 0)
                               - COALESCE(sum(amount) FILTER (WHERE from_account = b.account_id AND from_bucket = 'available'), 0) AS available,
                                 COALESCE(sum(amount) FILTER (WHERE to_account = b.account_id AND to_bucket = 'frozen'), 0)
                               - COALESCE(sum(amount) FILTER (WHERE from_account = b.account_id AND from_bucket = 'frozen'), 0) AS frozen,
                                 COALESCE(sum(amount) FILTER (WHERE to_account = b.account_id AND to_bucket = 'payable'), 0)
                               - COALESCE(sum(amount) FILTER (WHERE from_account = b.account_id AND from_bucket = 'payable'), 0) AS payable
                            FROM ledger_entry WHERE from_account = b.account_id OR to_account = b.account_id) l
             WHERE (b.available, b.frozen, b.payable) IS DISTINCT FROM (l.available, l.frozen, l.payable)
            UNION ALL
            SELECT 'frozen', b.account_id::text FROM balance b
             WHERE b.frozen <> (SELECT COALESCE(sum(reward), 0) FROM task t WHERE t.account_id = b.account_id AND t.status IN ('queued', 'running', 'verifying'))
            UNION ALL
            SELECT 'live', t.id::text FROM task t
             WHERE t.live <> (SELECT count(*) FROM attempt a WHERE a.task_id = t.id AND a.state IN ('live', 'responded'))
            UNION ALL
            SELECT 'status', t.id::text FROM task t
             WHERE t.status <> (SELECT e.to_status FROM task_event e WHERE e.task_id = t.id ORDER BY seq DESC LIMIT 1)
                OR t.version <> (SELECT count(*) FROM task_event e WHERE e.task_id = t.id)
            UNION ALL
            SELECT 'epochs', t.id::text FROM task t
             WHERE t.epoch <> (SELECT count(*) FROM attempt a WHERE a.task_id = t.id)`);
    }
}
