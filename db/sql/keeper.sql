-- SPDX-License-Identifier: MIT
-- What the keeper looks for. These only find; the write calls they lead to decide again under their locks.

-- name: due_expiries
-- class: read
-- params: max int4
-- returns: id uuid, source uuid
SELECT t.id, t.source_id AS source FROM task t
 WHERE t.status IN ('queued', 'running', 'verifying') AND t.expires_at <= ogpu_now()
   AND NOT EXISTS (SELECT FROM response r WHERE r.task_id = t.id AND r.state IN ('checking', 'passed'))
 ORDER BY t.expires_at LIMIT $1;

-- name: due_leases
-- class: read
-- params: max int4
-- returns: id uuid, task uuid
SELECT id, task_id AS task FROM attempt WHERE state = 'live' AND lease_until <= ogpu_now() ORDER BY lease_until LIMIT $1;

-- name: due_checks
-- Responses whose checker has gone, or whose pass has waited long enough for earlier checks.
-- class: read
-- params: max int4
-- returns: id uuid, task uuid, state text
SELECT id, task_id AS task, state FROM response WHERE state IN ('checking', 'passed') AND check_until <= ogpu_now() ORDER BY check_until LIMIT $1;

-- name: check_adopt
-- Puts the adopter's deadline on orphaned checks so that gateways share them out. Safe twice.
-- class: write
-- params: id uuid, check_s int4
-- returns: call int4, outcome text
-- lock: response
SELECT id FROM response WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, id, check_s FROM unnest($1::uuid[], $2::int4[]) WITH ORDINALITY AS u(id, check_s, o)
), u AS (
    UPDATE response r SET check_until = ogpu_now() + c.check_s * interval '1 second'
      FROM c WHERE r.id = c.id AND r.state IN ('checking', 'passed') AND r.check_until <= ogpu_now() RETURNING r.id
)
SELECT c.call, CASE WHEN u.id IS NULL THEN 'busy' ELSE 'ok' END AS outcome FROM c LEFT JOIN u USING (id) ORDER BY c.call;

-- name: open_slots
-- The book of open slots as the database has it, in id order, for the resync into Redis.
-- class: read
-- params: after uuid?, max int4
-- returns: task uuid, source uuid, open int4, created_at time
SELECT id AS task, source_id AS source, racers - live AS open, ogpu_us(created_at) AS created_at FROM task
 WHERE status IN ('queued', 'running', 'verifying') AND live < racers AND expires_at > ogpu_now() AND ($1::uuid IS NULL OR id > $1)
 ORDER BY id LIMIT $2;

-- name: idempotency_prune
-- Keys are kept for 48 hours.
-- class: slow
-- params: max int4
-- returns: call int4, done int8
-- work:
WITH d AS (
    DELETE FROM idempotency WHERE (account_id, key) IN (
        SELECT account_id, key FROM idempotency WHERE at < ogpu_now() - interval '48 hours' LIMIT ($1::int4[])[1]) RETURNING 1
)
SELECT 0 AS call, (SELECT count(*) FROM d) AS done;

-- name: blob_garbage
-- Blobs nobody refers to any more, older than a day.
-- class: slow
-- params: max int4
-- returns: call int4, digest bytea?
-- work:
WITH d AS (
    DELETE FROM blob WHERE digest IN (
        SELECT b.digest FROM blob b WHERE b.created_at < ogpu_now() - interval '24 hours'
           AND NOT EXISTS (SELECT FROM blob_ref r WHERE r.digest = b.digest) LIMIT ($1::int4[])[1]) RETURNING digest
)
SELECT 0 AS call, d.digest FROM (SELECT 1) one LEFT JOIN d ON true;

-- name: ping
-- class: read
-- params:
-- returns: one int4
SELECT 1 AS one;
