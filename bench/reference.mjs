// SPDX-License-Identifier: MIT
// The transactions of the references, written as a good engineer would without lanes: one statement, one round trip, one
// commit a call. They write the same rows into the same tables and indexes as db/sql does, and judge the same things, but
// for one call each. `values` says how each reference passes a parameter: $n for a driver, an expression for pgbench.

const OPEN = "('queued', 'running', 'verifying')";
const REWARD = '1000000000000';

/** Freeze the reward; task, event, ledger entry. No row: refused (money, key, source). The UPDATE is its own lock. */
export const submit = (v) => `
WITH n AS (SELECT ogpu_now() AS at), s AS (
    SELECT s.id, s.manifest_hash, n.at FROM source s, n, api_key k
     WHERE s.id = ${v.source} AND s.status = 'active' AND ${v.reward}::numeric >= s.min_reward AND 3600 <= s.max_expiry_s
       AND k.id = ${v.key} AND k.account_id = ${v.account} AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > n.at)
), b AS (
    UPDATE balance SET available = available - ${v.reward}::numeric, frozen = frozen + ${v.reward}::numeric
      FROM s WHERE account_id = ${v.account} AND available >= ${v.reward}::numeric RETURNING account_id, s.id AS source, s.manifest_hash, s.at
), t AS (
    INSERT INTO task (id, account_id, source_id, status, delivery, reward, fee_bps, racers, function, input, input_digest, created_at, updated_at, expires_at)
    SELECT ${v.id}, account_id, source, 'queued', 'first_valid', ${v.reward}::numeric, 0, 1, 'run', ${v.input}, ${v.digest}, at, at, at + interval '3600 s' FROM b
    RETURNING id, created_at, expires_at
), e AS (
    INSERT INTO task_event (task_id, seq, type, to_status, at) SELECT t.id, 1, 'created', 'queued', t.created_at FROM t
), l AS (
    INSERT INTO ledger_entry (kind, ref, from_account, from_bucket, to_account, to_bucket, amount, at)
    SELECT 'freeze', t.id, b.account_id, 'available', b.account_id, 'frozen', ${v.reward}::numeric, b.at FROM b, t
)
SELECT t.id, b.manifest_hash, ogpu_us(t.created_at) AS created_at, ogpu_us(t.expires_at) AS expires_at FROM t, b`;

/** The row of one's own task: db/sql's task_get itself. */
export const read = (taskGet, v) => taskGet.replace('$1', v.id).replace('$2', v.account);

/** Take a slot of a source: attempt, task, event. */
export const claim = (v) => `
WITH n AS (SELECT ogpu_now() AS at), p AS (
    SELECT p.id, p.master, r.source_id FROM provider p JOIN registration r ON r.provider_id = p.id WHERE p.id = ${v.provider} AND r.source_id = ${v.source}
), t AS (
    SELECT t.id, t.epoch, t.version, t.status, t.expires_at, t.input, t.input_digest FROM task t, p, n
     WHERE t.source_id = p.source_id AND t.status IN ${OPEN} AND t.live < t.racers AND t.expires_at > n.at
       AND NOT EXISTS (SELECT FROM attempt a WHERE a.task_id = t.id AND a.operator = p.master AND a.state <> 'released')
     ORDER BY t.id LIMIT 1 FOR NO KEY UPDATE OF t SKIP LOCKED
), a AS (
    INSERT INTO attempt (id, task_id, provider_id, operator, epoch, state, claim_ref, lease_until, started_at)
    SELECT ${v.attempt}, t.id, p.id, p.master, t.epoch + 1, 'live', ${v.ref}, LEAST(n.at + interval '30 s', t.expires_at), n.at FROM t, p, n
    RETURNING id
), u AS (
    UPDATE task SET status = 'running', live = task.live + 1, epoch = task.epoch + 1, version = task.version + 1, updated_at = n.at
      FROM t, n WHERE task.id = t.id
), e AS (
    INSERT INTO task_event (task_id, seq, type, from_status, to_status, attempt_id, at)
    SELECT t.id, t.version + 1, 'claimed', t.status, 'running', a.id, n.at FROM t, a, n
)
SELECT t.id AS task, a.id AS attempt, t.epoch + 1 AS epoch, s.manifest, s.manifest_hash, t.input, t.input_digest
  FROM t, a, source s WHERE s.id = ${v.source}`;

