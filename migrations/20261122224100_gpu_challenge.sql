-- SPDX-License-Identifier: MIT
-- migrate:up

CREATE TABLE gpu_challenge (
    id           uuid PRIMARY KEY,
    provider_id  uuid NOT NULL REFERENCES provider,
    device       text NOT NULL CHECK (length(device) BETWEEN 1 AND 64),
    state        text NOT NULL DEFAULT 'issued' CHECK (state IN ('issued', 'committed', 'opened', 'passed', 'failed')),
    memory_mb    int8 NOT NULL CHECK (memory_mb > 0),
    row_count    int8 NOT NULL CHECK (row_count BETWEEN 64 AND 4294967295),
    inner_dim    int4 NOT NULL CHECK (inner_dim > 0),
    col_count    int4 NOT NULL CHECK (col_count > 0),
    seed         bytea NOT NULL UNIQUE CHECK (length(seed) = 32),
    issued_at    timestamptz NOT NULL,
    commit_until timestamptz NOT NULL CHECK (commit_until > issued_at),
    root         bytea CHECK (length(root) = 32),
    draw         bytea CHECK (length(draw) = 32),
    committed_at timestamptz CHECK (committed_at BETWEEN issued_at AND commit_until),
    open_until   timestamptz CHECK (open_until > committed_at),
    opened       bytea,
    opened_hash  bytea CHECK (length(opened_hash) = 32),
    opened_at    timestamptz CHECK (opened_at BETWEEN committed_at AND open_until),
    check_until  timestamptz,
    decided_at   timestamptz,
    again_at     timestamptz,
    reason       text,
    CHECK ((root IS NULL) = (draw IS NULL) AND (root IS NULL) = (committed_at IS NULL) AND (root IS NULL) = (open_until IS NULL)),
    CHECK (state NOT IN ('committed', 'opened', 'passed') OR root IS NOT NULL),
    CHECK ((opened_hash IS NULL) = (opened_at IS NULL)),
    CHECK (state NOT IN ('opened', 'passed') OR opened_hash IS NOT NULL),
    CHECK ((state = 'opened') = (opened IS NOT NULL)),
    CHECK ((state IN ('passed', 'failed')) = (decided_at IS NOT NULL)),
    CHECK ((state = 'failed') = (reason IS NOT NULL)),
    CHECK ((state = 'passed') = (again_at IS NOT NULL))
);
COMMENT ON TABLE gpu_challenge IS 'a proof of matrix work that a device was asked for (docs/gpu-proof.md)';
COMMENT ON COLUMN gpu_challenge.draw IS 'made when the root is here: names the rows to open and the vector of the check';
COMMENT ON COLUMN gpu_challenge.opened IS 'the opened rows with their paths, until they are checked';
COMMENT ON COLUMN gpu_challenge.check_until IS 'when another gateway may take the check over';
COMMENT ON COLUMN gpu_challenge.again_at IS 'a random time after which the device is asked again';
CREATE INDEX gpu_challenge_provider ON gpu_challenge (provider_id, id);
CREATE INDEX gpu_challenge_device ON gpu_challenge (provider_id, device, issued_at);
CREATE INDEX gpu_challenge_unchecked ON gpu_challenge (check_until) WHERE state = 'opened';
CREATE INDEX gpu_challenge_pending ON gpu_challenge (commit_until) WHERE state IN ('issued', 'committed');

-- migrate:down
DROP TABLE gpu_challenge;
