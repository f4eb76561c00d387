/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"
#include "handlers/view.h"

static enum op_next answer(struct op *op)
{
    struct json_out *o = json_out_new(op->arena);

    if (!found(op, E_INTERNAL))
        return OP_REPLY;
    view_account(o, NULL, op->app, op->rows);
    return reply_tagged(op, o);
}

static enum op_next parse(struct op *op)
{
    struct sql_account_get *call = arena_alloc(op->arena, sizeof(*call));

    call->account = op->who.account;
    return op_call(op, SQL_ACCOUNT_GET, call, (uint64_t)op->who.account, 0, answer);
}

const struct op_def op_get_account = {.parse = parse};
