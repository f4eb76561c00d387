-- SPDX-License-Identifier: MIT

-- name: provider_register
-- A provider makes itself known, or renews its token, with a signed Binding whose nonce serves once.
-- The master's account is made when new. A master that has counter-signed is not replaced here (see provider_bind).
-- class: slow
-- params: id uuid, address bytea, master bytea, master_signed bool, environments int4, nonce int8, token_hash bytea
-- returns: call int4, outcome text, id uuid
-- lock: provider
SELECT id FROM provider WHERE address = ANY($2::bytea[]) ORDER BY id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.*, n.at
      FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bool[], $5::int4[], $6::int8[], $7::bytea[])
           WITH ORDINALITY AS u(id, address, master, master_signed, environments, nonce, token_hash, o), (SELECT ogpu_now() AS at) n
), f AS MATERIALIZED (
    SELECT c.*, p.id AS known,
           CASE WHEN p.token_hash = c.token_hash THEN 'made'
                WHEN EXISTS (SELECT FROM signer_nonce s WHERE s.signer = c.address AND s.nonce = c.nonce) THEN 'nonce_used'
                WHEN p.master_signed AND (SELECT a.address FROM account a WHERE a.id = p.master) <> c.master THEN 'master_bound'
                ELSE 'ok' END AS fate
      FROM c LEFT JOIN provider p ON p.address = c.address
), a AS (
    INSERT INTO account (address) SELECT DISTINCT master FROM f WHERE fate = 'ok'
    ON CONFLICT (address) DO UPDATE SET address = EXCLUDED.address RETURNING id, address
), b AS (
    INSERT INTO balance (account_id) SELECT id FROM a ON CONFLICT DO NOTHING
), n AS (
    INSERT INTO signer_nonce (signer, nonce, at) SELECT address, nonce, at FROM f WHERE fate = 'ok'
), p AS (
    INSERT INTO provider (id, address, master, master_signed, environments, token_hash, created_at, last_seen_at)
    SELECT f.id, f.address, a.id, f.master_signed, f.environments, f.token_hash, f.at, f.at
      FROM f JOIN a ON a.address = f.master WHERE f.fate = 'ok'
    ON CONFLICT (address) DO UPDATE
       SET master = EXCLUDED.master, master_signed = provider.master_signed OR EXCLUDED.master_signed,
           environments = EXCLUDED.environments, token_hash = EXCLUDED.token_hash, last_seen_at = EXCLUDED.last_seen_at
    RETURNING id, address
), told AS ( -- gateways remember who stands behind a token: the old one ends now
    SELECT call, pg_notify('ogpu_key_revoked', known::text) FROM f WHERE fate = 'ok' AND known IS NOT NULL
)
SELECT f.call, CASE fate WHEN 'made' THEN 'ok' ELSE fate END AS outcome, COALESCE(known, p.id, f.id) AS id
  FROM f LEFT JOIN p USING (address) LEFT JOIN told ON told.call = f.call ORDER BY f.call;

