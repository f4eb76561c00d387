-- SPDX-License-Identifier: MIT
-- What always holds (docs/ARCHITECTURE.md, "Invariants"). Each query returns no row on healthy books; a row is a finding and
-- names the object. Written against the tables alone, by other code than the gateway's. Run in one REPEATABLE READ snapshot.
-- Times are judged by the database's own clock.
-- What concerns the way to the chain and the forced exit stands in settling.sql.

-- name: balance_equals_entries
-- An account's five buckets are the sums of its ledger entries.
SELECT b.account_id::text AS id, 'buckets ' || b.available || '/' || b.frozen || '/' || b.payable || '/' || b.claimable || '/' || b.debt
       || ' but entries say ' || e.available || '/' || e.frozen || '/' || e.payable || '/' || e.claimable || '/' || e.debt AS detail
  FROM balance b
  LEFT JOIN (SELECT account, sum(amount) FILTER (WHERE bucket = 'available') AS available, sum(amount) FILTER (WHERE bucket = 'frozen') AS frozen,
                    sum(amount) FILTER (WHERE bucket = 'payable') AS payable, sum(amount) FILTER (WHERE bucket = 'claimable') AS claimable,
                    -sum(amount) FILTER (WHERE bucket = 'debt') AS debt
               FROM (SELECT to_account AS account, to_bucket AS bucket, amount::numeric FROM ledger_entry
                     UNION ALL SELECT from_account, from_bucket, -amount::numeric FROM ledger_entry) x GROUP BY account) s ON s.account = b.account_id,
       LATERAL (SELECT COALESCE(s.available, 0) AS available, COALESCE(s.frozen, 0) AS frozen, COALESCE(s.payable, 0) AS payable, COALESCE(s.claimable, 0) AS claimable,
                       COALESCE(s.debt, 0) AS debt) e
 WHERE (b.available::numeric, b.frozen::numeric, b.payable::numeric, b.claimable::numeric, b.debt::numeric) <> (e.available, e.frozen, e.payable, e.claimable, e.debt);

-- name: entries_have_accounts
-- Every entry names accounts that have a balance row.
SELECT e.ref::text AS id, e.kind AS detail FROM ledger_entry e
 WHERE (e.from_account IS NOT NULL AND NOT EXISTS (SELECT FROM balance b WHERE b.account_id = e.from_account))
    OR (e.to_account IS NOT NULL AND NOT EXISTS (SELECT FROM balance b WHERE b.account_id = e.to_account));

-- name: entries_move_between_their_buckets
-- A kind of entry always moves between the same two buckets.
SELECT ref::text AS id, kind || ': ' || from_bucket || ' to ' || to_bucket AS detail FROM ledger_entry
 WHERE (kind, from_bucket, to_bucket) NOT IN (('deposit', 'external', 'available'), ('freeze', 'available', 'frozen'), ('refund', 'frozen', 'available'),
       ('accept', 'frozen', 'payable'), ('fee', 'frozen', 'fee'), ('withdraw', 'available', 'payable'), ('confirm', 'payable', 'claimable'),
       ('claim', 'claimable', 'external'), ('void', 'claimable', 'payable'), ('advance', 'payable', 'claimable'), ('overdraw', 'debt', 'claimable'),
       ('recover', 'payable', 'debt'), ('exit', 'available', 'external'), ('shortfall', 'debt', 'available'), ('refill', 'available', 'debt'));

-- name: books_equal_pool
-- What accounts own plus fees, less what they got without being owed it, is what came in less what went out.
SELECT 'pool' AS id, 'owned ' || owned || ', in less out ' || held AS detail
  FROM (SELECT (SELECT COALESCE(sum(available::numeric + frozen + payable + claimable - debt), 0) FROM balance)
             + (SELECT COALESCE(sum(amount::numeric), 0) FROM ledger_entry WHERE to_bucket = 'fee') AS owned,
               (SELECT COALESCE(sum(amount::numeric) FILTER (WHERE from_bucket = 'external'), 0)
                     - COALESCE(sum(amount::numeric) FILTER (WHERE to_bucket = 'external'), 0) FROM ledger_entry) AS held) x
 WHERE owned <> held;

