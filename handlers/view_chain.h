/* SPDX-License-Identifier: MIT */
#ifndef HANDLERS_VIEW_CHAIN_H
#define HANDLERS_VIEW_CHAIN_H

#include "handlers/json_out.h"
#include "server/op.h"
#include "sql.h"

/** ChainSource */
void view_chain_source(struct json_out *o, const char *name,
                       const struct sql_mirror_source_get_row *s);
/** ChainTask */
void view_chain_task(struct json_out *o, const char *name,
                     const struct sql_mirror_task_list_row *t);

/** A write names what lives on upstream's chain: answers ON_CHAIN then. @return false: answer set
 */
bool lives_here(struct op *op, struct uuid id);

#endif
