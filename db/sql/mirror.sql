-- SPDX-License-Identifier: MIT
-- Upstream's own contracts as the mirror saw them. Everything here is a copy: it can be read from the chain again.

-- name: mirror_book
-- Events of final blocks, each once by its place in the chain; those that publish make their object. A repeated range
-- changes nothing, and of two events that publish one address the first counts.
-- class: slow
-- params: chain_id int8, block_no int8, log_index int4, block_hash bytea, tx_hash bytea, kind text, subject uuid, actor bytea?, number wei?, object text?, address bytea, parent uuid?, parent_address bytea?
-- returns: call int4, fresh bool
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.* FROM unnest($1::int8[], $2::int8[], $3::int4[], $4::bytea[], $5::bytea[], $6::text[], $7::uuid[], $8::bytea[], $9::text[],
                                                  $10::text[], $11::bytea[], $12::uuid[], $13::bytea[])
           WITH ORDINALITY AS u(chain_id, block_no, log_index, block_hash, tx_hash, kind, subject, actor, number, object, address, parent, parent_address, o)
), e AS (
    INSERT INTO mirror_event (chain_id, block_no, log_index, block_hash, tx_hash, kind, subject, actor, number)
    SELECT chain_id, block_no, log_index, block_hash, tx_hash, kind, subject, actor, number::wei FROM c ORDER BY call
    ON CONFLICT DO NOTHING RETURNING chain_id, block_no, log_index
), n AS MATERIALIZED (
    SELECT c.* FROM c JOIN e USING (chain_id, block_no, log_index)
), m AS (
    INSERT INTO mirror_object (id, kind, chain_id, address, parent, parent_address, block_no, log_index, tx_hash, due_at)
    SELECT subject, object, chain_id, address, parent, parent_address, block_no, log_index, tx_hash, ogpu_now() FROM n WHERE object IS NOT NULL ORDER BY call
    ON CONFLICT DO NOTHING
), d AS (
    UPDATE mirror_object SET due_at = ogpu_now(), tries = 0 FROM n WHERE n.kind = 'updated' AND mirror_object.id = n.subject
)
SELECT c.call, n.call IS NOT NULL AS fresh FROM c LEFT JOIN n USING (call) ORDER BY c.call;

-- name: mirror_due
-- Objects whose struct is to be read now, the longest waiting first.
-- class: read
-- params: chain_id int8, max int4
-- returns: id uuid, kind text, address bytea
SELECT id, kind, address FROM mirror_object WHERE chain_id = $1 AND due_at <= ogpu_now() ORDER BY due_at, seq LIMIT $2;

-- name: mirror_read
-- What reading an object's struct gave; NULL: it was not readable, try later, ever more rarely.
-- class: slow
-- params: id uuid, params text?, block_no int8
-- returns: call int4
-- lock: object
SELECT id FROM mirror_object WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.* FROM unnest($1::uuid[], $2::text[], $3::int8[]) WITH ORDINALITY AS u(id, params, block_no, o)
), w AS (
    UPDATE mirror_object m SET params = COALESCE(c.params, m.params), params_block = CASE WHEN c.params IS NULL THEN m.params_block ELSE c.block_no END,
           tries = CASE WHEN c.params IS NULL THEN m.tries + 1 ELSE 0 END,
           due_at = CASE WHEN c.params IS NULL THEN ogpu_now() + LEAST(3600, 2 ^ LEAST(m.tries, 12)) * interval '1 second' END
      FROM c WHERE m.id = c.id
)
SELECT call FROM c ORDER BY call;

-- name: mirror_mark
-- The newest booked event below a block: a block whose hash we know.
-- class: read
-- params: chain_id int8, below int8
-- returns: block_no int8, block_hash bytea
SELECT block_no, block_hash FROM mirror_event WHERE chain_id = $1 AND block_no < $2 ORDER BY block_no DESC, log_index DESC LIMIT 1;

-- name: mirror_rewind
-- The chain was rewritten above block_no: forget what was booked there, go back, and read again what may have changed.
-- class: slow
-- params: name text, chain_id int8, block_no int8, block_hash bytea
-- returns: call int4
-- lock: cursor
SELECT name FROM chain_cursor WHERE name = ANY($1::text[]) ORDER BY name FOR NO KEY UPDATE;
-- work:
WITH c AS MATERIALIZED (
    SELECT (o - 1)::int4 AS call, u.* FROM unnest($1::text[], $2::int8[], $3::int8[], $4::bytea[]) WITH ORDINALITY AS u(name, chain_id, block_no, block_hash, o)
), e AS (
    DELETE FROM mirror_event x USING c WHERE x.chain_id = c.chain_id AND x.block_no > c.block_no
), m AS (
    DELETE FROM mirror_object x USING c WHERE x.chain_id = c.chain_id AND x.block_no > c.block_no
), d AS (
    UPDATE mirror_object x SET due_at = ogpu_now(), tries = 0 FROM c
     WHERE x.chain_id = c.chain_id AND x.block_no <= c.block_no AND COALESCE(x.params_block > c.block_no, true)
), k AS (
    UPDATE chain_cursor x SET block_no = c.block_no, final_no = c.block_no, block_hash = c.block_hash, updated_at = ogpu_now() FROM c WHERE x.name = c.name
)
SELECT call FROM c ORDER BY call;

