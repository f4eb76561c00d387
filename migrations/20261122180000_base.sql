-- SPDX-License-Identifier: MIT
-- migrate:up

-- Amounts in wei. Plain numeric(78,0) would take NaN and round 0.5 to 1; this domain takes neither.
CREATE DOMAIN wei AS numeric
    CHECK (scale(value) = 0 AND value BETWEEN 0 AND 115792089237316195423570985008687907853269984665640564039457584007913129639935);
COMMENT ON DOMAIN wei IS 'an amount in wei, 0 to 2^256 - 1, whole';

-- The only clock of the marketplace. Statements read it after their locks are taken; tests set ogpu.now.
CREATE FUNCTION ogpu_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS
$$ SELECT COALESCE(NULLIF(current_setting('ogpu.now', true), '')::timestamptz, clock_timestamp()) $$;

CREATE FUNCTION ogpu_us(timestamptz) RETURNS int8 LANGUAGE sql STABLE AS
$$ SELECT (EXTRACT(epoch FROM $1) * 1000000)::int8 $$;
COMMENT ON FUNCTION ogpu_us IS 'microseconds since 1970 UTC: the form in which times leave the database';

CREATE FUNCTION ogpu_ts(int8) RETURNS timestamptz LANGUAGE sql STABLE AS
$$ SELECT timestamptz 'epoch' + $1 * interval '1 microsecond' $$;
COMMENT ON FUNCTION ogpu_ts IS 'the reverse of ogpu_us';

-- ---------------------------------------------------------------- who

CREATE TABLE account (
    id               int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    address          bytea NOT NULL UNIQUE CHECK (length(address) = 20),
    chain_id         int8 UNIQUE CHECK (chain_id BETWEEN 1 AND 2147483647),
    created_at       timestamptz NOT NULL DEFAULT ogpu_now()
);
COMMENT ON TABLE account IS 'an Ethereum address that owns money, keys, sources and tasks, or earns for providers';
COMMENT ON COLUMN account.chain_id IS 'the id the Vault gave it, once that registration is final; only then may a batch list it';

CREATE TABLE balance (
    account_id int8 PRIMARY KEY REFERENCES account,
    available  wei NOT NULL DEFAULT 0,
    frozen     wei NOT NULL DEFAULT 0,
    payable    wei NOT NULL DEFAULT 0,
    claimable  wei NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
COMMENT ON TABLE balance IS 'sum of an account''s ledger entries by bucket; the row that money decisions lock';

CREATE TABLE api_key (
    id         uuid PRIMARY KEY,
    account_id int8 NOT NULL REFERENCES account,
    hash       bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
    hint       text NOT NULL,
    name       text NOT NULL DEFAULT '',
    scopes     int4 NOT NULL,
    created_at timestamptz NOT NULL DEFAULT ogpu_now(),
    expires_at timestamptz,
    revoked_at timestamptz
);
COMMENT ON TABLE api_key IS 'a client credential: only its SHA-256 and a hint (prefix and last four) are kept';

CREATE TABLE idempotency (
    account_id  int8 NOT NULL,
    key         text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    operation   text NOT NULL,
    fingerprint bytea NOT NULL,
    outcome     text NOT NULL,
    ref         uuid NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (account_id, key)
);
COMMENT ON TABLE idempotency IS 'what a POST with an Idempotency-Key answered, written in the transaction of its effect; the reply is a function of this row';

-- ---------------------------------------------------------------- sources and providers

CREATE TABLE source (
    id            uuid PRIMARY KEY,
    owner         int8 NOT NULL REFERENCES account,
    status        text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'retired')),
    name          text NOT NULL,
    manifest      text NOT NULL,
    manifest_hash bytea NOT NULL CHECK (length(manifest_hash) = 32),
    environments  int4 NOT NULL CHECK (environments BETWEEN 1 AND 7),
    min_reward    wei NOT NULL,
    max_expiry_s  int4 NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);
COMMENT ON TABLE source IS 'a containerised execution model; its manifest (RFC 8785 text) never changes';
CREATE INDEX source_owner ON source (owner, id);

