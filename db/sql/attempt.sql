-- SPDX-License-Identifier: MIT
-- Claims and attempts. The locked task row gives epochs; an attempt is its own fence.

-- name: claim_begin
-- What a claim starts from: the sources its provider is registered to (among `wanted` when given). One row at least.
-- class: read
-- params: provider uuid, claim_ref uuid, wanted text?
-- returns: attempt uuid?, source uuid?
SELECT (SELECT a.id FROM attempt a WHERE a.provider_id = $1 AND a.claim_ref = $2) AS attempt, r.source_id AS source
  FROM (SELECT 1) one
  LEFT JOIN registration r ON r.provider_id = $1 AND ($3::text IS NULL OR r.source_id::text = ANY(string_to_array($3, ',')));

-- name: attempt_open
-- One provider takes one slot of one task: PostgreSQL decides. The same claim_ref re-reads its attempt.
-- class: write
-- params: id uuid, task uuid, provider uuid, claim_ref uuid, lease_s int4
-- returns: call int4, outcome text, id uuid, slots_left int4
-- lock: task
SELECT id FROM task WHERE id = ANY($2::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.*, n.at
      FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::int4[]) WITH ORDINALITY AS u(id, task, provider, claim_ref, lease_s, o),
           (SELECT ogpu_now() AS at) n
), f AS MATERIALIZED (
    SELECT c.*, t.status, t.epoch, t.version, t.live, t.racers, t.expires_at, p.master AS operator, m.id AS made,
           CASE WHEN m.id IS NOT NULL THEN 'made'
                WHEN t.id IS NULL THEN 'task_not_found'
                WHEN t.status NOT IN ('queued', 'running', 'verifying') OR t.expires_at <= c.at THEN 'task_closed'
                WHEN r.source_id IS NULL THEN 'not_registered'
                WHEN t.live >= t.racers THEN 'no_slot'
                WHEN EXISTS (SELECT FROM attempt a WHERE a.task_id = t.id AND a.operator = p.master AND a.state <> 'released') THEN 'operator_tried'
                WHEN EXISTS (SELECT FROM attempt a WHERE a.task_id = t.id AND a.operator = p.master AND a.held_until > c.at) THEN 'operator_tried'
                ELSE 'ok' END AS fate
      FROM c LEFT JOIN task t ON t.id = c.task
      LEFT JOIN provider p ON p.id = c.provider
      LEFT JOIN registration r ON r.source_id = t.source_id AND r.provider_id = c.provider
      LEFT JOIN attempt m ON m.provider_id = c.provider AND m.claim_ref = c.claim_ref
), a AS (
    INSERT INTO attempt (id, task_id, provider_id, operator, epoch, state, claim_ref, lease_until, started_at)
    SELECT id, task, provider, operator, epoch + 1, 'live', claim_ref, LEAST(at + lease_s * interval '1 second', expires_at), at FROM f WHERE fate = 'ok'
), t AS (
    UPDATE task SET status = CASE WHEN f.status = 'verifying' THEN 'verifying' ELSE 'running' END, live = task.live + 1, epoch = task.epoch + 1,
                    version = task.version + 1, updated_at = f.at
      FROM f WHERE task.id = f.task AND f.fate = 'ok'
), e AS (
    INSERT INTO task_event (task_id, seq, type, from_status, to_status, attempt_id, at)
    SELECT task, version + 1, 'claimed', status, CASE WHEN status = 'verifying' THEN 'verifying' ELSE 'running' END, id, at FROM f WHERE fate = 'ok'
)
SELECT call, CASE fate WHEN 'made' THEN 'ok' ELSE fate END AS outcome, COALESCE(made, id) AS id,
       CASE WHEN fate = 'ok' THEN racers - live - 1 ELSE 0 END AS slots_left
  FROM f ORDER BY call;

-- name: slot_pick
-- Without Redis: open slots this provider could take now, oldest first. Read-only: attempt_open decides. Rows that another
-- gateway is deciding at this moment are skipped, so that pollers spread.
-- class: read
-- params: provider uuid, wanted text?, max int4
-- returns: task uuid
SELECT t.id AS task
  FROM registration r
  JOIN provider p ON p.id = r.provider_id
  JOIN task t ON t.source_id = r.source_id
 WHERE r.provider_id = $1 AND ($2::text IS NULL OR r.source_id::text = ANY(string_to_array($2, ',')))
   AND t.status IN ('queued', 'running', 'verifying') AND t.live < t.racers AND t.expires_at > ogpu_now()
   AND NOT EXISTS (SELECT FROM attempt a WHERE a.task_id = t.id AND a.operator = p.master AND a.state <> 'released')
   AND NOT EXISTS (SELECT FROM attempt a WHERE a.task_id = t.id AND a.operator = p.master AND a.held_until > ogpu_now())
 ORDER BY t.id LIMIT $3 FOR NO KEY UPDATE OF t SKIP LOCKED;

