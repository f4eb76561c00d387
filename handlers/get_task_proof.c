/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "core/reputation.h"
#include "eth/logtree.h"
#include "handlers/common.h"
#include "handlers/view_proof.h"

struct state {
    struct sql_task_proof call;
    const struct sql_task_proof_row *row;
    struct task_parts parts;
};

static enum op_next answer(struct op *op)
{
    const struct state *s = op->state;
    struct json_out *o = json_out_new(op->arena);

    if (op->err.code != E_OK)
        return op_fail_err(op);
    view_task_proof(o, op->app, s->row, &s->parts);
    return reply_tagged(op, o);
}

static struct event event_of(const struct op *op, const struct state *s)
{
    const struct sql_task_proof_row *row = s->row;
    const struct eip712_domain domain = {op->app->chain_id, op->app->settlement};
    struct work w = {.kind = EVENT_ACCEPTED,
                     .signed_as = {.task = s->call.id,
                                   .attempt = row->attempt,
                                   .epoch = (uint32_t)row->attempt_epoch},
                     .responded = true,
                     .amount = row->amount,
                     .at_us = row->at};

    memcpy(w.signed_as.provider.b, row->address.p, sizeof(w.signed_as.provider.b));
    memcpy(w.signed_as.manifest.b, row->manifest_hash.p, sizeof(w.signed_as.manifest.b));
    memcpy(w.signed_as.input.b, row->input_digest.p, sizeof(w.signed_as.input.b));
    memcpy(w.signed_as.output.b, row->output_digest.p, sizeof(w.signed_as.output.b));
    memcpy(w.payee.b, row->payee.p, sizeof(w.payee.b));
    return reputation_event(&w, &domain, (uint64_t)row->epoch);
}

/* The event made anew from the rows must be in the sealed log, and its path lead to the sealed
 * root: anything else is our bug and is not handed out. */
static void prove(struct op *op)
{
    struct state *s = op->state;
    struct bytes log = s->row->log_leaves;
    size_t n = log.n / sizeof(struct digest);
    struct digest *leaves = arena_alloc(op->arena, log.n + 1);
    struct logtree_path path = {.size = n};
    struct digest leaf;
    struct digest root;

    s->parts.event = event_of(op, s);
    leaf = event_leaf(&s->parts.event);
    memcpy(leaves, log.p, log.n);
    memcpy(root.b, s->row->log_root.p, sizeof(root.b));
    while (path.index < n && memcmp(&leaves[path.index], &leaf, sizeof(leaf)) != 0)
        path.index++;
    if (logtree_proof(leaves, n, path.index, op->arena, &s->parts.proof, &op->err) != E_OK) {
        (void)err_set(&op->err, E_INTERNAL, "an acceptance is not in its batch's log");
        return;
    }
    path.siblings = s->parts.proof.siblings;
    path.n = s->parts.proof.n;
    s->parts.index = path.index;
    s->parts.size = n;
    if (!logtree_verify(leaf, &path, root))
        (void)err_set(&op->err, E_INTERNAL, "the acceptances do not have the sealed root");
}

static enum op_next loaded(struct op *op)
{
    struct state *s = op->state;
    const struct sql_task_proof_row *row = op->rows;

    if (!found(op, E_TASK_NOT_FOUND))
        return OP_REPLY;
    s->row = row;
    if (text_is(row->status, "queued") || text_is(row->status, "running") ||
        text_is(row->status, "verifying"))
        return op_fail(op, E_TASK_NOT_DONE, "The task is %.*s.", (int)row->status.n, row->status.s);
    if (uuid_is_zero(row->attempt))
        return op_fail(op, E_TASK_CLOSED, "The task is %.*s and nothing was accepted.",
                       (int)row->status.n, row->status.s);
    /* A fee of the whole reward pays nobody, and epochs before there was a log have none. */
    if (!row->has_amount || (text_is(row->state, "confirmed") && row->log_leaves.n == 0))
        return op_fail(op, E_PROOF_NOT_FOUND, "No epoch's log has this acceptance.");
    if (!text_is(row->state, "confirmed"))
        return op_fail(op, E_PROOF_NOT_FINAL, "The task's settlement is %.*s.",
                       row->state.s ? (int)row->state.n : 7,
                       row->state.s ? row->state.s : "pending");
    return op_pool(op, prove, answer);
}

static enum op_next parse(struct op *op)
{
    const struct in_get_task_proof *in = op->in;
    struct state *s = arena_alloc(op->arena, sizeof(*s));

    s->call = (struct sql_task_proof){.id = in->task, .account = op->who.account};
    s->parts.task = in->task;
    op->state = s;
    return op_call(op, SQL_TASK_PROOF, &s->call, (uint64_t)op->who.account, 0, loaded);
}

const struct op_def op_get_task_proof = {.parse = parse};
