/* SPDX-License-Identifier: MIT */
#include "workers/agent/sources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/manifest.h"
#include "lib/arena.h"
#include "lib/hex.h"
#include "lib/log.h"
#include "workers/software.h"

/* A page holds whole manifests: each as large as createSource takes one (x-max-body-bytes). */
#define PAGE_SOURCES 25
#define SOURCE_MAX   (256 << 10)
_Static_assert((PAGE_SOURCES + 1) * SOURCE_MAX < API_REPLY_MAX, "a page fits into an answer");

static enum err_code read_list(struct sources *s, const char *list, struct err *err)
{
    for (const char *p = list; *p;) {
        size_t n = strcspn(p, ", ");
        struct uuid id;
        if (n > 0 && (s->count >= SOURCES_MAX || !id_parse(ID_SOURCE, (struct text){p, n}, &id)))
            return err_set(err, E_CONFIG,
                           "OGPU_SOURCES: '%.*s' is no source id, or there are more than %d",
                           (int)n, p, SOURCES_MAX);
        if (n > 0)
            id_format(ID_SOURCE, id, s->ids[s->count++]);
        p += n + strspn(p + n, ", ");
    }
    return E_OK;
}

enum err_code sources_open(struct sources *s, const struct sources_config *c,
                           struct earnings *earnings, struct err *err)
{
    struct wei price;
    uint64_t units = 0;
    struct err why = {0};
    memset(s, 0, sizeof(*s));
    pthread_mutex_init(&s->mutex, NULL);
    s->memory_mb = (int64_t)sysconf(_SC_PHYS_PAGES) * (sysconf(_SC_PAGESIZE) / 1024) / 1024;
    s->earnings = earnings;
    s->by_profit = strcmp(c->list, "auto") == 0;
    if (!ogpu_parse(c->kwh_price, &price) || wei_to_units(price, &units, &why) != E_OK ||
        units > UINT32_MAX)
        return err_set(err, E_CONFIG, "OGPU_KWH_PRICE: '%.40s' is no price in OGPU", c->kwh_price);
    s->power = (struct power){c->watts, (int64_t)units, c->slots};
    if (predicate_read(c->predicate, &s->predicate, &why) != E_OK)
        return err_set(err, E_CONFIG, "OGPU_SOURCES_IF: %s", why.text);
    enum err_code rc = s->by_profit ? E_OK : read_list(s, c->list, err);
    if (rc != E_OK)
        return rc;
    s->picking = s->count == 0 && (s->by_profit || s->predicate.n > 0);
    s->known = calloc(SOURCES_KNOWN_MAX, sizeof(s->known[0]));
    return s->known ? E_OK : err_set(err, E_INTERNAL, "no memory");
}

void sources_close(struct sources *s)
{
    free(s->known);
    pthread_mutex_destroy(&s->mutex);
}

bool sources_change(const struct sources *s)
{
    return s->count == 0;
}

bool sources_have_top(struct sources *s)
{
    pthread_mutex_lock(&s->mutex);
    bool yes = s->picks.top < s->picks.n;
    pthread_mutex_unlock(&s->mutex);
    return yes;
}

json_t *sources_claim(struct sources *s, bool top, bool *none)
{
    *none = false;
    if (!s->picking && s->count == 0)
        return NULL;
    json_t *a = json_array();
    for (size_t i = 0; i < s->count; i++)
        json_array_append_new(a, json_string(s->ids[i]));
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; s->picking && i < (top ? s->picks.top : s->picks.n); i++)
        json_array_append_new(a, json_string(s->picks.rows[i].id));
    pthread_mutex_unlock(&s->mutex);
    *none = json_array_size(a) == 0;
    return a;
}

static struct source_known *known_of(const struct sources *s, struct uuid id)
{
    for (size_t i = 0; i < s->known_count; i++) {
        if (uuid_eq(s->known[i].id, id))
            return &s->known[i];
    }
    return NULL;
}

static enum err_code put(struct api *api, const char *id, const json_t *manifest, unsigned mask,
                         struct err *err)
{
    struct identity *me = api->me;
    struct eip712_registration r = {.provider = me->address,
                                    .environments = (uint8_t)mask,
                                    .nonce = identity_nonce(me),
                                    .deadline = identity_deadline()};
    char path[128];
    char signature[SIGNATURE_TEXT_MAX];
    struct arena *a = arena_new();
    struct text canonical;
    /* We sign what we would run: the hash of the manifest that we read, not the one that is claimed
     * for it. */
    enum err_code rc = manifest_canonical(manifest, a, &canonical, &r.manifest, err);
    arena_free(a);
    if (rc != E_OK)
        return rc;
    rc = identity_sign(me, eip712_registration_digest(&me->domain, &r), signature, err);
    if (rc != E_OK)
        return rc;
    snprintf(path, sizeof(path), "/v1/sources/%s/registrations/%s", id, me->provider);
    json_t *body =
        json_pack("{s:o, s:I, s:I, s:s}", "environments", environments_json(mask), "nonce",
                  (json_int_t)r.nonce, "deadline", (json_int_t)r.deadline, "signature", signature);
    struct api_request q = {.method = "PUT", .path = path, .body = body};
    struct api_reply reply;
    rc = api_call(api, &q, &reply, err);
    if (rc == E_OK && reply.status != 200 && reply.status != 201)
        rc = err_set(err, reply.status >= 500 || reply.status == 429 ? E_PEER : E_CONFIG,
                     "the gateway refuses the registration to %s: %d %s", id, reply.status,
                     reply.code);
    api_reply_done(&reply);
    json_decref(body);
    return rc;
}

