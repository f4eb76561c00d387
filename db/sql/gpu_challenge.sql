-- SPDX-License-Identifier: MIT
-- Proofs of matrix work. A challenge goes issued → committed → opened → passed | failed; the clock is the database's, read
-- after the lock, and a step that comes late ends the challenge.

-- name: gpu_challenge_make
-- At most one a device and hour, and at most 64 a provider and hour (a heartbeat may invent devices): the provider's row,
-- locked, makes it so. retry_s: whole seconds until the quota takes this one.
-- class: write
-- params: id uuid, provider uuid, device text, memory_mb int8, rows int8, inner_dim int4, cols int4, seed bytea, window_s int8
-- returns: call int4, outcome text, retry_s int8
-- lock: provider
SELECT id FROM provider WHERE id = ANY($2::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.*, n.at
      FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int8[], $5::int8[], $6::int4[], $7::int4[], $8::bytea[], $9::int8[])
           WITH ORDINALITY AS u(id, provider, device, memory_mb, rows, inner_dim, cols, seed, window_s, o), (SELECT ogpu_now() AS at) n
), f AS MATERIALIZED (
    SELECT c.*,
           CASE WHEN p.id IS NULL THEN 'provider_not_found'
                WHEN EXISTS (SELECT FROM gpu_challenge g WHERE g.id = c.id) THEN 'made'
                WHEN q.last > c.at - interval '1 hour' THEN 'quota'
                ELSE 'ok' END AS fate,
           q.last + interval '1 hour' - c.at AS wait
      FROM c LEFT JOIN provider p ON p.id = c.provider
      CROSS JOIN LATERAL (
          SELECT GREATEST((SELECT max(g.issued_at) FROM gpu_challenge g WHERE g.provider_id = c.provider AND g.device = c.device),
                          (SELECT g.issued_at FROM gpu_challenge g WHERE g.provider_id = c.provider AND g.issued_at > c.at - interval '1 hour'
                            ORDER BY g.issued_at DESC OFFSET 63 LIMIT 1)) AS last) q
), i AS (
    INSERT INTO gpu_challenge (id, provider_id, device, memory_mb, row_count, inner_dim, col_count, seed, issued_at, commit_until)
    SELECT id, provider, device, memory_mb, rows, inner_dim, cols, seed, at, at + window_s * interval '1 second' FROM f WHERE fate = 'ok'
)
SELECT call, CASE fate WHEN 'made' THEN 'ok' ELSE fate END AS outcome,
       CASE fate WHEN 'quota' THEN GREATEST(1, ceil(EXTRACT(epoch FROM wait)))::int8 ELSE 0 END AS retry_s FROM f ORDER BY call;

-- name: gpu_challenge_get
-- class: read
-- params: id uuid, provider uuid
-- returns: id uuid, provider uuid, device text, state text, memory_mb int8, rows int8, inner_dim int4, cols int4, seed bytea, issued_at time, commit_until time, committed_at time?, root bytea?, draw bytea?, open_until time?, opened_hash bytea?, decided_at time?, reason text?
SELECT id, provider_id AS provider, device, state, memory_mb, row_count AS rows, inner_dim, col_count AS cols, seed, ogpu_us(issued_at) AS issued_at,
       ogpu_us(commit_until) AS commit_until, ogpu_us(committed_at) AS committed_at, root, draw, ogpu_us(open_until) AS open_until, opened_hash,
       ogpu_us(decided_at) AS decided_at, reason
  FROM gpu_challenge WHERE id = $1 AND provider_id = $2;

-- name: gpu_challenge_list
-- Newest first.
-- class: read
-- params: provider uuid, before uuid?, max int4
-- returns: like gpu_challenge_get
SELECT id, provider_id AS provider, device, state, memory_mb, row_count AS rows, inner_dim, col_count AS cols, seed, ogpu_us(issued_at) AS issued_at,
       ogpu_us(commit_until) AS commit_until, ogpu_us(committed_at) AS committed_at, root, draw, ogpu_us(open_until) AS open_until, opened_hash,
       ogpu_us(decided_at) AS decided_at, reason
  FROM gpu_challenge WHERE provider_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3;