-- name: mirror_source_get
-- class: read
-- params: id uuid
-- returns: seq int8, id uuid, chain_id int8, address bytea, block_no int8, log_index int4, tx_hash bytea, params text?, params_block int8, status int4, tasks int8
SELECT o.seq, o.id, o.chain_id, o.address, o.block_no, o.log_index, o.tx_hash, o.params, COALESCE(o.params_block, -1) AS params_block,
       COALESCE((SELECT e.number::int4 FROM mirror_event e WHERE e.subject = o.id AND e.kind = 'status' ORDER BY e.block_no DESC, e.log_index DESC LIMIT 1), 0) AS status,
       (SELECT count(*) FROM mirror_object t WHERE t.parent = o.id) AS tasks
  FROM mirror_object o WHERE o.id = $1 AND o.kind = 'source';

-- name: mirror_source_list
-- Newest first, of all mirrored chains or those of one client. Their status is the last one told, active before any.
-- class: read
-- params: client bytea?, status int4?, before int8, max int4
-- returns: like mirror_source_get
SELECT o.seq, o.id, o.chain_id, o.address, o.block_no, o.log_index, o.tx_hash, o.params, COALESCE(o.params_block, -1) AS params_block, s.status,
       (SELECT count(*) FROM mirror_object t WHERE t.parent = o.id) AS tasks
  FROM mirror_object o CROSS JOIN LATERAL (
       SELECT COALESCE((SELECT e.number::int4 FROM mirror_event e WHERE e.subject = o.id AND e.kind = 'status' ORDER BY e.block_no DESC, e.log_index DESC LIMIT 1), 0) AS status) s
 WHERE o.kind = 'source' AND ($3::int8 = 0 OR o.seq < $3)
   AND ($1::bytea IS NULL OR lower(o.params::jsonb ->> 'client') = '0x' || encode($1, 'hex')) AND ($2::int4 IS NULL OR s.status = $2)
 ORDER BY o.seq DESC LIMIT $4;

-- name: mirror_task_list
-- Newest first; all, those of one source, or one. A task's status is the last one told; an attempt makes it attempted and
-- a response responded when nobody said so, since upstream's contracts are not published and may tell it either way.
-- class: read
-- params: id uuid?, source uuid?, before int8, max int4
-- returns: seq int8, id uuid, chain_id int8, address bytea, source uuid, source_address bytea, block_no int8, log_index int4, tx_hash bytea, params text?, params_block int8, status int4, attempts int8, lowest_bid wei?, responses int8, answer_address bytea?, answer_params text?, overdue bool?
SELECT o.seq, o.id, o.chain_id, o.address, o.parent AS source, o.parent_address AS source_address, o.block_no, o.log_index, o.tx_hash, o.params,
       COALESCE(o.params_block, -1) AS params_block,
       CASE WHEN s.told >= 2 THEN s.told ELSE GREATEST(s.told, CASE WHEN r.n > 0 THEN 2 WHEN b.n > 0 THEN 1 ELSE 0 END) END AS status,
       b.n AS attempts, b.lowest::text AS lowest_bid, r.n AS responses, w.address AS answer_address, w.params AS answer_params,
       (o.params::jsonb ->> 'expiryTime')::numeric < EXTRACT(epoch FROM ogpu_now()) AS overdue
  FROM mirror_object o
 CROSS JOIN LATERAL (SELECT COALESCE((SELECT e.number::int4 FROM mirror_event e WHERE e.subject = o.id AND e.kind = 'status'
                                       ORDER BY e.block_no DESC, e.log_index DESC LIMIT 1), 0) AS told) s
 CROSS JOIN LATERAL (SELECT count(*) AS n, min(e.number) AS lowest FROM mirror_event e WHERE e.subject = o.id AND e.kind = 'attempted') b
 CROSS JOIN LATERAL (SELECT count(*) AS n FROM mirror_object x WHERE x.parent = o.id) r
  LEFT JOIN LATERAL (SELECT x.address, x.params FROM mirror_object x WHERE x.parent = o.id
                        AND (SELECT e.number FROM mirror_event e WHERE e.subject = x.id AND e.kind = 'status' ORDER BY e.block_no DESC, e.log_index DESC LIMIT 1) = 1
                      ORDER BY x.seq LIMIT 1) w ON true
 WHERE o.kind = 'task' AND ($1::uuid IS NULL OR o.id = $1) AND ($2::uuid IS NULL OR o.parent = $2) AND ($3::int8 = 0 OR o.seq < $3)
 ORDER BY o.seq DESC LIMIT $4;
