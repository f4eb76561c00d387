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

enum err_code sources_open(struct sources *s, const char *list, struct err *err)
{
    memset(s, 0, sizeof(*s));
    s->memory_mb = (int64_t)sysconf(_SC_PHYS_PAGES) * (sysconf(_SC_PAGESIZE) / 1024) / 1024;
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
    s->known = calloc(SOURCES_KNOWN_MAX, sizeof(s->known[0]));
    return s->known ? E_OK : err_set(err, E_INTERNAL, "no memory");
}

void sources_close(struct sources *s)
{
    free(s->known);
}

json_t *sources_claim(const struct sources *s)
{
    if (s->count == 0)
        return NULL;
    json_t *a = json_array();
    for (size_t i = 0; i < s->count; i++)
        json_array_append_new(a, json_string(s->ids[i]));
    return a;
}

static bool is_known(const struct sources *s, struct uuid id)
{
    for (size_t i = 0; i < s->known_count; i++) {
        if (uuid_eq(s->known[i], id))
            return true;
    }
    return false;
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
    identity_sign(me, eip712_registration_digest(&me->domain, &r), signature);
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

/* One source of a list. Only the gateway's failure to answer is an error here. */
static enum err_code consider(struct sources *s, struct api *api, const json_t *source,
                              size_t *added, struct err *err)
{
    struct manifest m;
    struct uuid id;
    const char *text = json_string_value(json_object_get(source, "id"));
    const char *status = json_string_value(json_object_get(source, "status"));
    const json_t *manifest = json_object_get(source, "manifest");
    if (!text || !id_parse(ID_SOURCE, text_of(text), &id))
        return err_set(err, E_PEER, "the gateway lists a source without an id");
    if (is_known(s, id))
        return E_OK;
    enum err_code rc = manifest_read(manifest, &m, err);
    if (rc != E_OK || !status || strcmp(status, "active") != 0)
        return err_set(err, E_CONFIG, "source %s cannot be served: %.100s", text,
                       rc != E_OK ? err->text : "retired");
    if ((m.environments & api->me->environments) == 0)
        return err_set(err, E_CONFIG, "source %s does not run on this machine", text);
    if (m.limits.memory_mb > s->memory_mb)
        return err_set(err, E_CONFIG, "source %s wants %lld MiB of memory, this machine has %lld",
                       text, (long long)m.limits.memory_mb, (long long)s->memory_mb);
    rc = put(api, text, manifest, m.environments & api->me->environments, err);
    if (rc != E_OK)
        return rc;
    if (s->known_count < SOURCES_KNOWN_MAX)
        s->known[s->known_count++] = id;
    (*added)++;
    log_info("source_registered", "source=%s name=%.*s", text, (int)m.name.n, m.name.s);
    return E_OK;
}

static enum err_code chosen(struct sources *s, struct api *api, size_t *added, struct err *err)
{
    enum err_code rc = E_OK;
    for (size_t i = 0; rc == E_OK && i < s->count; i++) {
        char path[96];
        snprintf(path, sizeof(path), "/v1/sources/%s", s->ids[i]);
        struct api_request q = {.method = "GET", .path = path, .public_call = true};
        struct api_reply reply;
        rc = api_call(api, &q, &reply, err);
        if (rc == E_OK && reply.status == 200)
            rc = consider(s, api, reply.body, added, err);
        else if (rc == E_OK)
            rc = err_set(err, reply.status >= 500 ? E_PEER : E_CONFIG,
                         "source %s: the gateway answered %d %s", s->ids[i], reply.status,
                         reply.code);
        api_reply_done(&reply);
    }
    return rc;
}

static enum err_code page(struct sources *s, struct api *api, char cursor[513], size_t *added,
                          struct err *err)
{
    char path[640];
    snprintf(path, sizeof(path), "/v1/sources?status=active&limit=100%s%s",
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
            rc = consider(s, api, source, added, err);
        /* One that does not suit us is no reason to leave the others. */
        if (rc == E_CONFIG)
            rc = E_OK;
    }
    const char *next = json_string_value(json_object_get(reply.body, "next_cursor"));
    snprintf(cursor, 513, "%s", rc == E_OK && next && strlen(next) <= 512 ? next : "");
    api_reply_done(&reply);
    return rc;
}

enum err_code sources_register(struct sources *s, struct api *api, size_t *added, struct err *err)
{
    char cursor[513] = "";
    *added = 0;
    if (s->count > 0)
        return chosen(s, api, added, err);
    enum err_code rc;
    do {
        rc = page(s, api, cursor, added, err);
    } while (rc == E_OK && cursor[0] != '\0');
    return rc;
}
