/* SPDX-License-Identifier: MIT */
#include "server/auth.h"

#include <stdlib.h>
#include <strings.h>

#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/keytext.h"
#include "lib/log.h"
#include "server/loop.h"
#include "server/request.h"
#include "server/state.h"

/* Ways of one set: a token may lie in any of them, the one longest unused is replaced. */
#define WAYS 8

struct entry {
    struct digest hash;
    struct who who;
    int64_t expires_us; /* wall clock; 0: never. The database's clock decides, for writes */
    uint64_t used;      /* 0: empty */
};

struct auth {
    struct loop *loop;
    struct entry *entry;
    size_t sets;
    uint64_t clock;      /* grows with every use */
    uint64_t generation; /* grows with every revocation heard */
    bool (*fresh)(void *ctx);
    void *fresh_ctx;
    struct auth_stats stats;
};

/* What auth_step() remembers while the look-up runs. */
struct pending {
    op_step then;
    uint64_t generation;
};

/* ---- what was shown ---------------------------------------------------------------------------
 */

static bool bearer(struct text header, struct text *token)
{
    if (header.n < 8 || strncasecmp(header.s, "Bearer ", 7) != 0)
        return false;
    *token = (struct text){header.s + 7, header.n - 7};
    while (token->n > 0 && token->s[0] == ' ') {
        token->s++;
        token->n--;
    }
    return true;
}

enum err_code credential_read(const struct guard *g, const struct route *route,
                              struct credential *out, struct err *err)
{
    struct text authorization = g->known[GUARD_AUTHORIZATION];
    struct text token = g->known[GUARD_API_KEY];
    enum who_kind kind;

    *out = (struct credential){.kind = WHO_NOBODY};
    if (route->auth == 0)
        return E_OK;
    if (!authorization.s && !token.s)
        return err_set(err, E_MISSING_CREDENTIALS, "send Authorization: Bearer, or X-API-Key");
    if (authorization.s && token.s)
        return err_set(err, E_BAD_REQUEST, "send Authorization or X-API-Key, not both");
    if (authorization.s && !bearer(authorization, &token))
        return err_set(err, E_INVALID_API_KEY, "Authorization is not of the form Bearer <token>");
    if (keytext_check(KEYTEXT_API, token))
        kind = WHO_KEY;
    else if (keytext_check(KEYTEXT_PROVIDER, token))
        kind = WHO_PROVIDER;
    else
        return err_set(err, E_INVALID_API_KEY, "the token is mistyped or cut");
    if (!(route->auth & (kind == WHO_KEY ? ROUTE_KEY : ROUTE_PROVIDER)))
        return err_set(err, E_SCOPE_DENIED, "this operation takes %s",
                       kind == WHO_KEY ? "a provider token" : "an API key");
    out->kind = kind;
    out->hash = sha256(token.s, token.n);
    return E_OK;
}

/* ---- what is remembered -----------------------------------------------------------------------
 */

struct auth *auth_new(struct loop *loop, size_t entries_max)
{
    struct auth *a = calloc(1, sizeof(*a));

    if (!a)
        abort();
    a->loop = loop;
    a->sets = entries_max / WAYS + 1;
    a->entry = calloc(a->sets * WAYS, sizeof(*a->entry));
    if (!a->entry)
        abort();
    return a;
}

void auth_free(struct auth *auth)
{
    if (!auth)
        return;
    free(auth->entry);
    free(auth);
}

void auth_fresh_by(struct auth *auth, bool (*fresh)(void *ctx), void *ctx)
{
    auth->fresh = fresh;
    auth->fresh_ctx = ctx;
}

void auth_stats(const struct auth *auth, struct auth_stats *out)
{
    *out = auth->stats;
}

/* The hash is of 190 random bits: any of its bytes spread evenly. */
static struct entry *set_of(struct auth *a, const struct digest *hash)
{
    uint64_t h;

    memcpy(&h, hash->b, sizeof(h));
    return &a->entry[(h % a->sets) * WAYS];
}

static struct entry *recall(struct auth *a, const struct digest *hash)
{
    struct entry *set = set_of(a, hash);

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].used && bytes_equal_ct(set[i].hash.b, hash->b, sizeof(hash->b))) {
            set[i].used = ++a->clock;
            return &set[i];
        }
    }
    return NULL;
}

static void remember(struct auth *a, const struct digest *hash, const struct who *who,
                     int64_t expires_us)
{
    struct entry *set = set_of(a, hash);
    struct entry *e = recall(a, hash);

    for (size_t i = 0; !e && i < WAYS; i++) {
        if (!set[i].used)
            e = &set[i];
    }
    if (!e) {
        e = set;
        for (size_t i = 1; i < WAYS; i++) {
            if (set[i].used < e->used)
                e = &set[i];
        }
    } else if (!e->used) {
        a->stats.entries++;
    }
    *e = (struct entry){.hash = *hash, .who = *who, .expires_us = expires_us, .used = ++a->clock};
}

