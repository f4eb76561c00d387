-- SPDX-License-Identifier: MIT

-- name: task_submit
-- Freezes the reward and writes task, event and ledger entry. The balance row is the fence: it orders the submits of one
-- account over all gateways, so the work statement's fresh snapshot sees every earlier twin of an idempotency key. An empty
-- function is the manifest's, else 'run'. A reward whose payout no batch could hold (`most`) is refused, and that is not kept under the key.
-- class: write
-- params: id uuid, account int8, key uuid, source uuid, reward wei, fee_bps int4, racers int4, expires_in_s int4, function text, input text, input_digest bytea, input_blobs bytea, metadata text, idem_key text?, fingerprint bytea
-- returns: call int4, outcome text, replayed bool, id uuid, function text?, manifest_hash bytea?, created_at time, expires_at time, most wei?
-- lock: balance
SELECT account_id FROM balance WHERE account_id = ANY($2::int8[]) ORDER BY account_id FOR NO KEY UPDATE;
-- work:
WITH RECURSIVE c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.id, u.account, u.key, u.source, u.reward::wei AS reward, u.fee_bps, u.racers, u.expires_in_s,
           u.function, u.input, u.input_digest, u.input_blobs, u.metadata, u.idem_key, u.fingerprint, n.at, n.most
      FROM unnest($1::uuid[], $2::int8[], $3::uuid[], $4::uuid[], $5::text[], $6::int4[], $7::int4[], $8::int4[], $9::text[],
                  $10::text[], $11::bytea[], $12::bytea[], $13::text[], $14::text[], $15::bytea[])
           WITH ORDINALITY AS u(id, account, key, source, reward, fee_bps, racers, expires_in_s, function, input, input_digest,
                                input_blobs, metadata, idem_key, fingerprint, o),
           (SELECT ogpu_now() AS at, (SELECT amount FROM payout_limit) AS most) n
), s AS MATERIALIZED (
    -- Once for all calls of a source: its manifest is long.
    SELECT id, status, manifest_hash, min_reward, max_expiry_s, COALESCE(manifest::json ->> 'function', 'run') AS function
      FROM source WHERE id = ANY($4::uuid[])
), j AS MATERIALIZED (
    SELECT c.*, b.available, s.manifest_hash, i.ref AS old_ref,
           CASE WHEN c.function <> '' THEN c.function ELSE s.function END AS run,
           i.at AS old_at, i.outcome AS old_outcome, t.created_at AS made_at,
           CASE WHEN i.ref IS NOT NULL AND (i.operation <> 'task_submit' OR i.fingerprint <> c.fingerprint) THEN 'idempotency_key_reused'
                WHEN i.ref IS NOT NULL THEN 'old'
                WHEN t.id IS NOT NULL THEN 'made'
                WHEN k.id IS NULL OR k.revoked_at IS NOT NULL OR k.expires_at <= c.at THEN 'key_revoked'
                WHEN EXISTS (SELECT FROM chain_exit) THEN 'exit_begun'
                WHEN s.id IS NULL THEN 'source_not_found'
                WHEN s.status <> 'active' THEN 'source_retired'
                WHEN c.reward < s.min_reward THEN 'reward_too_small'
                WHEN c.reward - div(c.reward * c.fee_bps, 10000) > c.most THEN 'payout_too_large'
                WHEN c.expires_in_s > s.max_expiry_s THEN 'expiry_too_long'
                WHEN length(c.input_blobs) > 0 AND EXISTS (
                     SELECT FROM generate_series(0, length(c.input_blobs) / 32 - 1) g
                      WHERE NOT EXISTS (SELECT FROM blob_ref r WHERE r.digest = substr(c.input_blobs, g * 32 + 1, 32)
                                                                 AND r.kind = 'account' AND r.owner = c.account::text)) THEN 'blob_not_found'
                WHEN c.reward > b.available THEN 'insufficient_funds'
                ELSE 'ok' END AS verdict
      FROM c JOIN balance b ON b.account_id = c.account
      LEFT JOIN idempotency i ON i.account_id = c.account AND i.key = c.idem_key
      LEFT JOIN task t ON t.id = c.id
      LEFT JOIN api_key k ON k.id = c.key AND k.account_id = c.account
      LEFT JOIN s ON s.id = c.source
), q AS MATERIALIZED (
    SELECT call, account, reward, available, row_number() OVER (PARTITION BY account ORDER BY call) AS pos,
           sum(reward) OVER (PARTITION BY account) > available AS tight
      FROM j WHERE verdict = 'ok'
), walk AS (
    -- Only for accounts whose calls of this batch do not all fit: one after the other, as if each were alone.
    SELECT account, 0::int8 AS pos, -1 AS call, available::numeric AS room, true AS fits FROM q WHERE tight AND pos = 1
    UNION ALL
    SELECT w.account, q.pos, q.call, CASE WHEN q.reward <= w.room THEN w.room - q.reward ELSE w.room END, q.reward <= w.room
      FROM walk w JOIN q ON q.account = w.account AND q.pos = w.pos + 1
), f AS MATERIALIZED (
    SELECT j.*, CASE WHEN w.call IS NULL THEN j.verdict WHEN w.fits THEN 'ok' ELSE 'insufficient_funds' END AS fate
      FROM j LEFT JOIN walk w ON w.call = j.call
), t AS (
    INSERT INTO task (id, account_id, source_id, status, delivery, reward, fee_bps, racers, function, input, input_digest,
                      input_blobs, metadata, created_at, updated_at, expires_at)
    SELECT id, account, source, 'queued', 'first_valid', reward, fee_bps, racers, run, input, input_digest, input_blobs,
           metadata, at, at, at + expires_in_s * interval '1 second' FROM f WHERE fate = 'ok'
), e AS (
    INSERT INTO task_event (task_id, seq, type, to_status, at) SELECT id, 1, 'created', 'queued', at FROM f WHERE fate = 'ok'
), l AS (
    INSERT INTO ledger_entry (kind, ref, from_account, from_bucket, to_account, to_bucket, amount, at)
    SELECT 'freeze', id, account, 'available', account, 'frozen', reward, at FROM f WHERE fate = 'ok'
), b AS (
    UPDATE balance SET available = balance.available - d.amount, frozen = balance.frozen + d.amount
      FROM (SELECT account, sum(reward) AS amount FROM f WHERE fate = 'ok' GROUP BY account) d WHERE balance.account_id = d.account
), r AS (
    INSERT INTO blob_ref (digest, kind, owner, created_at)
    SELECT DISTINCT substr(input_blobs, g * 32 + 1, 32), 'task', id::text, at
      FROM f, generate_series(0, length(input_blobs) / 32 - 1) g WHERE fate = 'ok' AND length(input_blobs) > 0
), i AS (
    INSERT INTO idempotency (account_id, key, operation, fingerprint, outcome, ref, at)
    SELECT account, idem_key, 'task_submit', fingerprint, fate, id, at FROM f
     WHERE idem_key IS NOT NULL AND fate NOT IN ('old', 'made', 'idempotency_key_reused', 'key_revoked', 'payout_too_large')
)
SELECT call, CASE fate WHEN 'old' THEN old_outcome WHEN 'made' THEN 'ok' ELSE fate END AS outcome,
       (fate = 'old' AND old_ref <> id) AS replayed,
       CASE WHEN fate = 'old' THEN old_ref ELSE id END AS id, run AS function, manifest_hash,
       ogpu_us(COALESCE(old_at, made_at, at)) AS created_at,
       ogpu_us(COALESCE(old_at, made_at, at) + expires_in_s * interval '1 second') AS expires_at, most::text AS most
  FROM f ORDER BY call;

