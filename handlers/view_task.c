/* SPDX-License-Identifier: MIT */
#include <jansson.h>

#include "handlers/view.h"
#include "lib/json.h"
#include "lib/log.h"

/* [{media_type, name, sha256, size}] as the provider signed it, each with the path of its bytes. */
static void put_outputs(struct json_out *o, struct text stored)
{
    json_t *list = NULL;
    struct err err;
    size_t i;
    json_t *file;

    if (json_parse(stored.s, stored.n, &list, &err) != E_OK)
        log_error("stored_outputs_unreadable", "reason=%s", err.text);
    put_open(o, "outputs", '[');
    json_array_foreach(list, i, file)
    {
        const char *hex = json_string_value(json_object_get(file, "sha256"));
        char path[16 + 64];

        snprintf(path, sizeof(path), "/v1/blobs/%.64s", hex ? hex : "");
        put_open(o, NULL, '{');
        put_string(o, "name", json_string_value(json_object_get(file, "name")));
        put_string(o, "media_type", json_string_value(json_object_get(file, "media_type")));
        put_int(o, "size", json_integer_value(json_object_get(file, "size")));
        put_string(o, "sha256", hex);
        put_string(o, "url", path);
        put_close(o, '}');
    }
    put_close(o, ']');
    json_decref(list);
}

void view_task_result(struct json_out *o, const char *name, const struct sql_task_get_row *t)
{
    put_open(o, name, '{');
    put_id(o, "response", ID_RESPONSE, t->response);
    put_id(o, "attempt", ID_ATTEMPT, t->attempt);
    put_id(o, "provider", ID_PROVIDER, t->provider);
    put_outputs(o, t->outputs);
    put_hex(o, "output_digest", "", t->output_digest);
    put_hex(o, "signature", "0x", t->signature);
    put_time(o, "accepted_at", t->accepted_at);
    put_close(o, '}');
}

static void put_error(struct json_out *o, struct text code, struct text message)
{
    if (code.s == NULL) {
        put_null(o, "error");
        return;
    }
    put_open(o, "error", '{');
    put_text(o, "code", code);
    put_text(o, "message", message.s ? message : text_of(""));
    put_close(o, '}');
}

static void put_settlement(struct json_out *o, const struct sql_task_get_row *t)
{
    put_open(o, "settlement", '{');
    put_text(o, "status", t->settlement);
    put_id(o, "batch", ID_BATCH, t->batch);
    put_hex(o, "tx_hash", "0x", t->tx_hash);
    put_close(o, '}');
}

static void put_urls(struct json_out *o, struct uuid id)
{
    put_open(o, "urls", '{');
    put_path(o, "self", "/v1/tasks/", ID_TASK, id, "");
    put_path(o, "cancel", "/v1/tasks/", ID_TASK, id, "/cancel");
    put_path(o, "result", "/v1/tasks/", ID_TASK, id, "/result");
    put_path(o, "attempts", "/v1/tasks/", ID_TASK, id, "/attempts");
    put_path(o, "events", "/v1/tasks/", ID_TASK, id, "/events");
    put_close(o, '}');
}

static struct wei fee_of(const struct sql_task_get_row *t)
{
    struct wei fee = {{0}};

    /* The table's CHECK bounds fee_bps, so this cannot fail; 0 would be the honest answer. */
    (void)!wei_fee(t->reward, (uint32_t)t->fee_bps, &fee, NULL);
    return fee;
}

void view_task(struct json_out *o, const char *name, const struct sql_task_get_row *t)
{
    put_open(o, name, '{');
    put_id(o, "id", ID_TASK, t->id);
    put_string(o, "origin", "gateway");
    put_text(o, "status", t->status);
    put_id(o, "source", ID_SOURCE, t->source);
    put_hex(o, "manifest_hash", "", t->manifest_hash);
    put_text(o, "function", t->function);
    put_hex(o, "input_digest", "", t->input_digest);
    put_wei(o, "reward", t->reward);
    put_wei(o, "fee", fee_of(t));
    put_int(o, "racers", t->racers);
    put_text(o, "delivery", t->delivery);
    put_int(o, "live", t->live);
    put_int(o, "attempts", t->attempts);
    if (uuid_is_zero(t->response))
        put_null(o, "result");
    else
        view_task_result(o, "result", t);
    put_error(o, t->error_code, t->error_message);
    put_settlement(o, t);
    put_raw(o, "metadata", t->metadata);
    put_time(o, "created_at", t->created_at);
    put_time(o, "updated_at", t->updated_at);
    put_time(o, "expires_at", t->expires_at);
    put_time(o, "finished_at", t->finished_at);
    put_urls(o, t->id);
    put_close(o, '}');
}