-- name: claim_view
-- What a worker needs to run an attempt; only its own provider sees it.
-- class: read
-- params: attempt uuid, provider uuid
-- returns: attempt uuid, task uuid, source uuid, state text, epoch int4, lease_until time, manifest text, manifest_hash bytea, function text, input text, input_digest bytea, input_blobs bytea, reward wei, expires_at time
SELECT a.id AS attempt, a.task_id AS task, t.source_id AS source, a.state, a.epoch, ogpu_us(a.lease_until) AS lease_until, s.manifest, s.manifest_hash,
       t.function, t.input, t.input_digest, t.input_blobs, t.reward::text AS reward, ogpu_us(t.expires_at) AS expires_at
  FROM attempt a JOIN task t ON t.id = a.task_id JOIN source s ON s.id = t.source_id WHERE a.id = $1 AND a.provider_id = $2;

-- name: attempt_get
-- What a call about an attempt needs first: its task, by which the call is routed, and what its response must sign.
-- class: read
-- params: attempt uuid, provider uuid
-- returns: task uuid, source uuid, state text, epoch int4, manifest_hash bytea, input_digest bytea
SELECT a.task_id AS task, t.source_id AS source, a.state, a.epoch, s.manifest_hash, t.input_digest
  FROM attempt a JOIN task t ON t.id = a.task_id JOIN source s ON s.id = t.source_id WHERE a.id = $1 AND a.provider_id = $2;

-- name: attempt_heartbeat
-- Extends a live lease; tells the worker to stop when the attempt or its task has ended. What it says of its progress
-- stands until it says something else.
-- class: write
-- params: id uuid, provider uuid, lease_s int4, phase text?, pulled_bytes int8?, image_bytes int8?
-- returns: call int4, outcome text, lease_until time, stop bool, reason text
-- lock: attempt
SELECT id FROM attempt WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.*, n.at
      FROM unnest($1::uuid[], $2::uuid[], $3::int4[], $4::text[], $5::int8[], $6::int8[])
           WITH ORDINALITY AS u(id, provider, lease_s, phase, pulled_bytes, image_bytes, o), (SELECT ogpu_now() AS at) n
), f AS MATERIALIZED (
    SELECT c.*, a.state, a.error_code, a.lease_until, t.expires_at,
           CASE WHEN a.id IS NULL THEN 'attempt_not_found' ELSE 'ok' END AS fate,
           (a.state = 'live' AND a.lease_until > c.at AND t.expires_at > c.at) AS alive
      FROM c LEFT JOIN attempt a ON a.id = c.id AND a.provider_id = c.provider LEFT JOIN task t ON t.id = a.task_id
), u AS (
    UPDATE attempt SET lease_until = LEAST(GREATEST(f.lease_until, f.at + f.lease_s * interval '1 second'), f.expires_at),
           phase = COALESCE(f.phase, attempt.phase),
           pulled_bytes = CASE WHEN f.phase IS NULL THEN attempt.pulled_bytes WHEN f.phase = 'pulling' THEN f.pulled_bytes END,
           image_bytes = CASE WHEN f.phase IS NULL THEN attempt.image_bytes WHEN f.phase = 'pulling' THEN f.image_bytes END
      FROM f WHERE attempt.id = f.id AND f.alive
)
SELECT call, fate AS outcome,
       ogpu_us(CASE WHEN alive THEN LEAST(GREATEST(lease_until, at + lease_s * interval '1 second'), expires_at) ELSE COALESCE(lease_until, at) END) AS lease_until,
       NOT COALESCE(alive OR state = 'responded', false) AS stop,
       COALESCE(CASE WHEN state = 'live' AND NOT alive THEN 'lapsed' WHEN error_code = 'exit_begun' THEN error_code ELSE state END, '') AS reason
  FROM f ORDER BY call;