-- name: frozen_equals_open_rewards
-- An account's frozen money is the sum of the rewards of its open tasks.
SELECT b.account_id::text AS id, 'frozen ' || b.frozen || ', open rewards ' || COALESCE(t.reward, 0) AS detail
  FROM balance b LEFT JOIN (SELECT account_id, sum(reward::numeric) AS reward FROM task WHERE status IN ('queued', 'running', 'verifying') GROUP BY 1) t
       USING (account_id)
 WHERE b.frozen::numeric <> COALESCE(t.reward, 0);

-- name: task_has_its_freeze
-- Every task froze exactly its reward, from its own account.
SELECT t.id::text AS id, COALESCE(e.amount::text, 'no freeze') AS detail FROM task t LEFT JOIN ledger_entry e ON e.ref = t.id AND e.kind = 'freeze'
 WHERE e.ref IS NULL OR e.amount <> t.reward OR e.from_account <> t.account_id OR e.to_account <> t.account_id;

-- name: task_money_entries_have_tasks
SELECT e.ref::text AS id, e.kind AS detail FROM ledger_entry e
 WHERE e.kind IN ('freeze', 'refund', 'accept', 'fee') AND NOT EXISTS (SELECT FROM task t WHERE t.id = e.ref);

-- name: paid_once_or_refunded_once
-- A closed task paid its reward (less the fee, which is booked) to the winner's operator, or returned it whole; an open one neither.
SELECT t.id::text AS id, t.status || ': accept ' || COALESCE(a.amount::text, '-') || ' fee ' || COALESCE(f.amount::text, '-') || ' refund ' || COALESCE(r.amount::text, '-') AS detail
  FROM task t
  LEFT JOIN ledger_entry a ON a.ref = t.id AND a.kind = 'accept'
  LEFT JOIN ledger_entry f ON f.ref = t.id AND f.kind = 'fee'
  LEFT JOIN ledger_entry r ON r.ref = t.id AND r.kind = 'refund'
 WHERE CASE WHEN t.status = 'succeeded' THEN r.ref IS NOT NULL OR COALESCE(a.amount, 0)::numeric + COALESCE(f.amount, 0) <> t.reward
                                          OR COALESCE(f.amount, 0) <> div(t.reward::numeric * t.fee_bps, 10000)
            WHEN t.status IN ('failed', 'canceled', 'expired') THEN a.ref IS NOT NULL OR f.ref IS NOT NULL OR r.amount IS DISTINCT FROM t.reward OR r.to_account <> t.account_id
            ELSE a.ref IS NOT NULL OR f.ref IS NOT NULL OR r.ref IS NOT NULL END;

-- name: payee_is_the_winners_operator
SELECT t.id::text AS id, 'paid account ' || e.to_account || ', winner''s operator ' || COALESCE(a.operator::text, '-') AS detail
  FROM ledger_entry e JOIN task t ON t.id = e.ref LEFT JOIN response r ON r.id = t.winner LEFT JOIN attempt a ON a.id = r.attempt_id
 WHERE e.kind = 'accept' AND (e.to_account IS DISTINCT FROM a.operator OR e.from_account <> t.account_id);

-- name: status_is_the_last_event
SELECT t.id::text AS id, t.status || ', last event ' || COALESCE(e.to_status, 'none') AS detail
  FROM task t LEFT JOIN LATERAL (SELECT to_status FROM task_event e WHERE e.task_id = t.id ORDER BY seq DESC LIMIT 1) e ON true
 WHERE e.to_status IS DISTINCT FROM t.status;

-- name: history_is_one_chain
-- Events count 1, 2, 3… and each begins where the one before ended.
SELECT task_id::text AS id, 'event ' || seq AS detail
  FROM (SELECT task_id, seq, from_status, row_number() OVER w AS n, lag(to_status) OVER w AS before FROM task_event WINDOW w AS (PARTITION BY task_id ORDER BY seq)) x
 WHERE seq <> n OR from_status IS DISTINCT FROM before
