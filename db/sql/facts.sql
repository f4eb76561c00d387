-- SPDX-License-Identifier: MIT
-- What the indexer books beside chain.sql and exit.sql: claims, voided batches, refunds of an exit, stake, and facts without money. Final chain facts, each
-- once. Money that the chain pays out of turn leaves the account's own buckets first; what they do not hold is its debt to the house.

-- name: book_claimed
-- The contract has paid earned units, against a batch, a voucher or in an exit: claimable -> external. What no final batch of
-- ours has declared yet is taken from payable (and will be absorbed by the batch that lists it), what was never earned is debt.
-- class: slow
-- params: id uuid, block_no int8, log_index int4, tx_hash bytea, chain_id int8, units int8, amount wei
-- returns: like book_registered
-- lock: balance
SELECT account_id FROM balance WHERE account_id IN (SELECT id FROM account WHERE chain_id = ANY($5::int8[])) ORDER BY account_id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.id, u.block_no, u.log_index, u.tx_hash, u.chain_id, u.units, u.amount::wei AS amount
      FROM unnest($1::uuid[], $2::int8[], $3::int4[], $4::bytea[], $5::int8[], $6::int8[], $7::text[])
           WITH ORDINALITY AS u(id, block_no, log_index, tx_hash, chain_id, units, amount, o)
), f AS MATERIALIZED (
    SELECT c.*, a.id AS account, CASE WHEN EXISTS (SELECT FROM chain_event v WHERE v.tx_hash = c.tx_hash AND v.log_index = c.log_index) THEN 'booked'
                WHEN a.id IS NULL THEN 'not_found' ELSE 'ok' END AS fate
      FROM c LEFT JOIN account a ON a.chain_id = c.chain_id
), r AS MATERIALIZED (
    SELECT f.id, f.account, f.amount::numeric AS amount, b.claimable::numeric AS own, b.payable::numeric AS next,
           sum(f.amount::numeric) OVER (PARTITION BY f.account ORDER BY f.call) AS upto
      FROM f JOIN balance b ON b.account_id = f.account WHERE f.fate = 'ok'
), m AS MATERIALIZED (
    SELECT id, account, amount, LEAST(GREATEST(upto - own, 0), next) - LEAST(GREATEST(upto - amount - own, 0), next) AS advance,
           GREATEST(upto - own - next, 0) - GREATEST(upto - amount - own - next, 0) AS overdraw
      FROM r
), v AS (
    INSERT INTO chain_event (id, block_no, log_index, tx_hash, kind, account_id, units, amount, at)
    SELECT id, block_no, log_index, tx_hash, 'claimed', account, units, amount, ogpu_now() FROM f WHERE fate = 'ok'
), l AS (
    INSERT INTO ledger_entry (kind, ref, from_account, from_bucket, to_account, to_bucket, amount, at)
    SELECT 'advance', id, account, 'payable', account, 'claimable', advance, ogpu_now() FROM m WHERE advance > 0
    UNION ALL SELECT 'overdraw', id, account, 'debt', account, 'claimable', overdraw, ogpu_now() FROM m WHERE overdraw > 0
    UNION ALL SELECT 'claim', id, account, 'claimable', NULL, 'external', amount, ogpu_now() FROM m
), b AS (
    UPDATE balance SET claimable = balance.claimable - (d.amount - d.advance - d.overdraw), payable = balance.payable - d.advance,
                       debt = balance.debt + d.overdraw, advanced = balance.advanced + d.advance + d.overdraw
      FROM (SELECT account, sum(amount) AS amount, sum(advance) AS advance, sum(overdraw) AS overdraw FROM m GROUP BY account) d WHERE balance.account_id = d.account
)
SELECT call, CASE fate WHEN 'booked' THEN 'ok' ELSE fate END AS outcome FROM f ORDER BY call;

