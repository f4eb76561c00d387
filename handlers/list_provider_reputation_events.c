/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "core/reputation.h"
#include "handlers/common.h"
#include "handlers/page.h"
#include "handlers/sign.h"
#include "handlers/view_proof.h"

/* Where a page begins: behind this event. */
struct place {
    int64_t at;
    struct uuid attempt;
};
_Static_assert(sizeof(struct place) <= CURSOR_KEY_MAX, "a cursor holds a place");

static struct digest digest_in(struct bytes b)
{
    struct digest d = {{0}};

    if (b.n == sizeof(d.b))
        memcpy(d.b, b.p, sizeof(d.b));
    return d;
}

static struct address address_in(struct bytes b)
{
    struct address a = {{0}};

    if (b.n == sizeof(a.b))
        memcpy(a.b, b.p, sizeof(a.b));
    return a;
}

/* The event as the relayer counted it: the same rows, the same function. */
static struct event event_of(const struct op *op, const struct sql_provider_events_row *row)
{
    const struct eip712_domain domain = sign_domain(op->app);
    const struct work work = {.kind = (enum event_kind)row->kind,
                              .signed_as = {.task = row->task,
                                            .attempt = row->attempt,
                                            .epoch = (uint32_t)row->attempt_epoch,
                                            .provider = address_in(row->address),
                                            .manifest = digest_in(row->manifest_hash),
                                            .input = digest_in(row->input_digest),
                                            .output = digest_in(row->output_digest)},
                              .responded = row->output_digest.p != NULL,
                              .payee = address_in(row->payee),
                              .amount = row->amount,
                              .at_us = row->at};

    return reputation_event(&work, &domain, (uint64_t)row->epoch);
}

static enum op_next answer(struct op *op)
{
    const struct in_list_provider_reputation_events *in = op->in;
    const struct sql_provider_events_row *rows = op->rows;
    size_t limit = (size_t)in->limit;
    struct place *last = arena_alloc(op->arena, sizeof(*last));
    struct json_out *o;
    size_t n;

    if (!found(op, E_PROVIDER_NOT_FOUND))
        return OP_REPLY;
    if (uuid_is_zero(rows->batch))
        return op_fail(op, E_PROOF_NOT_FOUND, "No such epoch counted anything of this provider.");
    if (!text_is(rows->state, "confirmed"))
        return op_fail(op, E_PROOF_NOT_FINAL, "Epoch %lld is %.*s.", (long long)rows->epoch,
                       (int)rows->state.n, rows->state.s);
    /* Behind the last event there is one row, without any. */
    n = uuid_is_zero(rows->attempt) ? 0 : op->n_rows < limit ? op->n_rows : limit;
    o = page_open(op);
    for (size_t i = 0; i < n; i++) {
        struct event event = event_of(op, &rows[i]);

        view_event(o, &event);
        *last = (struct place){rows[i].at, rows[i].attempt};
    }
    /* Not for ever: inside its delay the guardian may still void the batch. */
    op_header(op, "Cache-Control", "public, max-age=60");
    return page_end_tagged(op, o, op->n_rows > limit,
                           &(struct page_next){last, sizeof(*last),
                                               arena_printf(op->arena, "epoch=%lld&limit=%zu",
                                                            (long long)rows->epoch, limit)});
}

static enum op_next parse(struct op *op)
{
    const struct in_list_provider_reputation_events *in = op->in;
    struct sql_provider_events *call = arena_alloc(op->arena, sizeof(*call));
    struct place from;

    if (!page_begin(op, in->has_cursor, in->cursor, &from, sizeof(from)))
        return OP_REPLY;
    *call = (struct sql_provider_events){.provider = in->provider,
                                         .epoch = in->epoch,
                                         .at = from.at,
                                         .attempt = from.attempt,
                                         .max = (int32_t)in->limit + 1};
    return op_call(op, SQL_PROVIDER_EVENTS, call, key_of(in->provider), 0, answer);
}

const struct op_def op_list_provider_reputation_events = {.parse = parse};
