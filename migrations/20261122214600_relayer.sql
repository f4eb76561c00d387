-- SPDX-License-Identifier: MIT
-- migrate:up

CREATE TABLE chain_nonce (
    sender   bytea NOT NULL CHECK (length(sender) = 20),
    nonce    int8 NOT NULL CHECK (nonce >= 0),
    batch_id uuid REFERENCES batch,
    state    text NOT NULL DEFAULT 'ours' CHECK (state IN ('ours', 'foreign')),
    at       timestamptz NOT NULL,
    PRIMARY KEY (sender, nonce)
);
COMMENT ON TABLE chain_nonce IS 'the lane: every nonce is reserved here before anything is signed with it';
COMMENT ON COLUMN chain_nonce.batch_id IS 'whose it is; NULL: its batch was dissolved before anything was signed, the next batch takes it';
COMMENT ON COLUMN chain_nonce.state IS 'foreign: the chain used it for a transaction that is not in our record';
CREATE INDEX chain_nonce_batch ON chain_nonce (batch_id);

CREATE TABLE parked_entry (
    ref    uuid NOT NULL,
    kind   text NOT NULL,
    reason text NOT NULL,
    at     timestamptz NOT NULL,
    until  timestamptz NOT NULL,
    PRIMARY KEY (ref, kind)
);
COMMENT ON TABLE parked_entry IS 'payable entries that the contract refused when they were tried alone: left out of batches until their time, then tried again';

ALTER TABLE chain_tx ADD COLUMN gas int8, ADD COLUMN gas_used int8, ADD COLUMN gas_price wei;
COMMENT ON COLUMN chain_tx.gas IS 'the most gas it may use; gas_used and gas_price are what its receipt says';

-- migrate:down
ALTER TABLE chain_tx DROP COLUMN gas, DROP COLUMN gas_used, DROP COLUMN gas_price;
DROP TABLE parked_entry, chain_nonce;
