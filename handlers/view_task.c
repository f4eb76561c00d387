/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "handlers/view.h"
#include "lib/json.h"

static json_t *task_path(struct uuid id, const char *after)
{
    char text[ID_TEXT_MAX];

    id_format(ID_TASK, id, text);
    return json_sprintf("/v1/tasks/%s%s", text, after);
}

static json_t *fee_of(const struct sql_task_get_row *t)
{
    struct wei fee = {{0}};

    /* The table's CHECK bounds fee_bps, so this cannot fail; 0 would be the honest answer. */
    (void)!wei_fee(t->reward, (uint32_t)t->fee_bps, &fee, NULL);
    return view_wei(fee);
}

json_t *view_task_result(const struct sql_task_get_row *t)
{
    json_t *outputs = view_stored(t->outputs);
    size_t i;
    json_t *file;

    json_array_foreach(outputs, i, file)
    {
        json_object_set_new(
            file, "url",
            json_sprintf("/v1/blobs/%s", json_string_value(json_object_get(file, "sha256"))));
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "response",
                     view_id(ID_RESPONSE, t->response), "attempt", view_id(ID_ATTEMPT, t->attempt),
                     "provider", view_id(ID_PROVIDER, t->provider), "outputs", outputs,
                     "output_digest", view_hex(t->output_digest), "signature",
                     view_chain_hex(t->signature), "accepted_at", view_time(t->accepted_at));
}

static json_t *error_of(const struct sql_task_get_row *t)
{
    if (t->error_code.s == NULL)
        return json_null();
    return json_pack("{s:o, s:o}", "code", view_text(t->error_code), "message",
                     t->error_message.s ? view_text(t->error_message) : json_string(""));
}

static json_t *urls_of(struct uuid id)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "self", task_path(id, ""), "cancel",
                     task_path(id, "/cancel"), "result", task_path(id, "/result"), "attempts",
                     task_path(id, "/attempts"), "events", task_path(id, "/events"));
}

json_t *view_task(const struct sql_task_get_row *t)
{
    json_t *o =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:i, s:i}", "id",
                  view_id(ID_TASK, t->id), "status", view_text(t->status), "source",
                  view_id(ID_SOURCE, t->source), "manifest_hash", view_hex(t->manifest_hash),
                  "function", view_text(t->function), "input_digest", view_hex(t->input_digest),
                  "reward", view_wei(t->reward), "fee", fee_of(t), "racers", t->racers, "delivery",
                  view_text(t->delivery), "live", t->live, "attempts", t->attempts);

    json_object_set_new(o, "result", uuid_is_zero(t->response) ? json_null() : view_task_result(t));
    json_object_set_new(o, "error", error_of(t));
    json_object_set_new(o, "settlement",
                        json_pack("{s:o, s:o, s:o}", "status", view_text(t->settlement), "batch",
                                  view_id(ID_BATCH, t->batch), "tx_hash",
                                  view_chain_hex(t->tx_hash)));
    json_object_set_new(o, "metadata", view_stored(t->metadata));
    json_object_set_new(o, "created_at", view_time(t->created_at));
    json_object_set_new(o, "updated_at", view_time(t->updated_at));
    json_object_set_new(o, "expires_at", view_time(t->expires_at));
    json_object_set_new(o, "finished_at", view_time(t->finished_at));
    json_object_set_new(o, "urls", urls_of(t->id));
    return o;
}

const char *view_task_tag(const struct sql_task_get_row *t, struct arena *a)
{
    /* Every event raises the version; settlement moves without events. A batch's transaction may be
     * replaced while it is submitted. */
    return arena_printf(a, "%d-%.*s-%02x%02x", t->version, (int)t->settlement.n, t->settlement.s,
                        t->tx_hash.n == 32 ? t->tx_hash.p[0] : 0,
                        t->tx_hash.n == 32 ? t->tx_hash.p[1] : 0);
}

static json_t *attempt_error_of(const struct sql_task_attempts_row *r)
{
    struct text message = r->error_message.s ? r->error_message : r->reason;

    if (r->error_code.s == NULL)
        return json_null();
    return json_pack("{s:o, s:o}", "code", view_text(r->error_code), "message",
                     message.s ? view_text(message) : json_string(""));
}

json_t *view_attempt(struct uuid task, const struct sql_task_attempts_row *r)
{
    return json_pack("{s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
                     view_id(ID_ATTEMPT, r->id), "task", view_id(ID_TASK, task), "provider",
                     view_id(ID_PROVIDER, r->provider), "epoch", r->epoch, "status",
                     view_text(r->state), "error", attempt_error_of(r), "response",
                     view_id(ID_RESPONSE, r->response), "started_at", view_time(r->started_at),
                     "lease_until", view_time(r->lease_until), "ended_at", view_time(r->ended_at));
}

json_t *view_task_event(const struct sql_task_events_row *e)
{
    return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "seq", e->seq, "type",
                     view_text(e->type), "from", view_text(e->from_status), "to",
                     view_text(e->to_status), "attempt", view_id(ID_ATTEMPT, e->attempt), "detail",
                     view_text(e->detail), "at", view_time(e->at));
}

static json_t *attempt_path(struct uuid id, const char *after)
{
    char text[ID_TEXT_MAX];

    id_format(ID_ATTEMPT, id, text);
    return json_sprintf("/v1/attempts/%s%s", text, after);
}

static json_t *blob_list(struct bytes digests)
{
    json_t *list = json_array();

    for (size_t i = 0; i + 32 <= digests.n; i += 32)
        json_array_append_new(list, view_hex(bytes_of(digests.p + i, 32)));
    return list;
}

json_t *view_claim(const struct sql_claim_view_row *c, int64_t lease_s)
{
    char attempt[ID_TEXT_MAX];
    json_t *o =
        json_pack("{s:o, s:o, s:o, s:i, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                  "attempt", view_id(ID_ATTEMPT, c->attempt), "task", view_id(ID_TASK, c->task),
                  "source", view_id(ID_SOURCE, c->source), "epoch", c->epoch, "lease_until",
                  view_time(c->lease_until), "lease_s", (json_int_t)lease_s, "manifest",
                  view_stored(c->manifest), "manifest_hash", view_hex(c->manifest_hash), "function",
                  view_text(c->function), "input", view_text(c->input), "input_digest",
                  view_hex(c->input_digest), "input_blobs", blob_list(c->input_blobs), "reward",
                  view_wei(c->reward), "expires_at", view_time(c->expires_at));

    id_format(ID_ATTEMPT, c->attempt, attempt);
    json_object_set_new(o, "urls",
                        json_pack("{s:o, s:o, s:o, s:o}", "heartbeat",
                                  attempt_path(c->attempt, "/heartbeat"), "respond",
                                  attempt_path(c->attempt, "/respond"), "fail",
                                  attempt_path(c->attempt, "/fail"), "blobs",
                                  json_sprintf("/v1/blobs/{sha256}?attempt=%s", attempt)));
    return o;
}