static bool concerns(const struct entry *e, struct uuid id)
{
    return uuid_is_zero(id) || uuid_eq(e->who.key, id) || uuid_eq(e->who.provider, id);
}

static void forget(struct auth *a, struct uuid id)
{
    a->generation++; /* a look-up in flight may have read the row as it was */
    for (size_t i = 0; i < a->sets * WAYS; i++) {
        if (a->entry[i].used && concerns(&a->entry[i], id)) {
            a->entry[i].used = 0;
            a->stats.entries--;
            a->stats.forgotten++;
        }
    }
}

struct revocation {
    struct completion completion; /* first */
    struct auth *auth;
    struct uuid id;
};

static void revoked_here(struct completion *c)
{
    struct revocation *r = (struct revocation *)c;

    forget(r->auth, r->id);
    free(r);
}

void auth_revoked(struct auth *auth, struct uuid id)
{
    struct revocation *r = malloc(sizeof(*r));

    if (!r)
        abort();
    *r = (struct revocation){.completion.run = revoked_here, .auth = auth, .id = id};
    loop_post(auth->loop, &r->completion);
}

/* ---- the step ---------------------------------------------------------------------------------
 */

static enum op_next admit(struct op *op, op_step then)
{
    const struct route *route = op->route;

    if (op->who.kind == WHO_KEY && (op->who.scopes & route->scopes) != route->scopes)
        return op_fail(op, E_SCOPE_DENIED, "the key lacks a scope that this operation needs");
    return then(op);
}

static struct address address_of(struct bytes b)
{
    struct address a = {{0}};

    if (b.n == sizeof(a.b))
        memcpy(a.b, b.p, b.n);
    return a;
}

static enum op_next found(struct op *op, int64_t expires_us)
{
    struct pending *p = op->state;
    struct auth *a = op->request->server->auth;

    op->state = NULL;
    if (p->generation == a->generation)
        remember(a, &op->request->credential.hash, &op->who, expires_us);
    return admit(op, p->then);
}

static enum op_next key_row(struct op *op)
{
    const struct sql_api_key_by_hash_row *row = op->rows;

    if (op->err.code != E_OK)
        return op_fail_err(op);
    if (op->n_rows == 0)
        return op_fail(op, E_INVALID_API_KEY, "no such key");
    if (row->revoked)
        return op_fail(op, E_KEY_REVOKED, "the key was revoked or has expired");
    op->who = (struct who){
        .kind = WHO_KEY,
        .account = row->account,
        .key = row->id,
        .scopes = (uint32_t)row->scopes,
        .address = address_of(row->address),
    };
    return found(op, row->expires_at);
}

static enum op_next provider_row(struct op *op)
{
    const struct sql_provider_by_token_row *row = op->rows;

    if (op->err.code != E_OK)
        return op_fail_err(op);
    if (op->n_rows == 0)
        return op_fail(op, E_INVALID_API_KEY, "no such provider token");
    op->who = (struct who){
        .kind = WHO_PROVIDER,
        .account = row->master,
        .provider = row->id,
        .address = address_of(row->address),
    };
    return found(op, 0);
}

static enum op_next look_up(struct op *op, op_step then)
{
    struct request *req = op->request;
    struct digest *hash = arena_alloc(op->arena, sizeof(*hash));
    struct pending *p = arena_alloc(op->arena, sizeof(*p));
    struct bytes b = {hash->b, sizeof(hash->b)};
    uint64_t route = hash64(req->credential.hash.b, sizeof(req->credential.hash.b));

    *hash = req->credential.hash;
    *p = (struct pending){.then = then, .generation = req->server->auth->generation};
    op->state = p;
    if (req->credential.kind == WHO_KEY) {
        struct sql_api_key_by_hash *in = arena_alloc(op->arena, sizeof(*in));

        in->hash = b;
        return op_call(op, SQL_API_KEY_BY_HASH, in, route, 0, key_row);
    } else {
        struct sql_provider_by_token *in = arena_alloc(op->arena, sizeof(*in));

        in->hash = b;
        return op_call(op, SQL_PROVIDER_BY_TOKEN, in, route, 0, provider_row);
    }
}

static bool usable(const struct auth *a, const struct op *op, const struct entry *e)
{
    if (e->expires_us && e->expires_us <= clock_wall_us())
        return false;
    if (strcmp(op->route->method, "GET") != 0)
        return true;
    return a->fresh && a->fresh(a->fresh_ctx);
}

enum op_next auth_step(struct op *op, op_step then)
{
    struct auth *a = op->request->server->auth;
    const struct credential *c = &op->request->credential;
    const struct entry *e;

    if (c->kind == WHO_NOBODY)
        return then(op);
    e = recall(a, &c->hash);
    if (!e || !usable(a, op, e)) {
        a->stats.misses++;
        return look_up(op, then);
    }
    a->stats.hits++;
    op->who = e->who;
    return admit(op, then);
}
