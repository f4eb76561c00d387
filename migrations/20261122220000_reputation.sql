-- SPDX-License-Identifier: MIT
-- migrate:up

ALTER TABLE batch ADD COLUMN score_root bytea CHECK (length(score_root) = 32),
                  ADD COLUMN log_root bytea CHECK (length(log_root) = 32),
                  ADD COLUMN log_leaves bytea CHECK (length(log_leaves) % 32 = 0);
COMMENT ON COLUMN batch.score_root IS 'over the epoch''s score leaves, as sealed; 32 zeros for none';
COMMENT ON COLUMN batch.log_root IS 'RFC 6962 root over the epoch''s acceptances, as sealed';
COMMENT ON COLUMN batch.log_leaves IS 'the leaves under log_root, 32 bytes each, in order: any old inclusion can be proved without the rows they were made of';

-- What was sealed before this carried zeros on chain.
UPDATE batch SET score_root = decode(repeat('00', 32), 'hex'), log_root = decode(repeat('00', 32), 'hex'), log_leaves = '' WHERE entries IS NOT NULL;
ALTER TABLE batch ADD CONSTRAINT batch_sealed_whole CHECK ((entries IS NULL) = (score_root IS NULL) AND (entries IS NULL) = (log_root IS NULL)
                                                       AND (entries IS NULL) = (log_leaves IS NULL));

ALTER TABLE attempt ADD COLUMN scored_in uuid;
COMMENT ON COLUMN attempt.scored_in IS 'for attempts that ended with blame: the batch whose epoch counts it; acceptances are counted by the batch of their ledger entry';
CREATE INDEX attempt_unscored ON attempt (ended_at, id) WHERE state IN ('rejected', 'failed', 'lapsed') AND scored_in IS NULL;
CREATE INDEX attempt_scored ON attempt (scored_in) WHERE scored_in IS NOT NULL;

CREATE TABLE score_leaf (
    provider_id uuid NOT NULL REFERENCES provider,
    epoch       int8 NOT NULL CHECK (epoch > 0),
    batch_id    uuid NOT NULL REFERENCES batch,
    accepted    int8 NOT NULL CHECK (accepted >= 0),
    rejected    int8 NOT NULL CHECK (rejected >= 0),
    expired     int8 NOT NULL CHECK (expired >= 0),
    score       int4 NOT NULL CHECK (score BETWEEN 0 AND 10000),
    events_root bytea NOT NULL CHECK (length(events_root) = 32),
    PRIMARY KEY (provider_id, epoch)
);
COMMENT ON TABLE score_leaf IS 'what an epoch says of a provider, as its batch''s score root stands over it; fixed once the batch is sealed';
CREATE INDEX score_leaf_batch ON score_leaf (batch_id);

-- migrate:down
DROP TABLE score_leaf;
DROP INDEX attempt_scored, attempt_unscored;
ALTER TABLE attempt DROP COLUMN scored_in;
ALTER TABLE batch DROP CONSTRAINT batch_sealed_whole, DROP COLUMN log_leaves, DROP COLUMN log_root, DROP COLUMN score_root;
