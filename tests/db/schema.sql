-- SPDX-License-Identifier: MIT
-- Tables of the engine's own tests; the marketplace's schema plays no part in them.

CREATE TABLE item (
    id uuid PRIMARY KEY,
    who int8 NOT NULL,
    note text,
    amount numeric NOT NULL,
    seen int4 NOT NULL DEFAULT 1,
    tx xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE TABLE total (who int8 PRIMARY KEY, n int8 NOT NULL);
INSERT INTO total SELECT i, 0 FROM generate_series(1, 100) AS i;
CREATE SEQUENCE hiccup;

-- Raises by the word it is given; 'hiccup' fails with 40001 until the sequence has passed 3.
CREATE FUNCTION item_check(note text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    CASE note
    WHEN 'poison' THEN RAISE EXCEPTION 'poison';
    WHEN 'deadlock' THEN RAISE EXCEPTION USING ERRCODE = '40P01', MESSAGE = 'always';
    WHEN 'full' THEN RAISE EXCEPTION USING ERRCODE = '53100', MESSAGE = 'disk full';
    WHEN 'hiccup' THEN
        IF nextval('hiccup') < 4 THEN
            RAISE EXCEPTION USING ERRCODE = '40001', MESSAGE = 'hiccup';
        END IF;
    WHEN 'twin' THEN
        IF nextval('hiccup') < 2 THEN
            RAISE EXCEPTION USING ERRCODE = '23505', MESSAGE = 'twin';
        END IF;
    WHEN 'twins' THEN RAISE EXCEPTION USING ERRCODE = '23505', MESSAGE = 'twins';
    ELSE
    END CASE;
    RETURN note;
END $$;
