// SPDX-License-Identifier: MIT
// Players who do at random what the marketplace allows and what it refuses, by the real statements, and triggers that note
// every change of a task or an attempt which comes of it, with who caused it.
import { randomBytes, randomUUID } from 'node:crypto';
import { OGPU, Market, sha } from './market.mjs';

const nobody = '00000000-0000-0000-0000-000000000000';

export const limits = { wait_s: 10, attempts_max: 2 };

// What a task still has is read at COMMIT, when all of the transaction is there and its row is still locked.
const notes = `
    CREATE TABLE note_task (no int8 GENERATED ALWAYS AS IDENTITY, tx xid8, actor text, task uuid, version int4, from_status text, to_status text, failures int4, rest text);
    CREATE TABLE note_attempt (no int8 GENERATED ALWAYS AS IDENTITY, tx xid8, actor text, task uuid, from_state text, to_state text);
    CREATE FUNCTION note_task() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO note_task (tx, actor, task, version, from_status, to_status, failures, rest)
        SELECT pg_current_xact_id(), current_setting('play.actor'), NEW.id, NEW.version, OLD.status, NEW.status, NEW.failures - COALESCE(OLD.failures, 0),
               CASE WHEN bool_or(state = 'responded') THEN 'checking' WHEN bool_or(state = 'live') THEN 'live' ELSE 'none' END
          FROM attempt WHERE task_id = NEW.id;
        RETURN NULL;
    END $$;
    CREATE FUNCTION note_attempt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO note_attempt (tx, actor, task, from_state, to_state)
        VALUES (pg_current_xact_id(), current_setting('play.actor'), NEW.task_id, OLD.state, NEW.state);
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER note_task AFTER INSERT OR UPDATE ON task DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_task();
    CREATE TRIGGER note_attempt AFTER INSERT OR UPDATE OF state ON attempt FOR EACH ROW EXECUTE FUNCTION note_attempt();`;

/** Begins the notes; makes a client with much money, a source, and providers of eight operators. */
export async function playground(sql) {
    const market = new Market(sql);
    const client = await market.client(1_000_000n * OGPU);
    const source = await market.source(client);
    const providers = [];
    for (let i = 0; i < 8; i++) providers.push(await market.provider(source));
    await sql.query(notes);
    await sql.query('SET synchronous_commit TO off'); // nobody pulls a plug here
    return { market, client, source, providers, clock: { ms: Date.now() } };
}

// What is open and what was made lately: an open task that nobody looked at any more would stay, and four of them end the play.
const recent = `(SELECT id FROM task WHERE status IN ('queued', 'running', 'verifying')
    UNION (SELECT id FROM task ORDER BY created_at DESC, id LIMIT 6))`;

export class Player {
    constructor(sql, ground, choose) {
        Object.assign(this, { sql, ground, choose, moved: 0 });
    }

    now() {
        return this.ground.clock.ms * 1000;
    }

    /** One batch of calls of a statement, at the playground's time. */
    async by(actor, statement, calls) {
        await this.sql.query("SELECT set_config('play.actor', $1, false), set_config('ogpu.now', $2, false)",
            [actor, new Date(this.ground.clock.ms).toISOString()]);
        return calls.length > 0 ? this.sql.write(statement, ...calls) : [];
    }

    /** One to three rows of a query, no two of a task: what one batch of a lane may hold. */
    async some(text) {
        const { below } = this.choose;
        const byTask = new Map();
        for (const row of (await this.sql.query(text)).map((r) => [below(1 << 30), r]).sort((a, b) => a[0] - b[0])) byTask.set(row[1].task, row[1]);
        return [...byTask.values()].slice(0, 1 + below(3));
    }

    tasks() {
        return this.some(`SELECT id AS task FROM task WHERE id IN ${recent}`);
    }

    /** Attempts that are live (and `due`), and now and then others. */
    attempts(due = 'true') {
        const any = this.choose.chance(0.1);
        return this.some(`SELECT id, task_id AS task, provider_id AS provider, epoch FROM attempt WHERE task_id IN ${recent} AND (${any} OR (state = 'live' AND ${due})) ORDER BY id`);
    }

    async submit() {
        const { market, client, source } = this.ground;
        const { below, chance } = this.choose;
        const [{ open }] = await this.sql.query("SELECT count(*)::int4 AS open FROM task WHERE status IN ('queued', 'running', 'verifying')");
        if (open >= 4) return; // few, so that much happens to each
        await this.by('client', 'task_submit', Array.from({ length: 1 + below(2) }, () =>
            market.submitCall(client, source, { racers: 1 + below(4), expires_in_s: 15 + below(100), fee_bps: chance(0.5) ? 250 : 0 })));
    }

