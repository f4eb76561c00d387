/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "eth/entries.h"
#include "eth/merkle.h"
#include "handlers/common.h"
#include "handlers/view_settlement.h"
#include "lib/hash.h"

struct state {
    struct sql_proof_get call;
    const struct sql_proof_get_row *row;
    struct proof_parts parts;
};

static enum op_next answer(struct op *op)
{
    const struct state *s = op->state;
    struct json_out *o = json_out_new(op->arena);

    if (op->err.code != E_OK)
        return op_fail_err(op);
    view_proof(o, op->app, s->row, &s->parts);
    return reply_tagged(op, o);
}

/* From the very entries of the calldata, not from the rows they were made of; a proof that would
 * not lead to the stored root is our bug and is not handed out. */
static void prove(struct op *op)
{
    struct state *s = op->state;
    struct entry_place place;
    struct digest *leaves;
    struct merkle_proof proof;
    struct digest root;
    size_t n;

    memcpy(root.b, s->row->root.p, sizeof(root.b));
    if (entries_find(s->row->entries, (uint32_t)s->row->chain_id, false, &place, &op->err) !=
            E_OK ||
        entries_leaves(s->row->entries, op->arena, &leaves, &n, &op->err) != E_OK ||
        merkle_proof(leaves, n, place.chunk, op->arena, &proof, &op->err) != E_OK)
        return;
    if (place.entry.units != (uint64_t)s->row->units ||
        !merkle_verify(leaves[place.chunk], proof.siblings, proof.n, root)) {
        (void)err_set(&op->err, E_INTERNAL, "batch rows and entries differ");
        return;
    }
    entries_chunk(s->row->entries, place.chunk, s->parts.chunk);
    s->parts.index = place.index;
    s->parts.entries = s->row->entries.n / ENTRY_SIZE;
    s->parts.siblings = proof.siblings;
    s->parts.n_siblings = proof.n;
}

static enum op_next loaded(struct op *op)
{
    struct state *s = op->state;

    if (!found(op, E_PROOF_NOT_FOUND))
        return OP_REPLY;
    s->row = op->rows;
    if (!text_is(s->row->state, "confirmed"))
        return op_fail(op, E_PROOF_NOT_FINAL, "Epoch %lld is %.*s.", (long long)s->row->epoch,
                       (int)s->row->state.n, s->row->state.s);
    return op_pool(op, prove, answer);
}

static enum op_next parse(struct op *op)
{
    const struct in_get_proof *in = op->in;
    struct state *s = arena_alloc(op->arena, sizeof(*s));

    s->call.address = address_bytes(op, in->address);
    s->parts.address = in->address;
    op->state = s;
    return op_call(op, SQL_PROOF_GET, &s->call, hash64(in->address.b, 20), 0, loaded);
}

const struct op_def op_get_proof = {.parse = parse};
