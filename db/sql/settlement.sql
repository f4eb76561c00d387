-- SPDX-License-Identifier: MIT
-- Batches: formed and sealed by the relayer, sent by it, booked as final by the indexer, read by anyone.

-- name: batch_form
-- Gathers unbatched payable entries whose payee and payer the chain knows (final registrations) into the next epoch, once they
-- are enough, worth enough or old enough. All of them together stay below max_units, one unit of each entry being room for the
-- dust that earlier batches carried over. A gateway that has nothing to list for idle_s settles an empty batch all the same
-- (its only entry is padding): silence opens the forced exit. 'busy' when there is nothing to do, when a forced exit has begun, and
-- while a batch that is not ours stands on chain. The advisory lock admits one former at a time; who takes a batch back
-- (book_voided) takes it too. A payer has spent the fee as well. A counter's figure is what all standing batches carry, and what
-- is declared is what they have not declared together: a voided batch's growth is declared again.
-- class: slow
-- params: id uuid, min_age_s int4, min_count int4, max_count int4, min_units int8?, max_units int8?, idle_s int4?, born time
-- returns: call int4, outcome text, epoch int8
-- lock: former
SELECT pg_advisory_xact_lock(7301);
-- work:
WITH c AS MATERIALIZED (
    SELECT ($1::uuid[])[1] AS id, ($2::int4[])[1] AS min_age_s, ($3::int4[])[1] AS min_count, ($4::int4[])[1] AS max_count,
           ($5::int8[])[1] * 1000000000000::numeric AS min_value, ($6::int8[])[1] * 1000000000000::numeric AS max_value,
           ($7::int4[])[1] AS idle_s, ogpu_ts(COALESCE(($8::int8[])[1], 0)) AS born, ogpu_now() AS at
), s AS MATERIALIZED (
    SELECT l.id, l.ref, l.kind, l.from_account, l.to_account, l.amount, COALESCE(f.amount, 0) AS fee, l.at FROM ledger_entry l
      JOIN account p ON p.id = l.to_account AND p.chain_id IS NOT NULL JOIN account q ON q.id = l.from_account AND q.chain_id IS NOT NULL
      LEFT JOIN ledger_entry f ON l.kind = 'accept' AND f.ref = l.ref AND f.kind = 'fee'
     WHERE l.to_bucket = 'payable' AND l.kind IN ('accept', 'withdraw') AND l.batch_id IS NULL AND l.amount + 1000000000000 <= (SELECT COALESCE(max_value, 'Infinity') FROM c)
     ORDER BY l.id LIMIT (SELECT max_count FROM c)
), e AS MATERIALIZED (
    SELECT * FROM (SELECT s.*, sum(amount + 1000000000000) OVER (ORDER BY id) AS running FROM s) x
     WHERE running <= (SELECT COALESCE(max_value, 'Infinity') FROM c)
), go AS MATERIALIZED (
    SELECT c.*, 1 + GREATEST((SELECT COALESCE(max(epoch), 0) FROM batch WHERE state <> 'dropped'), (SELECT COALESCE(max(epoch), 0) FROM foreign_batch)) AS epoch
      FROM c WHERE NOT EXISTS (SELECT FROM chain_exit) AND NOT EXISTS (SELECT FROM foreign_batch WHERE voided_at IS NULL AND accepted_at IS NULL)
       AND ((SELECT count(*) FROM e) >= GREATEST(c.min_count, 1) OR (SELECT min(at) FROM e) <= c.at - c.min_age_s * interval '1 second'
        OR (SELECT sum(amount) FROM e) >= c.min_value OR (SELECT count(*) FROM e) BETWEEN 1 AND (SELECT count(*) FROM s) - 1
        OR (NOT EXISTS (SELECT FROM batch WHERE state IN ('batched', 'submitted'))
            AND (SELECT COALESCE(max(created_at), c.born) FROM batch WHERE state NOT IN ('voided', 'dropped')) <= c.at - c.idle_s * interval '1 second'))
), g AS MATERIALIZED (
    SELECT account, counter, sum(amount) AS amount
      FROM (SELECT to_account AS account, 'earned' AS counter, amount FROM e UNION ALL SELECT from_account, 'spent', amount::numeric + fee FROM e) x
     GROUP BY account, counter
), i AS MATERIALIZED (
    SELECT n.*, GREATEST(n.units - n.declared, 0) AS gain
      FROM (SELECT g.account, g.counter, g.amount, row_number() OVER (ORDER BY a.chain_id, g.counter) AS position, COALESCE(k.total, 0) + g.amount AS total,
                   floor((COALESCE(k.total, 0) + g.amount) / 1000000000000)::int8 AS units, COALESCE(k.gain_units, 0) AS declared
              FROM g JOIN account a ON a.id = g.account LEFT JOIN counter k ON k.account_id = g.account AND k.counter = g.counter) n
), b AS (
    INSERT INTO batch (id, epoch, state, increase_units, created_at)
    SELECT id, epoch, 'batched', (SELECT COALESCE(sum(gain), 0) FROM i WHERE counter = 'earned'), at FROM go RETURNING id
), w AS (
    INSERT INTO batch_item (batch_id, account_id, counter, position, total, units, gain_units, amount)
    SELECT go.id, i.account, i.counter, i.position - 1, i.total, i.units, i.gain, i.amount FROM i, go
), k AS (
    INSERT INTO counter (account_id, counter, total, gain_units) SELECT i.account, i.counter, i.amount, i.gain FROM i, go
    ON CONFLICT (account_id, counter) DO UPDATE SET total = counter.total + EXCLUDED.total, gain_units = counter.gain_units + EXCLUDED.gain_units
), u AS (
    UPDATE ledger_entry l SET batch_id = go.id FROM e, go WHERE l.ref = e.ref AND l.kind = e.kind
)
SELECT 0 AS call, CASE WHEN go.id IS NULL THEN 'busy' ELSE 'ok' END AS outcome, COALESCE(go.epoch, 0) AS epoch FROM c LEFT JOIN go ON true;

