/* SPDX-License-Identifier: MIT */
#include "handlers/view.h"

#include <stdlib.h>

#include "core/manifest.h"
#include "eth/address.h"
#include "lib/clock.h"
#include "lib/hex.h"
#include "lib/json.h"
#include "lib/log.h"

json_t *view_id(enum id_kind kind, struct uuid id)
{
    char text[ID_TEXT_MAX];

    if (uuid_is_zero(id))
        return json_null();
    id_format(kind, id, text);
    return json_string(text);
}

json_t *view_time(int64_t us)
{
    char text[RFC3339_MAX];

    if (us == 0)
        return json_null();
    rfc3339_format(us, text);
    return json_string(text);
}

json_t *view_text(struct text t)
{
    return t.s ? json_stringn(t.s, t.n) : json_null();
}

static json_t *hex_of(struct bytes b, const char *prefix)
{
    size_t skip = strlen(prefix);
    char *text;
    json_t *out;

    if (b.p == NULL)
        return json_null();
    text = malloc(skip + 2 * b.n + 1);
    if (text == NULL)
        abort();
    memcpy(text, prefix, skip);
    hex_encode(b.p, b.n, text + skip);
    out = json_string(text);
    free(text);
    return out;
}

json_t *view_hex(struct bytes b)
{
    return hex_of(b, "");
}

json_t *view_chain_hex(struct bytes b)
{
    return hex_of(b, "0x");
}

json_t *view_wei(struct wei w)
{
    char text[WEI_TEXT_MAX];

    wei_format(w, text);
    return json_string(text);
}

json_t *view_address(struct bytes b)
{
    struct address a;
    char text[ADDRESS_TEXT_MAX];

    if (b.n != sizeof(a.b))
        return json_null();
    memcpy(a.b, b.p, sizeof(a.b));
    address_format(a, text);
    return json_string(text);
}

json_t *view_stored(struct text t)
{
    struct err err;
    json_t *out;

    if (json_parse(t.s, t.n, &out, &err) == E_OK)
        return out;
    log_error("stored_json_unreadable", "reason=%s", err.text);
    return json_object();
}

static json_t *path_of(enum id_kind kind, const char *before, struct uuid id, const char *after)
{
    char text[ID_TEXT_MAX];

    id_format(kind, id, text);
    return json_sprintf("%s%s%s", before, text, after);
}

json_t *view_source(const struct sql_source_get_row *s)
{
    json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o}", "id",
                          view_id(ID_SOURCE, s->id), "status", view_text(s->status), "owner",
                          view_address(s->owner), "name", view_text(s->name), "manifest_hash",
                          view_hex(s->manifest_hash), "manifest", view_stored(s->manifest),
                          "environments", environments_json((unsigned)s->environments), "providers",
                          (json_int_t)s->providers, "created_at", view_time(s->created_at),
                          "updated_at", view_time(s->updated_at));

    json_object_set_new(o, "urls",
                        json_pack("{s:o, s:o, s:o}", "self",
                                  path_of(ID_SOURCE, "/v1/sources/", s->id, ""), "registrations",
                                  path_of(ID_SOURCE, "/v1/sources/", s->id, "/registrations"),
                                  "retire", path_of(ID_SOURCE, "/v1/sources/", s->id, "/retire")));
    return o;
}

json_t *view_registration(struct uuid source, const struct sql_registration_get_row *r)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o}}", "source", view_id(ID_SOURCE, source),
        "provider", view_id(ID_PROVIDER, r->provider), "address", view_address(r->address),
        "manifest_hash", view_hex(r->manifest_hash), "environments",
        environments_json((unsigned)r->environments), "created_at", view_time(r->created_at),
        "urls", "source", path_of(ID_SOURCE, "/v1/sources/", source, ""), "provider",
        path_of(ID_PROVIDER, "/v1/providers/", r->provider, ""));
}

static bool online(int64_t last_seen_us, int64_t now_us)
{
    return last_seen_us != 0 && now_us - last_seen_us < 3 * PROVIDER_HEARTBEAT_S * 1000000LL;
}

