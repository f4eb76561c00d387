-- SPDX-License-Identifier: MIT
-- migrate:up

ALTER TABLE chain_nonce DROP CONSTRAINT chain_nonce_state_check;
ALTER TABLE chain_nonce ADD CONSTRAINT chain_nonce_state_check CHECK (state IN ('ours', 'foreign', 'filler', 'spent'));
COMMENT ON COLUMN chain_nonce.state IS 'foreign: a final block counts it for a transaction that is not in our record; filler: no block counts it although later ones are signed, so it is to be used up by anything; spent: a final block counts it, and the batch that it was for is not settled there, as an operator made sure';

-- migrate:down
UPDATE chain_nonce SET state = 'foreign' WHERE state = 'spent';
ALTER TABLE chain_nonce DROP CONSTRAINT chain_nonce_state_check;
ALTER TABLE chain_nonce ADD CONSTRAINT chain_nonce_state_check CHECK (state IN ('ours', 'foreign', 'filler'));