CREATE TABLE provider (
    id             uuid PRIMARY KEY,
    address        bytea NOT NULL UNIQUE CHECK (length(address) = 20),
    master         int8 NOT NULL REFERENCES account,
    master_signed  bool NOT NULL DEFAULT false,
    next_master    int8 REFERENCES account,
    next_master_at timestamptz,
    environments   int4 NOT NULL CHECK (environments BETWEEN 1 AND 7),
    token_hash     bytea NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    devices        text NOT NULL DEFAULT '[]',
    slots          int4 NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    last_seen_at   timestamptz NOT NULL
);
COMMENT ON TABLE provider IS 'a hot key on a machine; it earns for its master';
CREATE INDEX provider_master ON provider (master);

CREATE TABLE signer_nonce (
    signer bytea NOT NULL CHECK (length(signer) = 20),
    nonce  int8 NOT NULL CHECK (nonce >= 0),
    at     timestamptz NOT NULL,
    PRIMARY KEY (signer, nonce)
);
COMMENT ON TABLE signer_nonce IS 'nonces that signed bindings and registrations have used: each serves once';

CREATE TABLE registration (
    source_id     uuid NOT NULL REFERENCES source,
    provider_id   uuid NOT NULL REFERENCES provider,
    manifest_hash bytea NOT NULL,
    environments  int4 NOT NULL CHECK (environments BETWEEN 1 AND 7),
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (source_id, provider_id)
);
COMMENT ON TABLE registration IS 'provider may take tasks of source';
CREATE INDEX registration_provider ON registration (provider_id);

-- ---------------------------------------------------------------- tasks
-- Hot tables carry no foreign key that the inserting statement's join already proves; the auditor checks them.

CREATE TABLE task (
    id            uuid PRIMARY KEY,
    account_id    int8 NOT NULL,
    source_id     uuid NOT NULL,
    status        text NOT NULL CHECK (status IN ('queued', 'running', 'verifying', 'succeeded', 'failed', 'canceled', 'expired')),
    delivery      text NOT NULL CHECK (delivery IN ('first_valid')),
    reward        wei NOT NULL CHECK (reward > 0),
    fee_bps       int4 NOT NULL CHECK (fee_bps BETWEEN 0 AND 10000),
    racers        int4 NOT NULL CHECK (racers BETWEEN 1 AND 8),
    live          int4 NOT NULL DEFAULT 0 CHECK (live BETWEEN 0 AND racers),
    epoch         int4 NOT NULL DEFAULT 0,
    responses     int4 NOT NULL DEFAULT 0,
    failures      int4 NOT NULL DEFAULT 0,
    version       int4 NOT NULL DEFAULT 1,
    function      text NOT NULL DEFAULT '',
    input         text NOT NULL,
    input_digest  bytea NOT NULL,
    input_blobs   bytea NOT NULL DEFAULT '',
    metadata      text NOT NULL DEFAULT '{}',
    winner        uuid,
    error_code    text,
    error_message text,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    finished_at   timestamptz
) WITH (fillfactor = 85);
COMMENT ON TABLE task IS 'a rewarded piece of work; the queued row is its own outbox for the open-slot book';
COMMENT ON COLUMN task.epoch IS 'attempts opened so far; the next attempt takes epoch + 1';
COMMENT ON COLUMN task.responses IS 'responses received so far: the sequence that decides a race';
COMMENT ON COLUMN task.failures IS 'attempts that ended with blame; at the limit the task fails and is refunded';
COMMENT ON COLUMN task.version IS 'events so far; the next event takes version + 1';
COMMENT ON COLUMN task.live IS 'attempts that hold a slot (live or responded)';
CREATE INDEX task_account ON task (account_id, id);
CREATE INDEX task_open_expiry ON task (expires_at) WHERE status IN ('queued', 'running', 'verifying');
CREATE INDEX task_open_slot ON task (source_id, id) WHERE status IN ('queued', 'running', 'verifying') AND live < racers;

CREATE TABLE task_event (
    task_id     uuid NOT NULL,
    seq         int4 NOT NULL,
    type        text NOT NULL,
    from_status text,
    to_status   text NOT NULL,
    attempt_id  uuid,
    detail      text,
    at          timestamptz NOT NULL,
    PRIMARY KEY (task_id, seq)
);
COMMENT ON TABLE task_event IS 'append-only history of a task: the last event''s to_status is the task''s status';

