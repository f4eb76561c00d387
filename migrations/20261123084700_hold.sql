-- SPDX-License-Identifier: MIT
-- migrate:up

ALTER TABLE attempt ADD COLUMN held_until timestamptz CHECK (held_until IS NULL OR state = 'released');
COMMENT ON COLUMN attempt.held_until IS 'handed back, but until then its operator is not given the task again';
CREATE INDEX attempt_held ON attempt (task_id, operator, held_until) WHERE held_until IS NOT NULL;

-- migrate:down

DROP INDEX attempt_held;
ALTER TABLE attempt DROP COLUMN held_until;