-- name: book_voided
-- The guardian voided a batch: what it made claimable is payable again, its entries wait for another batch, and the counters
-- forget its gains. What was paid meanwhile of the same earnings (through a voucher) stays paid, as an advance.
-- class: slow
-- params: id uuid, block_no int8, log_index int4, tx_hash bytea, epoch int8, increase int8
-- returns: like book_registered
-- lock: former
SELECT pg_advisory_xact_lock(7301);
-- lock: batch
SELECT id FROM batch WHERE epoch = ANY($5::int8[]) ORDER BY epoch, id FOR NO KEY UPDATE;
-- lock: balance
SELECT account_id FROM balance WHERE account_id IN (SELECT i.account_id FROM batch_item i JOIN batch b ON b.id = i.batch_id WHERE b.epoch = ANY($5::int8[]))
 ORDER BY account_id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.* FROM unnest($1::uuid[], $2::int8[], $3::int4[], $4::bytea[], $5::int8[], $6::int8[])
           WITH ORDINALITY AS u(id, block_no, log_index, tx_hash, epoch, increase, o)
), f AS MATERIALIZED (
    SELECT c.*, b.id AS batch, CASE WHEN EXISTS (SELECT FROM chain_event v WHERE v.tx_hash = c.tx_hash AND v.log_index = c.log_index) THEN 'booked'
                WHEN b.state = 'confirmed' THEN 'ok' WHEN EXISTS (SELECT FROM foreign_batch x WHERE x.epoch = c.epoch) THEN 'foreign' ELSE 'not_found' END AS fate
      FROM c LEFT JOIN batch b ON b.epoch = c.epoch AND b.state <> 'dropped'
), g AS MATERIALIZED (
    SELECT n.*, LEAST(n.before + n.amount, n.claimable) - LEAST(n.before, n.claimable) AS back
      FROM (SELECT i.batch_id, i.account_id, i.gain_units * 1000000000000::numeric AS amount, s.claimable::numeric AS claimable,
                   COALESCE(sum(i.gain_units * 1000000000000::numeric) OVER (PARTITION BY i.account_id ORDER BY f.epoch ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
              FROM f JOIN batch_item i ON i.batch_id = f.batch JOIN balance s ON s.account_id = i.account_id
             WHERE f.fate = 'ok' AND i.counter = 'earned' AND i.gain_units > 0) n
), v AS (
    INSERT INTO chain_event (id, block_no, log_index, tx_hash, kind, epoch, units, at)
    SELECT id, block_no, log_index, tx_hash, 'voided', epoch, increase, ogpu_now() FROM f WHERE fate IN ('ok', 'foreign')
), t AS (
    UPDATE batch SET state = 'voided', voided_at = ogpu_now() FROM f WHERE batch.id = f.batch AND f.fate = 'ok'
), n AS (
    UPDATE foreign_batch x SET voided_at = ogpu_now() FROM f WHERE x.epoch = f.epoch AND f.fate = 'foreign'
), e AS (
    UPDATE ledger_entry y SET batch_id = NULL FROM f WHERE y.batch_id = f.batch AND f.fate = 'ok'
), o AS (
    UPDATE attempt y SET scored_in = NULL FROM f WHERE y.scored_in = f.batch AND f.fate = 'ok'
), k AS (
    UPDATE counter SET total = counter.total - q.amount, gain_units = counter.gain_units - q.gain
      FROM (SELECT i.account_id, i.counter, sum(i.amount) AS amount, sum(i.gain_units) AS gain
              FROM f JOIN batch_item i ON i.batch_id = f.batch WHERE f.fate = 'ok' GROUP BY 1, 2) q
     WHERE counter.account_id = q.account_id AND counter.counter = q.counter
), l AS (
    INSERT INTO ledger_entry (kind, ref, from_account, from_bucket, to_account, to_bucket, amount, at)
    SELECT 'void', md5(batch_id::text || '/' || account_id)::uuid, account_id, 'claimable', account_id, 'payable', back, ogpu_now() FROM g WHERE back > 0
), b AS (
    UPDATE balance SET payable = balance.payable + q.back, claimable = balance.claimable - q.back, advanced = balance.advanced + q.stay
      FROM (SELECT account_id, sum(back) AS back, sum(amount - back) AS stay FROM g GROUP BY account_id) q WHERE balance.account_id = q.account_id
)
SELECT call, CASE WHEN fate = 'not_found' THEN fate ELSE 'ok' END AS outcome FROM f ORDER BY call;

-- name: book_exited
-- The chain has paid an account's deposits back: available -> external. What its available money does not hold (frozen rewards,
-- spending that no batch listed) is debt, taken back from whatever becomes available or payable to it (debt_recover).
-- class: slow
-- params: id uuid, block_no int8, log_index int4, tx_hash bytea, chain_id int8, amount wei
-- returns: like book_registered
-- lock: balance
SELECT account_id FROM balance WHERE account_id IN (SELECT id FROM account WHERE chain_id = ANY($5::int8[])) ORDER BY account_id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.id, u.block_no, u.log_index, u.tx_hash, u.chain_id, u.amount::wei AS amount
      FROM unnest($1::uuid[], $2::int8[], $3::int4[], $4::bytea[], $5::int8[], $6::text[]) WITH ORDINALITY AS u(id, block_no, log_index, tx_hash, chain_id, amount, o)
), f AS MATERIALIZED (
    SELECT c.*, a.id AS account, CASE WHEN EXISTS (SELECT FROM chain_event v WHERE v.tx_hash = c.tx_hash AND v.log_index = c.log_index) THEN 'booked'
                WHEN a.id IS NULL THEN 'not_found' ELSE 'ok' END AS fate
      FROM c LEFT JOIN account a ON a.chain_id = c.chain_id
), m AS MATERIALIZED (
    SELECT id, account, amount, GREATEST(upto - own, 0) - GREATEST(upto - amount - own, 0) AS short
      FROM (SELECT f.id, f.account, f.amount::numeric AS amount, b.available::numeric AS own, sum(f.amount::numeric) OVER (PARTITION BY f.account ORDER BY f.call) AS upto
              FROM f JOIN balance b ON b.account_id = f.account WHERE f.fate = 'ok') n
), v AS (
    INSERT INTO chain_event (id, block_no, log_index, tx_hash, kind, account_id, amount, at)
    SELECT id, block_no, log_index, tx_hash, 'exited', account, amount, ogpu_now() FROM f WHERE fate = 'ok'
), l AS (
    INSERT INTO ledger_entry (kind, ref, from_account, from_bucket, to_account, to_bucket, amount, at)
    SELECT 'shortfall', id, account, 'debt', account, 'available', short, ogpu_now() FROM m WHERE short > 0
    UNION ALL SELECT 'exit', id, account, 'available', NULL, 'external', amount, ogpu_now() FROM m
), a AS (
    UPDATE account SET exited_at = COALESCE(account.exited_at, ogpu_now()) FROM m WHERE account.id = m.account
), b AS (
    UPDATE balance SET available = balance.available - (d.amount - d.short), debt = balance.debt + d.short
      FROM (SELECT account, sum(amount) AS amount, sum(short) AS short FROM m GROUP BY account) d WHERE balance.account_id = d.account
)
SELECT call, CASE fate WHEN 'booked' THEN 'ok' ELSE fate END AS outcome FROM f ORDER BY call;

