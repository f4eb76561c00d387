-- SPDX-License-Identifier: MIT
-- migrate:up

ALTER TABLE chain_tx ALTER COLUMN batch_id DROP NOT NULL;
COMMENT ON COLUMN chain_tx.batch_id IS 'what it settles; NULL: nothing, it only uses up a nonce that would hold up those above it';

ALTER TABLE chain_nonce DROP CONSTRAINT chain_nonce_state_check;
ALTER TABLE chain_nonce ADD CONSTRAINT chain_nonce_state_check CHECK (state IN ('ours', 'foreign', 'filler'));
COMMENT ON COLUMN chain_nonce.state IS 'foreign: a final block counts it for a transaction that is not in our record; filler: no block counts it although later ones are signed, so it is to be used up by anything';

CREATE VIEW lane_kept AS
SELECT k.sender, k.nonce FROM chain_nonce k LEFT JOIN batch b ON b.id = k.batch_id
 WHERE (k.state = 'ours' AND (k.batch_id IS NULL OR b.state IN ('batched', 'submitted'))
        AND NOT EXISTS (SELECT FROM chain_tx t WHERE t.batch_id = k.batch_id AND t.nonce <> k.nonce AND t.state IN ('mined', 'final')))
    OR EXISTS (SELECT FROM chain_tx t WHERE t.sender = k.sender AND t.nonce = k.nonce AND t.state = 'final');
COMMENT ON VIEW lane_kept IS 'nonces that are used up for good, or will be by a batch on its way that no other nonce has settled';

-- migrate:down
DROP VIEW lane_kept;
DELETE FROM chain_tx WHERE batch_id IS NULL;
UPDATE chain_nonce SET state = 'foreign' WHERE state = 'filler';
ALTER TABLE chain_nonce DROP CONSTRAINT chain_nonce_state_check;
ALTER TABLE chain_nonce ADD CONSTRAINT chain_nonce_state_check CHECK (state IN ('ours', 'foreign'));
ALTER TABLE chain_tx ALTER COLUMN batch_id SET NOT NULL;
