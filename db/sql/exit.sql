-- SPDX-License-Identifier: MIT
-- The forced exit has begun, and is final. No batch and no voucher is taken any more, so an answer that were accepted now could
-- never be paid: every open task is canceled and its reward returned. First the fence: nothing new is made. Then, task by task,
-- what is open. Claims need no check of their own: attempt_open finds a closed task.

-- name: book_exit_begun
-- Who makes a task or a withdrawal holds its balance, who makes a batch the former's lock: after this transaction has had them all,
-- what was made before it is visible, and whoever comes later reads chain_exit.
-- class: slow
-- params: id uuid, block_no int8, log_index int4, tx_hash bytea, exit_at time
-- returns: like book_registered
-- lock: former
SELECT pg_advisory_xact_lock(7301);
-- lock: balance
SELECT count(*) FROM (SELECT account_id FROM balance ORDER BY account_id FOR NO KEY UPDATE) b;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.id, u.block_no, u.log_index, u.tx_hash, ogpu_ts(u.exit_at) AS exit_at
      FROM unnest($1::uuid[], $2::int8[], $3::int4[], $4::bytea[], $5::int8[]) WITH ORDINALITY AS u(id, block_no, log_index, tx_hash, exit_at, o)
), v AS (
    INSERT INTO chain_event (id, block_no, log_index, tx_hash, kind, at) SELECT id, block_no, log_index, tx_hash, 'exit_begun', ogpu_now() FROM c
    ON CONFLICT (tx_hash, log_index) DO NOTHING
), x AS (
    INSERT INTO chain_exit (exit_at, block_no, tx_hash, at) SELECT exit_at, block_no, tx_hash, ogpu_now() FROM c ON CONFLICT (one) DO NOTHING
)
SELECT call, 'ok' AS outcome FROM c ORDER BY call;

-- name: exit_state
-- Whether the forced exit has begun; one row when it has.
-- class: read
-- params: one bool
-- returns: exit_at time, closed bool
SELECT ogpu_us(exit_at) AS exit_at, closed_at IS NOT NULL AS closed FROM chain_exit WHERE one = $1;

-- name: due_exits
-- Tasks that an exit finds open; asked by the indexer, and by each gateway's keeper in case it has died.
-- class: read
-- params: max int4
-- returns: id uuid, source uuid
SELECT t.id, t.source_id AS source FROM task t WHERE t.status IN ('queued', 'running', 'verifying') AND EXISTS (SELECT FROM chain_exit) ORDER BY t.expires_at LIMIT $1;

-- name: task_exit
-- The exit closes a task: its reward returns, its attempts end without blame, its undecided responses are never opened. Safe twice.
-- class: slow
-- params: id uuid
-- returns: call int4, outcome text
-- lock: task
SELECT id FROM task WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- lock: attempt
SELECT id FROM attempt WHERE task_id = ANY($1::uuid[]) AND state IN ('live', 'responded') ORDER BY id FOR NO KEY UPDATE;
-- lock: balance
SELECT account_id FROM balance WHERE account_id IN (SELECT account_id FROM task WHERE id = ANY($1::uuid[])) ORDER BY account_id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.id, n.at FROM unnest($1::uuid[]) WITH ORDINALITY AS u(id, o), (SELECT ogpu_now() AS at) n
), f AS MATERIALIZED (
    SELECT c.*, t.status, t.reward, t.version, t.account_id AS account,
           CASE WHEN t.id IS NULL THEN 'task_not_found'
                WHEN t.status NOT IN ('queued', 'running', 'verifying') THEN 'task_closed'
                WHEN NOT EXISTS (SELECT FROM chain_exit) THEN 'task_running'
                ELSE 'ok' END AS fate
      FROM c LEFT JOIN task t ON t.id = c.id
), t AS (
    UPDATE task SET status = 'canceled', live = 0, version = task.version + 1, updated_at = f.at, finished_at = f.at, error_code = 'exit_begun',
                    error_message = 'a forced exit has begun on chain: no answer can be paid any more, the reward was returned'
      FROM f WHERE task.id = f.id AND f.fate = 'ok'
), a AS (
    UPDATE attempt SET state = CASE attempt.state WHEN 'live' THEN 'released' ELSE 'beaten' END, ended_at = f.at, error_code = 'exit_begun',
                       error_message = 'a forced exit has begun on chain: no answer can be paid any more'
      FROM f WHERE attempt.task_id = f.id AND f.fate = 'ok' AND attempt.state IN ('live', 'responded')
), r AS (
    UPDATE response SET state = 'beaten', reason = 'exit_begun', decided_at = f.at
      FROM f WHERE response.task_id = f.id AND f.fate = 'ok' AND response.state IN ('checking', 'passed')
), e AS (
    INSERT INTO task_event (task_id, seq, type, from_status, to_status, detail, at)
    SELECT id, version + 1, 'exit', status, 'canceled', 'exit_begun', at FROM f WHERE fate = 'ok'
), l AS (
    INSERT INTO ledger_entry (kind, ref, from_account, from_bucket, to_account, to_bucket, amount, at)
    SELECT 'refund', id, account, 'frozen', account, 'available', reward, at FROM f WHERE fate = 'ok'
), b AS (
    UPDATE balance SET available = balance.available + d.amount, frozen = balance.frozen - d.amount
      FROM (SELECT account, sum(reward) AS amount FROM f WHERE fate = 'ok' GROUP BY account) d WHERE balance.account_id = d.account
)
SELECT call, fate AS outcome FROM f ORDER BY call;

-- name: exit_closed
-- Notes that no task is open any more. Safe twice; 'busy' when one is.
-- class: slow
-- params: one bool
-- returns: call int4, outcome text
-- work:
WITH n AS MATERIALIZED (
    SELECT EXISTS (SELECT FROM task WHERE status IN ('queued', 'running', 'verifying')) AS open
), u AS (
    UPDATE chain_exit SET closed_at = COALESCE(closed_at, ogpu_now()) FROM n WHERE one = ($1::bool[])[1] AND NOT n.open
)
SELECT 0 AS call, CASE WHEN open THEN 'busy' ELSE 'ok' END AS outcome FROM n;