/** The right of an attempt to a blob. */
export const upload = (v) => `
WITH a AS (SELECT a.id FROM attempt a WHERE a.id = ${v.attempt} AND a.state = 'live' AND a.lease_until > ogpu_now()), b AS (
    INSERT INTO blob (digest, size, created_at) SELECT ${v.blob}, 40, ogpu_now() FROM a ON CONFLICT (digest) DO UPDATE SET created_at = EXCLUDED.created_at
    RETURNING digest
)
INSERT INTO blob_ref (digest, kind, owner, created_at) SELECT b.digest, 'attempt', a.id::text, ogpu_now() FROM a, b ON CONFLICT DO NOTHING`;

/** Store the response: response, attempt, task, event. */
export const respond = (v) => `
WITH n AS (SELECT ogpu_now() AS at), t AS (
    SELECT t.id, t.version, t.status, t.responses, a.id AS attempt FROM task t JOIN attempt a ON a.task_id = t.id, n
     WHERE a.id = ${v.attempt} AND a.state = 'live' AND a.lease_until > n.at AND t.status IN ${OPEN} AND t.expires_at > n.at
       AND EXISTS (SELECT FROM blob_ref b WHERE b.digest = ${v.blob} AND b.kind = 'attempt' AND b.owner = a.id::text)
       FOR NO KEY UPDATE OF t
), r AS (
    INSERT INTO response (id, attempt_id, task_id, seq, state, signature, outputs, output_digest, received_at, check_until)
    SELECT ${v.response}, t.attempt, t.id, t.responses + 1, 'checking', ${v.signature}, ${v.outputs}, ${v.blob}, n.at, n.at + interval '30 s' FROM t, n
), a AS (
    UPDATE attempt SET state = 'responded' FROM t WHERE attempt.id = t.attempt
), u AS (
    UPDATE task SET status = 'verifying', responses = task.responses + 1, version = task.version + 1, updated_at = n.at FROM t, n WHERE task.id = t.id
)
INSERT INTO task_event (task_id, seq, type, from_status, to_status, attempt_id, at)
SELECT t.id, t.version + 1, 'responded', t.status, 'verifying', t.attempt, n.at FROM t, n`;

/** Book the verdict: response, attempt, task, event, ledger entry, both balances. */
export const verdict = (v) => `
WITH n AS (SELECT ogpu_now() AS at), t AS (
    SELECT t.id, t.version, t.status, t.account_id, t.reward, r.id AS response, a.id AS attempt, a.operator
      FROM response r JOIN task t ON t.id = r.task_id JOIN attempt a ON a.id = r.attempt_id
     WHERE r.id = ${v.response} AND r.state = 'checking' AND t.status IN ${OPEN} FOR NO KEY UPDATE OF t
), ur AS (
    UPDATE response SET state = 'accepted', decided_at = n.at FROM t, n WHERE response.id = t.response
), ua AS (
    UPDATE attempt SET state = 'won', ended_at = n.at FROM t, n WHERE attempt.id = t.attempt
), ut AS (
    UPDATE task SET status = 'succeeded', live = 0, winner = t.response, version = task.version + 1, updated_at = n.at, finished_at = n.at
      FROM t, n WHERE task.id = t.id
), e AS (
    INSERT INTO task_event (task_id, seq, type, from_status, to_status, attempt_id, at)
    SELECT t.id, t.version + 1, 'accepted', t.status, 'succeeded', t.attempt, n.at FROM t, n
), l AS (
    INSERT INTO ledger_entry (kind, ref, from_account, from_bucket, to_account, to_bucket, amount, at)
    SELECT 'accept', t.id, t.account_id, 'frozen', t.operator, 'payable', t.reward, n.at FROM t, n
)
UPDATE balance SET frozen = balance.frozen - CASE WHEN balance.account_id = t.account_id THEN t.reward ELSE 0 END,
                   payable = balance.payable + CASE WHEN balance.account_id = t.operator THEN t.reward ELSE 0 END
  FROM t WHERE balance.account_id IN (t.account_id, t.operator)`;

