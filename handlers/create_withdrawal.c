/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"
#include "handlers/view.h"

static enum op_next answer(struct op *op)
{
    struct json_out *o = json_out_new(op->arena);
    const struct in_create_withdrawal *in = op->in;
    const struct sql_withdrawal_create_row *row = op->rows;
    struct sql_withdrawal_list_row w;

    if (op->n_rows && text_is(row->outcome, "payout_too_large"))
        return refuse_large(op, "/amount: make several withdrawals", row->most);
    if (!written(op, op->n_rows ? row->outcome : text_of(NULL), op->n_rows && row->replayed))
        return OP_REPLY;
    w = (struct sql_withdrawal_list_row){
        .id = row->id,
        .amount = in->amount,
        .created_at = row->created_at,
        .settlement = text_of("pending"),
    };
    view_withdrawal(o, NULL, &w, op->who.address);
    return reply(op, 201, o);
}

static enum op_next parse(struct op *op)
{
    const struct in_create_withdrawal *in = op->in;
    struct sql_withdrawal_create *call = arena_alloc(op->arena, sizeof(*call));

    /* Less than a unit could never leave: the chain pays whole units of the cumulative figure. */
    if (wei_cmp(in->amount, wei_from_units(1)) < 0)
        return op_fail(op, E_RANGE, "/amount: must be at least one unit, %llu wei",
                       (unsigned long long)WEI_PER_UNIT);
    *call = (struct sql_withdrawal_create){
        .id = app_new_id(op->app),
        .account = op->who.account,
        .key = op->who.key,
        .amount = in->amount,
        .idem_key = op->idempotency_key,
        .fingerprint = bytes_of(op->fingerprint.b, sizeof(op->fingerprint.b)),
    };
    return op_call(op, SQL_WITHDRAWAL_CREATE, call, (uint64_t)call->account, key_of_idempotency(op),
                   answer);
}

const struct op_def op_create_withdrawal = {.parse = parse};