UNION ALL
SELECT t.id::text, 'version ' || t.version FROM task t WHERE t.version <> (SELECT count(*) FROM task_event e WHERE e.task_id = t.id);

-- name: events_have_tasks
SELECT DISTINCT e.task_id::text AS id, e.type AS detail FROM task_event e WHERE NOT EXISTS (SELECT FROM task t WHERE t.id = e.task_id);

-- name: only_legal_moves
SELECT task_id::text AS id, COALESCE(from_status, 'nothing') || ' to ' || to_status || ' by ' || type AS detail FROM task_event
 WHERE NOT CASE type
     WHEN 'created' THEN from_status IS NULL AND to_status = 'queued'
     WHEN 'claimed' THEN (from_status IN ('queued', 'running') AND to_status = 'running') OR (from_status = 'verifying' AND to_status = 'verifying')
     WHEN 'responded' THEN from_status IN ('running', 'verifying') AND to_status = 'verifying'
     WHEN 'passed' THEN from_status = 'verifying' AND to_status = 'verifying'
     WHEN 'accepted' THEN from_status = 'verifying' AND to_status = 'succeeded'
     WHEN 'rejected' THEN from_status = 'verifying' AND to_status IN ('queued', 'running', 'verifying', 'failed')
     WHEN 'canceled' THEN from_status = 'queued' AND to_status = 'canceled'
     WHEN 'expired' THEN from_status IN ('queued', 'running', 'verifying') AND to_status = 'expired'
     WHEN 'exit' THEN from_status IN ('queued', 'running', 'verifying') AND to_status = 'canceled'
     WHEN 'attempt_failed' THEN from_status IN ('running', 'verifying') AND to_status IN ('queued', 'running', 'verifying', 'failed')
     WHEN 'attempt_lapsed' THEN from_status IN ('running', 'verifying') AND to_status IN ('queued', 'running', 'verifying', 'failed')
     WHEN 'attempt_released' THEN from_status IN ('running', 'verifying') AND to_status IN ('queued', 'running', 'verifying', 'failed')
     ELSE false END;

-- name: live_counts_attempts
SELECT t.id::text AS id, 'live ' || t.live || ' of ' || t.racers || ', attempts ' || (SELECT count(*) FROM attempt a WHERE a.task_id = t.id AND a.state IN ('live', 'responded')) AS detail
  FROM task t WHERE t.live <> (SELECT count(*) FROM attempt a WHERE a.task_id = t.id AND a.state IN ('live', 'responded')) OR t.live > t.racers;

-- name: open_status_tells_the_attempts
-- queued: no live attempt; running: some, none responded; verifying: a response is undecided; closed: none.
SELECT t.id::text AS id, t.status || ' with ' || n.live || ' live, ' || n.responded || ' responded' AS detail
  FROM task t, LATERAL (SELECT count(*) FILTER (WHERE state = 'live') AS live, count(*) FILTER (WHERE state = 'responded') AS responded FROM attempt a WHERE a.task_id = t.id) n
 WHERE NOT CASE t.status WHEN 'queued' THEN n.live + n.responded = 0 WHEN 'running' THEN n.live > 0 AND n.responded = 0
                         WHEN 'verifying' THEN n.responded > 0 ELSE n.live + n.responded = 0 END;

-- name: epochs_are_dense
SELECT t.id::text AS id, 'epoch ' || t.epoch AS detail FROM task t
 WHERE (t.epoch, t.epoch) <> (SELECT count(*), COALESCE(max(epoch), 0) FROM attempt a WHERE a.task_id = t.id);

-- name: attempts_have_tasks_and_providers
SELECT a.id::text AS id, a.task_id::text AS detail FROM attempt a
 WHERE NOT EXISTS (SELECT FROM task t WHERE t.id = a.task_id) OR NOT EXISTS (SELECT FROM provider p WHERE p.id = a.provider_id)
    OR NOT EXISTS (SELECT FROM account c WHERE c.id = a.operator);

-- name: one_try_an_operator
SELECT task_id::text AS id, 'operator ' || operator AS detail FROM attempt WHERE state <> 'released' GROUP BY task_id, operator HAVING count(*) > 1;

