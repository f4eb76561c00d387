-- SPDX-License-Identifier: MIT
-- An epoch's reputation: closed by the relayer when it seals the batch, proved to anyone afterwards.

-- name: epoch_gather
-- Marks the attempts that ended with blame and were not counted yet for this batch's epoch; acceptances have their batch from
-- their ledger entry. What a batch counted that was voided or dropped counts anew. Nothing is added once the batch is sealed; run
-- again before, it may add more. A row that somebody holds is left for the next epoch: no wait here, no deadlock with the verdicts.
-- class: slow
-- params: batch uuid, max int4
-- returns: call int4, outcome text
-- lock: batch
SELECT id FROM batch WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT b.id, b.entries IS NULL AS open, ($2::int4[])[1] AS max FROM batch b WHERE b.id = ($1::uuid[])[1]
), e AS MATERIALIZED (
    SELECT a.id FROM attempt a WHERE a.state IN ('rejected', 'failed', 'lapsed') AND a.scored_in IS NULL
     ORDER BY a.ended_at, a.id LIMIT (SELECT max FROM c WHERE open) FOR NO KEY UPDATE SKIP LOCKED
), g AS MATERIALIZED (
    SELECT a.id FROM attempt a WHERE a.scored_in IN (SELECT id FROM batch WHERE state IN ('voided', 'dropped'))
     LIMIT (SELECT max FROM c WHERE open) FOR NO KEY UPDATE SKIP LOCKED
), u AS (
    UPDATE attempt a SET scored_in = c.id FROM (SELECT id FROM e UNION SELECT id FROM g) x, c WHERE a.id = x.id AND c.open
)
SELECT 0 AS call, CASE WHEN NOT EXISTS (SELECT FROM c) THEN 'batch_not_found' ELSE 'ok' END AS outcome;

-- name: epoch_events
-- Every event that counts in a batch's epoch, with the facts that the provider signed and the score it had before.
-- class: read
-- params: batch uuid
-- returns: kind int4, task uuid, attempt uuid, attempt_epoch int4, provider uuid, address bytea, payee bytea, manifest_hash bytea, input_digest bytea, output_digest bytea?, amount wei, at time, score int4?
WITH e AS (
    SELECT 1 AS kind, r.attempt_id AS attempt, l.amount, r.decided_at AS at
      FROM ledger_entry l JOIN task t ON t.id = l.ref JOIN response r ON r.id = t.winner
     WHERE l.batch_id = $1 AND l.kind = 'accept'
    UNION ALL
    SELECT CASE a.state WHEN 'rejected' THEN 2 ELSE 3 END, a.id, 0, a.ended_at FROM attempt a WHERE a.scored_in = $1
)
SELECT e.kind, a.task_id AS task, a.id AS attempt, a.epoch AS attempt_epoch, p.id AS provider, p.address, m.address AS payee,
       s.manifest_hash, t.input_digest, r.output_digest, e.amount::text AS amount, ogpu_us(e.at) AS at,
       (SELECT x.score FROM score_leaf x JOIN batch y ON y.id = x.batch_id AND y.state NOT IN ('voided', 'dropped'), batch b
         WHERE b.id = $1 AND x.provider_id = p.id AND x.epoch < b.epoch ORDER BY x.epoch DESC LIMIT 1) AS score
  FROM e JOIN attempt a ON a.id = e.attempt JOIN task t ON t.id = a.task_id JOIN source s ON s.id = t.source_id
  JOIN provider p ON p.id = a.provider_id JOIN account m ON m.id = a.operator LEFT JOIN response r ON r.attempt_id = a.id;