/* Bytes of the image's archive; unknown when it is elsewhere. */
static int64_t image_bytes(struct api *api, const struct manifest *m)
{
    char hex[65];
    char path[96];
    struct err err;
    struct api_reply reply;
    if (!m->has_blob)
        return IMAGE_BYTES_UNKNOWN;
    if (!api)
        return IMAGE_BYTES_UNASKED;
    hex_encode(m->blob.b, sizeof(m->blob.b), hex);
    snprintf(path, sizeof(path), "/v1/blobs/%s", hex);
    struct api_request q = {.method = "HEAD", .path = path};
    enum err_code rc = api_call(api, &q, &reply, &err);
    int64_t size = rc == E_OK && reply.status == 200 ? reply.length : IMAGE_BYTES_UNKNOWN;
    api_reply_done(&reply);
    return size;
}

enum err_code sources_judge(const struct sources *s, const json_t *source, struct api *api,
                            struct uuid *id, struct manifest *m, struct err *err)
{
    char why[PREDICATE_WHY_MAX];
    const char *text = json_string_value(json_object_get(source, "id"));
    const char *status = json_string_value(json_object_get(source, "status"));
    if (!text || !id_parse(ID_SOURCE, text_of(text), id))
        return err_set(err, E_PEER, "the gateway lists a source without an id");
    enum err_code rc = manifest_read(json_object_get(source, "manifest"), m, err);
    if (rc != E_OK || !status || strcmp(status, "active") != 0)
        return err_set(err, E_CONFIG, "source %s cannot be served: %.100s", text,
                       rc != E_OK ? err->text : "retired");
    unsigned asked = m->environments;
    m->environments = software_fits(m);
    if (((asked & ~m->environments) & s->environments) && !(m->environments & s->environments))
        return err_set(err, E_CONFIG, "source %s asks for more cards than one: a run gets one",
                       text);
    if ((m->environments & s->environments) == 0)
        return err_set(err, E_CONFIG, "source %s does not run on this machine", text);
    if (m->limits.memory_mb > s->memory_mb)
        return err_set(err, E_CONFIG, "source %s wants %lld MiB of memory, this machine has %lld",
                       text, (long long)m->limits.memory_mb, (long long)s->memory_mb);
    struct err why_not;
    if (egress_terms_agree(&s->egress, m, &why_not) != E_OK)
        return err_set(err, E_CONFIG, "source %s: %s", text, why_not.text);
    int64_t bytes =
        predicate_wants_image(&s->predicate) ? image_bytes(api, m) : IMAGE_BYTES_UNKNOWN;
    if (!predicate_holds(&s->predicate, m, bytes, why))
        return err_set(err, E_CONFIG, "source %s is not wanted: %s", text, why);
    return E_OK;
}

/* A source that may be served: what it may bring decides whether it is. */
static void weigh(struct sources *s, struct picks *picks, struct uuid id, const struct manifest *m)
{
    struct expectation x = earnings_expect(s->earnings, id, m, &s->power);
    struct pick one = {.profit = s->by_profit ? x.profit : x.reward_units, .measured = x.measured};
    id_format(ID_SOURCE, id, one.id);
    if (s->by_profit)
        picks_add_earning(picks, &one);
    else
        picks_add(picks, &one);
}

/* What a walk over the list collects. */
struct walk {
    struct sources *s;
    struct api *api;
    size_t *added;
    struct picks picks;
};

/* What we promised for this source and cannot keep any more. */
static enum err_code take_back(struct walk *w, const char *id, struct source_known *k,
                               unsigned offer, struct err *err)
{
    char path[128];
    struct api_reply reply = {0};
    struct err why;
    snprintf(path, sizeof(path), "/v1/sources/%s/registrations/%s", id, w->api->me->provider);
    struct api_request q = {.method = "DELETE", .path = path};
    enum err_code rc = k->environments ? api_call(w->api, &q, &reply, &why) : E_OK;
    int status = reply.status;
    api_reply_done(&reply);
    if (k->environments && (rc != E_OK || (status != 204 && status != 404)))
        return err_set(err, E_PEER, "the registration to %s cannot be taken back: %d", id, status);
    if (k->environments)
        log_info("source_taken_back", "source=%s why=%s", id, err->text);
    k->environments = 0;
    k->offer = offer;
    return E_OK;
}

