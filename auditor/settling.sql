-- SPDX-License-Identifier: MIT
-- What always holds on the way to the chain, and once a forced exit has begun: goes on from invariants.sql.

-- name: exits_come_from_the_chain
-- Deposits leave the books when and only when the chain has paid them back, in an exit that has begun; its account is marked.
SELECT COALESCE(c.id, e.ref)::text AS id, 'event ' || COALESCE(c.amount::text, '-') || ', entry ' || COALESCE(e.amount::text, '-') AS detail
  FROM (SELECT * FROM chain_event WHERE kind = 'exited') c FULL JOIN (SELECT * FROM ledger_entry WHERE kind = 'exit') e ON e.ref = c.id
 WHERE c.amount IS DISTINCT FROM e.amount OR c.account_id IS DISTINCT FROM e.from_account OR NOT EXISTS (SELECT FROM chain_exit)
    OR NOT EXISTS (SELECT FROM account a WHERE a.id = c.account_id AND a.exited_at IS NOT NULL)
UNION ALL
SELECT 'exit', 'begun on chain and not here, or the reverse' WHERE EXISTS (SELECT FROM chain_exit) <> EXISTS (SELECT FROM chain_event WHERE kind = 'exit_begun');

-- name: nothing_new_after_the_exit
-- From the moment in which the exit is booked no task, withdrawal or batch is made.
SELECT x.id::text AS id, x.what AS detail
  FROM chain_exit e, LATERAL (SELECT id, 'task' AS what FROM task WHERE created_at > e.at
                              UNION ALL SELECT id, 'withdrawal' FROM withdrawal WHERE created_at > e.at
                              UNION ALL SELECT id, 'batch' FROM batch WHERE created_at > e.at) x;

-- name: the_exit_closes_everything
-- What is accepted after the exit can never be paid. So no task is left open, from then on no attempt opens and nothing is
-- accepted, and what the exit closed is nobody's blame: the attempts are released or beaten. A minute is left for the closing.
SELECT t.id::text AS id, 'still ' || t.status AS detail
  FROM chain_exit e, task t WHERE t.status IN ('queued', 'running', 'verifying') AND (e.closed_at IS NOT NULL OR e.at < clock_timestamp() - interval '60 s')
UNION ALL
SELECT a.id::text, 'opened ' || a.started_at || ', exit closed ' || e.closed_at FROM chain_exit e, attempt a WHERE a.started_at > e.closed_at
UNION ALL
SELECT l.ref::text, l.kind || ' of ' || l.at || ', exit closed ' || e.closed_at FROM chain_exit e, ledger_entry l WHERE l.kind IN ('accept', 'fee') AND l.at > e.closed_at
UNION ALL
SELECT t.id::text, t.status || ' by an exit that has not begun' FROM task t WHERE t.error_code = 'exit_begun' AND NOT EXISTS (SELECT FROM chain_exit)
UNION ALL
SELECT a.id::text, a.state || ' by an exit' FROM attempt a JOIN task t ON t.id = a.task_id
 WHERE a.error_code = 'exit_begun' AND (a.state NOT IN ('released', 'beaten') OR t.error_code IS DISTINCT FROM 'exit_begun');

-- name: a_batch_is_settled_once
SELECT b.id::text AS id, b.state AS detail FROM batch b
 WHERE (b.state IN ('confirmed', 'voided')) <> EXISTS (SELECT FROM chain_event c WHERE c.kind = 'settled' AND c.epoch = b.epoch AND c.tx_hash = b.tx_hash)
    OR (SELECT count(*) FROM chain_tx t WHERE t.batch_id = b.id AND t.state IN ('mined', 'final')) > 1
UNION ALL
SELECT c.id::text, 'settled epoch ' || c.epoch || ' is nobody''s' FROM chain_event c
 WHERE c.kind = 'settled' AND NOT EXISTS (SELECT FROM batch b WHERE b.epoch = c.epoch AND b.state IN ('confirmed', 'voided'))
   AND NOT EXISTS (SELECT FROM foreign_batch f WHERE f.epoch = c.epoch AND f.tx_hash = c.tx_hash);

-- name: a_nonce_serves_one_batch
SELECT encode(sender, 'hex') || '/' || nonce AS id, count(DISTINCT batch_id) || ' batches' AS detail FROM chain_tx
 GROUP BY sender, nonce HAVING count(DISTINCT batch_id) > 1 OR count(*) FILTER (WHERE state IN ('mined', 'final')) > 1;

