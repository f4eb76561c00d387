-- SPDX-License-Identifier: MIT
-- Accounts, keys, balances, withdrawals.

-- name: account_ensure
-- The account of an address, made when new.
-- class: slow
-- params: address bytea
-- returns: call int4, id int8
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, address FROM unnest($1::bytea[]) WITH ORDINALITY AS u(address, o)
), made AS (
    INSERT INTO account (address) SELECT DISTINCT address FROM c ON CONFLICT (address) DO UPDATE SET address = EXCLUDED.address
    RETURNING id, address
), b AS (
    INSERT INTO balance (account_id) SELECT id FROM made ON CONFLICT DO NOTHING
)
SELECT c.call, made.id FROM c JOIN made USING (address) ORDER BY c.call;

-- name: account_find
-- class: read
-- params: address bytea
-- returns: id int8
SELECT id FROM account WHERE address = $1;

-- name: api_key_create
-- class: slow
-- params: id uuid, account int8, hash bytea, hint text, name text, scopes int4
-- returns: call int4, created_at time
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, id, account, hash, hint, name, scopes
      FROM unnest($1::uuid[], $2::int8[], $3::bytea[], $4::text[], $5::text[], $6::int4[])
           WITH ORDINALITY AS u(id, account, hash, hint, name, scopes, o)
), made AS (
    INSERT INTO api_key (id, account_id, hash, hint, name, scopes) SELECT id, account, hash, hint, name, scopes FROM c
    ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name RETURNING id, created_at
)
SELECT c.call, ogpu_us(made.created_at) AS created_at FROM c JOIN made USING (id) ORDER BY c.call;

-- name: api_key_list
-- class: read
-- params: account int8
-- returns: id uuid, hint text, name text, scopes int4, created_at time, revoked_at time?
SELECT id, hint, name, scopes, ogpu_us(created_at) AS created_at, ogpu_us(revoked_at) AS revoked_at
  FROM api_key WHERE account_id = $1 ORDER BY id;

-- name: api_key_revoke
-- Gateways drop the key from their caches when they hear of it; their writes see the row at once.
-- class: slow
-- params: id uuid
-- returns: call int4, outcome text
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, id FROM unnest($1::uuid[]) WITH ORDINALITY AS u(id, o)
), done AS (
    UPDATE api_key k SET revoked_at = COALESCE(k.revoked_at, ogpu_now()) FROM c WHERE k.id = c.id RETURNING k.id
), told AS (
    SELECT id, pg_notify('ogpu_key_revoked', id::text) FROM done
)
SELECT c.call, CASE WHEN told.id IS NULL THEN 'not_found' ELSE 'ok' END AS outcome
  FROM c LEFT JOIN told USING (id) ORDER BY c.call;

-- name: api_key_by_hash
-- class: read
-- params: hash bytea
-- returns: id uuid, account int8, address bytea, scopes int4, expires_at time?, revoked bool
SELECT k.id, k.account_id AS account, a.address, k.scopes, ogpu_us(k.expires_at) AS expires_at,
       (k.revoked_at IS NOT NULL OR COALESCE(k.expires_at <= ogpu_now(), false)) AS revoked
  FROM api_key k JOIN account a ON a.id = k.account_id WHERE k.hash = $1;

-- name: account_get
-- class: read
-- params: account int8
-- returns: address bytea, chain_id int8?, available wei, frozen wei, payable wei, claimable wei, locked wei, unbonding wei, sanctioned wei, exit_at time?, created_at time
SELECT a.address, a.chain_id, b.available::text AS available, b.frozen::text AS frozen, b.payable::text AS payable,
       b.claimable::text AS claimable, COALESCE(s.locked, 0)::text AS locked, COALESCE(s.unbonding, 0)::text AS unbonding,
       COALESCE(s.sanctioned, 0)::text AS sanctioned, (SELECT ogpu_us(exit_at) FROM chain_exit) AS exit_at, ogpu_us(a.created_at) AS created_at
  FROM account a JOIN balance b ON b.account_id = a.id LEFT JOIN stake s ON s.account_id = a.id WHERE a.id = $1;

-- name: ledger_list
-- Newest first; `before` 0 starts at the end.
-- class: read
-- params: account int8, before int8, max int4
-- returns: id int8, kind text, ref uuid, from_bucket text, from_mine bool, to_bucket text, to_mine bool, amount wei, batch uuid?, at time
SELECT id, kind, ref, from_bucket, COALESCE(from_account = $1, false) AS from_mine, to_bucket,
       COALESCE(to_account = $1, false) AS to_mine, amount::text AS amount, batch_id AS batch, ogpu_us(at) AS at
  FROM ((SELECT * FROM ledger_entry WHERE from_account = $1 AND ($2 = 0 OR id < $2) ORDER BY id DESC LIMIT $3)
        UNION ALL
        (SELECT * FROM ledger_entry
          WHERE to_account = $1 AND to_account IS DISTINCT FROM from_account AND ($2 = 0 OR id < $2) ORDER BY id DESC LIMIT $3)) e
 ORDER BY id DESC LIMIT $3;

