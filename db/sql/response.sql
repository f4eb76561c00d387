-- SPDX-License-Identifier: MIT

-- name: response_submit
-- Stores a response as 'checking' with its place in the race, taken from the locked task row. Lease and expiry are judged
-- here, by the database clock after the lock; every output must have been uploaded under this very attempt.
-- class: write
-- params: id uuid, attempt uuid, provider uuid, epoch int4, signature bytea, outputs text, output_digest bytea, blobs bytea, check_s int4
-- returns: call int4, outcome text, id uuid, task uuid?
-- lock: task
SELECT id FROM task WHERE id IN (SELECT task_id FROM attempt WHERE id = ANY($2::uuid[])) ORDER BY id FOR NO KEY UPDATE;
-- lock: attempt
SELECT id FROM attempt WHERE id = ANY($2::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.*, n.at
      FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int4[], $5::bytea[], $6::text[], $7::bytea[], $8::bytea[], $9::int4[])
           WITH ORDINALITY AS u(id, attempt, provider, epoch, signature, outputs, output_digest, blobs, check_s, o), (SELECT ogpu_now() AS at) n
), f AS MATERIALIZED (
    SELECT c.*, t.id AS task, t.status, t.version, t.responses, r.id AS made,
           CASE WHEN a.id IS NULL THEN 'attempt_not_found'
                WHEN r.id IS NOT NULL AND r.signature = c.signature AND r.output_digest = c.output_digest THEN 'made'
                WHEN r.id IS NOT NULL THEN 'already_responded'
                WHEN a.epoch <> c.epoch THEN 'stale_epoch'
                WHEN t.error_code = 'exit_begun' THEN 'exit_begun'
                WHEN t.status NOT IN ('queued', 'running', 'verifying') OR t.expires_at <= c.at THEN 'task_closed'
                WHEN a.state <> 'live' OR a.lease_until <= c.at THEN 'lease_lost'
                WHEN EXISTS (SELECT FROM generate_series(0, length(c.blobs) / 32 - 1) g
                              WHERE NOT EXISTS (SELECT FROM blob_ref b WHERE b.digest = substr(c.blobs, g * 32 + 1, 32)
                                                                         AND b.kind = 'attempt' AND b.owner = a.id::text)) THEN 'output_not_uploaded'
                ELSE 'ok' END AS fate
      FROM c LEFT JOIN attempt a ON a.id = c.attempt AND a.provider_id = c.provider
      LEFT JOIN task t ON t.id = a.task_id LEFT JOIN response r ON r.attempt_id = a.id
), r AS (
    INSERT INTO response (id, attempt_id, task_id, seq, state, signature, outputs, output_digest, received_at, check_until)
    SELECT id, attempt, task, responses + 1, 'checking', signature, outputs, output_digest, at, at + check_s * interval '1 second' FROM f WHERE fate = 'ok'
), a AS (
    UPDATE attempt SET state = 'responded' FROM f WHERE attempt.id = f.attempt AND f.fate = 'ok'
), t AS (
    UPDATE task SET status = 'verifying', responses = task.responses + 1, version = task.version + 1, updated_at = f.at FROM f WHERE task.id = f.task AND f.fate = 'ok'
), e AS (
    INSERT INTO task_event (task_id, seq, type, from_status, to_status, attempt_id, at)
    SELECT task, version + 1, 'responded', status, 'verifying', attempt, at FROM f WHERE fate = 'ok'
)
SELECT call, CASE fate WHEN 'made' THEN 'ok' ELSE fate END AS outcome, COALESCE(made, id) AS id, task FROM f ORDER BY call;

-- name: response_load
-- Everything the checks of one response need, from rows alone.
-- class: read
-- params: id uuid
-- returns: id uuid, state text, task uuid, attempt uuid, epoch int4, provider bytea, manifest text, manifest_hash bytea, input_digest bytea, signature bytea, outputs text, output_digest bytea
SELECT r.id, r.state, r.task_id AS task, r.attempt_id AS attempt, a.epoch, p.address AS provider, s.manifest, s.manifest_hash, t.input_digest,
       r.signature, r.outputs, r.output_digest
  FROM response r JOIN attempt a ON a.id = r.attempt_id JOIN provider p ON p.id = a.provider_id
  JOIN task t ON t.id = r.task_id JOIN source s ON s.id = t.source_id WHERE r.id = $1;