-- name: attempt_end
-- An attempt ends without a response: 'failed' (the worker's blame), 'released' (handed back, no penalty; also an answer
-- that could not be delivered) or 'lapsed' (the keeper's: its lease ran out). The slot opens again; when too many attempts
-- have failed and none is left, the task fails and is refunded. A zero `provider` is the keeper. Safe twice. What is
-- released counts as its operator's try for `hold_s` more, so that a task it cannot serve does not keep it from all others.
-- class: write
-- params: id uuid, provider uuid?, how text, code text, message text, attempts_max int4, hold_s int4
-- returns: call int4, outcome text, task uuid?, source uuid?, reopened bool
-- lock: task
SELECT id FROM task WHERE id IN (SELECT task_id FROM attempt WHERE id = ANY($1::uuid[])) ORDER BY id FOR NO KEY UPDATE;
-- lock: attempt
SELECT id FROM attempt WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- lock: balance
SELECT account_id FROM balance WHERE account_id IN (SELECT t.account_id FROM task t JOIN attempt a ON a.task_id = t.id WHERE a.id = ANY($1::uuid[]))
 ORDER BY account_id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.*, n.at
      FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::int4[], $7::int4[])
           WITH ORDINALITY AS u(id, provider, how, code, message, attempts_max, hold_s, o), (SELECT ogpu_now() AS at) n
), g AS MATERIALIZED (
    SELECT c.*, t.id AS task, t.source_id AS source, t.account_id AS account, t.status, t.reward, t.version, t.live, t.failures, t.expires_at,
           CASE WHEN a.id IS NULL THEN 'attempt_not_found'
                WHEN a.state = c.how THEN 'made'
                WHEN a.error_code = 'exit_begun' THEN 'exit_begun'
                WHEN a.state <> 'live' THEN 'lease_lost'
                WHEN c.how = 'lapsed' AND a.lease_until > c.at THEN 'lease_lost'
                ELSE 'ok' END AS fate,
           t.failures + CASE WHEN c.how = 'released' THEN 0 ELSE 1 END AS failures_now,
           EXISTS (SELECT FROM attempt o WHERE o.task_id = t.id AND o.state = 'responded') AS verifying
      FROM c LEFT JOIN attempt a ON a.id = c.id AND (a.provider_id = c.provider OR COALESCE(c.provider, '00000000-0000-0000-0000-000000000000') = '00000000-0000-0000-0000-000000000000')
      LEFT JOIN task t ON t.id = a.task_id
), f AS MATERIALIZED (
    SELECT g.*, (fate = 'ok' AND failures_now >= attempts_max AND live = 1) AS dies,
           CASE WHEN failures_now >= attempts_max AND live = 1 THEN 'failed' WHEN verifying THEN 'verifying' WHEN live > 1 THEN 'running' ELSE 'queued' END AS next
      FROM g
), a AS (
    UPDATE attempt SET state = f.how, ended_at = f.at, error_code = NULLIF(f.code, ''), error_message = NULLIF(f.message, ''),
           held_until = CASE WHEN f.how = 'released' AND f.hold_s > 0 THEN f.at + f.hold_s * interval '1 second' END
      FROM f WHERE attempt.id = f.id AND f.fate = 'ok'
), t AS (
    UPDATE task SET status = f.next, live = task.live - 1, failures = f.failures_now, version = task.version + 1, updated_at = f.at,
                    finished_at = CASE WHEN f.dies THEN f.at END,
                    error_code = CASE WHEN f.dies THEN 'attempts_exhausted' END,
                    error_message = CASE WHEN f.dies THEN 'the last of ' || f.failures_now || ' failed attempts said: ' || COALESCE(NULLIF(f.message, ''), f.how) END
      FROM f WHERE task.id = f.task AND f.fate = 'ok'
), e AS (
    INSERT INTO task_event (task_id, seq, type, from_status, to_status, attempt_id, detail, at)
    SELECT task, version + 1, 'attempt_' || how, status, next, id, NULLIF(code, ''), at FROM f WHERE fate = 'ok'
), l AS (
    INSERT INTO ledger_entry (kind, ref, from_account, from_bucket, to_account, to_bucket, amount, at)
    SELECT 'refund', task, account, 'frozen', account, 'available', reward, at FROM f WHERE dies
), b AS (
    UPDATE balance SET available = balance.available + d.amount, frozen = balance.frozen - d.amount
      FROM (SELECT account, sum(reward) AS amount FROM f WHERE dies GROUP BY account) d WHERE balance.account_id = d.account
)
SELECT call, CASE fate WHEN 'made' THEN 'ok' ELSE fate END AS outcome, task, source,
       (fate = 'ok' AND NOT dies AND expires_at > at) AS reopened
  FROM f ORDER BY call;
