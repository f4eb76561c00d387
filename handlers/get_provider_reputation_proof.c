/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"
#include "handlers/view_proof.h"

struct state {
    struct sql_score_proof call;
    const struct sql_score_proof_row *rows;
    size_t n;
    struct score_parts parts;
};

static enum op_next answer(struct op *op)
{
    const struct state *s = op->state;
    struct json_out *o = json_out_new(op->arena);

    if (op->err.code != E_OK)
        return op_fail_err(op);
    view_score_proof(o, op->app, s->rows, &s->parts);
    return reply_tagged(op, o);
}

static struct score_leaf leaf_of(const struct sql_score_proof_row *row)
{
    struct score_leaf leaf = {.accepted = (uint64_t)row->accepted,
                              .rejected = (uint64_t)row->rejected,
                              .expired = (uint64_t)row->expired,
                              .score = (uint32_t)row->score,
                              .epoch = (uint64_t)row->epoch};

    memcpy(leaf.provider.b, row->address.p, sizeof(leaf.provider.b));
    memcpy(leaf.events_root.b, row->events_root.p, sizeof(leaf.events_root.b));
    return leaf;
}

/* A proof that does not lead to the sealed root is our bug and is not handed out. */
static void prove(struct op *op)
{
    struct state *s = op->state;
    struct score_leaf *leaves = arena_alloc(op->arena, s->n * sizeof(*leaves));
    struct digest root;
    size_t mine = s->n;

    memcpy(root.b, s->rows->score_root.p, sizeof(root.b));
    for (size_t i = 0; i < s->n; i++) {
        leaves[i] = leaf_of(&s->rows[i]);
        if (s->rows[i].mine)
            mine = i;
    }
    if (score_proof(leaves, s->n, mine, op->arena, &s->parts.proof, &op->err) != E_OK) {
        (void)err_set(&op->err, E_INTERNAL, "a provider's leaf is not among its epoch's");
        return;
    }
    s->parts.leaf = leaves[mine];
    if (!merkle_verify(score_hash(&s->parts.leaf), s->parts.proof.siblings, s->parts.proof.n, root))
        (void)err_set(&op->err, E_INTERNAL, "the score leaves do not have the sealed root");
}

static enum op_next loaded(struct op *op)
{
    struct state *s = op->state;

    if (!found(op, E_PROVIDER_NOT_FOUND))
        return OP_REPLY;
    s->rows = op->rows;
    s->n = op->n_rows;
    if (uuid_is_zero(s->rows->batch))
        return op_fail(op, E_PROOF_NOT_FOUND, "No such epoch counted anything of this provider.");
    if (!text_is(s->rows->state, "confirmed"))
        return op_fail(op, E_PROOF_NOT_FINAL, "Epoch %lld is %.*s.", (long long)s->rows->epoch,
                       (int)s->rows->state.n, s->rows->state.s);
    return op_pool(op, prove, answer);
}

static enum op_next parse(struct op *op)
{
    const struct in_get_provider_reputation_proof *in = op->in;
    struct state *s = arena_alloc(op->arena, sizeof(*s));

    s->call = (struct sql_score_proof){.provider = in->provider, .epoch = in->epoch};
    s->parts.provider = in->provider;
    op->state = s;
    return op_call(op, SQL_SCORE_PROOF, &s->call, key_of(in->provider), 0, loaded);
}

const struct op_def op_get_provider_reputation_proof = {.parse = parse};
