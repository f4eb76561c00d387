-- SPDX-License-Identifier: MIT
-- Batches on chain that these books did not make, and an operator's word to settle on in spite of them.

-- name: foreign_batch_list
-- Newest first; what was voided or accepted stays in the list.
-- class: read
-- params: max int4
-- returns: epoch int8, increase_units int8, root bytea, tx_hash bytea, block_no int8, settled_at time, voided_at time?, accepted_at time?
SELECT epoch, increase_units, root, tx_hash, block_no, ogpu_us(settled_at) AS settled_at, ogpu_us(voided_at) AS voided_at, ogpu_us(accepted_at) AS accepted_at
  FROM foreign_batch ORDER BY epoch DESC LIMIT $1;

-- name: foreign_batch_accept
-- Settle on although this batch stands. Once more changes nothing; 'not_found' for what is not there, 'busy' for what was voided and holds
-- up nothing.
-- class: slow
-- params: epoch int8
-- returns: call int4, outcome text
-- lock: former
SELECT pg_advisory_xact_lock(7301);
-- work:
WITH c AS MATERIALIZED (
    SELECT ($1::int8[])[1] AS epoch
), f AS MATERIALIZED (
    SELECT x.* FROM c JOIN foreign_batch x USING (epoch)
), u AS (
    UPDATE foreign_batch x SET accepted_at = ogpu_now() FROM f WHERE x.epoch = f.epoch AND f.voided_at IS NULL AND f.accepted_at IS NULL
)
SELECT 0 AS call, CASE WHEN NOT EXISTS (SELECT FROM f) THEN 'not_found' WHEN EXISTS (SELECT FROM f WHERE voided_at IS NOT NULL) THEN 'busy' ELSE 'ok' END AS outcome FROM c;
