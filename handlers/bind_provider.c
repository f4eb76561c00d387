/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"
#include "handlers/sign.h"
#include "handlers/view.h"
#include "lib/clock.h"

struct state {
    struct sql_provider_get get;
    struct sql_provider_bind call;
    struct address address;
    struct address bound; /* the master until now */
};

static enum op_next show(struct op *op)
{
    struct json_out *o = json_out_new(op->arena);

    if (!found(op, E_PROVIDER_NOT_FOUND))
        return OP_REPLY;
    view_provider_read(o, NULL, op->rows, clock_wall_us());
    return reply_tagged(op, o);
}

static enum op_next answer(struct op *op)
{
    struct state *s = op->state;
    const struct sql_provider_bind_row *row = op->rows;

    if (!written(op, op->n_rows ? row->outcome : text_of(NULL), false))
        return OP_REPLY;
    return op_call(op, SQL_PROVIDER_GET, &s->get, key_of(s->get.id), 0, show);
}

static void verify(struct op *op)
{
    const struct in_bind_provider *in = op->in;
    const struct state *s = op->state;
    struct eip712_domain domain = sign_domain(op->app);
    struct eip712_binding m = {s->address, in->master, (uint64_t)in->nonce, (uint64_t)in->deadline};
    struct digest digest = eip712_binding_digest(&domain, &m);
    struct sign_check checks[3] = {
        {digest, in->signature, s->address, "provider"},
        {digest, in->master_signature, in->master, "master"},
        {digest, in->former_master_signature, s->bound, "bound master"},
    };

    sign_verify(op, checks, in->has_former_master_signature ? 3 : 2);
}

static enum op_next verified(struct op *op)
{
    struct state *s = op->state;
    const struct in_bind_provider *in = op->in;

    if (op->err.code != E_OK)
        return op_fail_err(op);
    if (in->has_former_master_signature)
        s->call.former = bytes_of(s->bound.b, sizeof(s->bound.b));
    return op_call(op, SQL_PROVIDER_BIND, &s->call, key_of(s->call.id), key_of(s->call.id), answer);
}

static enum op_next loaded(struct op *op)
{
    const struct sql_provider_get_row *p = op->rows;
    struct state *s = op->state;

    if (!found(op, E_PROVIDER_NOT_FOUND))
        return OP_REPLY;
    memcpy(s->address.b, p->address.p, sizeof(s->address.b));
    memcpy(s->bound.b, p->master.p, sizeof(s->bound.b));
    return op_pool(op, verify, verified);
}

static enum op_next parse(struct op *op)
{
    const struct in_bind_provider *in = op->in;
    struct state *s = arena_alloc(op->arena, sizeof(*s));

    if (!deadline_ok(op, in->deadline))
        return OP_REPLY;
    s->get.id = in->provider;
    s->call = (struct sql_provider_bind){
        .id = in->provider, .master = address_bytes(op, in->master), .nonce = in->nonce};
    op->state = s;
    return op_call(op, SQL_PROVIDER_GET, &s->get, key_of(in->provider), 0, loaded);
}

const struct op_def op_bind_provider = {.parse = parse};
