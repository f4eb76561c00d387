-- SPDX-License-Identifier: MIT
-- The lane of a sender's nonces: each has one place in it, whoever used it.

-- name: nonce_reserve
-- The batch's place in a sender's lane, before anything is signed: the one it has, else the lowest that a dissolved batch left, else
-- the next. `mined` is how many transactions of the sender the newest block counts, `final` how many a final one does. Only the latter
-- says that others used a nonce: those are recorded as that many `foreign`. What the newest block alone counts for others is waited
-- for: 'busy' (also when `final` is not told yet). A count more than `skip` beyond our record is not believed: 'range'.
-- class: slow
-- params: batch uuid, sender bytea, mined int8, final int8?, skip int8
-- returns: call int4, outcome text, nonce int8, strangers int8
-- lock: lane
SELECT pg_advisory_xact_lock(7303);
-- work:
WITH c AS MATERIALIZED (
    SELECT ($1::uuid[])[1] AS batch, ($2::bytea[])[1] AS sender, ($3::int8[])[1] AS mined, COALESCE(($4::int8[])[1], 0) AS final, ($5::int8[])[1] AS skip, ogpu_now() AS at
), k AS MATERIALIZED (
    SELECT n.nonce, n.batch_id FROM chain_nonce n JOIN c USING (sender)
     WHERE n.state = 'ours' AND (n.batch_id = ($1::uuid[])[1] OR n.batch_id IS NULL)
       AND (n.nonce >= c.final OR EXISTS (SELECT FROM chain_tx t WHERE t.sender = n.sender AND t.nonce = n.nonce))
), bad AS MATERIALIZED (
    SELECT n.nonce FROM chain_nonce n WHERE n.sender = ($2::bytea[])[1] AND n.nonce < COALESCE(($4::int8[])[1], 0) AND n.state = 'ours'
       AND NOT EXISTS (SELECT FROM chain_tx t WHERE t.sender = ($2::bytea[])[1] AND t.nonce = n.nonce)
), top AS MATERIALIZED (
    SELECT GREATEST((SELECT max(t.nonce) + 1 FROM chain_tx t WHERE t.sender = c.sender), (SELECT max(n.nonce) + 1 FROM chain_nonce n WHERE n.sender = c.sender)) AS next FROM c
), pick AS MATERIALIZED (
    SELECT COALESCE((SELECT nonce FROM k WHERE k.batch_id = c.batch), (SELECT min(nonce) FROM k WHERE batch_id IS NULL),
                    GREATEST(top.next, c.final)) AS nonce, COALESCE(top.next, 0) AS next FROM c, top
), p AS MATERIALIZED (
    SELECT pick.*, CASE WHEN GREATEST(c.mined, c.final) - pick.next > c.skip THEN 'range' WHEN c.mined > pick.nonce THEN 'busy' ELSE 'ok' END AS fate FROM pick, c
), f AS (
    UPDATE chain_nonce n SET state = 'foreign' FROM c, bad, p WHERE n.sender = c.sender AND n.nonce = bad.nonce AND p.fate = 'ok' RETURNING n.nonce
), s AS (
    INSERT INTO chain_nonce (sender, nonce, state, at)
    SELECT c.sender, g, 'foreign', c.at FROM c, top, p, generate_series(top.next, CASE WHEN p.fate = 'ok' THEN c.final ELSE 0 END - 1) g RETURNING nonce
), w AS (
    INSERT INTO chain_nonce (sender, nonce, batch_id, at) SELECT c.sender, p.nonce, c.batch, c.at FROM c, p WHERE p.fate = 'ok'
    ON CONFLICT (sender, nonce) DO UPDATE SET batch_id = EXCLUDED.batch_id
)
SELECT 0 AS call, p.fate AS outcome, p.nonce, (SELECT count(*) FROM f) + (SELECT count(*) FROM s) AS strangers FROM p;

-- name: nonce_lost
-- A final block holds somebody else's transaction at this nonce: the batch needs another place in the lane.
-- class: slow
-- params: sender bytea, nonce int8
-- returns: call int4, outcome text
-- lock: lane
SELECT pg_advisory_xact_lock(7303);
-- work:
WITH c AS MATERIALIZED (
    SELECT ($1::bytea[])[1] AS sender, ($2::int8[])[1] AS nonce
), w AS (
    INSERT INTO chain_nonce (sender, nonce, state, at) SELECT sender, nonce, 'foreign', ogpu_now() FROM c
    ON CONFLICT (sender, nonce) DO UPDATE SET state = 'foreign'
)
SELECT 0 AS call, 'ok' AS outcome FROM c;