-- name: task_get
-- class: read
-- params: id uuid, account int8
-- returns: id uuid, status text, source uuid, manifest_hash bytea, function text, input_digest bytea, reward wei, fee_bps int4, racers int4, delivery text, live int4, attempts int4, failures int4, version int4, metadata text, error_code text?, error_message text?, created_at time, updated_at time, expires_at time, finished_at time?, response uuid?, attempt uuid?, provider uuid?, outputs text?, output_digest bytea?, signature bytea?, accepted_at time?, settlement text, batch uuid?, tx_hash bytea?
SELECT t.id, t.status, t.source_id AS source, s.manifest_hash, t.function, t.input_digest, t.reward::text AS reward, t.fee_bps, t.racers,
       t.delivery, t.live, t.epoch AS attempts, t.failures, t.version, t.metadata, t.error_code, t.error_message,
       ogpu_us(t.created_at) AS created_at, ogpu_us(t.updated_at) AS updated_at, ogpu_us(t.expires_at) AS expires_at,
       ogpu_us(t.finished_at) AS finished_at, r.id AS response, r.attempt_id AS attempt, a.provider_id AS provider, r.outputs,
       r.output_digest, r.signature, ogpu_us(r.decided_at) AS accepted_at,
       CASE WHEN l.ref IS NULL THEN 'none' ELSE COALESCE(b.state, 'pending') END AS settlement, l.batch_id AS batch, b.tx_hash
  FROM task t JOIN source s ON s.id = t.source_id
  LEFT JOIN response r ON r.id = t.winner
  LEFT JOIN attempt a ON a.id = r.attempt_id
  LEFT JOIN ledger_entry l ON l.ref = t.id AND l.kind = 'accept'
  LEFT JOIN batch b ON b.id = l.batch_id
 WHERE t.id = $1 AND t.account_id = $2;