static void remember(struct walk *w, const struct source_known *is, struct source_known *k)
{
    struct sources *s = w->s;
    if (k) {
        k->environments = is->environments;
        k->offer = is->offer;
    } else if (s->known_count < SOURCES_KNOWN_MAX) {
        s->known[s->known_count] = *is;
        s->known_count++; /* last: a reader sees whole rows */
    }
}

/* One source of a list. Only the gateway's failure to answer is an error here. */
static enum err_code consider(struct walk *w, const json_t *source, struct err *err)
{
    struct sources *s = w->s;
    struct manifest m = {.compose = NULL};
    struct uuid id;
    const unsigned offer = s->environments;
    const json_t *manifest = json_object_get(source, "manifest");
    const char *text = json_string_value(json_object_get(source, "id"));
    struct source_known *k =
        text && id_parse(ID_SOURCE, text_of(text), &id) ? known_of(s, id) : NULL;
    bool settled = k && k->offer == offer;
    if (settled && !s->picking)
        return E_OK;
    enum err_code rc = sources_judge(s, source, w->api, &id, &m, err);
    if (rc == E_CONFIG && k && !settled)
        return take_back(w, text, k, offer, err);
    if (rc != E_OK)
        return rc;
    if (s->picking)
        weigh(s, &w->picks, id, &m);
    if (settled)
        return E_OK;
    struct source_known is = {id, m.environments & offer, m.limits.card_memory_mb, offer};
    rc = put(w->api, text, manifest, is.environments, err);
    if (rc != E_OK)
        return rc;
    remember(w, &is, k);
    (*w->added)++;
    log_info("source_registered", "source=%s name=%.*s", text, (int)m.name.n, m.name.s);
    return E_OK;
}

static enum err_code chosen(struct walk *w, struct err *err)
{
    struct sources *s = w->s;
    enum err_code rc = E_OK;
    for (size_t i = 0; rc == E_OK && i < s->count; i++) {
        char path[96];
        snprintf(path, sizeof(path), "/v1/sources/%s", s->ids[i]);
        struct api_request q = {.method = "GET", .path = path, .public_call = true};
        struct api_reply reply;
        rc = api_call(w->api, &q, &reply, err);
        if (rc == E_OK && reply.status == 200)
            rc = consider(w, reply.body, err);
        else if (rc == E_OK)
            rc = err_set(err, reply.status >= 500 ? E_PEER : E_CONFIG,
                         "source %s: the gateway answered %d %s", s->ids[i], reply.status,
                         reply.code);
        api_reply_done(&reply);
    }
    return rc;
}

typedef enum err_code (*visitor)(void *ctx, const json_t *source, struct err *err);

static enum err_code page(struct api *api, char cursor[513], visitor visit, void *ctx,
                          struct err *err)
{
    char path[640];
    snprintf(path, sizeof(path), "/v1/sources?status=active&limit=%d%s%s", PAGE_SOURCES,
             cursor[0] ? "&cursor=" : "", cursor);
    struct api_request q = {.method = "GET", .path = path, .public_call = true};
    struct api_reply reply;
    enum err_code rc = api_call(api, &q, &reply, err);
    if (rc == E_OK && reply.status != 200)
        rc = err_set(err, E_PEER, "list of sources: the gateway answered %d %s", reply.status,
                     reply.code);
    size_t i;
    json_t *source;
    json_array_foreach(json_object_get(reply.body, "data"), i, source)
    {
        if (rc == E_OK)
            rc = visit(ctx, source, err);
    }
    const char *next = json_string_value(json_object_get(reply.body, "next_cursor"));
    snprintf(cursor, 513, "%s", rc == E_OK && next && strlen(next) <= 512 ? next : "");
    api_reply_done(&reply);
    return rc;
}

enum err_code sources_each(struct api *api, visitor visit, void *ctx, struct err *err)
{
    char cursor[513] = "";
    enum err_code rc;
    do {
        rc = page(api, cursor, visit, ctx, err);
    } while (rc == E_OK && cursor[0] != '\0');
    return rc;
}

static enum err_code consider_listed(void *ctx, const json_t *source, struct err *err)
{
    enum err_code rc = consider(ctx, source, err);
    /* One that does not suit us is no reason to leave the others. */
    return rc == E_CONFIG ? E_OK : rc;
}

enum err_code sources_register(struct sources *s, struct api *api, size_t *added, struct err *err)
{
    struct walk w = {.s = s, .api = api, .added = added};
    *added = 0;
    if (s->count > 0)
        return chosen(&w, err);
    enum err_code rc = sources_each(api, consider_listed, &w, err);
    if (rc != E_OK || !s->picking)
        return rc;
    picks_done(&w.picks, s->by_profit);
    pthread_mutex_lock(&s->mutex);
    s->picks = w.picks;
    pthread_mutex_unlock(&s->mutex);
    return E_OK;
}