-- name: batch_items
-- The items of a batch in entry order.
-- class: read
-- params: batch uuid
-- returns: chain_id int8, counter text, units int8, gain_units int8
SELECT a.chain_id, i.counter, i.units, i.gain_units FROM batch_item i JOIN account a ON a.id = i.account_id WHERE i.batch_id = $1 ORDER BY i.position;

-- name: batch_seal
-- The exact calldata entries and the roots, once; saying the same again is fine.
-- class: slow
-- params: id uuid, entries bytea, root bytea, score_root bytea, log_root bytea, log_leaves bytea
-- returns: call int4, outcome text
-- lock: batch
SELECT id FROM batch WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, id, entries, root, score_root, log_root, log_leaves
      FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[])
           WITH ORDINALITY AS u(id, entries, root, score_root, log_root, log_leaves, o)
), f AS MATERIALIZED (
    SELECT c.*, CASE WHEN b.id IS NULL THEN 'batch_not_found' WHEN b.entries IS NULL THEN 'ok' WHEN (b.entries, b.root, b.score_root, b.log_root) = (c.entries, c.root, c.score_root, c.log_root) THEN 'made'
                     ELSE 'digest_mismatch' END AS fate
      FROM c LEFT JOIN batch b ON b.id = c.id
), u AS (
    UPDATE batch SET entries = f.entries, root = f.root, score_root = f.score_root, log_root = f.log_root, log_leaves = f.log_leaves FROM f WHERE batch.id = f.id AND f.fate = 'ok'
)
SELECT call, CASE fate WHEN 'made' THEN 'ok' ELSE fate END AS outcome FROM f ORDER BY call;

-- name: batch_unsettled
-- Batches that are on their way, in epoch order; none once a forced exit has begun.
-- class: read
-- params: max int4
-- returns: id uuid, epoch int8, state text, increase_units int8, entries bytea?, root bytea?, score_root bytea?, log_root bytea?
SELECT id, epoch, state, increase_units, entries, root, score_root, log_root FROM batch
 WHERE state IN ('batched', 'submitted') AND NOT EXISTS (SELECT FROM chain_exit) ORDER BY epoch LIMIT $1;

-- name: chain_tx_store
-- A signed transaction with its bytes, before it leaves. A nonce belongs to one batch for ever.
-- class: slow
-- params: hash bytea, batch uuid, sender bytea, nonce int8, raw bytea, max_fee wei, tip wei
-- returns: call int4, outcome text
-- lock: batch
SELECT id FROM batch WHERE id = ANY($2::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.hash, u.batch, u.sender, u.nonce, u.raw, u.max_fee::wei AS max_fee, u.tip::wei AS tip, n.at
      FROM unnest($1::bytea[], $2::uuid[], $3::bytea[], $4::int8[], $5::bytea[], $6::text[], $7::text[])
           WITH ORDINALITY AS u(hash, batch, sender, nonce, raw, max_fee, tip, o), (SELECT ogpu_now() AS at) n
), f AS MATERIALIZED (
    SELECT c.*, CASE WHEN EXISTS (SELECT FROM chain_tx t WHERE t.hash = c.hash) THEN 'made'
                     WHEN EXISTS (SELECT FROM chain_tx t WHERE t.sender = c.sender AND t.nonce = c.nonce AND t.batch_id <> c.batch) THEN 'nonce_used'
                     ELSE 'ok' END AS fate
      FROM c
), w AS (
    INSERT INTO chain_tx (hash, batch_id, sender, nonce, raw, max_fee, tip, state, created_at, updated_at)
    SELECT hash, batch, sender, nonce, raw, max_fee, tip, 'signed', at, at FROM f WHERE fate = 'ok'
)
SELECT call, CASE fate WHEN 'made' THEN 'ok' ELSE fate END AS outcome FROM f ORDER BY call;

