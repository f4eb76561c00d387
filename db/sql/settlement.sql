-- SPDX-License-Identifier: MIT
-- Batches: formed and sealed by the relayer, sent by it, booked as final by the indexer, read by anyone.

-- name: batch_form
-- Gathers unbatched payable entries whose payee and payer the chain knows (final registrations) into the next epoch, once they
-- are enough, worth enough or old enough. All of them together stay below max_units, one unit of each entry being room for the
-- dust that earlier batches carried over; what unconfirmed batches and those of this day (UTC) declared counts against day_units:
-- the day of head, for the contract goes by the time of its blocks; without one the database's.
-- 'quota' when something waits for the next day only (what is larger than any day does not: payout_large). A gateway that has nothing to
-- list for idle_s settles an empty batch all the same (its only entry is padding): silence opens the forced exit. 'busy' when there is
-- nothing to do, when a forced exit has begun, and while a batch that is not ours stands on chain. The advisory lock admits one former
-- at a time; who takes a batch back (book_voided) takes it too. A payer has spent the fee as well. A counter's figure is what all
-- standing batches carry, and what is declared is what they have not declared together: a voided batch's growth is declared again. An
-- entry that would take a counter past 2^48 - 1 units, which the chain's entries cannot hold, waits (counter_full); the rest does not
-- wait for it.
-- class: slow
-- params: id uuid, min_age_s int4, min_count int4, max_count int4, min_units int8?, max_units int8?, idle_s int4?, born time, day_units int8?, head time?
-- returns: call int4, epoch int8, outcome text
-- lock: former
SELECT pg_advisory_xact_lock(7301);
-- work:
WITH c AS MATERIALIZED (
    SELECT ($1::uuid[])[1] AS id, ($2::int4[])[1] AS min_age_s, ($3::int4[])[1] AS min_count, ($4::int4[])[1] AS max_count,
           ($5::int8[])[1] * 1000000000000::numeric AS min_value,
           LEAST(($6::int8[])[1], ($9::int8[])[1] - (SELECT COALESCE(sum(increase_units), 0) FROM batch WHERE state IN ('batched', 'submitted'))
               - (SELECT COALESCE(sum(increase_units), 0) FROM batch
                   WHERE settled_at BETWEEN (SELECT date_trunc('day', COALESCE(ogpu_ts(($10::int8[])[1]), ogpu_now()), 'UTC')) AND 'infinity')) * 1000000000000::numeric AS max_value,
           LEAST(($6::int8[])[1], ($9::int8[])[1]) * 1000000000000::numeric AS most_value,
           ($7::int4[])[1] AS idle_s, ogpu_ts(COALESCE(($8::int8[])[1], 0)) AS born, ogpu_now() AS at
), s AS MATERIALIZED (
    SELECT l.id, l.ref, l.kind, l.from_account, l.to_account, l.amount, COALESCE(f.amount, 0) AS fee, l.at,
           COALESCE(y.total, 0) AS earned, COALESCE(z.total, 0) AS spent FROM ledger_entry l
      JOIN account p ON p.id = l.to_account AND p.chain_id IS NOT NULL JOIN account q ON q.id = l.from_account AND q.chain_id IS NOT NULL
      LEFT JOIN ledger_entry f ON l.kind = 'accept' AND f.ref = l.ref AND f.kind = 'fee'
      LEFT JOIN counter y ON y.account_id = l.to_account AND y.counter = 'earned' LEFT JOIN counter z ON z.account_id = l.from_account AND z.counter = 'spent'
     WHERE l.to_bucket = 'payable' AND l.kind IN ('accept', 'withdraw') AND l.batch_id IS NULL
       AND COALESCE(y.total, 0) + l.amount < 281474976710656000000000000::numeric AND COALESCE(z.total, 0) + l.amount + COALESCE(f.amount, 0) < 281474976710656000000000000::numeric
       AND l.amount + 1000000000000 <= (SELECT COALESCE(max_value, 'Infinity') FROM c)
       AND NOT EXISTS (SELECT FROM parked_entry k, c WHERE k.ref = l.ref AND k.kind = l.kind AND k.until > c.at)
     ORDER BY l.id LIMIT (SELECT max_count FROM c)
), e AS MATERIALIZED (
    SELECT * FROM (SELECT s.*, sum(amount + 1000000000000) OVER (ORDER BY id) AS running, earned + sum(amount) OVER (PARTITION BY to_account ORDER BY id) AS earns,
                          spent + sum(amount::numeric + fee) OVER (PARTITION BY from_account ORDER BY id) AS spends FROM s) x
     WHERE running <= (SELECT COALESCE(max_value, 'Infinity') FROM c) AND earns < 281474976710656000000000000::numeric AND spends < 281474976710656000000000000::numeric
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
                   div(COALESCE(k.total, 0) + g.amount, 1000000000000)::int8 AS units, COALESCE(k.gain_units, 0) AS declared
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
SELECT 0 AS call, COALESCE(go.epoch, 0) AS epoch,
       CASE WHEN go.id IS NOT NULL THEN 'ok' WHEN c.max_value IS NOT NULL AND EXISTS (
                 SELECT FROM ledger_entry l JOIN account p ON p.id = l.to_account AND p.chain_id IS NOT NULL
                   JOIN account q ON q.id = l.from_account AND q.chain_id IS NOT NULL
                  WHERE l.to_bucket = 'payable' AND l.kind IN ('accept', 'withdraw') AND l.batch_id IS NULL AND l.amount + 1000000000000 > c.max_value
                    AND l.amount + 1000000000000 <= c.most_value AND l.at <= c.at - c.min_age_s * interval '1 second') THEN 'quota' ELSE 'busy' END AS outcome
  FROM c LEFT JOIN go ON true;

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

-- name: batch_drop
-- Dissolves the newest batch while nothing that was signed for it can settle it (nothing at all, or at spent nonces only): its entries
-- are free again, or parked until a time when a reason is given. A nonce without a transaction stays in the lane for the next batch. Says
-- how many entries it held. What had signed is kept as dropped.
-- class: slow
-- params: id uuid, reason text?, park_s int4
-- returns: call int4, outcome text, entries int8
-- lock: former
SELECT pg_advisory_xact_lock(7301);
-- work:
WITH c AS MATERIALIZED (
    SELECT ($1::uuid[])[1] AS id, ($2::text[])[1] AS reason, ($3::int4[])[1] AS park_s, ogpu_now() AS at
), d AS MATERIALIZED (
    SELECT b.id, c.reason, c.park_s, c.at, EXISTS (SELECT FROM chain_tx t WHERE t.batch_id = b.id) AS signed FROM c JOIN batch b ON b.id = c.id
     WHERE b.state IN ('batched', 'submitted') AND b.epoch = (SELECT max(epoch) FROM batch WHERE state <> 'dropped')
       AND NOT EXISTS (SELECT FROM chain_tx t LEFT JOIN chain_nonce n ON n.sender = t.sender AND n.nonce = t.nonce
                        WHERE t.batch_id = b.id AND n.state IS DISTINCT FROM 'spent')
), l AS (
    UPDATE ledger_entry e SET batch_id = NULL FROM d WHERE e.batch_id = d.id RETURNING e.ref, e.kind
), p AS (
    INSERT INTO parked_entry (ref, kind, reason, at, until)
    SELECT l.ref, l.kind, d.reason, d.at, d.at + d.park_s * interval '1 second' FROM l, d WHERE d.reason IS NOT NULL
    ON CONFLICT (ref, kind) DO UPDATE SET reason = EXCLUDED.reason, at = EXCLUDED.at, until = EXCLUDED.until
), n AS (
    UPDATE chain_nonce k SET batch_id = NULL FROM d WHERE k.batch_id = d.id AND k.state <> 'spent'
), o AS (
    UPDATE attempt y SET scored_in = NULL FROM d WHERE y.scored_in = d.id
), s AS (
    DELETE FROM score_leaf y USING d WHERE y.batch_id = d.id
), k AS (
    UPDATE counter SET total = counter.total - q.amount, gain_units = counter.gain_units - q.gain
      FROM (SELECT i.account_id, i.counter, i.amount, i.gain_units AS gain FROM d JOIN batch_item i ON i.batch_id = d.id) q
     WHERE counter.account_id = q.account_id AND counter.counter = q.counter
), i AS (
    DELETE FROM batch_item i USING d WHERE i.batch_id = d.id AND NOT d.signed
), b AS (
    DELETE FROM batch b USING d WHERE b.id = d.id AND NOT d.signed
), f AS (
    UPDATE batch b SET state = 'dropped' FROM d WHERE b.id = d.id AND d.signed
)
SELECT 0 AS call, CASE WHEN d.id IS NULL THEN 'busy' ELSE 'ok' END AS outcome, (SELECT count(*) FROM l) AS entries FROM c LEFT JOIN d ON true;

-- name: batch_size
-- How many ledger entries a batch holds.
-- class: read
-- params: id uuid
-- returns: entries int8
SELECT count(*) AS entries FROM ledger_entry WHERE batch_id = $1;

-- name: batch_unsettled
-- Batches that are on their way, in epoch order; none once a forced exit has begun.
-- class: read
-- params: max int4
-- returns: id uuid, epoch int8, state text, increase_units int8, entries bytea?, root bytea?, score_root bytea?, log_root bytea?
SELECT id, epoch, state, increase_units, entries, root, score_root, log_root FROM batch
 WHERE state IN ('batched', 'submitted') AND NOT EXISTS (SELECT FROM chain_exit) ORDER BY epoch LIMIT $1;

-- name: chain_tx_store
-- A signed transaction with its bytes, before it leaves. A nonce belongs to one batch for ever. One without a batch only uses up its
-- nonce, which lane_fill must have said first.
-- class: slow
-- params: hash bytea, batch uuid?, sender bytea, nonce int8, raw bytea, max_fee wei, tip wei, gas int8?
-- returns: call int4, outcome text
-- lock: batch
SELECT id FROM batch WHERE id = ANY($2::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.hash, u.batch, u.sender, u.nonce, u.raw, u.max_fee::wei AS max_fee, u.tip::wei AS tip, u.gas, n.at
      FROM unnest($1::bytea[], $2::uuid[], $3::bytea[], $4::int8[], $5::bytea[], $6::text[], $7::text[], $8::int8[])
           WITH ORDINALITY AS u(hash, batch, sender, nonce, raw, max_fee, tip, gas, o), (SELECT ogpu_now() AS at) n
), f AS MATERIALIZED (
    SELECT c.*, CASE WHEN EXISTS (SELECT FROM chain_tx t WHERE t.hash = c.hash) THEN 'made'
                     WHEN c.batch IS NULL THEN CASE WHEN EXISTS (SELECT FROM chain_nonce n WHERE n.sender = c.sender AND n.nonce = c.nonce AND n.state = 'filler')
                                                    THEN 'ok' ELSE 'nonce_used' END
                     WHEN EXISTS (SELECT FROM chain_tx t WHERE t.sender = c.sender AND t.nonce = c.nonce AND t.batch_id IS DISTINCT FROM c.batch)
                       OR EXISTS (SELECT FROM chain_nonce n WHERE n.sender = c.sender AND n.nonce = c.nonce
                                                              AND (n.batch_id <> c.batch OR n.state <> 'ours')) THEN 'nonce_used'
                     ELSE 'ok' END AS fate
      FROM c
), w AS (
    INSERT INTO chain_tx (hash, batch_id, sender, nonce, raw, max_fee, tip, gas, state, created_at, updated_at)
    SELECT hash, batch, sender, nonce, raw, max_fee, tip, gas, 'signed', at, at FROM f WHERE fate = 'ok'
)
SELECT call, CASE fate WHEN 'made' THEN 'ok' ELSE fate END AS outcome FROM f ORDER BY call;

-- name: chain_tx_list
-- Everything signed for a batch, newest first. lost: its nonce is not the batch's any more (a stranger's transaction took it).
-- class: read
-- params: batch uuid
-- returns: hash bytea, sender bytea, nonce int8, raw bytea, max_fee wei, tip wei, state text, block_no int8?, created_at time, updated_at time, lost bool
SELECT t.hash, t.sender, t.nonce, t.raw, t.max_fee::text AS max_fee, t.tip::text AS tip, t.state, t.block_no, ogpu_us(t.created_at) AS created_at, ogpu_us(t.updated_at) AS updated_at,
       COALESCE(n.state <> 'ours', false) AS lost
  FROM chain_tx t LEFT JOIN chain_nonce n ON n.sender = t.sender AND n.nonce = t.nonce WHERE t.batch_id = $1 ORDER BY t.created_at DESC, t.hash;

