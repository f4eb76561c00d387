-- SPDX-License-Identifier: MIT
-- migrate:up

-- Vouchers are few among the chain's events, and looked for whenever something is booked.
CREATE INDEX chain_event_voucher ON chain_event (account_id, units) WHERE kind IN ('voucher_posted', 'voucher_voided');

-- migrate:down

DROP INDEX chain_event_voucher;