-- name: provider_bind
-- The master's half of a Binding. A first signature binds at once; another master needs the bound one's signature
-- (`former` is who signed as it) and takes effect after 24 hours.
-- class: slow
-- params: id uuid, master bytea, nonce int8, former bytea?
-- returns: call int4, outcome text
-- lock: provider
SELECT id FROM provider WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.*, n.at
      FROM unnest($1::uuid[], $2::bytea[], $3::int8[], $4::bytea[]) WITH ORDINALITY AS u(id, master, nonce, former, o),
           (SELECT ogpu_now() AS at) n
), f AS MATERIALIZED (
    SELECT c.*, p.address, (m.address = c.master) AS same,
           CASE WHEN p.id IS NULL THEN 'provider_not_found'
                WHEN EXISTS (SELECT FROM signer_nonce s WHERE s.signer = p.address AND s.nonce = c.nonce) THEN 'nonce_used'
                WHEN m.address <> c.master AND p.master_signed AND c.former IS DISTINCT FROM m.address THEN 'master_bound'
                ELSE 'ok' END AS fate,
           (p.master_signed AND m.address <> c.master) AS later
      FROM c LEFT JOIN provider p ON p.id = c.id LEFT JOIN account m ON m.id = p.master
), a AS (
    INSERT INTO account (address) SELECT DISTINCT master FROM f WHERE fate = 'ok'
    ON CONFLICT (address) DO UPDATE SET address = EXCLUDED.address RETURNING id, address
), b AS (
    INSERT INTO balance (account_id) SELECT id FROM a ON CONFLICT DO NOTHING
), n AS (
    INSERT INTO signer_nonce (signer, nonce, at) SELECT address, nonce, at FROM f WHERE fate = 'ok'
), u AS (
    UPDATE provider p
       SET master = CASE WHEN f.later THEN p.master ELSE a.id END,
           master_signed = true,
           next_master = CASE WHEN f.later THEN a.id END,
           next_master_at = CASE WHEN f.later THEN f.at + interval '24 hours' END
      FROM f JOIN a ON a.address = f.master WHERE p.id = f.id AND f.fate = 'ok'
), told AS ( -- gateways remember a provider with its master
    SELECT call, pg_notify('ogpu_key_revoked', id::text) FROM f WHERE fate = 'ok'
)
SELECT f.call, fate AS outcome FROM f LEFT JOIN told ON told.call = f.call ORDER BY f.call;

-- name: provider_adopt_masters
-- Bindings whose 24 hours are over take effect. Safe twice.
-- class: slow
-- params: max int4
-- returns: call int4, done int8
-- work:
WITH u AS (
    UPDATE provider SET master = next_master, next_master = NULL, next_master_at = NULL
     WHERE id IN (SELECT id FROM provider WHERE next_master_at <= ogpu_now() ORDER BY id LIMIT ($1::int4[])[1])
    RETURNING id, pg_notify('ogpu_key_revoked', id::text)
)
SELECT 0 AS call, (SELECT count(*) FROM u) AS done;

-- name: provider_by_token
-- class: read
-- params: hash bytea
-- returns: id uuid, address bytea, master int8
SELECT id, address, master FROM provider WHERE token_hash = $1;

-- name: provider_get
-- class: read
-- params: id uuid
-- returns: id uuid, address bytea, master bytea, master_signed bool, environments int4, devices text, slots int4, created_at time, last_seen_at time, accepted int8, rejected int8, lapsed int8
SELECT p.id, p.address, a.address AS master, p.master_signed, p.environments, p.devices, p.slots, ogpu_us(p.created_at) AS created_at,
       ogpu_us(p.last_seen_at) AS last_seen_at,
       (SELECT count(*) FROM attempt t WHERE t.provider_id = p.id AND t.state = 'won') AS accepted,
       (SELECT count(*) FROM attempt t WHERE t.provider_id = p.id AND t.state = 'rejected') AS rejected,
       (SELECT count(*) FROM attempt t WHERE t.provider_id = p.id AND t.state = 'lapsed') AS lapsed
  FROM provider p JOIN account a ON a.id = p.master WHERE p.id = $1;

-- name: provider_list
-- Newest first.
-- class: read
-- params: before uuid?, max int4
-- returns: id uuid, address bytea, master bytea, master_signed bool, environments int4, devices text, slots int4, created_at time, last_seen_at time
SELECT p.id, p.address, a.address AS master, p.master_signed, p.environments, p.devices, p.slots, ogpu_us(p.created_at) AS created_at,
       ogpu_us(p.last_seen_at) AS last_seen_at
  FROM provider p JOIN account a ON a.id = p.master
 WHERE $1::uuid IS NULL OR p.id < $1 ORDER BY p.id DESC LIMIT $2;

