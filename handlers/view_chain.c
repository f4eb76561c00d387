/* SPDX-License-Identifier: MIT */
#include "handlers/view_chain.h"

#include "core/origin.h"
#include "eth/upstream.h"

/* The struct as the mirror stored it: JSON, or nothing yet. */
static void put_params(struct json_out *o, const char *name, struct text params)
{
    put_raw(o, name, params.n > 0 ? params : text_of("null"));
}

static void put_block(struct json_out *o, const char *name, int64_t block)
{
    if (block < 0)
        put_null(o, name);
    else
        put_int(o, name, block);
}

static void put_place(struct json_out *o, int64_t block, int32_t log_index, struct bytes tx_hash)
{
    put_open(o, "published", '{');
    put_int(o, "block", block);
    put_int(o, "log_index", log_index);
    put_hex(o, "tx_hash", "0x", tx_hash);
    put_close(o, '}');
}

void view_chain_source(struct json_out *o, const char *name,
                       const struct sql_mirror_source_get_row *s)
{
    static const char *const words[] = {"active", "retired"};

    put_open(o, name, '{');
    put_id(o, "id", ID_SOURCE, s->id);
    put_string(o, "origin", "chain");
    put_string(o, "status", s->status == 0 || s->status == 1 ? words[s->status] : "unknown");
    put_int(o, "chain_id", s->chain_id);
    put_address(o, "address", s->address);
    put_params(o, "params", s->params);
    put_block(o, "params_block", s->params_block);
    put_int(o, "tasks", s->tasks);
    put_place(o, s->block_no, s->log_index, s->tx_hash);
    put_open(o, "urls", '{');
    put_path(o, "self", "/v1/sources/", ID_SOURCE, s->id, "");
    put_path(o, "tasks", "/v1/tasks?origin=chain&source=", ID_SOURCE, s->id, "");
    put_close(o, '}');
    put_close(o, '}');
}

static void put_answer(struct json_out *o, const struct sql_mirror_task_list_row *t)
{
    if (!t->answer_address.p) {
        put_null(o, "answer");
        return;
    }
    put_open(o, "answer", '{');
    put_address(o, "address", t->answer_address);
    put_params(o, "params", t->answer_params);
    put_close(o, '}');
}

void view_chain_task(struct json_out *o, const char *name, const struct sql_mirror_task_list_row *t)
{
    const char *status = upstream_enum_word(UPSTREAM_TASK_STATUS, (uint64_t)t->status);

    put_open(o, name, '{');
    put_id(o, "id", ID_TASK, t->id);
    put_string(o, "origin", "chain");
    put_string(o, "status", status ? status : "unknown");
    if (t->has_overdue)
        put_bool(o, "overdue", t->overdue && t->status < 3);
    else
        put_null(o, "overdue");
    put_int(o, "chain_id", t->chain_id);
    put_address(o, "address", t->address);
    put_id(o, "source", ID_SOURCE, t->source);
    put_address(o, "source_address", t->source_address);
    put_params(o, "params", t->params);
    put_block(o, "params_block", t->params_block);
    put_int(o, "attempts", t->attempts);
    if (t->has_lowest_bid)
        put_wei(o, "lowest_bid", t->lowest_bid);
    else
        put_null(o, "lowest_bid");
    put_int(o, "responses", t->responses);
    put_answer(o, t);
    put_place(o, t->block_no, t->log_index, t->tx_hash);
    put_open(o, "urls", '{');
    put_path(o, "self", "/v1/tasks/", ID_TASK, t->id, "");
    put_path(o, "source", "/v1/sources/", ID_SOURCE, t->source, "");
    put_close(o, '}');
    put_close(o, '}');
}

bool lives_here(struct op *op, struct uuid id)
{
    if (!origin_is_chain(id))
        return true;
    (void)op_fail(
        op, E_ON_CHAIN,
        "The id is of an object on upstream's chain. It is shown here, but nothing can be "
        "bought, offered or changed through this gateway.");
    return false;
}
