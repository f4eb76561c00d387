-- SPDX-License-Identifier: MIT
-- migrate:up

-- What upstream's own contracts say, copied. No money is here: nothing of it touches balances or the ledger,
-- and all of it may be thrown away and read from the chain again.

CREATE TABLE mirror_object (
    id             uuid PRIMARY KEY,
    kind           text NOT NULL CHECK (kind IN ('source', 'task', 'response')),
    chain_id       int8 NOT NULL,
    address        bytea NOT NULL CHECK (length(address) = 20),
    parent         uuid CHECK ((parent IS NULL) = (kind = 'source')),
    parent_address bytea CHECK ((parent_address IS NULL) = (kind = 'source')),
    seq            int8 GENERATED ALWAYS AS IDENTITY UNIQUE,
    block_no       int8 NOT NULL,
    log_index      int4 NOT NULL,
    tx_hash        bytea NOT NULL CHECK (length(tx_hash) = 32),
    params         text,
    params_block   int8 CHECK ((params_block IS NULL) = (params IS NULL)),
    due_at         timestamptz,
    tries          int4 NOT NULL DEFAULT 0
);
COMMENT ON TABLE mirror_object IS 'a source, task or response contract of upstream''s protocol, as its publishing event named it';
COMMENT ON COLUMN mirror_object.id IS 'UUIDv8 of kind, chain and address (core/origin.h); parents are named so too, known here or not';
COMMENT ON COLUMN mirror_object.params IS 'the contract''s own struct as JSON, read at params_block; NULL: not readable so far';
COMMENT ON COLUMN mirror_object.due_at IS 'when the struct is to be read (again)';
CREATE INDEX mirror_object_list ON mirror_object (kind, seq);
CREATE INDEX mirror_object_parent ON mirror_object (parent, seq);
CREATE INDEX mirror_object_due ON mirror_object (chain_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX mirror_object_block ON mirror_object (chain_id, block_no);

CREATE TABLE mirror_event (
    chain_id   int8 NOT NULL,
    block_no   int8 NOT NULL,
    log_index  int4 NOT NULL,
    block_hash bytea NOT NULL CHECK (length(block_hash) = 32),
    tx_hash    bytea NOT NULL CHECK (length(tx_hash) = 32),
    kind       text NOT NULL CHECK (kind IN ('published', 'updated', 'status', 'attempted', 'submitted')),
    subject    uuid NOT NULL,
    actor      bytea,
    number     wei,
    PRIMARY KEY (chain_id, block_no, log_index)
);
COMMENT ON TABLE mirror_event IS 'a final event of upstream''s Nexus contract, each once';
COMMENT ON COLUMN mirror_event.subject IS 'whose: the object that was published, updated, attempted or changed status; for submitted the response';
COMMENT ON COLUMN mirror_event.actor IS 'attempted: the provider';
COMMENT ON COLUMN mirror_event.number IS 'attempted: the payment it asks for, in wei; status: the new one';
CREATE INDEX mirror_event_subject ON mirror_event (subject, kind, block_no, log_index);

-- migrate:down
DROP TABLE mirror_event;
DROP TABLE mirror_object;
