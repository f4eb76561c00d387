-- SPDX-License-Identifier: MIT
-- What the indexer books: final chain facts, each once (chain_event's unique (tx_hash, log_index)).

-- name: cursor_get
-- class: read
-- params: name text
-- returns: final_no int8, block_no int8, block_hash bytea
SELECT final_no, block_no, block_hash FROM chain_cursor WHERE name = $1;

-- name: cursor_begin
-- Blocks up to final_no are final and may be booked from now on. The first call sets where the indexer starts. Says the highest
-- final_no that it was ever told.
-- class: slow
-- params: name text, final_no int8, start_no int8
-- returns: call int4, block_no int8, final_no int8
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, name, final_no, start_no FROM unnest($1::text[], $2::int8[], $3::int8[]) WITH ORDINALITY AS u(name, final_no, start_no, o)
), w AS (
    INSERT INTO chain_cursor (name, final_no, block_no, block_hash, updated_at) SELECT name, final_no, start_no, '', ogpu_now() FROM c
    ON CONFLICT (name) DO UPDATE SET final_no = GREATEST(chain_cursor.final_no, EXCLUDED.final_no), updated_at = EXCLUDED.updated_at
    RETURNING name, block_no, final_no
)
SELECT c.call, w.block_no, w.final_no FROM c JOIN w USING (name) ORDER BY c.call;

-- name: cursor_advance
-- All of the blocks up to block_no are booked.
-- class: slow
-- params: name text, block_no int8, block_hash bytea
-- returns: call int4, outcome text
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, name, block_no, block_hash FROM unnest($1::text[], $2::int8[], $3::bytea[]) WITH ORDINALITY AS u(name, block_no, block_hash, o)
), w AS (
    UPDATE chain_cursor k SET block_no = c.block_no, block_hash = c.block_hash, updated_at = ogpu_now()
      FROM c WHERE k.name = c.name AND k.block_no <= c.block_no AND c.block_no <= k.final_no RETURNING k.name
)
SELECT c.call, CASE WHEN w.name IS NULL THEN 'busy' ELSE 'ok' END AS outcome FROM c LEFT JOIN w USING (name) ORDER BY c.call;

-- name: book_registered
-- The Vault gave an address its id; the account is made when new.
-- class: slow
-- params: id uuid, block_no int8, log_index int4, tx_hash bytea, address bytea, chain_id int8
-- returns: call int4, outcome text
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.* FROM unnest($1::uuid[], $2::int8[], $3::int4[], $4::bytea[], $5::bytea[], $6::int8[])
           WITH ORDINALITY AS u(id, block_no, log_index, tx_hash, address, chain_id, o)
), f AS MATERIALIZED (
    SELECT c.*, EXISTS (SELECT FROM chain_event v WHERE v.tx_hash = c.tx_hash AND v.log_index = c.log_index) AS booked FROM c
), a AS (
    INSERT INTO account (address, chain_id) SELECT address, chain_id FROM f WHERE NOT booked
    ON CONFLICT (address) DO UPDATE SET chain_id = EXCLUDED.chain_id RETURNING id, address
), b AS (
    INSERT INTO balance (account_id) SELECT id FROM a ON CONFLICT DO NOTHING
), v AS (
    INSERT INTO chain_event (id, block_no, log_index, tx_hash, kind, account_id, at)
    SELECT f.id, f.block_no, f.log_index, f.tx_hash, 'registered', a.id, ogpu_now() FROM f JOIN a USING (address) WHERE NOT f.booked
)
SELECT call, 'ok' AS outcome FROM f ORDER BY call;

