/* SPDX-License-Identifier: MIT */
#ifndef HANDLERS_VIEW_H
#define HANDLERS_VIEW_H

#include "handlers/json_out.h"
#include "server/app.h"
#include "sql.h"

/* Rows into the contract's schemas (openapi/schemas/), one function a schema; `name` as in
 * json_out.h. */

/** Source */
void view_source(struct json_out *o, const char *name, const struct sql_source_get_row *s);
/** Registration */
void view_registration(struct json_out *o, const char *name, struct uuid source,
                       const struct sql_registration_list_row *r);
/** Task */
void view_task(struct json_out *o, const char *name, const struct sql_task_get_row *t);
/** Text that changes with a task's representation, for its ETag; in the arena. */
const char *view_task_tag(const struct sql_task_get_row *t, struct arena *a);
/** TaskResult; the row must have a response. */
void view_task_result(struct json_out *o, const char *name, const struct sql_task_get_row *t);
/** Attempt */
void view_attempt(struct json_out *o, const char *name, struct uuid task,
                  const struct sql_task_attempts_row *r);
/** TaskEvent */
void view_task_event(struct json_out *o, const char *name, const struct sql_task_events_row *e);
/** Provider in a list; `now_us` decides whether it is online */
void view_provider(struct json_out *o, const char *name, const struct sql_provider_list_row *p,
                   int64_t now_us);
/** Provider read alone: with its record */
void view_provider_read(struct json_out *o, const char *name, const struct sql_provider_get_row *p,
                        int64_t now_us);
/** Claim */
void view_claim(struct json_out *o, const char *name, const struct sql_claim_view_row *c,
                int64_t lease_s);
/** Account */
void view_account(struct json_out *o, const char *name, const struct app *app,
                  const struct sql_account_get_row *a);
/** LedgerEntry */
void view_ledger_entry(struct json_out *o, const char *name, const struct sql_ledger_list_row *e);
/** Withdrawal; `owner` gives the proof's path */
void view_withdrawal(struct json_out *o, const char *name, const struct sql_withdrawal_list_row *w,
                     struct address owner);

/** Seconds between heartbeats of a provider; offline after three missed ones. */
#define PROVIDER_HEARTBEAT_S 30

#endif
