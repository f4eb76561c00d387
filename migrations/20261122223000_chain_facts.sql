-- SPDX-License-Identifier: MIT
-- migrate:up

-- ---------------------------------------------------------------- batches that end otherwise than confirmed

ALTER TABLE batch DROP CONSTRAINT batch_state_check, DROP CONSTRAINT batch_check, DROP CONSTRAINT batch_epoch_key,
    ADD COLUMN voided_at timestamptz,
    ADD CONSTRAINT batch_state_check CHECK (state IN ('batched', 'submitted', 'confirmed', 'voided', 'dropped')),
    ADD CONSTRAINT batch_sealed CHECK (state IN ('batched', 'dropped') OR (entries IS NOT NULL AND root IS NOT NULL));
CREATE UNIQUE INDEX batch_epoch ON batch (epoch) WHERE state <> 'dropped';
COMMENT ON COLUMN batch.state IS 'voided: the guardian voided it on chain, its entries are payable again; dropped: another batch took its epoch on chain';

ALTER TABLE batch_item ADD COLUMN amount wei NOT NULL DEFAULT 0;
ALTER TABLE batch_item ADD COLUMN absorbed_units int8 NOT NULL DEFAULT 0 CHECK (absorbed_units BETWEEN 0 AND gain_units);
COMMENT ON COLUMN batch_item.amount IS 'wei of the entries that this batch carries for the counter';
COMMENT ON COLUMN batch_item.absorbed_units IS 'units of the gain that the chain had paid before the batch was final, through a voucher or an earlier batch';
UPDATE batch_item i SET amount = i.total - COALESCE((SELECT max(p.total) FROM batch_item p JOIN batch x ON x.id = p.batch_id
     WHERE p.account_id = i.account_id AND p.counter = i.counter AND x.epoch < (SELECT epoch FROM batch b WHERE b.id = i.batch_id)), 0);

CREATE TABLE counter (
    account_id int8 NOT NULL REFERENCES account,
    counter    text NOT NULL CHECK (counter IN ('earned', 'spent')),
    total      wei NOT NULL,
    gain_units int8 NOT NULL CHECK (gain_units >= 0),
    PRIMARY KEY (account_id, counter)
);
COMMENT ON TABLE counter IS 'what the standing batches (neither voided nor dropped) carry together for an account; written under the former''s advisory lock';
COMMENT ON COLUMN counter.total IS 'wei of their entries';
COMMENT ON COLUMN counter.gain_units IS 'growth they declared together';
INSERT INTO counter SELECT account_id, counter, sum(amount), sum(gain_units) FROM batch_item GROUP BY 1, 2;

CREATE TABLE foreign_batch (
    epoch          int8 PRIMARY KEY,
    root           bytea NOT NULL,
    increase_units int8 NOT NULL,
    tx_hash        bytea NOT NULL,
    block_no       int8 NOT NULL,
    settled_at     timestamptz NOT NULL,
    voided_at      timestamptz,
    accepted_at    timestamptz
);
COMMENT ON TABLE foreign_batch IS 'a final batch on chain that these books did not make: a stolen settler key, or books restored from an old copy. Nothing is settled while one stands';
COMMENT ON COLUMN foreign_batch.accepted_at IS 'when an operator looked at it and chose to settle on';

-- ---------------------------------------------------------------- money the chain paid out of turn

ALTER TABLE balance ADD COLUMN advanced wei NOT NULL DEFAULT 0, ADD COLUMN debt wei NOT NULL DEFAULT 0;
COMMENT ON COLUMN balance.advanced IS 'wei the chain has paid beyond what final batches declared, to be absorbed by the next; no bucket, no entries';
COMMENT ON COLUMN balance.debt IS 'bucket: wei the chain has paid that the books did not owe, as after a theft or an exit with an old figure';
CREATE INDEX balance_debt ON balance (account_id) WHERE debt > 0;

ALTER TABLE ledger_entry DROP CONSTRAINT ledger_entry_kind_check, DROP CONSTRAINT ledger_entry_from_bucket_check, DROP CONSTRAINT ledger_entry_to_bucket_check,
    ADD CONSTRAINT ledger_entry_kind_check CHECK (kind IN ('deposit', 'freeze', 'refund', 'accept', 'fee', 'withdraw', 'confirm', 'claim',
        'void', 'advance', 'overdraw', 'recover', 'exit', 'shortfall', 'refill')),
    ADD CONSTRAINT ledger_entry_from_bucket_check CHECK (from_bucket IN ('external', 'available', 'frozen', 'payable', 'claimable', 'debt')),
    ADD CONSTRAINT ledger_entry_to_bucket_check CHECK (to_bucket IN ('external', 'available', 'frozen', 'payable', 'claimable', 'debt', 'fee'));

-- ---------------------------------------------------------------- the rest of what the chain says