-- name: book_deposited
-- external -> available. Deposits imply registration, so the account exists.
-- class: slow
-- params: id uuid, block_no int8, log_index int4, tx_hash bytea, address bytea, amount wei
-- returns: like book_registered
-- lock: balance
SELECT account_id FROM balance WHERE account_id IN (SELECT id FROM account WHERE address = ANY($5::bytea[])) ORDER BY account_id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.id, u.block_no, u.log_index, u.tx_hash, u.address, u.amount::wei AS amount
      FROM unnest($1::uuid[], $2::int8[], $3::int4[], $4::bytea[], $5::bytea[], $6::text[])
           WITH ORDINALITY AS u(id, block_no, log_index, tx_hash, address, amount, o)
), f AS MATERIALIZED (
    SELECT c.*, a.id AS account, CASE WHEN EXISTS (SELECT FROM chain_event v WHERE v.tx_hash = c.tx_hash AND v.log_index = c.log_index) THEN 'booked'
                WHEN a.id IS NULL THEN 'not_found' ELSE 'ok' END AS fate
      FROM c LEFT JOIN account a ON a.address = c.address
), v AS (
    INSERT INTO chain_event (id, block_no, log_index, tx_hash, kind, account_id, amount, at)
    SELECT id, block_no, log_index, tx_hash, 'deposited', account, amount, ogpu_now() FROM f WHERE fate = 'ok'
), l AS (
    INSERT INTO ledger_entry (kind, ref, from_bucket, to_account, to_bucket, amount, at)
    SELECT 'deposit', id, 'external', account, 'available', amount, ogpu_now() FROM f WHERE fate = 'ok'
), b AS (
    UPDATE balance SET available = balance.available + d.amount
      FROM (SELECT account, sum(amount) AS amount FROM f WHERE fate = 'ok' GROUP BY account) d WHERE balance.account_id = d.account
)
SELECT call, CASE fate WHEN 'booked' THEN 'ok' ELSE fate END AS outcome FROM f ORDER BY call;

-- name: deposits_before
-- What the deposits booked of earlier blocks come to.
-- class: read
-- params: block_no int8
-- returns: total wei
SELECT COALESCE(sum(amount::numeric), 0)::text AS total FROM chain_event WHERE kind = 'deposited' AND block_no < $1;