const char *view_task_tag(const struct sql_task_get_row *t, struct arena *a)
{
    /* Every event raises the version; settlement moves without events. A batch's transaction may be
     * replaced while it is submitted. */
    return arena_printf(a, "%d-%.*s-%02x%02x", t->version, (int)t->settlement.n, t->settlement.s,
                        t->tx_hash.n == 32 ? t->tx_hash.p[0] : 0,
                        t->tx_hash.n == 32 ? t->tx_hash.p[1] : 0);
}

void view_attempt(struct json_out *o, const char *name, struct uuid task,
                  const struct sql_task_attempts_row *r)
{
    put_open(o, name, '{');
    put_id(o, "id", ID_ATTEMPT, r->id);
    put_id(o, "task", ID_TASK, task);
    put_id(o, "provider", ID_PROVIDER, r->provider);
    put_int(o, "epoch", r->epoch);
    put_text(o, "status", r->state);
    put_text(o, "phase", r->phase);
    put_count(o, "pulled_bytes", r->has_pulled_bytes, r->pulled_bytes);
    put_count(o, "image_bytes", r->has_image_bytes, r->image_bytes);
    put_error(o, r->error_code, r->error_message.s ? r->error_message : r->reason);
    put_id(o, "response", ID_RESPONSE, r->response);
    put_time(o, "started_at", r->started_at);
    put_time(o, "lease_until", r->lease_until);
    put_time(o, "ended_at", r->ended_at);
    put_close(o, '}');
}

void view_task_event(struct json_out *o, const char *name, const struct sql_task_events_row *e)
{
    put_open(o, name, '{');
    put_int(o, "seq", e->seq);
    put_text(o, "type", e->type);
    put_text(o, "from", e->from_status);
    put_text(o, "to", e->to_status);
    put_id(o, "attempt", ID_ATTEMPT, e->attempt);
    put_text(o, "detail", e->detail);
    put_time(o, "at", e->at);
    put_close(o, '}');
}

static void put_claim_urls(struct json_out *o, struct uuid id)
{
    put_open(o, "urls", '{');
    put_path(o, "heartbeat", "/v1/attempts/", ID_ATTEMPT, id, "/heartbeat");
    put_path(o, "respond", "/v1/attempts/", ID_ATTEMPT, id, "/respond");
    put_path(o, "fail", "/v1/attempts/", ID_ATTEMPT, id, "/fail");
    put_path(o, "blobs", "/v1/blobs/{sha256}?attempt=", ID_ATTEMPT, id, "");
    put_close(o, '}');
}

void view_claim(struct json_out *o, const char *name, const struct sql_claim_view_row *c,
                int64_t lease_s)
{
    put_open(o, name, '{');
    put_id(o, "attempt", ID_ATTEMPT, c->attempt);
    put_id(o, "task", ID_TASK, c->task);
    put_id(o, "source", ID_SOURCE, c->source);
    put_int(o, "epoch", c->epoch);
    put_time(o, "lease_until", c->lease_until);
    put_int(o, "lease_s", lease_s);
    put_raw(o, "manifest", c->manifest);
    put_hex(o, "manifest_hash", "", c->manifest_hash);
    put_text(o, "function", c->function);
    put_text(o, "input", c->input);
    put_hex(o, "input_digest", "", c->input_digest);
    put_open(o, "input_blobs", '[');
    for (size_t i = 0; i + 32 <= c->input_blobs.n; i += 32)
        put_hex(o, NULL, "", bytes_of(c->input_blobs.p + i, 32));
    put_close(o, ']');
    put_wei(o, "reward", c->reward);
    put_time(o, "expires_at", c->expires_at);
    put_claim_urls(o, c->attempt);
    put_close(o, '}');
}