    async cancel() {
        const { client } = this.ground;
        await this.by('client', 'task_cancel', (await this.tasks()).map(({ task }) =>
            ({ id: task, account: client.id, key: client.key, idem_key: null, fingerprint: sha('') })));
    }

    async claim() {
        const { market, providers } = this.ground;
        await this.by('provider', 'attempt_open', (await this.tasks()).map(({ task }) =>
            market.openCall({ id: task }, this.choose.pick(providers), { lease_s: this.choose.chance(0.4) ? 300 : 5 + this.choose.below(40) })));
    }

    async respond() {
        const calls = [];
        for (const { id, provider, epoch } of await this.attempts()) {
            const digest = sha(`out of ${id}`);
            await this.by('provider', 'blob_put', [{ digest, size: 5n, kind: 'attempt', owner: id, provider, quota: 1000n }]);
            calls.push({ id: randomUUID(), attempt: id, provider, epoch, signature: randomBytes(65), outputs: '[]', output_digest: digest, blobs: digest, check_s: 30 });
        }
        await this.by('provider', 'response_submit', calls);
    }

    /** Tasks with their responses in order. */
    races(tasks) {
        return this.sql.query(`
            SELECT t.id, t.status, t.live, t.failures, t.winner,
                   (SELECT json_agg(json_build_object('id', r.id, 'state', r.state, 'at', ogpu_us(r.received_at)) ORDER BY r.seq) FROM response r WHERE r.task_id = t.id) AS responses
              FROM task t WHERE t.id = ANY($1::uuid[]) ORDER BY array_position($1::uuid[], t.id)`, [tasks]);
    }

    /** Verdicts on undecided responses, and now and then on decided ones: what was asked, and the tasks before and after. */
    async verdict() {
        const any = this.choose.chance(0.1);
        const chosen = await this.some(`SELECT id, task_id AS task FROM response WHERE task_id IN ${recent} AND (${any} OR state IN ('checking', 'passed')) ORDER BY id`);
        const tasks = chosen.map((r) => r.task);
        const calls = chosen.map(({ id }) => {
            const passed = this.choose.chance(0.5);
            return { response: id, passed, reason: passed ? '' : 'bad_signature', ...limits };
        });
        const before = await this.races(tasks);
        const rows = await this.by('checker', 'verdict', calls);
        return { calls, rows, before, after: await this.races(tasks), now: this.now() };
    }

    async end(actor, hows) {
        const how = this.choose.pick(hows);
        await this.by(actor, 'attempt_end', (await this.attempts(how === 'lapsed' ? 'lease_until <= ogpu_now()' : 'true')).map(({ id, provider }) =>
            ({ id, provider: actor === 'keeper' ? nobody : provider, how, code: 'oom', message: 'out of memory', attempts_max: limits.attempts_max })));
    }

    async expire() {
        const due = await this.some(`SELECT id AS task FROM task WHERE id IN ${recent} AND (${this.choose.chance(0.1)} OR expires_at <= ogpu_now())`);
        await this.by('keeper', 'task_expire', due.map(({ task }) => ({ id: task })));
    }

    /** One move, or time that passes; a verdict's account of itself. */
    async move() {
        const moves = [
            [6, () => this.submit()], [1, () => this.cancel()], [12, () => this.claim()], [9, () => this.respond()], [9, () => this.verdict()],
            [4, () => this.end('provider', ['failed', 'released'])], [3, () => this.end('keeper', ['lapsed'])], [3, () => this.expire()],
            [6, () => { this.ground.clock.ms += this.choose.below(12_000); }],
        ];
        // Moods: for a while one thing is done much and another not at all, so that what is rare in a mixture happens too.
        if (this.moved++ % 30 === 0) this.mood = moves.map(() => this.choose.pick([0, 1, 1, 3]));
        const weights = moves.map(([weight], i) => weight * this.mood[i]);
        let at = this.choose.below(1 + weights.reduce((sum, weight) => sum + weight, 0));
        return moves[weights.findIndex((weight) => (at -= weight) < 0)]?.[1]();
    }

    /** A forced exit begins on chain and closes what it finds open. */
    async exit() {
        await this.by('chain', 'book_exit_begun', [{ id: randomUUID(), block_no: 1n, log_index: 0, tx_hash: randomBytes(32), exit_at: BigInt(this.now()) }]);
        const due = await this.sql.read('due_exits', { max: 10_000 });
        return this.by('chain', 'task_exit', due.map(({ id }) => ({ id })));
    }
}