-- name: book_settled
-- A batch is final: its earned gains go payable -> claimable, in whole units; dust stays payable. What the chain had paid of a
-- gain before (balance.advanced) is absorbed instead. A batch whose increase and three roots are not all those of our batch of that
-- epoch is foreign, even where its entries are ours: no proof of our scores or acceptances would hold against it. It is kept as a
-- fact that stops settlement, and our batch, which the contract can no longer take, is dropped: its entries are payable again.
-- class: slow
-- params: id uuid, block_no int8, log_index int4, tx_hash bytea, epoch int8, root bytea, increase int8, block_time time, score_root bytea, log_root bytea
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
    SELECT (o - 1)::int4 AS call, u.id, u.block_no, u.log_index, u.tx_hash, u.epoch, u.root, u.increase, ogpu_ts(u.block_time) AS block_time, u.score_root, u.log_root
      FROM unnest($1::uuid[], $2::int8[], $3::int4[], $4::bytea[], $5::int8[], $6::bytea[], $7::int8[], $8::int8[], $9::bytea[], $10::bytea[])
           WITH ORDINALITY AS u(id, block_no, log_index, tx_hash, epoch, root, increase, block_time, score_root, log_root, o)
), f AS MATERIALIZED (
    SELECT c.*, b.id AS batch, CASE WHEN EXISTS (SELECT FROM chain_event v WHERE v.tx_hash = c.tx_hash AND v.log_index = c.log_index) THEN 'booked'
                                    WHEN b.state IN ('batched', 'submitted') AND (b.increase_units, b.root, b.score_root, b.log_root) = (c.increase, c.root, c.score_root, c.log_root) THEN 'ok'
                                    ELSE 'foreign' END AS fate
      FROM c LEFT JOIN batch b ON b.epoch = c.epoch AND b.state <> 'dropped'
), g AS MATERIALIZED (
    SELECT n.*, LEAST(n.before + n.amount, n.advanced) - LEAST(n.before, n.advanced) AS absorbed
      FROM (SELECT i.batch_id, i.account_id, i.gain_units * 1000000000000::numeric AS amount, s.advanced::numeric AS advanced,
                   COALESCE(sum(i.gain_units * 1000000000000::numeric) OVER (PARTITION BY i.account_id ORDER BY f.epoch ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
              FROM f JOIN batch_item i ON i.batch_id = f.batch JOIN balance s ON s.account_id = i.account_id
             WHERE f.fate = 'ok' AND i.counter = 'earned' AND i.gain_units > 0) n
), v AS (
    INSERT INTO chain_event (id, block_no, log_index, tx_hash, kind, epoch, units, data, at)
    SELECT id, block_no, log_index, tx_hash, 'settled', epoch, increase, root, ogpu_now() FROM f WHERE fate <> 'booked'
), t AS (
    UPDATE batch SET state = 'confirmed', settled_at = f.block_time, block_no = f.block_no, tx_hash = f.tx_hash, confirmed_at = ogpu_now()
      FROM f WHERE batch.id = f.batch AND f.fate = 'ok'
), x AS (
    UPDATE chain_tx SET state = 'final', block_no = f.block_no, updated_at = ogpu_now() FROM f WHERE chain_tx.hash = f.tx_hash AND f.fate = 'ok'
), n AS (
    INSERT INTO foreign_batch (epoch, root, increase_units, tx_hash, block_no, settled_at)
    SELECT epoch, root, increase, tx_hash, block_no, block_time FROM f WHERE fate = 'foreign'
), d AS (
    UPDATE batch SET state = 'dropped' FROM f WHERE batch.id = f.batch AND f.fate = 'foreign' AND batch.state IN ('batched', 'submitted') RETURNING batch.id
), e AS (
    UPDATE ledger_entry y SET batch_id = NULL FROM d WHERE y.batch_id = d.id
), o AS (
    UPDATE attempt y SET scored_in = NULL FROM d WHERE y.scored_in = d.id
), k AS (
    UPDATE counter SET total = counter.total - q.amount, gain_units = counter.gain_units - q.gain
      FROM (SELECT i.account_id, i.counter, sum(i.amount) AS amount, sum(i.gain_units) AS gain FROM d JOIN batch_item i ON i.batch_id = d.id GROUP BY 1, 2) q
     WHERE counter.account_id = q.account_id AND counter.counter = q.counter
), l AS (
    INSERT INTO ledger_entry (kind, ref, from_account, from_bucket, to_account, to_bucket, amount, at)
    SELECT 'confirm', md5(batch_id::text || '/' || account_id)::uuid, account_id, 'payable', account_id, 'claimable', amount - absorbed, ogpu_now()
      FROM g WHERE amount > absorbed
), a AS (
    UPDATE batch_item SET absorbed_units = div(g.absorbed, 1000000000000)::int8 FROM g
     WHERE batch_item.batch_id = g.batch_id AND batch_item.account_id = g.account_id AND batch_item.counter = 'earned' AND g.absorbed > 0
), b AS (
    UPDATE balance SET payable = balance.payable - q.moved, claimable = balance.claimable + q.moved, advanced = balance.advanced - q.absorbed
      FROM (SELECT account_id, sum(amount - absorbed) AS moved, sum(absorbed) AS absorbed FROM g GROUP BY account_id) q WHERE balance.account_id = q.account_id
)
SELECT call, 'ok' AS outcome FROM f ORDER BY call;

-- name: theft_list
-- What only a thief with one of our keys puts on chain (or we, before these books were restored from an old copy): batches that are not
-- ours, neither voided nor accepted, and vouchers, not voided, above all that their account has earned by the books. The newest first, at
-- most `max` of either; `standing` counts all of its sort.
-- class: read
-- params: max int4
-- returns: what text, id int8, units int8, tx_hash bytea, standing int8
(SELECT 'foreign_batch' AS what, epoch AS id, increase_units AS units, tx_hash, count(*) OVER () AS standing
   FROM foreign_batch WHERE voided_at IS NULL AND accepted_at IS NULL ORDER BY epoch DESC LIMIT $1)
UNION ALL
(SELECT 'forged_voucher', COALESCE(a.chain_id, 0), v.units, v.tx_hash, count(*) OVER ()
   FROM (SELECT account_id, max(units) AS highest FROM chain_event WHERE kind = 'voucher_posted' GROUP BY account_id) p
   CROSS JOIN LATERAL (SELECT div(COALESCE(sum(l.amount), 0), 1000000000000)::int8 AS units FROM ledger_entry l
                        WHERE l.to_account = p.account_id AND l.to_bucket = 'payable' AND l.kind IN ('accept', 'withdraw')) earned
   JOIN chain_event v ON v.kind = 'voucher_posted' AND v.account_id IS NOT DISTINCT FROM p.account_id AND v.units > earned.units
   LEFT JOIN account a ON a.id = v.account_id
  WHERE p.highest > earned.units
    AND NOT EXISTS (SELECT FROM chain_event x WHERE x.kind = 'voucher_voided' AND x.account_id IS NOT DISTINCT FROM v.account_id AND x.units = v.units)
  ORDER BY v.block_no DESC, v.log_index DESC LIMIT $1);