-- name: ended_attempts_have_an_end
SELECT id::text AS id, state AS detail FROM attempt WHERE (state IN ('live', 'responded')) <> (ended_at IS NULL);

-- name: leases_are_watched
-- Nothing sits with a lapsed lease, past its expiry or unchecked for more than a minute.
SELECT id::text AS id, 'attempt live, lease ended ' || lease_until AS detail FROM attempt WHERE state = 'live' AND lease_until < clock_timestamp() - interval '60 s'
UNION ALL
SELECT id::text, 'response ' || state || ' since ' || received_at FROM response WHERE state IN ('checking', 'passed') AND check_until < clock_timestamp() - interval '60 s'
UNION ALL
SELECT t.id::text, 'task ' || status || ', expired ' || expires_at FROM task t
 WHERE status IN ('queued', 'running', 'verifying') AND expires_at < clock_timestamp() - interval '60 s'
   AND NOT EXISTS (SELECT FROM response r WHERE r.task_id = t.id AND r.state IN ('checking', 'passed'));

-- name: responses_are_dense
SELECT t.id::text AS id, 'responses ' || t.responses AS detail FROM task t
 WHERE (t.responses, t.responses) <> (SELECT count(*), COALESCE(max(seq), 0) FROM response r WHERE r.task_id = t.id);

-- name: responses_have_attempts
SELECT r.id::text AS id, r.state || ' of attempt ' || COALESCE(a.state, 'missing') AS detail FROM response r LEFT JOIN attempt a ON a.id = r.attempt_id AND a.task_id = r.task_id
 WHERE a.id IS NULL OR (r.state, a.state) NOT IN (('checking', 'responded'), ('passed', 'responded'), ('accepted', 'won'), ('beaten', 'beaten'), ('rejected', 'rejected'));

-- name: one_winner_of_a_succeeded_task
SELECT t.id::text AS id, t.status || ', accepted responses ' || (SELECT count(*) FROM response r WHERE r.task_id = t.id AND r.state = 'accepted') AS detail FROM task t
 WHERE (t.status = 'succeeded') <> (t.winner IS NOT NULL)
    OR (SELECT count(*) FROM response r WHERE r.task_id = t.id AND r.state = 'accepted') <> (t.status = 'succeeded')::int
    OR (t.winner IS NOT NULL AND NOT EXISTS (SELECT FROM response r WHERE r.id = t.winner AND r.task_id = t.id AND r.state = 'accepted'));

-- name: winner_came_in_time
-- Received inside its lease and before the expiry, by the database clock.
SELECT r.id::text AS id, 'received ' || r.received_at || ', lease to ' || a.lease_until || ', expiry ' || t.expires_at AS detail
  FROM response r JOIN attempt a ON a.id = r.attempt_id JOIN task t ON t.id = r.task_id
 WHERE r.state = 'accepted' AND (r.received_at > t.expires_at OR r.received_at > a.lease_until OR r.received_at < a.started_at);

-- name: winner_outputs_are_held
-- Every output of an accepted response was uploaded under its own attempt and is still held.
SELECT r.id::text AS id, o ->> 'name' AS detail FROM response r, json_array_elements(r.outputs::json) o
 WHERE r.state = 'accepted'
   AND NOT EXISTS (SELECT FROM blob_ref b JOIN blob d USING (digest)
                    WHERE b.digest = decode(o ->> 'sha256', 'hex') AND b.kind = 'attempt' AND b.owner = r.attempt_id::text AND d.size = (o ->> 'size')::int8);

-- name: closed_tasks_are_finished
SELECT id::text AS id, status AS detail FROM task WHERE (status IN ('succeeded', 'failed', 'canceled', 'expired')) <> (finished_at IS NOT NULL);

-- name: tasks_have_accounts_and_sources
SELECT t.id::text AS id, 'account ' || t.account_id || ', source ' || t.source_id AS detail FROM task t
 WHERE NOT EXISTS (SELECT FROM balance b WHERE b.account_id = t.account_id) OR NOT EXISTS (SELECT FROM source s WHERE s.id = t.source_id);

