-- SPDX-License-Identifier: MIT
-- Statements of the engine's tests.

-- name: put
-- One row a call; the same id again is a replay.
-- class: write
-- params: id uuid, who int8, note text?, amount wei
-- returns: call int4, outcome text, tx int8
-- lock: total
SELECT 1 FROM total WHERE who = ANY($2) ORDER BY who FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, id, who, item_check(note) AS note, amount::numeric AS amount
      FROM unnest($1::uuid[], $2::int8[], $3::text[], $4::text[])
           WITH ORDINALITY AS u(id, who, note, amount, o)
), made AS (
    INSERT INTO item (id, who, note, amount) SELECT id, who, note, amount FROM c
    ON CONFLICT (id) DO UPDATE SET seen = item.seen + 1 RETURNING id, seen, tx
), sums AS (
    UPDATE total t SET n = t.n + s.n
      FROM (SELECT c.who, count(*) AS n FROM c JOIN made USING (id) WHERE made.seen = 1 GROUP BY 1) s
     WHERE t.who = s.who
)
SELECT c.call, CASE WHEN made.seen = 1 THEN 'ok' ELSE 'replay' END AS outcome,
       made.tx::text::int8 AS tx
  FROM c JOIN made USING (id);

-- name: put_slowly
-- class: slow
-- params: id uuid, seconds int4
-- returns: call int4, outcome text
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, id, seconds
      FROM unnest($1::uuid[], $2::int4[]) WITH ORDINALITY AS u(id, seconds, o)
), nap AS MATERIALIZED (
    SELECT c.call, c.id, pg_sleep(seconds) FROM c
), made AS (
    INSERT INTO item (id, who, amount) SELECT id, 1, 0 FROM nap
    ON CONFLICT (id) DO UPDATE SET seen = item.seen + 1 RETURNING id
)
SELECT nap.call, 'ok' AS outcome FROM nap JOIN made USING (id);

-- name: forgetful
-- Answers only the calls of even numbers, twice each.
-- class: write
-- params: n int4
-- returns: call int4, twin int4
-- work:
SELECT (o - 1)::int4 AS call, t::int4 AS twin
  FROM unnest($1::int4[]) WITH ORDINALITY AS u(n, o), generate_series(1, 2) AS t
 WHERE n % 2 = 0 ORDER BY t, o DESC;

-- name: echo_all
-- class: write
-- params: id uuid?, i int4?, l int8?, b bool?, t text?, d bytea?, w wei?, at time?
-- returns: call int4, id uuid?, i int4?, l int8?, b bool?, t text?, d bytea?, w wei?, at time?
-- work:
SELECT (o - 1)::int4 AS call, id, i, l, b, t, d, w, at
  FROM unnest($1::uuid[], $2::int4[], $3::int8[], $4::bool[], $5::text[], $6::bytea[], $7::text[],
              $8::int8[]) WITH ORDINALITY AS u(id, i, l, b, t, d, w, at, o);

-- name: echo_one
-- class: read
-- params: id uuid?, i int4?, l int8?, b bool?, t text?, d bytea?, w wei?, at time?
-- returns: id uuid?, i int4?, l int8?, b bool?, t text?, d bytea?, w wei?, at time?
SELECT $1 AS id, $2 AS i, $3 AS l, $4 AS b, $5 AS t, $6 AS d, $7 AS w, $8 AS at;

-- name: divide
-- Raises for 0; NULL where the column promises a value for 1; naps for 2.
-- class: read
-- params: n int4
-- returns: q int4
SELECT CASE WHEN $1 = 1 THEN NULL WHEN $1 = 2 THEN (SELECT 1 FROM pg_sleep(3)) ELSE 100 / $1 END AS q;

-- name: who_am_i
-- class: read
-- params: none
-- returns: pid int4, isolation text, sync text
SELECT pg_backend_pid() AS pid, current_setting('transaction_isolation') AS isolation,
       current_setting('synchronous_commit') AS sync;

-- name: item_get
-- class: read
-- params: id uuid
-- returns: id uuid, who int8, note text?, amount wei, seen int4
SELECT id, who, note, amount::text AS amount, seen FROM item WHERE id = $1;

-- name: count_all
-- Without a parameter: one call a batch.
-- class: write
-- params: none
-- returns: call int4, n int8
-- work:
SELECT 0 AS call, count(*) AS n FROM item;