-- name: task_list
-- Newest first.
-- class: read
-- params: account int8, status text?, source uuid?, before uuid?, max int4
-- returns: like task_get
SELECT t.id, t.status, t.source_id AS source, s.manifest_hash, t.function, t.input_digest, t.reward::text AS reward, t.fee_bps, t.racers,
       t.delivery, t.live, t.epoch AS attempts, t.failures, t.version, t.metadata, t.error_code, t.error_message,
       ogpu_us(t.created_at) AS created_at, ogpu_us(t.updated_at) AS updated_at, ogpu_us(t.expires_at) AS expires_at,
       ogpu_us(t.finished_at) AS finished_at, r.id AS response, r.attempt_id AS attempt, a.provider_id AS provider, r.outputs,
       r.output_digest, r.signature, ogpu_us(r.decided_at) AS accepted_at,
       CASE WHEN l.ref IS NULL THEN 'none' ELSE COALESCE(b.state, 'pending') END AS settlement, l.batch_id AS batch, b.tx_hash
  FROM (SELECT * FROM task
         WHERE account_id = $1 AND ($2::text IS NULL OR status = $2) AND ($3::uuid IS NULL OR source_id = $3)
           AND ($4::uuid IS NULL OR id < $4) ORDER BY id DESC LIMIT $5) t
  JOIN source s ON s.id = t.source_id
  LEFT JOIN response r ON r.id = t.winner
  LEFT JOIN attempt a ON a.id = r.attempt_id
  LEFT JOIN ledger_entry l ON l.ref = t.id AND l.kind = 'accept'
  LEFT JOIN batch b ON b.id = l.batch_id
 ORDER BY t.id DESC;

-- name: task_attempts
-- class: read
-- params: id uuid, account int8
-- returns: found bool, id uuid?, epoch int4?, provider uuid?, state text?, started_at time?, lease_until time?, ended_at time?, error_code text?, error_message text?, response uuid?, seq int4?, reason text?, phase text?, pulled_bytes int8?, image_bytes int8?
SELECT true AS found, a.id, a.epoch, a.provider_id AS provider, a.state, ogpu_us(a.started_at) AS started_at, ogpu_us(a.lease_until) AS lease_until,
       ogpu_us(a.ended_at) AS ended_at, a.error_code, a.error_message, r.id AS response, r.seq, r.reason,
       CASE WHEN a.state = 'live' THEN a.phase END AS phase, CASE WHEN a.state = 'live' THEN a.pulled_bytes END AS pulled_bytes,
       CASE WHEN a.state = 'live' THEN a.image_bytes END AS image_bytes
  FROM task t LEFT JOIN attempt a ON a.task_id = t.id LEFT JOIN response r ON r.attempt_id = a.id
 WHERE t.id = $1 AND t.account_id = $2 ORDER BY a.epoch;

-- name: task_events
-- class: read
-- params: id uuid, account int8, after int4, max int4
-- returns: found bool, seq int4?, type text?, from_status text?, to_status text?, attempt uuid?, detail text?, at time?
SELECT true AS found, e.seq, e.type, e.from_status, e.to_status, e.attempt_id AS attempt, e.detail, ogpu_us(e.at) AS at
  FROM task t LEFT JOIN task_event e ON e.task_id = t.id AND e.seq > $3
 WHERE t.id = $1 AND t.account_id = $2 ORDER BY e.seq LIMIT $4;