-- name: nonces_are_dense
SELECT encode(sender, 'hex') AS id, min(nonce) || ' to ' || max(nonce) AS detail
  FROM (SELECT sender, nonce FROM chain_tx UNION SELECT sender, nonce FROM chain_nonce WHERE state <> 'ours') n
 GROUP BY sender HAVING max(nonce) - min(nonce) + 1 <> count(*);

-- name: signed_nonces_are_reserved
-- Before anything is signed its nonce is reserved for its batch, and stays its own; a batch has one place in a sender's lane. What a
-- stranger used never carries a transaction of ours into a final block. Only at a place that is to be used up by anything may there be
-- one without a batch.
SELECT encode(t.hash, 'hex') AS id, 'nonce ' || t.nonce || ' is ' || CASE WHEN k.nonce IS NULL THEN 'not reserved' ELSE k.state || ', of batch ' || COALESCE(k.batch_id::text, '-') END AS detail
  FROM chain_tx t LEFT JOIN chain_nonce k ON k.sender = t.sender AND k.nonce = t.nonce
 WHERE k.nonce IS NULL OR (k.batch_id IS DISTINCT FROM t.batch_id AND NOT (k.state = 'filler' AND t.batch_id IS NULL))
    OR (k.state = 'foreign' AND t.state = 'final') OR (k.state <> 'filler' AND t.batch_id IS NULL)
UNION ALL
SELECT batch_id::text, count(*) || ' places in the lane of ' || encode(sender, 'hex') FROM chain_nonce WHERE state = 'ours' AND batch_id IS NOT NULL
 GROUP BY sender, batch_id HAVING count(*) > 1;

-- name: the_lane_has_no_gap
-- Reserved nonces of a sender follow one another. Only the last of them may be without a transaction: what comes after would wait
-- for it for ever.
SELECT encode(sender, 'hex') AS id, min(nonce) || ' to ' || max(nonce) || ', ' || count(*) || ' reserved' AS detail
  FROM chain_nonce GROUP BY sender HAVING max(nonce) - min(nonce) + 1 <> count(*)
UNION ALL
SELECT encode(k.sender, 'hex'), 'nonce ' || k.nonce || ' has no transaction, later ones have' FROM chain_nonce k
 WHERE k.state = 'ours' AND NOT EXISTS (SELECT FROM chain_tx t WHERE t.sender = k.sender AND t.nonce = k.nonce)
   AND EXISTS (SELECT FROM chain_tx t WHERE t.sender = k.sender AND t.nonce > k.nonce);

-- name: parked_entries_wait
-- Parked is an entry that may be paid out, for a reason, until a time; no batch made before that time carries it.
SELECT k.ref::text AS id, k.kind || CASE WHEN l.ref IS NULL THEN ': no entry' ELSE ': ' || l.from_bucket || ' to ' || l.to_bucket END || ', until ' || k.until || ', reason ' || k.reason AS detail
  FROM parked_entry k LEFT JOIN ledger_entry l ON l.ref = k.ref AND l.kind = k.kind
 WHERE l.ref IS NULL OR l.to_bucket <> 'payable' OR k.kind NOT IN ('accept', 'withdraw') OR k.until < k.at OR k.reason = ''
UNION ALL
SELECT k.ref::text, k.kind || ' is parked until ' || k.until || ' and in a batch of ' || b.created_at
  FROM parked_entry k JOIN ledger_entry l ON l.ref = k.ref AND l.kind = k.kind JOIN batch b ON b.id = l.batch_id WHERE b.created_at < k.until;

-- name: vouchers_are_earned
-- A voucher on chain that was not voided names at most what its account has earned by the books: earnings never fall. Else the signer's
-- key is stolen, or these books are an old copy.
SELECT v.id::text AS id, v.units || ' units for account ' || COALESCE(v.account_id::text, '-') || ' in block ' || v.block_no || ', earned ' || COALESCE(e.units, 0) AS detail
  FROM chain_event v
  LEFT JOIN (SELECT to_account, div(sum(amount::numeric), 1000000000000) AS units FROM ledger_entry WHERE kind IN ('accept', 'withdraw') GROUP BY 1) e ON e.to_account = v.account_id
 WHERE v.kind = 'voucher_posted' AND v.units > COALESCE(e.units, 0)
   AND NOT EXISTS (SELECT FROM chain_event x WHERE x.kind = 'voucher_voided' AND x.units = v.units AND x.account_id IS NOT DISTINCT FROM v.account_id);