-- name: chain_tx_seen
-- Where a transaction was seen: 'sent' (handed to a node), 'mined' in a block, or 'sent' again after a reorg. Never moves a final one.
-- class: slow
-- params: hash bytea, state text, block_no int8?, gas_used int8?, gas_price wei?
-- returns: like chain_tx_store
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, hash, state, block_no, gas_used, gas_price::wei AS gas_price
      FROM unnest($1::bytea[], $2::text[], $3::int8[], $4::int8[], $5::text[]) WITH ORDINALITY AS u(hash, state, block_no, gas_used, gas_price, o)
), t AS (
    UPDATE chain_tx x SET state = c.state, block_no = c.block_no, gas_used = c.gas_used, gas_price = c.gas_price, updated_at = ogpu_now()
      FROM c WHERE x.hash = c.hash AND x.state <> 'final' RETURNING x.hash, x.batch_id
), b AS (
    UPDATE batch SET state = 'submitted', tx_hash = t.hash FROM t WHERE batch.id = t.batch_id AND batch.state IN ('batched', 'submitted')
)
SELECT c.call, CASE WHEN t.hash IS NULL THEN 'not_found' ELSE 'ok' END AS outcome FROM c LEFT JOIN t USING (hash) ORDER BY c.call;

-- name: relayer_figures
-- What an operator watches: what waits (and since when), what is on its way, what is parked, the lane's end, and the gas of the last
-- day's final transactions with the payouts they carried. newest: the block time of the newest batch that can be claimed by now.
-- foreign: batches on chain that are not ours, neither voided nor accepted, and the newest of them.
-- class: read
-- params: sender bytea, delay_s int8
-- returns: unsettled wei, oldest time?, waiting int8, open int8, parked int8, next_nonce int8, gas int8, cost wei, payouts int8, newest time?, foreign_batches int8, foreign_epoch int8
SELECT w.amount AS unsettled, ogpu_us(w.at) AS oldest, w.n AS waiting, (SELECT count(*) FROM batch WHERE state IN ('batched', 'submitted')) AS open,
       (SELECT count(*) FROM parked_entry k JOIN ledger_entry l USING (ref, kind) WHERE l.batch_id IS NULL AND k.until > ogpu_now()) AS parked,
       GREATEST((SELECT COALESCE(max(nonce) + 1, 0) FROM chain_tx WHERE sender = $1), (SELECT COALESCE(max(nonce) + 1, 0) FROM chain_nonce WHERE sender = $1)) AS next_nonce,
       COALESCE(g.gas, 0)::int8 AS gas, COALESCE(g.cost, 0)::text AS cost, COALESCE(g.payouts, 0)::int8 AS payouts,
       (SELECT ogpu_us(settled_at) FROM batch WHERE state = 'confirmed' AND settled_at <= ogpu_now() - $2 * interval '1 second' ORDER BY epoch DESC LIMIT 1) AS newest,
       x.n AS foreign_batches, x.epoch AS foreign_epoch
  FROM (SELECT COALESCE(sum(amount), 0)::text AS amount, min(at) AS at, count(*) AS n
          FROM ledger_entry WHERE to_bucket = 'payable' AND kind IN ('accept', 'withdraw') AND batch_id IS NULL) w,
       (SELECT sum(t.gas_used) AS gas, sum(t.gas_used::numeric * t.gas_price) AS cost,
               sum((SELECT count(*) FROM ledger_entry l WHERE l.batch_id = t.batch_id)) AS payouts
          FROM chain_tx t WHERE t.sender = $1 AND t.state = 'final' AND t.updated_at BETWEEN (SELECT ogpu_now() - interval '1 day') AND 'infinity') g,
       (SELECT count(*) AS n, COALESCE(max(epoch), 0) AS epoch FROM foreign_batch WHERE voided_at IS NULL AND accepted_at IS NULL) x;