-- name: nonce_spent
-- A final block counts this nonce, and the batch that it was reserved for is not settled there: what was signed with it can never settle
-- the batch, which needs another place in the lane.
-- class: slow
-- params: sender bytea, nonce int8
-- returns: call int4, outcome text
-- lock: lane
SELECT pg_advisory_xact_lock(7303);
-- work:
WITH c AS MATERIALIZED (
    SELECT ($1::bytea[])[1] AS sender, ($2::int8[])[1] AS nonce
), w AS (
    UPDATE chain_nonce n SET state = 'spent' FROM c WHERE n.sender = c.sender AND n.nonce = c.nonce AND n.state = 'ours' RETURNING n.nonce
)
SELECT 0 AS call, CASE WHEN EXISTS (SELECT FROM w) THEN 'ok' ELSE 'not_found' END AS outcome FROM c;

-- name: lane_fill
-- The nonces from `low` to below `high`, which no block counts, are to be used up by anything: but for those of batches on their way.
-- The caller bounds the range. What a batch had signed for such a place still counts if it is mined.
-- class: slow
-- params: sender bytea, low int8, high int8
-- returns: call int4, outcome text
-- lock: lane
SELECT pg_advisory_xact_lock(7303);
-- work:
WITH c AS MATERIALIZED (
    SELECT ($1::bytea[])[1] AS sender, ($2::int8[])[1] AS low, ($3::int8[])[1] AS high, ogpu_now() AS at
), w AS (
    INSERT INTO chain_nonce (sender, nonce, state, at)
    SELECT c.sender, g, 'filler', c.at FROM c, generate_series(c.low, c.high - 1) g
     WHERE NOT EXISTS (SELECT FROM lane_kept a WHERE a.sender = c.sender AND a.nonce = g)
    ON CONFLICT (sender, nonce) DO UPDATE SET state = 'filler' WHERE chain_nonce.state <> 'filler'
)
SELECT 0 AS call, 'ok' AS outcome FROM c;

-- name: lane_gap
-- The lowest nonces from `low` to below `high` that nothing on its way will use, each with the newest transaction that we have for it.
-- class: read
-- params: sender bytea, low int8, high int8, max int4
-- returns: nonce int8, hash bytea?, raw bytea?, max_fee wei?, tip wei?, state text?, created_at time?, updated_at time?
SELECT g AS nonce, t.hash, t.raw, t.max_fee::text AS max_fee, t.tip::text AS tip, t.state, ogpu_us(t.created_at) AS created_at, ogpu_us(t.updated_at) AS updated_at
  FROM generate_series($2::int8, $3::int8 - 1) g
  LEFT JOIN LATERAL (SELECT x.* FROM chain_tx x WHERE x.sender = $1 AND x.nonce = g ORDER BY x.created_at DESC, x.hash LIMIT 1) t ON true
 WHERE NOT EXISTS (SELECT FROM lane_kept a WHERE a.sender = $1 AND a.nonce = g)
 ORDER BY g LIMIT $4;

-- name: gas_spent
-- What a sender's transactions of this day (UTC) cost, and what those on their way cost at most, in wei. Those that only use up a nonce
-- count at most as well, on the day they were signed; so do those of a batch that another nonce settled, or that was dropped. Only
-- what can count is looked at: what was mined or signed today, and whatever was signed for a batch that is on its way.
-- class: read
-- params: sender bytea
-- returns: spent wei
WITH d AS MATERIALIZED (
    SELECT date_trunc('day', ogpu_now(), 'UTC') AS day
), c AS MATERIALIZED (
    SELECT nonce FROM chain_tx WHERE sender = $1 AND state IN ('mined', 'final') AND updated_at BETWEEN (SELECT day FROM d) AND 'infinity'
     UNION SELECT nonce FROM chain_tx WHERE sender = $1 AND created_at BETWEEN (SELECT day FROM d) AND 'infinity'
     UNION SELECT t.nonce FROM batch b JOIN chain_tx t ON t.batch_id = b.id WHERE b.state IN ('batched', 'submitted') AND t.sender = $1
)
SELECT COALESCE(sum(cost), 0)::text AS spent
  FROM (SELECT COALESCE(max(gas_used::numeric * gas_price) FILTER (WHERE state IN ('mined', 'final')), max(gas::numeric * max_fee), 0) AS cost
          FROM chain_tx t WHERE sender = $1 AND nonce IN (SELECT nonce FROM c)
           AND NOT EXISTS (SELECT FROM chain_nonce n WHERE n.sender = t.sender AND n.nonce = t.nonce AND n.state = 'foreign')
         GROUP BY nonce
        HAVING COALESCE(max(updated_at) FILTER (WHERE state IN ('mined', 'final')), max(created_at) FILTER (WHERE batch_id IS NULL OR EXISTS (
                    SELECT FROM chain_tx u WHERE u.batch_id = t.batch_id AND u.nonce <> t.nonce AND u.state = 'final')
                        OR (SELECT b.state FROM batch b WHERE b.id = t.batch_id) = 'dropped'), 'infinity')
               >= (SELECT day FROM d)) x;