-- name: verdict
-- Books the verdict on one response and, when it decides the race, the acceptance: the lowest sequence that passes wins; a
-- later pass waits at most wait_s for earlier checks. Winner: reward minus fee becomes the operator's payable. A rejection
-- opens the slot again, or fails the task when attempts are used up. Safe twice: a verdict already booked is not changed,
-- and a waiting pass is decided when called again.
-- class: write
-- params: response uuid, passed bool, reason text, wait_s int4, attempts_max int4
-- returns: call int4, outcome text, task uuid?, source uuid?, status text, reopened bool
-- lock: task
SELECT id FROM task WHERE id IN (SELECT task_id FROM response WHERE id = ANY($1::uuid[])) ORDER BY id FOR NO KEY UPDATE;
-- lock: attempt
SELECT id FROM attempt WHERE task_id IN (SELECT task_id FROM response WHERE id = ANY($1::uuid[])) ORDER BY id FOR NO KEY UPDATE;
-- lock: balance
SELECT account_id FROM balance
 WHERE account_id IN (SELECT t.account_id FROM task t JOIN response r ON r.task_id = t.id WHERE r.id = ANY($1::uuid[])
                      UNION SELECT a.operator FROM attempt a JOIN response r ON r.task_id = a.task_id WHERE r.id = ANY($1::uuid[]))
 ORDER BY account_id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.*, n.at
      FROM unnest($1::uuid[], $2::bool[], $3::text[], $4::int4[], $5::int4[]) WITH ORDINALITY AS u(response, passed, reason, wait_s, attempts_max, o),
           (SELECT ogpu_now() AS at) n
), g AS MATERIALIZED (
    SELECT c.*, t.id AS task, t.source_id AS source, t.account_id AS client, t.status, t.version, t.live, t.failures, t.reward, t.expires_at,
           div(t.reward * t.fee_bps, 10000) AS fee, r.attempt_id AS attempt, r.state AS was,
           COALESCE(t.status IN ('queued', 'running', 'verifying') AND r.state IN ('checking', 'passed'), false) AS counts,
           COALESCE(r.state = 'checking' AND NOT c.passed, false) AS refused
      FROM c LEFT JOIN response r ON r.id = c.response LEFT JOIN task t ON t.id = r.task_id
), s AS MATERIALIZED (
    -- Every response of these tasks, with this call's verdict applied.
    SELECT g.call, r.id, r.attempt_id, r.seq, r.received_at,
           CASE WHEN r.id = g.response AND r.state = 'checking' THEN CASE WHEN g.passed THEN 'passed' ELSE 'rejected' END ELSE r.state END AS state
      FROM g JOIN response r ON r.task_id = g.task WHERE g.counts
), w AS MATERIALIZED (
    SELECT DISTINCT ON (s.call) s.call, s.id AS response, s.attempt_id AS attempt, a.operator
      FROM s JOIN g ON g.call = s.call JOIN attempt a ON a.id = s.attempt_id
     WHERE s.state = 'passed'
       AND NOT EXISTS (SELECT FROM s x WHERE x.call = s.call AND x.seq < s.seq AND x.state = 'checking'
                                         AND x.received_at > g.at - g.wait_s * interval '1 second')
     ORDER BY s.call, s.seq
), f AS MATERIALIZED (
    SELECT g.*, w.response AS winner, w.attempt AS winner_attempt, w.operator,
           (g.counts AND g.refused AND w.call IS NULL) AS rejects,
           (g.counts AND g.was = 'checking' AND w.call IS NULL) AS noted,
           (g.counts AND g.refused AND w.call IS NULL AND g.failures + 1 >= g.attempts_max AND g.live = 1) AS dies,
           EXISTS (SELECT FROM s WHERE s.call = g.call AND s.state IN ('checking', 'passed')) AS pending
      FROM g LEFT JOIN w ON w.call = g.call
), n AS MATERIALIZED (
    SELECT f.*, CASE WHEN winner IS NOT NULL THEN 'succeeded' WHEN dies THEN 'failed' WHEN pending THEN 'verifying'
                     WHEN rejects AND live > 1 THEN 'running' WHEN rejects THEN 'queued' ELSE status END AS next
      FROM f
), ur AS (
    UPDATE response r
       SET state = CASE WHEN r.id = n.winner THEN 'accepted'
                        WHEN n.refused AND r.id = n.response THEN 'rejected'
                        WHEN n.winner IS NOT NULL THEN 'beaten' ELSE 'passed' END,
           reason = CASE WHEN n.refused AND r.id = n.response THEN n.reason ELSE r.reason END, decided_at = n.at,
           check_until = CASE WHEN r.id = n.response AND n.passed AND n.winner IS NULL THEN n.at + n.wait_s * interval '1 second' ELSE r.check_until END
      FROM n WHERE r.task_id = n.task AND n.counts AND r.state IN ('checking', 'passed')
       AND (n.winner IS NOT NULL OR (n.noted AND r.id = n.response))
), ua AS (
    UPDATE attempt a
       SET state = CASE WHEN a.id = n.winner_attempt THEN 'won'
                        WHEN n.refused AND a.id = n.attempt THEN 'rejected' ELSE 'beaten' END, ended_at = n.at,
           error_code = CASE WHEN n.refused AND a.id = n.attempt THEN 'rejected' END,
           error_message = CASE WHEN n.refused AND a.id = n.attempt THEN n.reason END
      FROM n WHERE a.task_id = n.task AND n.counts AND a.state IN ('live', 'responded')
       AND (n.winner IS NOT NULL OR (n.rejects AND a.id = n.attempt))
), ut AS (
    UPDATE task t
       SET status = n.next, version = t.version + 1, updated_at = n.at,
           live = CASE WHEN n.winner IS NOT NULL THEN 0 WHEN n.rejects THEN t.live - 1 ELSE t.live END,
           failures = t.failures + CASE WHEN n.rejects THEN 1 ELSE 0 END,
           winner = n.winner,
           finished_at = CASE WHEN n.winner IS NOT NULL OR n.dies THEN n.at END,
           error_code = CASE WHEN n.dies THEN 'attempts_exhausted' END,
           error_message = CASE WHEN n.dies THEN 'the last response was rejected: ' || n.reason END
      FROM n WHERE t.id = n.task AND n.counts AND (n.winner IS NOT NULL OR n.noted)
), ev AS (
    INSERT INTO task_event (task_id, seq, type, from_status, to_status, attempt_id, detail, at)
    SELECT task, version + 1, CASE WHEN winner IS NOT NULL THEN 'accepted' WHEN passed THEN 'passed' ELSE 'rejected' END, status, next,
           COALESCE(winner_attempt, attempt), CASE WHEN rejects THEN reason END, at
      FROM n WHERE counts AND (winner IS NOT NULL OR noted)
), l AS (
    INSERT INTO ledger_entry (kind, ref, from_account, from_bucket, to_account, to_bucket, amount, at)
    SELECT 'accept', task, client, 'frozen', operator, 'payable', reward - fee, at FROM n WHERE winner IS NOT NULL AND reward > fee
    UNION ALL
    SELECT 'fee', task, client, 'frozen', NULL, 'fee', fee, at FROM n WHERE winner IS NOT NULL AND fee > 0
    UNION ALL
    SELECT 'refund', task, client, 'frozen', client, 'available', reward, at FROM n WHERE dies
), b AS (
    UPDATE balance SET available = balance.available + d.available, frozen = balance.frozen - d.frozen, payable = balance.payable + d.payable
      FROM (SELECT account, sum(available) AS available, sum(frozen) AS frozen, sum(payable) AS payable
              FROM (SELECT client AS account, CASE WHEN dies THEN reward ELSE 0 END AS available, reward AS frozen, 0::numeric AS payable
                      FROM n WHERE winner IS NOT NULL OR dies
                    UNION ALL
                    SELECT operator, 0, 0, reward - fee FROM n WHERE winner IS NOT NULL) x GROUP BY account) d
     WHERE balance.account_id = d.account
)
SELECT call, CASE WHEN task IS NULL THEN 'not_found' WHEN NOT counts THEN 'task_closed' ELSE 'ok' END AS outcome, task, source,
       COALESCE(next, '') AS status, COALESCE(rejects AND NOT dies AND expires_at > at, false) AS reopened
  FROM n ORDER BY call;