-- name: gpu_challenge_commit
-- The root is taken once, and only then is the draw stored: its bytes were random when the call came in.
-- class: write
-- params: id uuid, provider uuid, root bytea, draw bytea, open_s int8
-- returns: call int4, outcome text
-- lock: gpu_challenge
SELECT id FROM gpu_challenge WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.*, n.at FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bytea[], $5::int8[])
           WITH ORDINALITY AS u(id, provider, root, draw, open_s, o), (SELECT ogpu_now() AS at) n
), f AS MATERIALIZED (
    SELECT c.*,
           CASE WHEN g.id IS NULL THEN 'challenge_not_found'
                WHEN g.root = c.root THEN 'made'
                WHEN g.state <> 'issued' THEN 'challenge_closed'
                WHEN g.commit_until < c.at THEN 'late'
                ELSE 'ok' END AS fate
      FROM c LEFT JOIN gpu_challenge g ON g.id = c.id AND g.provider_id = c.provider
), u AS (
    UPDATE gpu_challenge g
       SET state = 'committed', root = f.root, draw = f.draw, committed_at = f.at, open_until = f.at + f.open_s * interval '1 second'
      FROM f WHERE g.id = f.id AND f.fate = 'ok'
), l AS (
    UPDATE gpu_challenge g SET state = 'failed', decided_at = f.at, reason = 'the commitment came late'
      FROM f WHERE g.id = f.id AND f.fate = 'late'
)
SELECT call, CASE fate WHEN 'made' THEN 'ok' WHEN 'late' THEN 'challenge_closed' ELSE fate END AS outcome FROM f ORDER BY call;

-- name: gpu_challenge_open
-- Rows that lie under the root wait for the check that costs. With a reason, they do not: the challenge has failed.
-- class: slow
-- params: id uuid, provider uuid, opened bytea, opened_hash bytea, reason text?
-- returns: call int4, outcome text
-- lock: gpu_challenge
SELECT id FROM gpu_challenge WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.*, n.at FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bytea[], $5::text[])
           WITH ORDINALITY AS u(id, provider, opened, opened_hash, reason, o), (SELECT ogpu_now() AS at) n
), f AS MATERIALIZED (
    SELECT c.*,
           CASE WHEN g.id IS NULL THEN 'challenge_not_found'
                WHEN g.opened_hash = c.opened_hash AND c.reason IS NULL THEN 'made'
                WHEN g.state <> 'committed' THEN 'challenge_closed'
                WHEN g.open_until < c.at THEN 'late'
                WHEN c.reason IS NOT NULL THEN 'proof_rejected'
                ELSE 'ok' END AS fate
      FROM c LEFT JOIN gpu_challenge g ON g.id = c.id AND g.provider_id = c.provider
), u AS (
    UPDATE gpu_challenge g SET state = 'opened', opened = f.opened, opened_hash = f.opened_hash, opened_at = f.at, check_until = f.at
      FROM f WHERE g.id = f.id AND f.fate = 'ok'
), l AS (
    UPDATE gpu_challenge g SET state = 'failed', decided_at = f.at, reason = CASE f.fate WHEN 'late' THEN 'the rows came late' ELSE f.reason END
      FROM f WHERE g.id = f.id AND f.fate IN ('late', 'proof_rejected')
)
SELECT call, CASE fate WHEN 'made' THEN 'ok' WHEN 'late' THEN 'challenge_closed' ELSE fate END AS outcome FROM f ORDER BY call;