-- name: debt_recover
-- What became payable to an account in debt, and in an exit what became available to it, pays the debt. Safe twice.
-- class: slow
-- params: max int4
-- returns: call int4, recovered int8
-- lock: balance
SELECT account_id FROM balance WHERE debt > 0 ORDER BY account_id FOR NO KEY UPDATE;
-- work:
WITH m AS MATERIALIZED (
    SELECT b.account_id, LEAST(b.debt, b.payable)::numeric AS payable,
           CASE WHEN a.exited_at IS NULL THEN 0 ELSE LEAST(b.debt - LEAST(b.debt, b.payable), b.available) END::numeric AS available
      FROM balance b JOIN account a ON a.id = b.account_id WHERE b.debt > 0 ORDER BY b.account_id LIMIT ($1::int4[])[1]
), l AS (
    INSERT INTO ledger_entry (kind, ref, from_account, from_bucket, to_account, to_bucket, amount, at)
    SELECT 'recover', gen_random_uuid(), account_id, 'payable', account_id, 'debt', payable, ogpu_now() FROM m WHERE payable > 0
    UNION ALL SELECT 'refill', gen_random_uuid(), account_id, 'available', account_id, 'debt', available, ogpu_now() FROM m WHERE available > 0
), b AS (
    UPDATE balance SET debt = balance.debt - m.payable - m.available, payable = balance.payable - m.payable, available = balance.available - m.available
      FROM m WHERE balance.account_id = m.account_id AND m.payable + m.available > 0
)
SELECT 0 AS call, (SELECT count(*) FROM m WHERE payable + available > 0) AS recovered;