// ---- pgbench --------------------------------------------------------------------------------------------------------------
// Its variables are numbers, so ids that provision.mjs made are written as a fixed beginning and a number; new ids begin
// with the time, as the gateway's do: scattered ones would be unfair to pgbench.

const newId = "(lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::int8), 12, '0') || substr(gen_random_uuid()::text, 15))::uuid";
const numbered = (prefix, variable) => `('${prefix}' || lpad((${variable})::text, 12, '0'))::uuid`;
const INPUT = '{"prompt":"a cat on a GPU","seed":7,"steps":20}';

export const prefixes = {
    key: '0190aaaa-0000-7000-8000-', source: '0190bbbb-0000-7000-8000-', provider: '0190cccc-0000-7000-8000-', task: '0190dddd-0000-7000-8000-',
};

/** Scripts for `pgbench -M prepared -f`; variables: accounts, sources, providers, tasks. */
export function scripts(taskGet) {
    const one = (sql) => `${sql.trim().replaceAll(/\n\s*/g, ' ')}`;
    const source = numbered(prefixes.source, ':s');
    return {
        submit: `\\set a random(1, :accounts)\n\\set s random(1, :sources)\n${one(submit({
            id: newId, account: ':a', key: numbered(prefixes.key, ':a'), source, reward: `'${REWARD}'`, input: `'${INPUT}'`,
            digest: "sha256('x')",
        }))};\n`,
        read: `\\set n random(1, :tasks)\n${one(read(taskGet, { id: numbered(prefixes.task, ':n'), account: '(1 + :n::int8 % :accounts::int8)' }))};\n`,
        roundtrip: `\\set s random(1, :sources)\n\\set p random(1, :providers)\n${[
            `${one(claim({ provider: numbered(prefixes.provider, ':p'), source, attempt: newId, ref: 'gen_random_uuid()' }))} \\gset`,
            `${one(upload({ attempt: ':attempt', blob: "sha256((:attempt)::text::bytea)" }))};`,
            `${one(respond({ attempt: ':attempt', blob: "sha256((:attempt)::text::bytea)", response: ':attempt', signature: "sha256('s') || sha256('t') || '\\x1b'", outputs: "'[]'" }))};`,
            `${one(verdict({ response: ':attempt' }))};`,
        ].join('\n')}\n`,
    };
}

/** The same with $n, for a driver. `params` names them in order. */
export function prepared(taskGet) {
    const numberOf = (names) => Object.fromEntries(names.map((n, i) => [n, `$${i + 1}`]));
    const typed = (names, types) => Object.fromEntries(Object.entries(numberOf(names)).map(([n, v]) => [n, types[n] ? `${v}::${types[n]}` : v]));
    const types = { id: 'uuid', account: 'int8', key: 'uuid', source: 'uuid', reward: 'text', input: 'text', digest: 'bytea', provider: 'uuid',
        attempt: 'uuid', ref: 'uuid', blob: 'bytea', response: 'uuid', signature: 'bytea', outputs: 'text' };
    const make = (text, ...names) => text(typed(names, types));
    return {
        submit: make(submit, 'id', 'account', 'key', 'source', 'reward', 'input', 'digest'),
        read: read(taskGet, { id: '$1', account: '$2' }),
        claim: make(claim, 'provider', 'source', 'attempt', 'ref'),
        upload: make(upload, 'attempt', 'blob'),
        respond: make(respond, 'attempt', 'blob', 'response', 'signature', 'outputs'),
        verdict: make(verdict, 'response'),
    };
}
