-- SPDX-License-Identifier: MIT
-- migrate:up

ALTER TABLE chain_exit ADD COLUMN closed_at timestamptz;
COMMENT ON COLUMN chain_exit.closed_at IS 'when the last open task had been canceled and refunded; from then on no attempt opens and nothing is accepted';

-- What was signed before nonces were reserved has its place in the lane too.
INSERT INTO chain_nonce (sender, nonce, batch_id, at)
SELECT sender, nonce, min(batch_id::text)::uuid, min(created_at) FROM chain_tx GROUP BY sender, nonce ON CONFLICT (sender, nonce) DO NOTHING;

-- migrate:down
ALTER TABLE chain_exit DROP COLUMN closed_at;