-- name: withdrawal_create
-- available -> payable, to the owner's own address; the relayer lists it in a batch. What no batch could hold (`most`) is refused, and
-- that is not kept under the key: another cap, another answer.
-- class: write
-- params: id uuid, account int8, key uuid, amount wei, idem_key text?, fingerprint bytea
-- returns: call int4, outcome text, replayed bool, id uuid, created_at time, most wei?
-- lock: balance
SELECT account_id FROM balance WHERE account_id = ANY($2::int8[]) ORDER BY account_id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.id, u.account, u.key, u.amount::wei AS amount, u.idem_key, u.fingerprint, n.at, n.most
      FROM unnest($1::uuid[], $2::int8[], $3::uuid[], $4::text[], $5::text[], $6::bytea[])
           WITH ORDINALITY AS u(id, account, key, amount, idem_key, fingerprint, o), (SELECT ogpu_now() AS at, (SELECT amount FROM payout_limit) AS most) n
), j AS MATERIALIZED (
    SELECT c.*, b.available, i.ref AS old_ref, i.at AS old_at, i.outcome AS old_outcome, w.created_at AS made_at,
           CASE WHEN i.ref IS NOT NULL AND (i.operation <> 'withdrawal_create' OR i.fingerprint <> c.fingerprint) THEN 'idempotency_key_reused'
                WHEN i.ref IS NOT NULL THEN 'old'
                WHEN w.id IS NOT NULL THEN 'made'
                WHEN k.id IS NULL OR k.revoked_at IS NOT NULL OR k.expires_at <= c.at THEN 'key_revoked'
                WHEN EXISTS (SELECT FROM chain_exit) THEN 'exit_begun'
                WHEN c.amount > c.most THEN 'payout_too_large'
                WHEN c.amount > b.available THEN 'insufficient_funds'
                ELSE 'ok' END AS verdict
      FROM c JOIN balance b ON b.account_id = c.account
      LEFT JOIN idempotency i ON i.account_id = c.account AND i.key = c.idem_key
      LEFT JOIN withdrawal w ON w.id = c.id
      LEFT JOIN api_key k ON k.id = c.key AND k.account_id = c.account
), f AS MATERIALIZED (
    -- Several withdrawals of one account in one batch: a running sum over those that could stand alone. Refusing one that a
    -- serial order might have let through is safe, and withdrawals are rare enough not to deserve the exact walk of task_submit.
    SELECT j.*, CASE WHEN verdict = 'ok' AND sum(amount) FILTER (WHERE verdict = 'ok') OVER (PARTITION BY account ORDER BY call) > available
                     THEN 'insufficient_funds' ELSE verdict END AS fate
      FROM j
), w AS (
    INSERT INTO withdrawal (id, account_id, amount, created_at) SELECT id, account, amount, at FROM f WHERE fate = 'ok'
), l AS (
    INSERT INTO ledger_entry (kind, ref, from_account, from_bucket, to_account, to_bucket, amount, at)
    SELECT 'withdraw', id, account, 'available', account, 'payable', amount, at FROM f WHERE fate = 'ok'
), b AS (
    UPDATE balance SET available = balance.available - d.amount, payable = balance.payable + d.amount
      FROM (SELECT account, sum(amount) AS amount FROM f WHERE fate = 'ok' GROUP BY account) d WHERE balance.account_id = d.account
), i AS (
    INSERT INTO idempotency (account_id, key, operation, fingerprint, outcome, ref, at)
    SELECT account, idem_key, 'withdrawal_create', fingerprint, fate, id, at FROM f
     WHERE idem_key IS NOT NULL AND fate IN ('ok', 'insufficient_funds', 'exit_begun')
)
SELECT call, CASE fate WHEN 'old' THEN old_outcome WHEN 'made' THEN 'ok' ELSE fate END AS outcome,
       (fate = 'old' AND old_ref <> id) AS replayed,
       CASE WHEN fate = 'old' THEN old_ref ELSE id END AS id,
       ogpu_us(COALESCE(old_at, made_at, at)) AS created_at, most::text AS most
  FROM f ORDER BY call;

-- name: withdrawal_list
-- Newest first; a zero `before` starts at the end.
-- class: read
-- params: account int8, before uuid?, max int4
-- returns: id uuid, amount wei, created_at time, batch uuid?, settlement text
SELECT w.id, w.amount::text AS amount, ogpu_us(w.created_at) AS created_at, l.batch_id AS batch,
       COALESCE(b.state, 'pending') AS settlement
  FROM withdrawal w JOIN ledger_entry l ON l.ref = w.id AND l.kind = 'withdraw' LEFT JOIN batch b ON b.id = l.batch_id
 WHERE w.account_id = $1 AND ($2::uuid IS NULL OR w.id < $2) ORDER BY w.id DESC LIMIT $3;