-- name: registrations_name_the_manifest
SELECT r.source_id::text AS id, r.provider_id::text AS detail FROM registration r JOIN source s ON s.id = r.source_id WHERE r.manifest_hash <> s.manifest_hash;

-- name: replays_point_at_effects
-- An idempotency key that answered "ok" points at what it made.
SELECT i.account_id || '/' || i.key AS id, i.operation AS detail FROM idempotency i
 WHERE i.outcome = 'ok' AND NOT CASE i.operation
     WHEN 'task_submit' THEN EXISTS (SELECT FROM task t WHERE t.id = i.ref AND t.account_id = i.account_id)
     WHEN 'source_create' THEN EXISTS (SELECT FROM source s WHERE s.id = i.ref AND s.owner = i.account_id)
     WHEN 'withdrawal_create' THEN EXISTS (SELECT FROM withdrawal w WHERE w.id = i.ref AND w.account_id = i.account_id)
     WHEN 'task_cancel' THEN EXISTS (SELECT FROM task t WHERE t.id = i.ref AND t.account_id = i.account_id AND t.status = 'canceled')
     WHEN 'source_retire' THEN EXISTS (SELECT FROM source s WHERE s.id = i.ref AND s.owner = i.account_id AND s.status = 'retired')
     ELSE false END;

-- name: withdrawals_are_booked
SELECT COALESCE(w.id, e.ref)::text AS id, 'withdrawal ' || COALESCE(w.amount::text, '-') || ', entry ' || COALESCE(e.amount::text, '-') AS detail
  FROM withdrawal w FULL JOIN (SELECT * FROM ledger_entry WHERE kind = 'withdraw') e ON e.ref = w.id
 WHERE w.amount IS DISTINCT FROM e.amount OR w.account_id IS DISTINCT FROM e.from_account OR e.from_account IS DISTINCT FROM e.to_account;

-- name: deposits_come_from_the_chain
SELECT COALESCE(c.id, e.ref)::text AS id, 'event ' || COALESCE(c.amount::text, '-') || ', entry ' || COALESCE(e.amount::text, '-') AS detail
  FROM (SELECT * FROM chain_event WHERE kind = 'deposited') c FULL JOIN (SELECT * FROM ledger_entry WHERE kind = 'deposit') e ON e.ref = c.id
 WHERE c.amount IS DISTINCT FROM e.amount OR c.account_id IS DISTINCT FROM e.to_account;

-- name: claims_come_from_the_chain
SELECT COALESCE(c.id, e.ref)::text AS id, 'event ' || COALESCE(c.amount::text, '-') || ', entry ' || COALESCE(e.amount::text, '-') AS detail
  FROM (SELECT * FROM chain_event WHERE kind = 'claimed') c FULL JOIN (SELECT * FROM ledger_entry WHERE kind = 'claim') e ON e.ref = c.id
 WHERE c.amount IS DISTINCT FROM e.amount OR c.account_id IS DISTINCT FROM e.from_account;

-- name: batched_entries_have_their_batch
-- Only payable entries are batched, into a batch that exists and lists payee and payer.
SELECT e.ref::text AS id, e.kind || ' in batch ' || e.batch_id AS detail FROM ledger_entry e
 WHERE e.batch_id IS NOT NULL
   AND (e.to_bucket <> 'payable'
     OR NOT EXISTS (SELECT FROM batch_item i WHERE i.batch_id = e.batch_id AND i.account_id = e.to_account AND i.counter = 'earned')
     OR NOT EXISTS (SELECT FROM batch_item i WHERE i.batch_id = e.batch_id AND i.account_id = e.from_account AND i.counter = 'spent'));

