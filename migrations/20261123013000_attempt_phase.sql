-- SPDX-License-Identifier: MIT
-- migrate:up

ALTER TABLE attempt
    ADD COLUMN phase        text CHECK (phase IN ('pulling', 'running')),
    ADD COLUMN pulled_bytes int8 CHECK (pulled_bytes >= 0),
    ADD COLUMN image_bytes  int8 CHECK (image_bytes >= 0);
COMMENT ON COLUMN attempt.phase IS 'what its worker said last; of a live attempt only does it mean anything';

-- migrate:down

ALTER TABLE attempt DROP COLUMN phase, DROP COLUMN pulled_bytes, DROP COLUMN image_bytes;