-- name: score_put
-- A score leaf of an epoch that is being closed. The epoch computed anew before the batch is sealed replaces it, and so does a
-- batch that takes the number of a dropped one.
-- class: slow
-- params: batch uuid, address bytea, epoch int8, accepted int8, rejected int8, expired int8, score int4, events_root bytea
-- returns: like epoch_gather
-- lock: batch
SELECT id FROM batch WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.batch, p.id AS provider, u.epoch, u.accepted, u.rejected, u.expired, u.score, u.events_root, b.entries IS NULL AS open
      FROM unnest($1::uuid[], $2::bytea[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int4[], $8::bytea[])
           WITH ORDINALITY AS u(batch, address, epoch, accepted, rejected, expired, score, events_root, o)
      JOIN batch b ON b.id = u.batch JOIN provider p ON p.address = u.address
), w AS (
    INSERT INTO score_leaf (provider_id, epoch, batch_id, accepted, rejected, expired, score, events_root)
    SELECT provider, epoch, batch, accepted, rejected, expired, score, events_root FROM c WHERE open
    ON CONFLICT (provider_id, epoch) DO UPDATE SET batch_id = EXCLUDED.batch_id, accepted = EXCLUDED.accepted, rejected = EXCLUDED.rejected, expired = EXCLUDED.expired,
                                                   score = EXCLUDED.score, events_root = EXCLUDED.events_root
)
SELECT call, CASE WHEN open THEN 'ok' ELSE 'digest_mismatch' END AS outcome FROM c ORDER BY call;

-- name: score_proof
-- The newest confirmed epoch that has a leaf of the provider (or exactly `epoch`, when not 0), with all leaves under its root.
-- Without a confirmed one: a row that says in which state the newest is, or that there is none. `before` is what its formula began
-- with: the provider's newest earlier leaf that stood when the batch was made.
-- class: read
-- params: provider uuid, epoch int8
-- returns: batch uuid?, epoch int8, state text?, root bytea?, score_root bytea?, tx_hash bytea?, settled_at time?, address bytea?, accepted int8, rejected int8, expired int8, events_root bytea?, score int4, mine bool, before_epoch int8?, before_score int4?
SELECT b.id AS batch, COALESCE(b.epoch, 0) AS epoch, b.state, b.root, b.score_root, b.tx_hash, ogpu_us(b.settled_at) AS settled_at, q.address,
       COALESCE(s.accepted, 0) AS accepted, COALESCE(s.rejected, 0) AS rejected, COALESCE(s.expired, 0) AS expired, s.events_root,
       COALESCE(s.score, 0) AS score, COALESCE(s.provider_id = p.id, false) AS mine, z.epoch AS before_epoch, z.score AS before_score
  FROM provider p
  LEFT JOIN LATERAL (SELECT COALESCE(
         (SELECT x.batch_id FROM score_leaf x JOIN batch y ON y.id = x.batch_id
           WHERE x.provider_id = p.id AND y.state = 'confirmed' AND ($2 = 0 OR x.epoch = $2) ORDER BY x.epoch DESC LIMIT 1),
         (SELECT x.batch_id FROM score_leaf x WHERE x.provider_id = p.id AND ($2 = 0 OR x.epoch = $2) ORDER BY x.epoch DESC LIMIT 1)) AS id) n ON true
  LEFT JOIN batch b ON b.id = n.id
  LEFT JOIN LATERAL (SELECT x.epoch, x.score FROM score_leaf x JOIN batch y ON y.id = x.batch_id
                      WHERE x.provider_id = p.id AND x.epoch < b.epoch AND y.state <> 'dropped' AND (y.voided_at IS NULL OR y.voided_at > b.created_at)
                      ORDER BY x.epoch DESC LIMIT 1) z ON true
  LEFT JOIN score_leaf s ON s.batch_id = b.id AND (b.state = 'confirmed' OR s.provider_id = p.id)
  LEFT JOIN provider q ON q.id = s.provider_id
 WHERE p.id = $1 ORDER BY q.address;