-- name: batch_preview
-- The items of the batch that would be formed of everything that waits now, without forming it; at most max_count entries.
-- class: read
-- params: max_count int4
-- returns: chain_id int8, counter text, units int8, gain int8, entries int8
WITH s AS MATERIALIZED (
    SELECT l.id, l.from_account, l.to_account, l.amount, COALESCE(f.amount, 0) AS fee, COALESCE(y.total, 0) AS earned, COALESCE(z.total, 0) AS spent FROM ledger_entry l
      JOIN account p ON p.id = l.to_account AND p.chain_id IS NOT NULL JOIN account q ON q.id = l.from_account AND q.chain_id IS NOT NULL
      LEFT JOIN ledger_entry f ON l.kind = 'accept' AND f.ref = l.ref AND f.kind = 'fee'
      LEFT JOIN counter y ON y.account_id = l.to_account AND y.counter = 'earned' LEFT JOIN counter z ON z.account_id = l.from_account AND z.counter = 'spent'
     WHERE l.to_bucket = 'payable' AND l.kind IN ('accept', 'withdraw') AND l.batch_id IS NULL
       AND COALESCE(y.total, 0) + l.amount < 281474976710656000000000000::numeric AND COALESCE(z.total, 0) + l.amount + COALESCE(f.amount, 0) < 281474976710656000000000000::numeric
       AND NOT EXISTS (SELECT FROM parked_entry k WHERE k.ref = l.ref AND k.kind = l.kind AND k.until > ogpu_now())
     ORDER BY l.id LIMIT $1
), e AS MATERIALIZED (
    SELECT * FROM (SELECT s.*, earned + sum(amount) OVER (PARTITION BY to_account ORDER BY id) AS earns,
                          spent + sum(amount::numeric + fee) OVER (PARTITION BY from_account ORDER BY id) AS spends FROM s) x
     WHERE earns < 281474976710656000000000000::numeric AND spends < 281474976710656000000000000::numeric
), g AS (
    SELECT account, counter, sum(amount) AS amount
      FROM (SELECT to_account AS account, 'earned' AS counter, amount FROM e UNION ALL SELECT from_account, 'spent', amount::numeric + fee FROM e) x
     GROUP BY account, counter
)
SELECT a.chain_id, g.counter, n.units, GREATEST(n.units - COALESCE(k.gain_units, 0), 0) AS gain, (SELECT count(*) FROM e) AS entries
  FROM g JOIN account a ON a.id = g.account LEFT JOIN counter k ON k.account_id = g.account AND k.counter = g.counter,
       LATERAL (SELECT div(COALESCE(k.total, 0) + g.amount, 1000000000000)::int8 AS units) n
 ORDER BY a.chain_id, g.counter;