-- name: chain_tx_list
-- Everything signed for a batch, newest first.
-- class: read
-- params: batch uuid
-- returns: hash bytea, sender bytea, nonce int8, raw bytea, max_fee wei, tip wei, state text, block_no int8?, created_at time, updated_at time
SELECT hash, sender, nonce, raw, max_fee::text AS max_fee, tip::text AS tip, state, block_no, ogpu_us(created_at) AS created_at, ogpu_us(updated_at) AS updated_at
  FROM chain_tx WHERE batch_id = $1 ORDER BY created_at DESC, hash;

-- name: chain_tx_seen
-- Where a transaction was seen: 'sent' (handed to a node), 'mined' in a block, or 'sent' again after a reorg. Never moves a final one.
-- class: slow
-- params: hash bytea, state text, block_no int8?
-- returns: call int4, outcome text
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, hash, state, block_no FROM unnest($1::bytea[], $2::text[], $3::int8[]) WITH ORDINALITY AS u(hash, state, block_no, o)
), t AS (
    UPDATE chain_tx x SET state = c.state, block_no = c.block_no, updated_at = ogpu_now()
      FROM c WHERE x.hash = c.hash AND x.state <> 'final' RETURNING x.hash, x.batch_id
), b AS (
    UPDATE batch SET state = 'submitted', tx_hash = t.hash FROM t WHERE batch.id = t.batch_id AND batch.state IN ('batched', 'submitted')
)
SELECT c.call, CASE WHEN t.hash IS NULL THEN 'not_found' ELSE 'ok' END AS outcome FROM c LEFT JOIN t USING (hash) ORDER BY c.call;

-- name: sender_nonce
-- The next nonce our own record knows for a sender; -1 when it never signed.
-- class: read
-- params: sender bytea
-- returns: next int8
SELECT COALESCE(max(nonce) + 1, -1) AS next FROM chain_tx WHERE sender = $1;

-- name: settlement_list
-- Newest first; `before` 0 starts at the end.
-- class: read
-- params: before int8, max int4
-- returns: id uuid, epoch int8, state text, increase_units int8, items int8, root bytea?, tx_hash bytea?, block_no int8?, created_at time, settled_at time?
SELECT b.id, b.epoch, b.state, b.increase_units, (SELECT count(*) FROM batch_item i WHERE i.batch_id = b.id) AS items, b.root, b.tx_hash, b.block_no,
       ogpu_us(b.created_at) AS created_at, ogpu_us(b.settled_at) AS settled_at
  FROM batch b WHERE ($1 = 0 OR b.epoch < $1) AND b.state <> 'dropped' ORDER BY b.epoch DESC LIMIT $2;

-- name: settlement_get
-- class: read
-- params: id uuid
-- returns: id uuid, epoch int8, state text, increase_units int8, items int8, entries bytea?, root bytea?, tx_hash bytea?, block_no int8?, created_at time, settled_at time?
SELECT b.id, b.epoch, b.state, b.increase_units, (SELECT count(*) FROM batch_item i WHERE i.batch_id = b.id) AS items, b.entries, b.root, b.tx_hash, b.block_no,
       ogpu_us(b.created_at) AS created_at, ogpu_us(b.settled_at) AS settled_at
  FROM batch b WHERE b.id = $1;

-- name: proof_get
-- The newest confirmed batch that lists what an address earned; everything a payout proof is made of.
-- class: read
-- params: address bytea
-- returns: batch uuid, epoch int8, entries bytea, root bytea, position int4, units int8, chain_id int8, tx_hash bytea, settled_at time, claimed_units int8
SELECT b.id AS batch, b.epoch, b.entries, b.root, i.position, i.units, a.chain_id, b.tx_hash, ogpu_us(b.settled_at) AS settled_at,
       (SELECT COALESCE(sum(c.units), 0)::int8 FROM chain_event c WHERE c.account_id = a.id AND c.kind = 'claimed') AS claimed_units
  FROM account a JOIN batch_item i ON i.account_id = a.id AND i.counter = 'earned' JOIN batch b ON b.id = i.batch_id
 WHERE a.address = $1 AND b.state = 'confirmed' ORDER BY b.epoch DESC LIMIT 1;