CREATE TABLE attempt (
    id            uuid PRIMARY KEY,
    task_id       uuid NOT NULL,
    provider_id   uuid NOT NULL,
    operator      int8 NOT NULL,
    epoch         int4 NOT NULL,
    state         text NOT NULL CHECK (state IN ('live', 'responded', 'won', 'beaten', 'rejected', 'failed', 'lapsed', 'released')),
    claim_ref     uuid NOT NULL,
    lease_until   timestamptz NOT NULL,
    started_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    error_code    text,
    error_message text,
    UNIQUE (task_id, epoch),
    UNIQUE (provider_id, claim_ref)
) WITH (fillfactor = 80);
COMMENT ON TABLE attempt IS 'one provider''s try at one task, under a lease; its operator is the master at claim time';
CREATE UNIQUE INDEX attempt_operator_once ON attempt (task_id, operator) WHERE state <> 'released';
CREATE INDEX attempt_lease ON attempt (lease_until) WHERE state = 'live';

CREATE TABLE response (
    id            uuid PRIMARY KEY,
    attempt_id    uuid NOT NULL UNIQUE,
    task_id       uuid NOT NULL,
    seq           int4 NOT NULL,
    state         text NOT NULL CHECK (state IN ('checking', 'passed', 'accepted', 'beaten', 'rejected')),
    signature     bytea NOT NULL,
    outputs       text NOT NULL,
    output_digest bytea NOT NULL,
    reason        text,
    received_at   timestamptz NOT NULL,
    check_until   timestamptz NOT NULL,
    decided_at    timestamptz,
    UNIQUE (task_id, seq)
);
COMMENT ON TABLE response IS 'a signed result; check_until is when another gateway may adopt its checks';
CREATE INDEX response_unchecked ON response (check_until) WHERE state IN ('checking', 'passed');
CREATE UNIQUE INDEX response_accepted_once ON response (task_id) WHERE state = 'accepted';

-- ---------------------------------------------------------------- money

CREATE TABLE ledger_entry (
    id           int8 GENERATED ALWAYS AS IDENTITY,
    kind         text NOT NULL CHECK (kind IN ('deposit', 'freeze', 'refund', 'accept', 'fee', 'withdraw', 'confirm', 'claim')),
    ref          uuid NOT NULL,
    from_account int8,
    from_bucket  text NOT NULL CHECK (from_bucket IN ('external', 'available', 'frozen', 'payable', 'claimable')),
    to_account   int8,
    to_bucket    text NOT NULL CHECK (to_bucket IN ('external', 'available', 'frozen', 'payable', 'claimable', 'fee')),
    amount       wei NOT NULL CHECK (amount > 0),
    batch_id     uuid,
    at           timestamptz NOT NULL,
    PRIMARY KEY (ref, kind),
    CHECK ((from_bucket = 'external') = (from_account IS NULL)),
    CHECK ((to_bucket IN ('external', 'fee')) = (to_account IS NULL))
);
COMMENT ON TABLE ledger_entry IS 'append-only transfers between buckets: one row debits and credits the same amount, so none can be out of balance; (ref, kind) books a business event once';
COMMENT ON COLUMN ledger_entry.ref IS 'the task, withdrawal, chain event or batch item that caused it';
COMMENT ON COLUMN ledger_entry.batch_id IS 'for entries into payable: the settlement batch that carries it';
CREATE INDEX ledger_entry_from ON ledger_entry (from_account, id);
CREATE INDEX ledger_entry_to ON ledger_entry (to_account, id) WHERE to_account IS DISTINCT FROM from_account;
CREATE INDEX ledger_entry_unbatched ON ledger_entry (id) WHERE to_bucket = 'payable' AND batch_id IS NULL;
CREATE INDEX ledger_entry_batch ON ledger_entry (batch_id) WHERE batch_id IS NOT NULL;

