-- SPDX-License-Identifier: MIT
-- migrate:up

-- The relayer asks each second what is on its way, what a day declared and when it last formed a batch, and every few seconds what a
-- day's transactions cost: none of that may read a year of batches.
CREATE INDEX batch_open ON batch (epoch) WHERE state IN ('batched', 'submitted');
CREATE INDEX batch_settled ON batch (settled_at) INCLUDE (increase_units);
CREATE INDEX batch_formed ON batch (created_at) WHERE state NOT IN ('voided', 'dropped');
CREATE INDEX chain_tx_done ON chain_tx (sender, updated_at) WHERE state IN ('mined', 'final');
CREATE INDEX chain_tx_made ON chain_tx (sender, created_at);

-- migrate:down
DROP INDEX chain_tx_made, chain_tx_done, batch_formed, batch_settled, batch_open;