-- name: provider_events
-- The events that a provider's leaf of one epoch counts (the newest confirmed when `epoch` is 0), in the order in which its events root
-- stands over them, behind (at, attempt).
-- One row at least when the provider exists: without a batch there is no leaf; in a batch that is not confirmed there is no event.
-- class: read
-- params: provider uuid, epoch int8, at int8, attempt uuid?, max int4
-- returns: batch uuid?, epoch int8, state text?, address bytea, kind int4?, task uuid?, attempt uuid?, attempt_epoch int4?, payee bytea?, manifest_hash bytea?, input_digest bytea?, output_digest bytea?, amount wei?, at time?
SELECT b.id AS batch, COALESCE(b.epoch, 0) AS epoch, b.state, p.address, v.kind, v.task, v.attempt, v.attempt_epoch, v.payee, v.manifest_hash, v.input_digest, v.output_digest, v.amount, v.at
  FROM provider p
  LEFT JOIN LATERAL (SELECT y.id, y.state, y.epoch FROM score_leaf x JOIN batch y ON y.id = x.batch_id
                      WHERE x.provider_id = p.id AND ($2 = 0 OR x.epoch = $2) ORDER BY y.state = 'confirmed' DESC, x.epoch DESC LIMIT 1) b ON true
  LEFT JOIN LATERAL (
    SELECT e.kind, a.task_id AS task, a.id AS attempt, a.epoch AS attempt_epoch, m.address AS payee, s.manifest_hash, t.input_digest, r.output_digest,
           e.amount::text AS amount, ogpu_us(e.at) AS at
      FROM (SELECT 1 AS kind, r.attempt_id AS attempt, l.amount, r.decided_at AS at
              FROM ledger_entry l JOIN task t ON t.id = l.ref JOIN response r ON r.id = t.winner WHERE l.batch_id = b.id AND l.kind = 'accept'
            UNION ALL
            SELECT CASE a.state WHEN 'rejected' THEN 2 ELSE 3 END, a.id, 0, a.ended_at FROM attempt a WHERE a.scored_in = b.id) e
      JOIN attempt a ON a.id = e.attempt AND a.provider_id = p.id JOIN task t ON t.id = a.task_id JOIN source s ON s.id = t.source_id
      JOIN account m ON m.id = a.operator LEFT JOIN response r ON r.attempt_id = a.id
     WHERE (ogpu_us(e.at), a.id) > ($3::int8, COALESCE($4::uuid, '00000000-0000-0000-0000-000000000000'))
     ORDER BY e.at, a.id LIMIT $5) v ON b.state = 'confirmed'
 WHERE p.id = $1 ORDER BY v.at, v.attempt;

-- name: task_proof
-- Everything a task's proof is made of; its owner's alone.
-- class: read
-- params: id uuid, account int8
-- returns: status text, attempt uuid?, attempt_epoch int4?, address bytea?, payee bytea?, manifest_hash bytea, input_digest bytea, output_digest bytea?, signature bytea?, amount wei?, at time?, batch uuid?, epoch int8?, state text?, log_root bytea?, log_leaves bytea?, tx_hash bytea?, settled_at time?
SELECT t.status, a.id AS attempt, a.epoch AS attempt_epoch, p.address, m.address AS payee, s.manifest_hash, t.input_digest, r.output_digest, r.signature,
       l.amount::text AS amount, ogpu_us(r.decided_at) AS at, b.id AS batch, b.epoch, b.state, b.log_root, b.log_leaves, b.tx_hash, ogpu_us(b.settled_at) AS settled_at
  FROM task t JOIN source s ON s.id = t.source_id
  LEFT JOIN response r ON r.id = t.winner LEFT JOIN attempt a ON a.id = r.attempt_id
  LEFT JOIN provider p ON p.id = a.provider_id LEFT JOIN account m ON m.id = a.operator
  LEFT JOIN ledger_entry l ON l.ref = t.id AND l.kind = 'accept' LEFT JOIN batch b ON b.id = l.batch_id
 WHERE t.id = $1 AND t.account_id = $2;