-- name: provider_heartbeat
-- class: write
-- params: id uuid, devices text?, slots int4?
-- returns: call int4, outcome text, last_seen_at time?
-- lock: provider
SELECT id FROM provider WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, id, devices, slots FROM unnest($1::uuid[], $2::text[], $3::int4[]) WITH ORDINALITY AS u(id, devices, slots, o)
), u AS (
    UPDATE provider p SET last_seen_at = ogpu_now(), devices = COALESCE(c.devices, p.devices), slots = COALESCE(c.slots, p.slots)
      FROM c WHERE p.id = c.id RETURNING p.id, p.last_seen_at
)
SELECT c.call, CASE WHEN u.id IS NULL THEN 'provider_not_found' ELSE 'ok' END AS outcome, ogpu_us(u.last_seen_at) AS last_seen_at FROM c LEFT JOIN u USING (id) ORDER BY c.call;

-- name: registration_put
-- class: slow
-- params: source uuid, provider uuid, manifest_hash bytea, environments int4, nonce int8
-- returns: call int4, outcome text, created_at time
-- lock: provider
SELECT id FROM provider WHERE id = ANY($2::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.*, n.at
      FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::int4[], $5::int8[])
           WITH ORDINALITY AS u(source, provider, manifest_hash, environments, nonce, o), (SELECT ogpu_now() AS at) n
), f AS MATERIALIZED (
    SELECT c.*, p.address, r.created_at AS made_at,
           CASE WHEN p.id IS NULL THEN 'provider_not_found'
                WHEN s.id IS NULL THEN 'source_not_found'
                WHEN s.status <> 'active' THEN 'source_retired'
                WHEN s.manifest_hash <> c.manifest_hash THEN 'bad_signature'
                WHEN (s.environments & c.environments) <> c.environments OR (p.environments & c.environments) <> c.environments THEN 'environment_mismatch'
                WHEN EXISTS (SELECT FROM signer_nonce n WHERE n.signer = p.address AND n.nonce = c.nonce) THEN
                     CASE WHEN r.source_id IS NOT NULL AND r.environments = c.environments THEN 'made' ELSE 'nonce_used' END
                ELSE 'ok' END AS fate
      FROM c LEFT JOIN provider p ON p.id = c.provider LEFT JOIN source s ON s.id = c.source
      LEFT JOIN registration r ON r.source_id = c.source AND r.provider_id = c.provider
), n AS (
    INSERT INTO signer_nonce (signer, nonce, at) SELECT address, nonce, at FROM f WHERE fate = 'ok'
), w AS (
    INSERT INTO registration (source_id, provider_id, manifest_hash, environments, created_at)
    SELECT source, provider, manifest_hash, environments, at FROM f WHERE fate = 'ok'
    ON CONFLICT (source_id, provider_id) DO UPDATE SET environments = EXCLUDED.environments
)
SELECT call, CASE fate WHEN 'made' THEN 'ok' ELSE fate END AS outcome, ogpu_us(COALESCE(made_at, at)) AS created_at FROM f ORDER BY call;

-- name: registration_delete
-- class: slow
-- params: source uuid, provider uuid
-- returns: call int4, outcome text
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, source, provider FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS u(source, provider, o)
), d AS (
    DELETE FROM registration r USING c WHERE r.source_id = c.source AND r.provider_id = c.provider RETURNING r.source_id, r.provider_id
)
SELECT c.call, CASE WHEN d.source_id IS NULL THEN 'not_registered' ELSE 'ok' END AS outcome
  FROM c LEFT JOIN d ON d.source_id = c.source AND d.provider_id = c.provider ORDER BY c.call;

-- name: registration_list
-- class: read
-- params: source uuid, before uuid?, max int4
-- returns: provider uuid, address bytea, environments int4, manifest_hash bytea, created_at time
SELECT r.provider_id AS provider, p.address, r.environments, r.manifest_hash, ogpu_us(r.created_at) AS created_at
  FROM registration r JOIN provider p ON p.id = r.provider_id
 WHERE r.source_id = $1 AND ($2::uuid IS NULL OR r.provider_id < $2) ORDER BY r.provider_id DESC LIMIT $3;