ALTER TABLE chain_event DROP CONSTRAINT chain_event_kind_check, ADD COLUMN data bytea,
    ADD CONSTRAINT chain_event_kind_check CHECK (kind IN ('registered', 'deposited', 'settled', 'claimed', 'voided', 'exit_begun', 'exited',
        'released', 'shown', 'voucher_posted', 'voucher_voided', 'locked', 'unbonded', 'unbonding_canceled', 'stake_claimed', 'sanctioned',
        'sanction_evidence', 'waived', 'sanction_withdrawn', 'settler_set', 'signer_set', 'guardian_set', 'daily_cap_set'));
COMMENT ON COLUMN chain_event.data IS 'an address or hash that the event carries beside its account';
CREATE INDEX chain_event_account ON chain_event (account_id, kind) WHERE account_id IS NOT NULL;

CREATE TABLE chain_exit (
    one      bool PRIMARY KEY DEFAULT true CHECK (one),
    exit_at  timestamptz NOT NULL,
    block_no int8 NOT NULL,
    tx_hash  bytea NOT NULL,
    at       timestamptz NOT NULL
);
COMMENT ON TABLE chain_exit IS 'the forced exit has begun and is final: nothing can be settled any more, so nothing new is taken';

ALTER TABLE account ADD COLUMN exited_at timestamptz;
COMMENT ON COLUMN account.exited_at IS 'when the chain paid its deposits back';

CREATE TABLE stake (
    account_id int8 PRIMARY KEY REFERENCES account,
    locked     wei NOT NULL DEFAULT 0,
    unbonding  wei NOT NULL DEFAULT 0,
    sanctioned wei NOT NULL DEFAULT 0
);
COMMENT ON TABLE stake IS 'what an account has at stake in the Vault: its own pool, never part of a balance';

-- One event on {locked, unbonding, sanctioned}. A sanction takes first what unbonds, as contracts/Stake.sol does.
CREATE FUNCTION stake_step(state numeric[], kind text, amount numeric) RETURNS numeric[] LANGUAGE sql IMMUTABLE AS $$
SELECT CASE kind
    WHEN 'sanction_evidence' THEN state
    WHEN 'set_aside' THEN ARRAY[state[1] - amount, state[2], state[3] + amount]
    WHEN 'locked' THEN ARRAY[state[1] + amount, state[2], state[3]]
    WHEN 'unbonded' THEN ARRAY[state[1] - amount, state[2] + amount, state[3]]
    WHEN 'unbonding_canceled' THEN ARRAY[state[1] + amount, state[2] - amount, state[3]]
    WHEN 'stake_claimed' THEN ARRAY[state[1], state[2] - amount, state[3]]
    WHEN 'sanctioned' THEN ARRAY[state[1] - (amount - LEAST(amount, state[2])), state[2] - LEAST(amount, state[2]), state[3] + amount]
    WHEN 'waived' THEN ARRAY[state[1] + amount, state[2], state[3] - amount]
    WHEN 'sanction_withdrawn' THEN ARRAY[state[1], state[2], state[3] - amount]
END $$;
CREATE AGGREGATE stake_fold(text, numeric) (SFUNC = stake_step, STYPE = numeric[], INITCOND = '{0,0,0}');
COMMENT ON FUNCTION stake_step IS 'what one stake event does to {locked, unbonding, sanctioned}';

-- migrate:down
DROP TABLE stake, chain_exit, foreign_batch, counter;
DROP AGGREGATE stake_fold(text, numeric);
DROP FUNCTION stake_step;
DROP INDEX chain_event_account, balance_debt, batch_epoch;
ALTER TABLE account DROP COLUMN exited_at;
ALTER TABLE chain_event DROP CONSTRAINT chain_event_kind_check, DROP COLUMN data,
    ADD CONSTRAINT chain_event_kind_check CHECK (kind IN ('registered', 'deposited', 'settled', 'claimed'));
ALTER TABLE ledger_entry DROP CONSTRAINT ledger_entry_kind_check, DROP CONSTRAINT ledger_entry_from_bucket_check, DROP CONSTRAINT ledger_entry_to_bucket_check,
    ADD CONSTRAINT ledger_entry_kind_check CHECK (kind IN ('deposit', 'freeze', 'refund', 'accept', 'fee', 'withdraw', 'confirm', 'claim')),
    ADD CONSTRAINT ledger_entry_from_bucket_check CHECK (from_bucket IN ('external', 'available', 'frozen', 'payable', 'claimable')),
    ADD CONSTRAINT ledger_entry_to_bucket_check CHECK (to_bucket IN ('external', 'available', 'frozen', 'payable', 'claimable', 'fee'));
ALTER TABLE balance DROP COLUMN advanced, DROP COLUMN debt;
ALTER TABLE batch_item DROP COLUMN amount, DROP COLUMN absorbed_units;
ALTER TABLE batch DROP CONSTRAINT batch_state_check, DROP CONSTRAINT batch_sealed, DROP COLUMN voided_at,
    ADD CONSTRAINT batch_state_check CHECK (state IN ('batched', 'submitted', 'confirmed')),
    ADD CONSTRAINT batch_check CHECK (state = 'batched' OR (entries IS NOT NULL AND root IS NOT NULL)),
    ADD CONSTRAINT batch_epoch_key UNIQUE (epoch);