-- name: counters_are_sums
-- A counter's total is the sum of the account's entries in standing batches (a payer spends the fee too); what it declared is the
-- sum of their gains; an item's amount is the sum of its entries, its units are the whole part of its total, and of its gain.
WITH e AS MATERIALIZED (
    SELECT e.from_account, e.to_account, e.amount::numeric AS amount, e.amount::numeric + COALESCE(f.amount, 0) AS with_fee
      FROM ledger_entry e JOIN batch x ON x.id = e.batch_id AND x.state NOT IN ('voided', 'dropped')
      LEFT JOIN ledger_entry f ON e.kind = 'accept' AND f.ref = e.ref AND f.kind = 'fee'
), s AS (
    SELECT to_account AS account_id, 'earned' AS counter, sum(amount) AS total FROM e GROUP BY 1
    UNION ALL SELECT from_account, 'spent', sum(with_fee) FROM e GROUP BY 1
), g AS (
    SELECT i.account_id, i.counter, sum(i.gain_units) AS gains FROM batch_item i JOIN batch x ON x.id = i.batch_id AND x.state NOT IN ('voided', 'dropped') GROUP BY 1, 2
)
SELECT COALESCE(k.account_id, s.account_id)::text AS id, COALESCE(k.counter, s.counter) || ': total ' || COALESCE(k.total::text, '-') || ', entries ' || COALESCE(s.total, 0)
       || ', gains ' || COALESCE(k.gain_units::text, '-') || ', items ' || COALESCE(g.gains, 0) AS detail
  FROM counter k FULL JOIN s ON s.account_id = k.account_id AND s.counter = k.counter LEFT JOIN g ON g.account_id = k.account_id AND g.counter = k.counter
 WHERE k.account_id IS NULL OR k.total::numeric <> COALESCE(s.total, 0) OR k.gain_units <> COALESCE(g.gains, 0)
UNION ALL
SELECT i.batch_id::text, i.counter || ' of account ' || i.account_id || ': total ' || i.total || ', units ' || i.units || ', gain ' || i.gain_units
  FROM batch_item i LEFT JOIN counter k ON k.account_id = i.account_id AND k.counter = i.counter
 WHERE i.units <> div(i.total::numeric, 1000000000000) OR i.gain_units > i.units OR i.amount > i.total OR k.account_id IS NULL;

-- name: gains_follow_the_counters
-- As long as no batch of an account was voided or dropped, each item's gain is its growth over the one before.
SELECT i.batch_id::text AS id, i.counter || ' of account ' || i.account_id || ': gain ' || i.gain_units || ' to ' || i.units AS detail
  FROM (SELECT q.*, b.epoch, q.units - COALESCE(lag(q.units) OVER w, 0) AS growth, q.total::numeric - COALESCE(lag(q.total::numeric) OVER w, 0) AS grown,
               bool_or(b.state IN ('voided', 'dropped')) OVER (PARTITION BY q.account_id) AS broken
          FROM batch_item q JOIN batch b ON b.id = q.batch_id WINDOW w AS (PARTITION BY q.account_id, q.counter ORDER BY b.epoch)) i
 WHERE NOT i.broken AND (i.gain_units <> i.growth OR i.amount <> i.grown);

-- name: batches_add_up
-- Epochs count 1, 2, 3…; the declared increase is the sum of earned gains; the entries are the items, 10 bytes each in position order.
SELECT b.id::text AS id, 'epoch ' || b.epoch || ', increase ' || b.increase_units AS detail
  FROM (SELECT batch.*, row_number() OVER (PARTITION BY state = 'dropped' ORDER BY epoch) + (SELECT count(*) FROM foreign_batch f WHERE f.epoch < batch.epoch) AS n FROM batch) b,
       LATERAL (SELECT COALESCE(sum(i.gain_units) FILTER (WHERE i.counter = 'earned'), 0) AS gains,
                       string_agg(int4send((CASE i.counter WHEN 'spent' THEN a.chain_id - 2147483648 ELSE a.chain_id END)::int4) || substr(int8send(i.units), 3), ''::bytea ORDER BY i.position) AS bytes
                  FROM batch_item i JOIN account a ON a.id = i.account_id WHERE i.batch_id = b.id) s
 WHERE (b.epoch <> b.n AND b.state <> 'dropped') OR b.increase_units <> s.gains OR b.entries <> s.bytes OR (b.entries IS NULL AND EXISTS (SELECT FROM chain_tx t WHERE t.batch_id = b.id));

