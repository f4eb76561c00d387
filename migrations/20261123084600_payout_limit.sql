-- SPDX-License-Identifier: MIT
-- migrate:up

CREATE INDEX chain_event_daily_cap ON chain_event (block_no, log_index) WHERE kind = 'daily_cap_set';

-- No row while the books know of no cap, or of one beyond int8: then nothing is too large.
CREATE VIEW payout_limit AS
SELECT GREATEST(k.units - 1, 0) * 1000000000000::numeric AS amount
  FROM (SELECT ('x' || encode(substr(data, 25, 8), 'hex'))::bit(64)::int8 AS units
          FROM chain_event WHERE kind = 'daily_cap_set' AND length(data) = 32 ORDER BY block_no DESC, log_index DESC LIMIT 1) k
 WHERE k.units >= 0;
COMMENT ON VIEW payout_limit IS 'wei of the largest payout that a batch can hold under the contract''s daily cap, as last booked: a payout is in one batch, with a unit of room for dust';

-- migrate:down
DROP VIEW payout_limit;
DROP INDEX chain_event_daily_cap;
