/* SPDX-License-Identifier: MIT */
#include "handlers/view.h"

#include <stdio.h>
#include <string.h>

#include "eth/address.h"

/* Bits 1, 2, 4 of ENV_CPU, ENV_NVIDIA, ENV_AMD. */
static void put_environments(struct json_out *o, const char *name, int32_t bits)
{
    static const char *const words[] = {"cpu", "nvidia", "amd"};

    put_open(o, name, '[');
    for (int i = 0; i < 3; i++)
        if (bits & 1 << i)
            put_string(o, NULL, words[i]);
    put_close(o, ']');
}

/* JSON that the database holds as text; what we never wrote there is answered as `empty`. */
static void put_stored(struct json_out *o, const char *name, struct text json, const char *empty)
{
    put_raw(o, name, json.n > 0 && json.s[0] == empty[0] ? json : text_of(empty));
}

void view_source(struct json_out *o, const char *name, const struct sql_source_get_row *s)
{
    put_open(o, name, '{');
    put_id(o, "id", ID_SOURCE, s->id);
    put_string(o, "origin", "gateway");
    put_text(o, "status", s->status);
    put_address(o, "owner", s->owner);
    put_text(o, "name", s->name);
    put_hex(o, "manifest_hash", "", s->manifest_hash);
    put_stored(o, "manifest", s->manifest, "{}");
    put_environments(o, "environments", s->environments);
    put_int(o, "providers", s->providers);
    put_time(o, "created_at", s->created_at);
    put_time(o, "updated_at", s->updated_at);
    put_open(o, "urls", '{');
    put_path(o, "self", "/v1/sources/", ID_SOURCE, s->id, "");
    put_path(o, "registrations", "/v1/sources/", ID_SOURCE, s->id, "/registrations");
    put_path(o, "retire", "/v1/sources/", ID_SOURCE, s->id, "/retire");
    put_close(o, '}');
    put_close(o, '}');
}

void view_registration(struct json_out *o, const char *name, struct uuid source,
                       const struct sql_registration_list_row *r)
{
    put_open(o, name, '{');
    put_id(o, "source", ID_SOURCE, source);
    put_id(o, "provider", ID_PROVIDER, r->provider);
    put_address(o, "address", r->address);
    put_hex(o, "manifest_hash", "", r->manifest_hash);
    put_environments(o, "environments", r->environments);
    put_time(o, "created_at", r->created_at);
    put_open(o, "urls", '{');
    put_path(o, "source", "/v1/sources/", ID_SOURCE, source, "");
    put_path(o, "provider", "/v1/providers/", ID_PROVIDER, r->provider, "");
    put_close(o, '}');
    put_close(o, '}');
}

static bool online(int64_t last_seen_us, int64_t now_us)
{
    return last_seen_us != 0 && now_us - last_seen_us < 3 * PROVIDER_HEARTBEAT_S * 1000000LL;
}

static void provider_members(struct json_out *o, const struct sql_provider_list_row *p,
                             int64_t now_us)
{
    put_id(o, "id", ID_PROVIDER, p->id);
    put_string(o, "status", online(p->last_seen_at, now_us) ? "online" : "offline");
    put_address(o, "address", p->address);
    put_address(o, "master", p->master);
    put_bool(o, "bound", p->master_signed);
    put_environments(o, "environments", p->environments);
    put_stored(o, "devices", p->devices, "[]");
    put_int(o, "slots", p->slots);
    put_time(o, "last_seen_at", p->last_seen_at);
    put_time(o, "created_at", p->created_at);
    put_open(o, "urls", '{');
    put_path(o, "self", "/v1/providers/", ID_PROVIDER, p->id, "");
    put_path(o, "bind", "/v1/providers/", ID_PROVIDER, p->id, "/bind");
    put_path(o, "heartbeat", "/v1/providers/", ID_PROVIDER, p->id, "/heartbeat");
    put_close(o, '}');
}

void view_provider(struct json_out *o, const char *name, const struct sql_provider_list_row *p,
                   int64_t now_us)
{
    put_open(o, name, '{');
    provider_members(o, p, now_us);
    put_close(o, '}');
}