-- name: confirmed_means_booked
-- A final batch moved each earned gain from payable to claimable, once, but for what the chain had paid before; no other batch
-- moved anything. Only a voided batch moved anything back, and never more.
SELECT i.batch_id::text AS id, 'account ' || i.account_id || ', gain ' || i.gain_units || ', confirmed ' || COALESCE(e.amount::text, '-') AS detail
  FROM batch_item i JOIN batch b ON b.id = i.batch_id LEFT JOIN ledger_entry e ON e.kind = 'confirm' AND e.batch_id IS NULL
       AND e.ref = md5(i.batch_id::text || '/' || i.account_id)::uuid
 WHERE i.counter = 'earned'
   AND COALESCE(e.amount, 0)::numeric <> CASE WHEN b.state IN ('confirmed', 'voided') THEN (i.gain_units - i.absorbed_units)::numeric * 1000000000000 ELSE 0 END
UNION ALL
SELECT e.ref::text, e.kind || ' without item' FROM ledger_entry e
 WHERE e.kind IN ('confirm', 'void') AND NOT EXISTS (SELECT FROM batch_item i JOIN batch b ON b.id = i.batch_id WHERE md5(i.batch_id::text || '/' || i.account_id)::uuid = e.ref
       AND i.counter = 'earned' AND i.account_id = e.to_account AND (e.kind = 'confirm' OR (b.state = 'voided' AND e.amount <= i.gain_units::numeric * 1000000000000)));

-- name: claimable_is_declared_less_claimed
-- What standing final batches declared for an account less what the chain has paid it as earned is claimable; paid beyond it is
-- its advance.
WITH d AS (
    SELECT i.account_id, sum(i.gain_units)::numeric AS units FROM batch_item i JOIN batch x ON x.id = i.batch_id AND x.state = 'confirmed' WHERE i.counter = 'earned' GROUP BY 1
), c AS (
    SELECT account_id, sum(units)::numeric AS units FROM chain_event WHERE kind = 'claimed' GROUP BY 1
)
SELECT b.account_id::text AS id, 'claimable ' || b.claimable || ', advanced ' || b.advanced || ', declared ' || COALESCE(d.units, 0) || ', claimed ' || COALESCE(c.units, 0) AS detail
  FROM balance b LEFT JOIN d USING (account_id) LEFT JOIN c USING (account_id)
 WHERE b.claimable <> GREATEST(COALESCE(d.units, 0) - COALESCE(c.units, 0), 0) * 1000000000000
    OR b.advanced <> GREATEST(COALESCE(c.units, 0) - COALESCE(d.units, 0), 0) * 1000000000000;

-- name: nobody_was_overpaid
-- The chain has paid nobody what the books did not owe: after a theft, or an exit with an old figure, this says how much. The chain
-- counts spending in whole units, so in an exit less than one unit of an account may come back to it.
SELECT b.account_id::text AS id, 'debt ' || b.debt || ' wei' AS detail FROM balance b JOIN account a ON a.id = b.account_id
 WHERE b.debt > CASE WHEN a.exited_at IS NULL THEN 0 ELSE 999999999999 END;

-- name: no_foreign_batch
-- Every batch on chain is one of ours, or was voided: else the settler's key is stolen, or these books are an old copy.
SELECT epoch::text AS id, 'declares ' || increase_units || ' units in block ' || block_no AS detail FROM foreign_batch WHERE voided_at IS NULL AND accepted_at IS NULL;

-- name: voids_come_from_the_chain
-- A batch is voided when and only when the chain says so, with the increase that was declared; its entries wait again.
SELECT COALESCE(b.id::text, f.epoch::text, c.id::text) AS id, 'event ' || COALESCE(c.units::text, '-') || ', batch ' || COALESCE(b.state, '-') AS detail
  FROM (SELECT * FROM chain_event WHERE kind = 'voided') c
  FULL JOIN (SELECT * FROM batch WHERE state = 'voided') b ON b.epoch = c.epoch LEFT JOIN foreign_batch f ON f.epoch = c.epoch
 WHERE c.id IS NULL OR (b.id IS NULL AND f.voided_at IS NULL) OR c.units <> COALESCE(b.increase_units, f.increase_units)
