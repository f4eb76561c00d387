-- SPDX-License-Identifier: MIT

-- name: source_create
-- class: slow
-- params: id uuid, account int8, key uuid, name text, manifest text, manifest_hash bytea, environments int4, min_reward wei, max_expiry_s int4, blob bytea?, idem_key text?, fingerprint bytea
-- returns: call int4, outcome text, replayed bool, id uuid, created_at time
-- The image blob, when the manifest names one, must be the owner's; from then on any provider may read it.
-- lock: balance
SELECT account_id FROM balance WHERE account_id = ANY($2::int8[]) ORDER BY account_id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.id, u.account, u.key, u.name, u.manifest, u.manifest_hash, u.environments,
           u.min_reward::wei AS min_reward, u.max_expiry_s, u.blob, u.idem_key, u.fingerprint, n.at
      FROM unnest($1::uuid[], $2::int8[], $3::uuid[], $4::text[], $5::text[], $6::bytea[], $7::int4[], $8::text[], $9::int4[],
                  $10::bytea[], $11::text[], $12::bytea[])
           WITH ORDINALITY AS u(id, account, key, name, manifest, manifest_hash, environments, min_reward, max_expiry_s, blob, idem_key, fingerprint, o),
           (SELECT ogpu_now() AS at) n
), f AS MATERIALIZED (
    SELECT c.*, i.ref AS old_ref, i.at AS old_at, i.outcome AS old_outcome, s.created_at AS made_at,
           CASE WHEN i.ref IS NOT NULL AND (i.operation <> 'source_create' OR i.fingerprint <> c.fingerprint) THEN 'idempotency_key_reused'
                WHEN i.ref IS NOT NULL THEN 'old'
                WHEN s.id IS NOT NULL THEN 'made'
                WHEN k.id IS NULL OR k.revoked_at IS NOT NULL OR k.expires_at <= c.at THEN 'key_revoked'
                WHEN c.blob IS NOT NULL AND NOT EXISTS (SELECT FROM blob_ref r WHERE r.digest = c.blob AND r.kind = 'account' AND r.owner = c.account::text)
                    THEN 'blob_not_found'
                ELSE 'ok' END AS fate
      FROM c
      LEFT JOIN idempotency i ON i.account_id = c.account AND i.key = c.idem_key
      LEFT JOIN source s ON s.id = c.id
      LEFT JOIN api_key k ON k.id = c.key AND k.account_id = c.account
), s AS (
    INSERT INTO source (id, owner, name, manifest, manifest_hash, environments, min_reward, max_expiry_s, created_at, updated_at)
    SELECT id, account, name, manifest, manifest_hash, environments, min_reward, max_expiry_s, at, at FROM f WHERE fate = 'ok'
), r AS (
    INSERT INTO blob_ref (digest, kind, owner, created_at) SELECT blob, 'manifest', id::text, at FROM f WHERE fate = 'ok' AND blob IS NOT NULL
), i AS (
    INSERT INTO idempotency (account_id, key, operation, fingerprint, outcome, ref, at)
    SELECT account, idem_key, 'source_create', fingerprint, fate, id, at FROM f WHERE idem_key IS NOT NULL AND fate = 'ok'
)
SELECT call, CASE fate WHEN 'old' THEN old_outcome WHEN 'made' THEN 'ok' ELSE fate END AS outcome,
       (fate = 'old' AND old_ref <> id) AS replayed,
       CASE WHEN fate = 'old' THEN old_ref ELSE id END AS id, ogpu_us(COALESCE(old_at, made_at, at)) AS created_at
  FROM f ORDER BY call;

-- name: source_get
-- class: read
-- params: id uuid
-- returns: id uuid, owner bytea, status text, name text, manifest text, manifest_hash bytea, environments int4, min_reward wei, max_expiry_s int4, providers int8, created_at time, updated_at time
SELECT s.id, a.address AS owner, s.status, s.name, s.manifest, s.manifest_hash, s.environments, s.min_reward::text AS min_reward,
       s.max_expiry_s, (SELECT count(*) FROM registration r WHERE r.source_id = s.id) AS providers,
       ogpu_us(s.created_at) AS created_at, ogpu_us(s.updated_at) AS updated_at
  FROM source s JOIN account a ON a.id = s.owner WHERE s.id = $1;

-- name: source_list
-- Newest first. `status` and `owner` filter when given.
-- class: read
-- params: status text?, owner bytea?, before uuid?, max int4
-- returns: like source_get
SELECT s.id, a.address AS owner, s.status, s.name, s.manifest, s.manifest_hash, s.environments, s.min_reward::text AS min_reward,
       s.max_expiry_s, (SELECT count(*) FROM registration r WHERE r.source_id = s.id) AS providers,
       ogpu_us(s.created_at) AS created_at, ogpu_us(s.updated_at) AS updated_at
  FROM source s JOIN account a ON a.id = s.owner
 WHERE ($1::text IS NULL OR s.status = $1) AND ($2::bytea IS NULL OR a.address = $2) AND ($3::uuid IS NULL OR s.id < $3)
 ORDER BY s.id DESC LIMIT $4;

-- name: source_retire
-- One way. Open tasks of the source run on; new ones are refused. Idempotency keys as in task_cancel.
-- class: slow
-- params: id uuid, account int8, key uuid, idem_key text?, fingerprint bytea
-- returns: call int4, outcome text, replayed bool
-- lock: source
SELECT id FROM source WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- lock: balance
SELECT account_id FROM balance WHERE account_id = ANY($2::int8[]) ORDER BY account_id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.*, n.at, row_number() OVER (PARTITION BY account, idem_key ORDER BY o) AS nth
      FROM unnest($1::uuid[], $2::int8[], $3::uuid[], $4::text[], $5::bytea[]) WITH ORDINALITY AS u(id, account, key, idem_key, fingerprint, o),
           (SELECT ogpu_now() AS at) n
), f AS MATERIALIZED (
    SELECT c.*, s.status, i.outcome AS old_outcome,
           CASE WHEN (i.ref IS NOT NULL AND (i.operation <> 'source_retire' OR i.fingerprint <> c.fingerprint))
                  OR (c.idem_key IS NOT NULL AND c.nth > 1) THEN 'idempotency_key_reused'
                WHEN i.ref IS NOT NULL THEN 'old'
                WHEN k.id IS NULL OR k.revoked_at IS NOT NULL OR k.expires_at <= c.at THEN 'key_revoked'
                WHEN s.id IS NULL THEN 'source_not_found' ELSE 'ok' END AS fate
      FROM c LEFT JOIN source s ON s.id = c.id AND s.owner = c.account
      LEFT JOIN idempotency i ON i.account_id = c.account AND i.key = c.idem_key
      LEFT JOIN api_key k ON k.id = c.key AND k.account_id = c.account
), u AS (
    UPDATE source s SET status = 'retired', updated_at = f.at FROM f WHERE s.id = f.id AND f.fate = 'ok' AND f.status = 'active'
), i AS (
    INSERT INTO idempotency (account_id, key, operation, fingerprint, outcome, ref, at)
    SELECT account, idem_key, 'source_retire', fingerprint, fate, id, at FROM f
     WHERE idem_key IS NOT NULL AND fate NOT IN ('old', 'idempotency_key_reused', 'key_revoked')
)
SELECT call, CASE fate WHEN 'old' THEN old_outcome ELSE fate END AS outcome, fate = 'old' AS replayed FROM f ORDER BY call;