-- name: task_cancel
-- The client takes an unattempted task back: the reward returns. Safe twice. The balance is the fence of idempotency keys, as in
-- task_submit; calls of one batch are of different tasks, so a key that comes again in it is used for another request.
-- class: write
-- params: id uuid, account int8, key uuid, idem_key text?, fingerprint bytea
-- returns: call int4, outcome text, replayed bool
-- lock: task
SELECT id FROM task WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- lock: balance
SELECT account_id FROM balance WHERE account_id = ANY($2::int8[]) ORDER BY account_id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.*, n.at, row_number() OVER (PARTITION BY account, idem_key ORDER BY o) AS nth
      FROM unnest($1::uuid[], $2::int8[], $3::uuid[], $4::text[], $5::bytea[]) WITH ORDINALITY AS u(id, account, key, idem_key, fingerprint, o),
           (SELECT ogpu_now() AS at) n
), f AS MATERIALIZED (
    SELECT c.*, t.status, t.reward, t.version, i.outcome AS old_outcome,
           CASE WHEN (i.ref IS NOT NULL AND (i.operation <> 'task_cancel' OR i.fingerprint <> c.fingerprint))
                  OR (c.idem_key IS NOT NULL AND c.nth > 1) THEN 'idempotency_key_reused'
                WHEN i.ref IS NOT NULL THEN 'old'
                WHEN k.id IS NULL OR k.revoked_at IS NOT NULL OR k.expires_at <= c.at THEN 'key_revoked'
                WHEN t.id IS NULL THEN 'task_not_found'
                WHEN t.status = 'canceled' THEN 'made'
                WHEN t.status IN ('running', 'verifying') THEN 'task_running'
                WHEN t.status <> 'queued' THEN 'task_closed'
                ELSE 'ok' END AS fate
      FROM c LEFT JOIN task t ON t.id = c.id AND t.account_id = c.account
      LEFT JOIN idempotency i ON i.account_id = c.account AND i.key = c.idem_key
      LEFT JOIN api_key k ON k.id = c.key AND k.account_id = c.account
), t AS (
    UPDATE task SET status = 'canceled', version = task.version + 1, updated_at = f.at, finished_at = f.at
      FROM f WHERE task.id = f.id AND f.fate = 'ok'
), e AS (
    INSERT INTO task_event (task_id, seq, type, from_status, to_status, at)
    SELECT id, version + 1, 'canceled', status, 'canceled', at FROM f WHERE fate = 'ok'
), l AS (
    INSERT INTO ledger_entry (kind, ref, from_account, from_bucket, to_account, to_bucket, amount, at)
    SELECT 'refund', id, account, 'frozen', account, 'available', reward, at FROM f WHERE fate = 'ok'
), b AS (
    UPDATE balance SET available = balance.available + d.amount, frozen = balance.frozen - d.amount
      FROM (SELECT account, sum(reward) AS amount FROM f WHERE fate = 'ok' GROUP BY account) d WHERE balance.account_id = d.account
), i AS (
    INSERT INTO idempotency (account_id, key, operation, fingerprint, outcome, ref, at)
    SELECT account, idem_key, 'task_cancel', fingerprint, CASE fate WHEN 'made' THEN 'ok' ELSE fate END, id, at FROM f
     WHERE idem_key IS NOT NULL AND fate NOT IN ('old', 'idempotency_key_reused', 'key_revoked')
)
SELECT call, CASE fate WHEN 'made' THEN 'ok' WHEN 'old' THEN old_outcome ELSE fate END AS outcome, fate = 'old' AS replayed FROM f ORDER BY call;

-- name: task_expire
-- The keeper's: an open task past its expiry is refunded and its live attempts lapse with it. A response received in
-- time still gets its verdict first, however late that comes. Safe twice.
-- class: write
-- params: id uuid
-- returns: call int4, outcome text
-- lock: task
SELECT id FROM task WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- lock: attempt
SELECT id FROM attempt WHERE task_id = ANY($1::uuid[]) AND state = 'live' ORDER BY id FOR NO KEY UPDATE;
-- lock: balance
SELECT account_id FROM balance WHERE account_id IN (SELECT account_id FROM task WHERE id = ANY($1::uuid[])) ORDER BY account_id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.id, n.at FROM unnest($1::uuid[]) WITH ORDINALITY AS u(id, o), (SELECT ogpu_now() AS at) n
), f AS MATERIALIZED (
    SELECT c.*, t.status, t.reward, t.version, t.account_id AS account,
           CASE WHEN t.id IS NULL THEN 'task_not_found'
                WHEN t.status NOT IN ('queued', 'running', 'verifying') THEN 'task_closed'
                WHEN t.expires_at > c.at THEN 'task_running'
                WHEN EXISTS (SELECT FROM response r WHERE r.task_id = t.id AND r.state IN ('checking', 'passed')) THEN 'task_running'
                ELSE 'ok' END AS fate
      FROM c LEFT JOIN task t ON t.id = c.id
), t AS (
    UPDATE task SET status = 'expired', live = 0, version = task.version + 1, updated_at = f.at, finished_at = f.at
      FROM f WHERE task.id = f.id AND f.fate = 'ok'
), a AS (
    UPDATE attempt SET state = 'lapsed', ended_at = f.at, error_code = 'task_expired'
      FROM f WHERE attempt.task_id = f.id AND f.fate = 'ok' AND attempt.state = 'live'
), e AS (
    INSERT INTO task_event (task_id, seq, type, from_status, to_status, at)
    SELECT id, version + 1, 'expired', status, 'expired', at FROM f WHERE fate = 'ok'
), l AS (
    INSERT INTO ledger_entry (kind, ref, from_account, from_bucket, to_account, to_bucket, amount, at)
    SELECT 'refund', id, account, 'frozen', account, 'available', reward, at FROM f WHERE fate = 'ok'
), b AS (
    UPDATE balance SET available = balance.available + d.amount, frozen = balance.frozen - d.amount
      FROM (SELECT account, sum(reward) AS amount FROM f WHERE fate = 'ok' GROUP BY account) d WHERE balance.account_id = d.account
)
SELECT call, fate AS outcome FROM f ORDER BY call;