UNION ALL
SELECT e.ref::text, e.kind || ' is carried by a ' || b.state || ' batch' FROM ledger_entry e JOIN batch b ON b.id = e.batch_id WHERE b.state IN ('voided', 'dropped');

-- name: stake_is_its_events
-- What an account has at stake is what its events come to, one after the other; a sanction takes first what unbonds.
WITH RECURSIVE e AS MATERIALIZED (
    SELECT account_id, kind, amount::numeric AS amount, row_number() OVER (PARTITION BY account_id ORDER BY block_no, log_index) AS n
      FROM chain_event WHERE kind IN ('locked', 'unbonded', 'unbonding_canceled', 'stake_claimed', 'sanctioned', 'waived', 'sanction_withdrawn')
), f AS (
    SELECT DISTINCT account_id, 0::int8 AS n, 0::numeric AS locked, 0::numeric AS unbonding, 0::numeric AS sanctioned FROM e
    UNION ALL
    SELECT f.account_id, e.n,
           f.locked + CASE e.kind WHEN 'locked' THEN e.amount WHEN 'unbonded' THEN -e.amount WHEN 'unbonding_canceled' THEN e.amount WHEN 'waived' THEN e.amount
                                  WHEN 'sanctioned' THEN -GREATEST(e.amount - f.unbonding, 0) ELSE 0 END,
           f.unbonding + CASE e.kind WHEN 'unbonded' THEN e.amount WHEN 'unbonding_canceled' THEN -e.amount WHEN 'stake_claimed' THEN -e.amount
                                     WHEN 'sanctioned' THEN -LEAST(e.amount, f.unbonding) ELSE 0 END,
           f.sanctioned + CASE e.kind WHEN 'sanctioned' THEN e.amount WHEN 'waived' THEN -e.amount WHEN 'sanction_withdrawn' THEN -e.amount ELSE 0 END
      FROM f JOIN e ON e.account_id = f.account_id AND e.n = f.n + 1
), l AS (
    SELECT DISTINCT ON (account_id) * FROM f ORDER BY account_id, n DESC
)
SELECT COALESCE(s.account_id, l.account_id)::text AS id, 'stake ' || COALESCE(s.locked || '/' || s.unbonding || '/' || s.sanctioned, '-')
       || ', events ' || COALESCE(l.locked || '/' || l.unbonding || '/' || l.sanctioned, '-') AS detail
  FROM stake s FULL JOIN l ON l.account_id = s.account_id
 WHERE (s.locked, s.unbonding, s.sanctioned) IS DISTINCT FROM (l.locked, l.unbonding, l.sanctioned);

-- name: booked_means_final
-- Nothing is booked beyond the last block that was seen as final.
SELECT id::text AS id, kind || ' in block ' || block_no AS detail FROM chain_event WHERE block_no > COALESCE((SELECT max(final_no) FROM chain_cursor WHERE name NOT LIKE 'mirror:%'), -1);

-- name: listed_accounts_are_registered
SELECT i.batch_id::text AS id, 'account ' || i.account_id AS detail FROM batch_item i JOIN account a ON a.id = i.account_id
 WHERE a.chain_id IS NULL OR NOT EXISTS (SELECT FROM chain_event c WHERE c.kind = 'registered' AND c.account_id = i.account_id);

-- name: blob_rights_have_owners
SELECT encode(r.digest, 'hex') AS id, r.kind || ' ' || r.owner AS detail FROM blob_ref r
 WHERE NOT CASE r.kind WHEN 'account' THEN EXISTS (SELECT FROM account a WHERE a.id::text = r.owner)
                       WHEN 'attempt' THEN EXISTS (SELECT FROM attempt a WHERE a.id::text = r.owner)
                       WHEN 'task' THEN EXISTS (SELECT FROM task t WHERE t.id::text = r.owner)
                       ELSE EXISTS (SELECT FROM source s WHERE s.id::text = r.owner) END;