void view_provider_read(struct json_out *o, const char *name, const struct sql_provider_get_row *p,
                        int64_t now_us)
{
    const struct sql_provider_list_row row = {
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

    put_open(o, name, '{');
    provider_members(o, &row, now_us);
    put_open(o, "record", '{');
    put_int(o, "accepted", p->accepted);
    put_int(o, "rejected", p->rejected);
    put_int(o, "lapsed", p->lapsed);
    put_close(o, '}');
    put_close(o, '}');
}

static void put_proof_path(struct json_out *o, struct address a)
{
    char text[ADDRESS_TEXT_MAX];
    char path[16 + ADDRESS_TEXT_MAX];

    address_format(a, text);
    snprintf(path, sizeof(path), "/v1/proofs/%s", text);
    put_string(o, "proof", path);
}

void view_account(struct json_out *o, const char *name, const struct app *app,
                  const struct sql_account_get_row *a)
{
    struct address address = {{0}};

    if (a->address.n == sizeof(address.b))
        memcpy(address.b, a->address.p, sizeof(address.b));
    put_open(o, name, '{');
    put_address(o, "address", a->address);
    put_int(o, "chain_id", (int64_t)app->chain_id);
    if (a->has_chain_id)
        put_int(o, "id", a->chain_id);
    else
        put_null(o, "id");
    put_open(o, "balances", '{');
    put_wei(o, "available", a->available);
    put_wei(o, "frozen", a->frozen);
    put_wei(o, "payable", a->payable);
    put_wei(o, "claimable", a->claimable);
    put_close(o, '}');
    put_open(o, "stake", '{');
    put_wei(o, "locked", a->locked);
    put_wei(o, "unbonding", a->unbonding);
    put_wei(o, "sanctioned", a->sanctioned);
    put_close(o, '}');
    put_time(o, "exit_at", a->exit_at);
    put_time(o, "created_at", a->created_at);
    put_open(o, "urls", '{');
    put_string(o, "ledger", "/v1/account/ledger");
    put_string(o, "withdrawals", "/v1/withdrawals");
    put_proof_path(o, address);
    put_close(o, '}');
    put_close(o, '}');
}

void view_withdrawal(struct json_out *o, const char *name, const struct sql_withdrawal_list_row *w,
                     struct address owner)
{
    put_open(o, name, '{');
    put_id(o, "id", ID_WITHDRAWAL, w->id);
    put_wei(o, "amount", w->amount);
    put_open(o, "settlement", '{');
    put_text(o, "status", w->settlement);
    put_id(o, "batch", ID_BATCH, w->batch);
    put_close(o, '}');
    put_time(o, "created_at", w->created_at);
    put_open(o, "urls", '{');
    put_string(o, "list", "/v1/withdrawals");
    put_proof_path(o, owner);
    put_close(o, '}');
    put_close(o, '}');
}

static void put_side(struct json_out *o, const char *name, struct text balance, bool mine)
{
    put_open(o, name, '{');
    put_text(o, "balance", balance);
    put_bool(o, "own", mine);
    put_close(o, '}');
}

void view_ledger_entry(struct json_out *o, const char *name, const struct sql_ledger_list_row *e)
{
    static const struct uuid none;
    bool task = text_is(e->kind, "freeze") || text_is(e->kind, "refund") ||
                text_is(e->kind, "accept") || text_is(e->kind, "fee");
    bool withdrawal = text_is(e->kind, "withdraw");

    put_open(o, name, '{');
    put_int(o, "id", e->id);
    put_text(o, "kind", e->kind);
    put_side(o, "from", e->from_bucket, e->from_mine);
    put_side(o, "to", e->to_bucket, e->to_mine);
    put_wei(o, "amount", e->amount);
    put_id(o, "task", ID_TASK, task ? e->ref : none);
    put_id(o, "withdrawal", ID_WITHDRAWAL, withdrawal ? e->ref : none);
    put_id(o, "batch", ID_BATCH, e->batch);
    put_time(o, "created_at", e->at);
    put_close(o, '}');
}
