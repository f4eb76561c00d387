/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "core/outputs.h"
#include "handlers/common.h"
#include "handlers/sign.h"
#include "handlers/view.h"
#include "lib/killpoint.h"
#include "queue/post.h"
#include "server/app.h"

/* Seconds after which another gateway may adopt the checks of a response. */
#define CHECK_S 30

struct state {
    struct sql_attempt_get get;
    struct sql_response_submit call;
    struct eip712_response signed_over;
    struct uuid task;
};

static enum op_next answer(struct op *op)
{
    const struct in_respond_attempt *in = op->in;
    const struct sql_response_submit_row *row = op->rows;
    struct json_out *o = json_out_new(op->arena);

    if (!written(op, op->n_rows ? row->outcome : text_of(NULL), false))
        return OP_REPLY;
    KILLPOINT("g5");
    op->app->check(op->app, row->id);
    post_moved(op->app->queue, row->task);
    put_open(o, NULL, '{');
    put_id(o, "response", ID_RESPONSE, row->id);
    put_id(o, "attempt", ID_ATTEMPT, in->attempt);
    put_id(o, "task", ID_TASK, row->task);
    put_string(o, "status", "verifying");
    put_close(o, '}');
    return reply(op, 202, o);
}

static void verify(struct op *op)
{
    const struct in_respond_attempt *in = op->in;
    const struct state *s = op->state;
    struct eip712_domain domain = sign_domain(op->app);
    struct sign_check check = {eip712_response_digest(&domain, &s->signed_over), in->signature,
                               op->who.address, "provider"};

    sign_verify(op, &check, 1);
}

static enum op_next verified(struct op *op)
{
    struct state *s = op->state;

    if (op->err.code != E_OK)
        return op_fail_err(op);
    return op_call(op, SQL_RESPONSE_SUBMIT, &s->call, key_of(s->task), key_of(s->task), answer);
}

/* What cannot be right by itself is refused before it costs the provider its attempt. */
static enum op_next loaded(struct op *op)
{
    const struct in_respond_attempt *in = op->in;
    const struct sql_attempt_get_row *row = op->rows;
    struct state *s = op->state;
    struct eip712_response *m = &s->signed_over;

    if (!found(op, E_ATTEMPT_NOT_FOUND))
        return OP_REPLY;
    s->task = row->task;
    m->task = row->task;
    m->attempt = in->attempt;
    m->epoch = (uint32_t)in->epoch;
    m->provider = op->who.address;
    memcpy(m->manifest.b, row->manifest_hash.p, sizeof(m->manifest.b));
    memcpy(m->input.b, row->input_digest.p, sizeof(m->input.b));
    return op_pool(op, verify, verified);
}

static struct bytes blobs_of(struct op *op, const struct outputs *outputs)
{
    uint8_t *p = arena_alloc(op->arena, 32 * outputs->n + 1);

    for (size_t i = 0; i < outputs->n; i++)
        memcpy(p + 32 * i, outputs->items[i].sha256.b, 32);
    return bytes_of(p, 32 * outputs->n);
}

static enum op_next parse(struct op *op)
{
    const struct in_respond_attempt *in = op->in;
    struct state *s = arena_alloc(op->arena, sizeof(*s));
    struct outputs *outputs = arena_alloc(op->arena, sizeof(*outputs));
    struct err err;

    /* The source's own limits are the checks' business: they cost the attempt. */
    if (outputs_read(in->outputs, OUTPUTS_MAX, INT64_MAX, outputs, &err) != E_OK ||
        outputs_canonical(outputs, op->arena, &s->call.outputs, &s->signed_over.output, &err) !=
            E_OK)
        return op_fail(op, E_VALIDATION, "/outputs: %s", err.text);
    if (in->epoch > INT32_MAX)
        return op_fail(op, E_STALE_EPOCH, "No task has that many attempts.");
    s->call.id = app_new_id(op->app);
    s->call.attempt = in->attempt;
    s->call.provider = op->who.provider;
    s->call.epoch = (int32_t)in->epoch;
    s->call.signature = in->signature;
    s->call.output_digest = digest_bytes(op, s->signed_over.output);
    s->call.blobs = blobs_of(op, outputs);
    s->call.check_s = CHECK_S;
    s->get = (struct sql_attempt_get){.attempt = in->attempt, .provider = op->who.provider};
    op->state = s;
    return op_call(op, SQL_ATTEMPT_GET, &s->get, key_of(in->attempt), 0, loaded);
}

const struct op_def op_respond_attempt = {.parse = parse};