CREATE TABLE withdrawal (
    id         uuid PRIMARY KEY,
    account_id int8 NOT NULL REFERENCES account,
    amount     wei NOT NULL CHECK (amount > 0),
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE withdrawal IS 'available money its owner wants on chain, to its own address only';
CREATE INDEX withdrawal_account ON withdrawal (account_id, id);

-- ---------------------------------------------------------------- settlement

CREATE TABLE batch (
    id             uuid PRIMARY KEY,
    epoch          int8 NOT NULL UNIQUE CHECK (epoch > 0),
    state          text NOT NULL CHECK (state IN ('batched', 'submitted', 'confirmed')),
    increase_units int8 NOT NULL CHECK (increase_units >= 0),
    entries        bytea,
    root           bytea CHECK (length(root) = 32),
    created_at     timestamptz NOT NULL,
    settled_at     timestamptz,
    block_no       int8,
    tx_hash        bytea,
    confirmed_at   timestamptz,
    CHECK (state = 'batched' OR (entries IS NOT NULL AND root IS NOT NULL))
);
COMMENT ON TABLE batch IS 'one settle() call: its exact entries and root, sealed once before anything is signed';
COMMENT ON COLUMN batch.settled_at IS 'time of the block that holds it; claims open one delay later';

CREATE TABLE batch_item (
    batch_id   uuid NOT NULL REFERENCES batch,
    account_id int8 NOT NULL REFERENCES account,
    counter    text NOT NULL CHECK (counter IN ('earned', 'spent')),
    position   int4 NOT NULL,
    total      wei NOT NULL,
    units      int8 NOT NULL CHECK (units BETWEEN 0 AND 281474976710655),
    gain_units int8 NOT NULL CHECK (gain_units >= 0),
    PRIMARY KEY (batch_id, account_id, counter)
);
COMMENT ON TABLE batch_item IS 'one entry of a batch: an account''s cumulative counter';
COMMENT ON COLUMN batch_item.total IS 'cumulative wei behind the counter';
COMMENT ON COLUMN batch_item.units IS 'floor(total / 1e12), as listed on chain';
COMMENT ON COLUMN batch_item.gain_units IS 'growth over the account''s previous item of this counter';
CREATE INDEX batch_item_account ON batch_item (account_id, counter, units);

CREATE TABLE chain_tx (
    hash       bytea PRIMARY KEY CHECK (length(hash) = 32),
    batch_id   uuid NOT NULL REFERENCES batch,
    sender     bytea NOT NULL CHECK (length(sender) = 20),
    nonce      int8 NOT NULL CHECK (nonce >= 0),
    raw        bytea NOT NULL,
    max_fee    wei NOT NULL,
    tip        wei NOT NULL,
    state      text NOT NULL CHECK (state IN ('signed', 'sent', 'mined', 'final')),
    block_no   int8,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
COMMENT ON TABLE chain_tx IS 'every transaction ever signed: stored with its bytes before it leaves';
CREATE INDEX chain_tx_batch ON chain_tx (batch_id);
CREATE INDEX chain_tx_nonce ON chain_tx (sender, nonce);

CREATE TABLE chain_cursor (
    name       text PRIMARY KEY,
    final_no   int8 NOT NULL,
    block_no   int8 NOT NULL,
    block_hash bytea NOT NULL,
    updated_at timestamptz NOT NULL
);
COMMENT ON TABLE chain_cursor IS 'how far an indexer is: blocks up to block_no are booked, those up to final_no may be; final blocks do not move';

CREATE TABLE chain_event (
    id         uuid PRIMARY KEY,
    block_no   int8 NOT NULL,
    log_index  int4 NOT NULL,
    tx_hash    bytea NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('registered', 'deposited', 'settled', 'claimed')),
    account_id int8,
    epoch      int8,
    units      int8,
    amount     wei,
    at         timestamptz NOT NULL,
    UNIQUE (tx_hash, log_index)
);
COMMENT ON TABLE chain_event IS 'final chain facts, each booked once';

-- ---------------------------------------------------------------- blobs

CREATE TABLE blob (
    digest     bytea PRIMARY KEY CHECK (length(digest) = 32),
    size       int8 NOT NULL CHECK (size >= 0),
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE blob IS 'bytes held in the blob store';

CREATE TABLE blob_ref (
    digest     bytea NOT NULL REFERENCES blob,
    kind       text NOT NULL CHECK (kind IN ('account', 'attempt', 'manifest', 'task')),
    owner      text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (digest, kind, owner)
);
COMMENT ON TABLE blob_ref IS 'who may name or read a blob: the right is the row, not the bytes. owner is the account id or the uuid as text';
CREATE INDEX blob_ref_owner ON blob_ref (kind, owner);

-- migrate:down
DROP TABLE blob_ref, blob, chain_event, chain_cursor, chain_tx, batch_item, batch, withdrawal, ledger_entry, response, attempt,
    task_event, task, registration, signer_nonce, provider, source, idempotency, api_key, balance, account;
DROP FUNCTION ogpu_ts, ogpu_us, ogpu_now;
DROP DOMAIN wei;