-- name: counter_full
-- Counters that an entry which waits would take past 2^48 - 1 units, and how many such entries each keeps out of the batches. To get
-- there the counter must be past half of it, or the entry itself be large: only those are looked at.
-- class: read
-- params: max int4
-- returns: address bytea, counter text, entries int8, counters int8
WITH n AS MATERIALIZED (
    SELECT account_id, counter FROM counter WHERE total >= 140737488355328000000000000::numeric
), w AS MATERIALIZED (
    SELECT l.ref, l.kind, l.from_account, l.to_account, l.amount::numeric AS amount FROM ledger_entry l
     WHERE l.to_bucket = 'payable' AND l.kind IN ('accept', 'withdraw') AND l.batch_id IS NULL
       AND (l.amount >= 35184372088832000000000000::numeric OR l.to_account IN (SELECT account_id FROM n WHERE counter = 'earned')
            OR l.from_account IN (SELECT account_id FROM n WHERE counter = 'spent'))
), x AS (
    SELECT to_account AS account, 'earned' AS counter, amount FROM w
     UNION ALL SELECT w.from_account, 'spent', w.amount + COALESCE(f.amount, 0) FROM w
      LEFT JOIN ledger_entry f ON w.kind = 'accept' AND f.ref = w.ref AND f.kind = 'fee'
)
SELECT a.address, x.counter, count(*) AS entries, count(*) OVER () AS counters FROM x JOIN account a ON a.id = x.account
  LEFT JOIN counter k ON k.account_id = x.account AND k.counter = x.counter
 WHERE COALESCE(k.total, 0) + x.amount >= 281474976710656000000000000::numeric GROUP BY a.id, a.address, x.counter ORDER BY a.id, x.counter LIMIT $1;