json_t *view_provider(const struct sql_provider_list_row *p, int64_t now_us)
{
    json_t *devices = view_stored(p->devices);
    json_t *o;

    if (!json_is_array(devices)) {
        json_decref(devices);
        devices = json_array();
    }
    o = json_pack("{s:o, s:s, s:o, s:o, s:b, s:o, s:o, s:i, s:o, s:o}", "id",
                  view_id(ID_PROVIDER, p->id), "status",
                  online(p->last_seen_at, now_us) ? "online" : "offline", "address",
                  view_address(p->address), "master", view_address(p->master), "bound",
                  p->master_signed, "environments", environments_json((unsigned)p->environments),
                  "devices", devices, "slots", p->slots, "last_seen_at", view_time(p->last_seen_at),
                  "created_at", view_time(p->created_at));
    json_object_set_new(
        o, "urls",
        json_pack("{s:o, s:o, s:o}", "self", path_of(ID_PROVIDER, "/v1/providers/", p->id, ""),
                  "bind", path_of(ID_PROVIDER, "/v1/providers/", p->id, "/bind"), "heartbeat",
                  path_of(ID_PROVIDER, "/v1/providers/", p->id, "/heartbeat")));
    return o;
}

json_t *view_provider_read(const struct sql_provider_get_row *p, int64_t now_us)
{
    struct sql_provider_list_row row = {
        .id = p->id,
        .address = p->address,
        .master = p->master,
        .master_signed = p->master_signed,
        .environments = p->environments,
        .devices = p->devices,
        .slots = p->slots,
        .created_at = p->created_at,
        .last_seen_at = p->last_seen_at,
    };
    json_t *o = view_provider(&row, now_us);

    json_object_set_new(o, "record",
                        json_pack("{s:I, s:I, s:I}", "accepted", (json_int_t)p->accepted,
                                  "rejected", (json_int_t)p->rejected, "lapsed",
                                  (json_int_t)p->lapsed));
    return o;
}

json_t *view_account(const struct app *app, const struct sql_account_get_row *a)
{
    struct address address = {{0}};
    char text[ADDRESS_TEXT_MAX];

    if (a->address.n == sizeof(address.b))
        memcpy(address.b, a->address.p, sizeof(address.b));
    address_format(address, text);
    return json_pack("{s:s, s:I, s:o, s:{s:o, s:o, s:o, s:o}, s:o, s:{s:s, s:s, s:o}}", "address",
                     text, "chain_id", (json_int_t)app->chain_id, "id",
                     a->has_chain_id ? json_integer(a->chain_id) : json_null(), "balances",
                     "available", view_wei(a->available), "frozen", view_wei(a->frozen), "payable",
                     view_wei(a->payable), "claimable", view_wei(a->claimable), "created_at",
                     view_time(a->created_at), "urls", "ledger", "/v1/account/ledger",
                     "withdrawals", "/v1/withdrawals", "proof",
                     json_sprintf("/v1/proofs/%s", text));
}

json_t *view_withdrawal(const struct sql_withdrawal_list_row *w, struct address owner)
{
    char text[ADDRESS_TEXT_MAX];

    address_format(owner, text);
    return json_pack("{s:o, s:o, s:{s:o, s:o}, s:o, s:{s:s, s:o}}", "id",
                     view_id(ID_WITHDRAWAL, w->id), "amount", view_wei(w->amount), "settlement",
                     "status", view_text(w->settlement), "batch", view_id(ID_BATCH, w->batch),
                     "created_at", view_time(w->created_at), "urls", "list", "/v1/withdrawals",
                     "proof", json_sprintf("/v1/proofs/%s", text));
}

static json_t *side_of(struct text balance, bool mine)
{
    return json_pack("{s:o, s:b}", "balance", view_text(balance), "own", mine);
}

json_t *view_ledger_entry(const struct sql_ledger_list_row *e)
{
    bool task = text_is(e->kind, "freeze") || text_is(e->kind, "refund") ||
                text_is(e->kind, "accept") || text_is(e->kind, "fee");
    bool withdrawal = text_is(e->kind, "withdraw");

    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", (json_int_t)e->id,
                     "kind", view_text(e->kind), "from", side_of(e->from_bucket, e->from_mine),
                     "to", side_of(e->to_bucket, e->to_mine), "amount", view_wei(e->amount), "task",
                     task ? view_id(ID_TASK, e->ref) : json_null(), "withdrawal",
                     withdrawal ? view_id(ID_WITHDRAWAL, e->ref) : json_null(), "batch",
                     view_id(ID_BATCH, e->batch), "created_at", view_time(e->at));
}
