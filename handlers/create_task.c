/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "core/id.h"
#include "handlers/common.h"
#include "handlers/view.h"
#include "handlers/view_chain.h"
#include "lib/hash.h"
#include "lib/killpoint.h"
#include "queue/post.h"
#include "server/app.h"

/* The reply is a function of the request and the stored row: a replay answers the same bytes. */
static struct sql_task_get_row task_of(const struct op *op, const struct sql_task_submit_row *row)
{
    const struct in_create_task *in = op->in;
    const struct sql_task_submit *call = op->state;

    return (struct sql_task_get_row){
        .id = row->id,
        .status = text_of("queued"),
        .source = in->source,
        .manifest_hash = row->manifest_hash,
        .function = row->function,
        .input_digest = call->input_digest,
        .reward = in->reward,
        .fee_bps = call->fee_bps,
        .racers = call->racers,
        .delivery = text_of("first_valid"),
        .version = 1,
        .metadata = call->metadata,
        .created_at = row->created_at,
        .updated_at = row->created_at,
        .expires_at = row->expires_at,
        .settlement = text_of("none"),
    };
}

static enum op_next answer(struct op *op)
{
    const struct sql_task_submit *call = op->state;
    const struct sql_task_submit_row *row = op->rows;
    struct sql_task_get_row task;
    struct json_out *o;
    char id[ID_TEXT_MAX];

    if (op->n_rows && text_is(row->outcome, "payout_too_large"))
        return refuse_large(op, "/reward: too much for one task", row->most);
    if (!written(op, op->n_rows ? row->outcome : text_of(NULL), op->n_rows && row->replayed))
        return OP_REPLY;
    KILLPOINT("g5");
    if (!row->replayed)
        post_open(op->app->queue, call->source, row->id, call->racers);
    KILLPOINT("g6");
    task = task_of(op, row);
    id_format(ID_TASK, row->id, id);
    o = json_out_new(op->arena);
    view_task(o, NULL, &task);
    return reply_created(op, o, arena_printf(op->arena, "/v1/tasks/%s", id),
                         view_task_tag(&task, op->arena));
}

static enum op_next parse(struct op *op)
{
    const struct in_create_task *in = op->in;
    struct sql_task_submit *call = arena_alloc(op->arena, sizeof(*call));
    struct err err;

    if (!lives_here(op, in->source))
        return OP_REPLY;
    if (json_canonical(in->input, op->arena, &call->input, &err) != E_OK)
        return op_fail(op, E_VALIDATION, "/input: %s", err.text);
    call->id = app_new_id(op->app);
    call->account = op->who.account;
    call->key = op->who.key;
    call->source = in->source;
    call->reward = in->reward;
    call->fee_bps = (int32_t)op->app->fee_bps;
    call->racers = (int32_t)in->racers;
    call->expires_in_s = (int32_t)in->expires_in_s;
    call->function = in->has_function ? in->function : text_of("");
    call->input_digest = digest_bytes(op, sha256(call->input.s, call->input.n));
    call->input_blobs = in->has_input_blobs ? digests_of(op, in->input_blobs) : bytes_of("", 0);
    call->metadata = in->has_metadata ? json_text(in->metadata, op->arena) : text_of("{}");
    call->idem_key = op->idempotency_key;
    call->fingerprint = bytes_of(op->fingerprint.b, sizeof(op->fingerprint.b));
    op->state = call;
    return op_call(op, SQL_TASK_SUBMIT, call, (uint64_t)call->account, key_of_idempotency(op),
                   answer);
}

const struct op_def op_create_task = {.parse = parse};