-- name: payout_large
-- Payable entries that no batch of so many units holds (batch_form leaves a unit of room for dust), the oldest first, and how many.
-- class: read
-- params: units int8, max int4
-- returns: ref uuid, kind text, address bytea, amount wei, entries int8
SELECT l.ref, l.kind, a.address, l.amount::text AS amount, count(*) OVER () AS entries FROM ledger_entry l JOIN account a ON a.id = l.to_account
 WHERE l.to_bucket = 'payable' AND l.kind IN ('accept', 'withdraw') AND l.batch_id IS NULL AND l.amount + 1000000000000 > $1::int8 * 1000000000000::numeric
 ORDER BY l.id LIMIT $2;

-- name: earned_figure
-- All that an address has earned by the books, batched or not, in whole units, and its id on chain.
-- class: read
-- params: address bytea
-- returns: chain_id int8?, units int8
SELECT a.chain_id, div(COALESCE((SELECT sum(amount) FROM ledger_entry l
        WHERE l.to_account = a.id AND l.to_bucket = 'payable' AND l.kind IN ('accept', 'withdraw')), 0), 1000000000000)::int8 AS units
  FROM account a WHERE a.address = $1;

-- name: settlement_list
-- Newest first; `before` 0 starts at the end.
-- class: read
-- params: before int8, max int4
-- returns: id uuid, epoch int8, state text, increase_units int8, items int8, root bytea?, score_root bytea?, log_root bytea?, tx_hash bytea?, block_no int8?, created_at time, settled_at time?
SELECT b.id, b.epoch, b.state, b.increase_units, (SELECT count(*) FROM batch_item i WHERE i.batch_id = b.id) AS items, b.root, b.score_root, b.log_root, b.tx_hash, b.block_no,
       ogpu_us(b.created_at) AS created_at, ogpu_us(b.settled_at) AS settled_at
  FROM batch b WHERE ($1 = 0 OR b.epoch < $1) AND b.state <> 'dropped' ORDER BY b.epoch DESC LIMIT $2;

