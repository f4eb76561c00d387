/* SPDX-License-Identifier: MIT */
#include "handlers/view_proof.h"

#include "core/money.h"
#include "handlers/view_settlement.h"

static void put_proof(struct json_out *o, const struct merkle_proof *proof)
{
    put_open(o, "proof", '[');
    for (size_t i = 0; i < proof->n; i++)
        put_hex(o, NULL, "0x", bytes_of(proof->siblings[i].b, sizeof(proof->siblings[i].b)));
    put_close(o, ']');
}

void view_score_proof(struct json_out *o, const struct app *app,
                      const struct sql_score_proof_row *row, const struct score_parts *parts)
{
    const struct score_leaf *l = &parts->leaf;

    put_open(o, NULL, '{');
    put_id(o, "provider", ID_PROVIDER, parts->provider);
    put_open(o, "leaf", '{');
    put_address(o, "provider", bytes_of(l->provider.b, sizeof(l->provider.b)));
    put_int(o, "accepted", (int64_t)l->accepted);
    put_int(o, "rejected", (int64_t)l->rejected);
    put_int(o, "expired", (int64_t)l->expired);
    put_int(o, "score", l->score);
    put_int(o, "epoch", (int64_t)l->epoch);
    put_hex(o, "events_root", "0x", bytes_of(l->events_root.b, sizeof(l->events_root.b)));
    put_close(o, '}');
    put_proof(o, &parts->proof);
    put_hex(o, "root", "0x", row->score_root);
    put_id(o, "batch", ID_BATCH, row->batch);
    put_int(o, "epoch", row->epoch);
    put_contract(o, app);
    put_string(
        o, "function",
        "verifyScore(uint64,(address,uint64,uint64,uint64,uint32,uint64,bytes32),bytes32[])");
    put_hex(o, "tx_hash", "0x", row->tx_hash);
    put_time(o, "verifiable_at", claimable_at(app, row->settled_at));
    if (row->has_before_epoch) {
        put_open(o, "previous", '{');
        put_int(o, "epoch", row->before_epoch);
        put_int(o, "score", row->before_score);
        put_close(o, '}');
    } else {
        put_null(o, "previous");
    }
    put_close(o, '}');
}

void view_event(struct json_out *o, const struct event *event)
{
    static const char *const kinds[] = {
        [EVENT_ACCEPTED] = "accepted", [EVENT_REJECTED] = "rejected", [EVENT_EXPIRED] = "expired"};
    uint8_t encoded[EVENT_SIZE];

    event_encode(event, encoded);
    put_open(o, NULL, '{');
    put_string(o, "kind", kinds[event->kind]);
    put_id(o, "task", ID_TASK, event->task);
    put_id(o, "attempt", ID_ATTEMPT, event->attempt);
    put_address(o, "payee", bytes_of(event->payee.b, sizeof(event->payee.b)));
    put_time(o, "at", (int64_t)event->at_us);
    put_hex(o, "encoded", "0x", bytes_of(encoded, sizeof(encoded)));
    put_close(o, '}');
}

static void put_domain(struct json_out *o, const struct app *app)
{
    put_open(o, "domain", '{');
    put_string(o, "name", "OpenGPU Gateway");
    put_string(o, "version", "1");
    put_int(o, "chainId", (int64_t)app->chain_id);
    put_address(o, "verifyingContract", bytes_of(app->settlement.b, sizeof(app->settlement.b)));
    put_close(o, '}');
}

static void put_types(struct json_out *o)
{
    static const char *const members[][2] = {{"task", "bytes16"},     {"attempt", "bytes16"},
                                             {"epoch", "uint32"},     {"provider", "address"},
                                             {"manifest", "bytes32"}, {"input", "bytes32"},
                                             {"output", "bytes32"}};

    put_open(o, "types", '{');
    put_open(o, "Response", '[');
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        put_open(o, NULL, '{');
        put_string(o, "name", members[i][0]);
        put_string(o, "type", members[i][1]);
        put_close(o, '}');
    }
    put_close(o, ']');
    put_close(o, '}');
}

static void put_message(struct json_out *o, const struct sql_task_proof_row *row,
                        const struct task_parts *parts)
{
    put_open(o, "message", '{');
    put_hex(o, "task", "0x", bytes_of(parts->task.b, sizeof(parts->task.b)));
    put_hex(o, "attempt", "0x", bytes_of(row->attempt.b, sizeof(row->attempt.b)));
    put_int(o, "epoch", row->attempt_epoch);
    put_address(o, "provider", row->address);
    put_hex(o, "manifest", "0x", row->manifest_hash);
    put_hex(o, "input", "0x", row->input_digest);
    put_hex(o, "output", "0x", row->output_digest);
    put_close(o, '}');
}

static void put_event(struct json_out *o, const struct sql_task_proof_row *row,
                      const struct event *event)
{
    uint8_t encoded[EVENT_SIZE];

    event_encode(event, encoded);
    put_open(o, "event", '{');
    put_string(o, "kind", "accepted");
    put_hex(o, "encoded", "0x", bytes_of(encoded, sizeof(encoded)));
    put_address(o, "payee", row->payee);
    put_wei(o, "amount", row->amount);
    put_time(o, "accepted_at", row->at);
    put_close(o, '}');
}

void view_task_proof(struct json_out *o, const struct app *app,
                     const struct sql_task_proof_row *row, const struct task_parts *parts)
{
    put_open(o, NULL, '{');
    put_id(o, "task", ID_TASK, parts->task);
    put_open(o, "typed_data", '{');
    put_domain(o, app);
    put_types(o);
    put_string(o, "primaryType", "Response");
    put_message(o, row, parts);
    put_close(o, '}');
    put_hex(o, "signature", "0x", row->signature);
    put_event(o, row, &parts->event);
    put_open(o, "inclusion", '{');
    put_int(o, "index", (int64_t)parts->index);
    put_int(o, "size", (int64_t)parts->size);
    put_proof(o, &parts->proof);
    put_hex(o, "root", "0x", row->log_root);
    put_close(o, '}');
    put_id(o, "batch", ID_BATCH, row->batch);
    put_int(o, "epoch", row->epoch);
    put_contract(o, app);
    put_hex(o, "tx_hash", "0x", row->tx_hash);
    put_time(o, "confirmed_at", row->settled_at);
    put_close(o, '}');
}