-- name: book_stake
-- Stake moved, in a pool of its own. Events come in chain order and are folded onto what stands; an account is made when new.
-- class: slow
-- params: id uuid, block_no int8, log_index int4, tx_hash bytea, kind text, address bytea, amount wei, data bytea?
-- returns: like book_registered
-- lock: cursor
SELECT name FROM chain_cursor ORDER BY name FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.id, u.block_no, u.log_index, u.tx_hash, u.kind, u.address, u.amount::wei AS amount, u.data
      FROM unnest($1::uuid[], $2::int8[], $3::int4[], $4::bytea[], $5::text[], $6::bytea[], $7::text[], $8::bytea[])
           WITH ORDINALITY AS u(id, block_no, log_index, tx_hash, kind, address, amount, data, o)
), f AS MATERIALIZED (
    SELECT c.* FROM c WHERE NOT EXISTS (SELECT FROM chain_event v WHERE v.tx_hash = c.tx_hash AND v.log_index = c.log_index)
), a AS (
    INSERT INTO account (address) SELECT DISTINCT address FROM f ON CONFLICT (address) DO UPDATE SET address = EXCLUDED.address RETURNING id, address
), b AS (
    INSERT INTO balance (account_id) SELECT id FROM a ON CONFLICT DO NOTHING
), n AS MATERIALIZED (
    SELECT f.*, a.id AS account FROM f JOIN a USING (address)
), v AS (
    INSERT INTO chain_event (id, block_no, log_index, tx_hash, kind, account_id, amount, data, at)
    SELECT id, block_no, log_index, tx_hash, kind, account, amount, data, ogpu_now() FROM n
), s AS MATERIALIZED (
    SELECT x.account, stake_fold(x.kind, x.amount ORDER BY x.block_no, x.log_index) AS sums
      FROM (SELECT account, block_no, log_index, kind, amount::numeric FROM n
            UNION ALL SELECT k.account_id, -2, p.pos, p.kind, p.amount
              FROM stake k, LATERAL (VALUES (1, 'locked', k.locked + k.unbonding + k.sanctioned), (2, 'unbonded', k.unbonding::numeric), (3, 'set_aside', k.sanctioned::numeric)) p(pos, kind, amount)
             WHERE k.account_id IN (SELECT account FROM n)) x
     GROUP BY x.account
), w AS (
    INSERT INTO stake (account_id, locked, unbonding, sanctioned) SELECT account, sums[1], sums[2], sums[3] FROM s
    ON CONFLICT (account_id) DO UPDATE SET locked = EXCLUDED.locked, unbonding = EXCLUDED.unbonding, sanctioned = EXCLUDED.sanctioned
)
SELECT call, 'ok' AS outcome FROM c ORDER BY call;

-- name: book_noted
-- Facts that move no money of ours: vouchers posted and voided, declarations taken back, figures shown in an exit, who holds
-- which key, the daily cap, the evidence of a sanction. `chain_id` and `address` name an account when the event does.
-- class: slow
-- params: id uuid, block_no int8, log_index int4, tx_hash bytea, kind text, chain_id int8?, units int8?, data bytea?
-- returns: like book_registered
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.* FROM unnest($1::uuid[], $2::int8[], $3::int4[], $4::bytea[], $5::text[], $6::int8[], $7::int8[], $8::bytea[])
           WITH ORDINALITY AS u(id, block_no, log_index, tx_hash, kind, chain_id, units, data, o)
), v AS (
    INSERT INTO chain_event (id, block_no, log_index, tx_hash, kind, account_id, units, data, at)
    SELECT c.id, c.block_no, c.log_index, c.tx_hash, c.kind, a.id, c.units, c.data, ogpu_now() FROM c LEFT JOIN account a ON a.chain_id = c.chain_id
    ON CONFLICT (tx_hash, log_index) DO NOTHING
)
SELECT call, 'ok' AS outcome FROM c ORDER BY call;
