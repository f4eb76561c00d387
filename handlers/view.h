/* SPDX-License-Identifier: MIT */
#ifndef HANDLERS_VIEW_H
#define HANDLERS_VIEW_H

#include <jansson.h>

#include "core/id.h"
#include "core/money.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "server/app.h"
#include "sql.h"

/*
 * Rows into the contract's schemas (openapi/schemas/), one function a schema. All answer a new
 * reference.
 */

/** JSON null for "no value", here and below: zero ids and times, NULL texts and bytes. */
json_t *view_id(enum id_kind kind, struct uuid id);
json_t *view_time(int64_t us);
json_t *view_text(struct text t);
/** Lower-case hex without a prefix. */
json_t *view_hex(struct bytes b);
/** Lower-case hex behind 0x. */
json_t *view_chain_hex(struct bytes b);
json_t *view_wei(struct wei w);
/** EIP-55; `b` has 20 bytes. */
json_t *view_address(struct bytes b);
/** JSON that the database holds as text; `{}` when it cannot be read. */
json_t *view_stored(struct text t);

/** Source */
json_t *view_source(const struct sql_source_get_row *s);
/** Registration */
json_t *view_registration(struct uuid source, const struct sql_registration_get_row *r);
/** Task */
json_t *view_task(const struct sql_task_get_row *t);
/** Text that changes with a task's representation, for its ETag; in the arena. */
const char *view_task_tag(const struct sql_task_get_row *t, struct arena *a);
/** TaskResult; the row must have a response. */
json_t *view_task_result(const struct sql_task_get_row *t);
/** Attempt */
json_t *view_attempt(struct uuid task, const struct sql_task_attempts_row *r);
/** TaskEvent */
json_t *view_task_event(const struct sql_task_events_row *e);
/** Provider in a list; `now_us` decides whether it is online */
json_t *view_provider(const struct sql_provider_list_row *p, int64_t now_us);
/** Provider read alone: with its record */
json_t *view_provider_read(const struct sql_provider_get_row *p, int64_t now_us);
/** Claim */
json_t *view_claim(const struct sql_claim_view_row *c, int64_t lease_s);
/** Account */
json_t *view_account(const struct app *app, const struct sql_account_get_row *a);
/** LedgerEntry */
json_t *view_ledger_entry(const struct sql_ledger_list_row *e);
/** Withdrawal; `owner` gives the proof's path */
json_t *view_withdrawal(const struct sql_withdrawal_list_row *w, struct address owner);

/** Seconds between heartbeats of a provider; offline after three missed ones. */
#define PROVIDER_HEARTBEAT_S 30

#endif