-- name: settlement_get
-- class: read
-- params: id uuid
-- returns: id uuid, epoch int8, state text, increase_units int8, items int8, entries bytea?, root bytea?, score_root bytea?, log_root bytea?, tx_hash bytea?, block_no int8?, created_at time, settled_at time?
SELECT b.id, b.epoch, b.state, b.increase_units, (SELECT count(*) FROM batch_item i WHERE i.batch_id = b.id) AS items, b.entries, b.root, b.score_root, b.log_root, b.tx_hash, b.block_no,
       ogpu_us(b.created_at) AS created_at, ogpu_us(b.settled_at) AS settled_at
  FROM batch b WHERE b.id = $1;

-- name: proof_get
-- The newest confirmed batch that lists what an address earned; everything a payout proof is made of. Without one, the newest
-- in any state, so that 'not yet' and 'never' can be told apart.
-- class: read
-- params: address bytea
-- returns: batch uuid, epoch int8, state text, entries bytea?, root bytea?, position int4, units int8, chain_id int8, tx_hash bytea?, settled_at time?, claimed_units int8
SELECT b.id AS batch, b.epoch, b.state, b.entries, b.root, i.position, i.units, a.chain_id, b.tx_hash, ogpu_us(b.settled_at) AS settled_at,
       (SELECT COALESCE(sum(c.units), 0)::int8 FROM chain_event c WHERE c.account_id = a.id AND c.kind = 'claimed') AS claimed_units
  FROM account a JOIN batch_item i ON i.account_id = a.id AND i.counter = 'earned' JOIN batch b ON b.id = i.batch_id
 WHERE a.address = $1 ORDER BY (b.state = 'confirmed') DESC, b.epoch DESC LIMIT 1;
