-- SPDX-License-Identifier: MIT
-- migrate:up

-- Counters past half of what an entry holds, 2^47 units: few, and looked for every few seconds.
CREATE INDEX counter_near ON counter (account_id) WHERE total >= 140737488355328000000000000::numeric;

-- migrate:down

DROP INDEX counter_near;
