-- SPDX-License-Identifier: MIT
-- Blobs: bytes by digest, rights by row.

-- name: blob_put
-- The bytes are on disk; this gives their owner the right. kind 'account' (owner = account id) or 'attempt' (owner = uuid
-- text; only the attempt's own provider, only while it is live). `quota` bounds the bytes one owner may hold: the
-- owner's row is the fence, and a batch has one call per owner. Bytes that are
-- refused get a row without an owner, by which the keeper finds them.
-- class: write
-- params: digest bytea, size int8, kind text, owner text, provider uuid?, quota int8
-- returns: call int4, outcome text, created bool
-- lock: attempt
SELECT id FROM attempt WHERE id IN (SELECT CASE WHEN kind = 'attempt' THEN owner::uuid END FROM unnest($3::text[], $4::text[]) AS u(kind, owner)) ORDER BY id FOR NO KEY UPDATE;
-- lock: balance
SELECT account_id FROM balance WHERE account_id IN (SELECT CASE WHEN kind = 'account' THEN owner::int8 END FROM unnest($3::text[], $4::text[]) AS u(kind, owner)) ORDER BY account_id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.*, n.at
      FROM unnest($1::bytea[], $2::int8[], $3::text[], $4::text[], $5::uuid[], $6::int8[]) WITH ORDINALITY AS u(digest, size, kind, owner, provider, quota, o),
           (SELECT ogpu_now() AS at) n
), f AS MATERIALIZED (
    SELECT c.*, EXISTS (SELECT FROM blob_ref r WHERE r.digest = c.digest AND r.kind = c.kind AND r.owner = c.owner) AS made,
           CASE WHEN c.kind = 'attempt' AND NOT EXISTS (SELECT FROM attempt a WHERE a.id = c.owner::uuid AND a.provider_id = c.provider) THEN 'attempt_not_found'
                WHEN c.kind = 'attempt' AND NOT EXISTS (SELECT FROM attempt a WHERE a.id = c.owner::uuid AND a.state = 'live' AND a.lease_until > c.at) THEN 'lease_lost'
                WHEN c.size + COALESCE((SELECT sum(b.size) FROM blob_ref r JOIN blob b ON b.digest = r.digest WHERE r.kind = c.kind AND r.owner = c.owner), 0) > c.quota
                     AND NOT EXISTS (SELECT FROM blob_ref r WHERE r.digest = c.digest AND r.kind = c.kind AND r.owner = c.owner) THEN 'quota'
                ELSE 'ok' END AS fate
      FROM c
), b AS (
    INSERT INTO blob (digest, size, created_at) SELECT DISTINCT ON (digest) digest, size, at FROM f ORDER BY digest ON CONFLICT (digest) DO UPDATE SET created_at = EXCLUDED.created_at
    RETURNING digest
), r AS (
    INSERT INTO blob_ref (digest, kind, owner, created_at)
    SELECT DISTINCT f.digest, f.kind, f.owner, f.at FROM f JOIN b USING (digest) WHERE fate = 'ok' AND NOT made ON CONFLICT DO NOTHING
)
SELECT call, fate AS outcome, NOT made AS created FROM f ORDER BY call;

-- name: blob_room
-- How many bytes of a blob an owner may send: what its quota has left, and no less than what it holds of this very blob already.
-- Judged before the bytes are read; blob_put decides again.
-- class: read
-- params: digest bytea, kind text, owner text, quota int8
-- returns: room int8
SELECT GREATEST(0, $4::int8 - h.held, h.own)::int8 AS room
  FROM (SELECT COALESCE(sum(b.size), 0) AS held, COALESCE(max(b.size) FILTER (WHERE b.digest = $1), 0) AS own
          FROM blob_ref r JOIN blob b ON b.digest = r.digest WHERE r.kind = $2 AND r.owner = $3) h;

-- name: blob_readable
-- The size of a blob this reader has a right to; no row otherwise, as for a missing one. A client reads its own uploads
-- and the outputs of its succeeded tasks; a provider reads manifests' images, its own uploads and the inputs of its live attempts.
-- class: read
-- params: digest bytea, account int8, provider uuid?
-- returns: size int8
SELECT b.size FROM blob b
 WHERE b.digest = $1
   AND (($3::uuid IS NULL AND EXISTS (SELECT FROM blob_ref r WHERE r.digest = b.digest AND r.kind = 'account' AND r.owner = ($2::int8)::text))
     OR ($3::uuid IS NULL AND EXISTS (SELECT FROM blob_ref r JOIN attempt a ON r.kind = 'attempt' AND a.id::text = r.owner JOIN task t ON t.id = a.task_id
                                       WHERE r.digest = b.digest AND a.state = 'won' AND t.account_id = $2))
     OR ($3::uuid IS NOT NULL AND EXISTS (SELECT FROM blob_ref r WHERE r.digest = b.digest AND r.kind = 'manifest'))
     OR ($3::uuid IS NOT NULL AND EXISTS (SELECT FROM blob_ref r JOIN attempt a ON r.kind = 'attempt' AND a.id::text = r.owner WHERE r.digest = b.digest AND a.provider_id = $3))
     OR ($3::uuid IS NOT NULL AND EXISTS (SELECT FROM blob_ref r JOIN attempt a ON r.kind = 'task' AND a.task_id::text = r.owner
                                           WHERE r.digest = b.digest AND a.provider_id = $3 AND a.state = 'live')));
