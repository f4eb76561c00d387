-- SPDX-License-Identifier: MIT
-- migrate:up

-- The indexer adds them up before each range that it books.
CREATE INDEX chain_event_deposited ON chain_event (block_no) INCLUDE (amount) WHERE kind = 'deposited';

-- migrate:down

DROP INDEX chain_event_deposited;