-- name: gpu_challenge_take
-- The oldest proof that nobody checks; it is the caller's for check_s seconds. Gateways never take the same.
-- class: slow
-- params: check_s int8
-- returns: call int4, id uuid?, rows int8?, inner_dim int4?, cols int4?, seed bytea?, draw bytea?, opened bytea?
-- work:
WITH t AS (
    UPDATE gpu_challenge SET check_until = ogpu_now() + ($1::int8[])[1] * interval '1 second'
     WHERE id = (SELECT id FROM gpu_challenge WHERE state = 'opened' AND check_until <= ogpu_now()
                  ORDER BY check_until FOR NO KEY UPDATE SKIP LOCKED LIMIT 1)
    RETURNING id, row_count, inner_dim, col_count, seed, draw, opened
)
SELECT 0 AS call, t.id, t.row_count AS rows, t.inner_dim, t.col_count AS cols, t.seed, t.draw, t.opened FROM (SELECT 1) one LEFT JOIN t ON true;

-- name: gpu_challenge_verdict
-- Books what the check said; once. A device that passed is due again after again_s seconds.
-- class: write
-- params: id uuid, reason text?, again_s int8
-- returns: call int4, outcome text
-- lock: gpu_challenge
SELECT id FROM gpu_challenge WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.*, n.at FROM unnest($1::uuid[], $2::text[], $3::int8[]) WITH ORDINALITY AS u(id, reason, again_s, o),
           (SELECT ogpu_now() AS at) n
), u AS (
    UPDATE gpu_challenge g
       SET state = CASE WHEN c.reason IS NULL THEN 'passed' ELSE 'failed' END, reason = c.reason, opened = NULL, decided_at = c.at,
           again_at = CASE WHEN c.reason IS NULL THEN c.at + c.again_s * interval '1 second' END
      FROM c WHERE g.id = c.id AND g.state = 'opened' RETURNING g.id
)
SELECT c.call, CASE WHEN u.id IS NULL THEN 'challenge_closed' ELSE 'ok' END AS outcome FROM c LEFT JOIN u USING (id) ORDER BY c.call;

-- name: gpu_challenge_lapse
-- Challenges whose answer did not come have failed. Safe twice.
-- class: slow
-- params: max int4
-- returns: call int4, done int8
-- work:
WITH u AS (
    UPDATE gpu_challenge
       SET state = 'failed', decided_at = ogpu_now(),
           reason = CASE state WHEN 'issued' THEN 'no commitment came in time' ELSE 'the rows did not come in time' END
     WHERE id IN (SELECT id FROM gpu_challenge WHERE (state = 'issued' AND commit_until < ogpu_now()) OR (state = 'committed' AND open_until < ogpu_now())
                   ORDER BY id LIMIT ($1::int4[])[1] FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING 1
)
SELECT 0 AS call, (SELECT count(*) FROM u) AS done;

-- name: gpu_challenge_due
-- Devices whose proof is wanted: cards of the last heartbeat that have none yet; those whose last one has passed and is to be
-- given again, or failed six hours ago; and those whose challenge still waits for its answer.
-- class: read
-- params: provider uuid
-- returns: device text
WITH told AS (
    SELECT d->>'uuid' AS device FROM provider p, json_array_elements(p.devices::json) d
     WHERE p.id = $1 AND d->>'environment' <> 'cpu' AND d->>'uuid' IS NOT NULL AND (d->>'memory_mb')::int8 > 0
       AND COALESCE(d->>'state', 'free') IN ('free', 'leased', 'busy')
), last AS (
    SELECT DISTINCT ON (device) device, state, again_at, decided_at, commit_until, open_until
      FROM gpu_challenge WHERE provider_id = $1 ORDER BY device, issued_at DESC
)
SELECT device FROM told FULL JOIN last USING (device)
 WHERE CASE state WHEN 'passed' THEN again_at <= ogpu_now()
                  WHEN 'failed' THEN decided_at <= ogpu_now() - interval '6 hours'
                  WHEN 'issued' THEN commit_until > ogpu_now()
                  WHEN 'committed' THEN open_until > ogpu_now()
                  ELSE state IS NULL END
 GROUP BY device ORDER BY device;
