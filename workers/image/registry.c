/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/hex.h"
#include "workers/image/blobs.h"
#include "workers/image/document.h"

#define URL_MAX       2048
#define REDIRECTS_MAX 3
/* While it is pulled an image holds a slot: a registry that drips must not have it for a day. */
#define PULL_S    3600
#define SLOW_S    60
#define LEAST_BPS 16384
#define SECOND_US ((int64_t)1000000)

#define ACCEPT                                               \
    "Accept: application/vnd.oci.image.manifest.v1+json, "   \
    "application/vnd.oci.image.index.v1+json, "              \
    "application/vnd.docker.distribution.manifest.v2+json, " \
    "application/vnd.docker.distribution.manifest.list.v2+json"

/* One conversation with one registry about one repository. */
struct registry {
    const struct image_want *want;
    struct http_client *http;
    char base[URL_MAX];  /* "https://host/v2/name" */
    char bearer[6144];   /* "Authorization: Bearer …", or "" */
    int64_t of;          /* bytes of the image in all, once its manifest is read; else 0 */
    int64_t fetched;     /* bytes of complete answers */
    int fd;              /* where the answer in hand goes */
    int64_t limit;       /* bytes that we take, all answers together */
    int64_t timeout_ms;  /* for one answer: more than is left, so that it is we who end it */
    int64_t deadline_us; /* for all of them */
    int64_t slow_us;     /* how long it may be too slow */
    int64_t since_us;    /* when we looked last how much it sends */
    int64_t since_bytes; /* of the answer in hand, then */
    char why[64];        /* why we ended it; "": we did not */
};

static bool too_late(struct registry *r, int64_t now)
{
    if (now >= r->deadline_us)
        snprintf(r->why, sizeof(r->why), "registry takes too long for the image");
    return r->why[0] != '\0';
}

static bool too_slow(struct registry *r, int64_t now, int64_t bytes)
{
    if (now - r->since_us < r->slow_us)
        return false;
    if (bytes - r->since_bytes < r->slow_us / SECOND_US * LEAST_BPS)
        snprintf(r->why, sizeof(r->why), "registry sends less than %d bytes a second", LEAST_BPS);
    r->since_us = now;
    r->since_bytes = bytes;
    return r->why[0] != '\0';
}

/* While an answer comes in: tell how far we are, ask whether to go on. As http_call.stop. */
static bool tick(void *ctx)
{
    struct registry *r = ctx;
    struct stat st = {.st_size = 0};
    int64_t now = clock_mono_us();
    if (fstat(r->fd, &st) == 0 && r->want->progress)
        r->want->progress(r->want->progress_ctx, r->fetched + st.st_size, r->of);
    return (r->want->stop && r->want->stop(r->want->stop_ctx)) || too_late(r, now) ||
           too_slow(r, now, st.st_size);
}

/* http_do() that we may end ourselves. */
static enum err_code ask(struct registry *r, const struct http_call *call, struct http_reply *reply,
                         struct err *err)
{
    r->since_us = clock_mono_us();
    r->since_bytes = 0;
    enum err_code rc = too_late(r, r->since_us) ? E_TIMEOUT : http_do(r->http, call, reply, err);
    return rc == E_TIMEOUT && r->why[0] ? err_set(err, rc, "%s", r->why) : rc;
}

static bool is_loopback(const char *host, size_t n)
{
    return (n == 9 && strncmp(host, "localhost", 9) == 0) ||
           (n > 4 && strncmp(host, "127.", 4) == 0);
}

/* "host:port/a/b@sha256:…" → "https://host:port/v2/a/b"; plain http only to this machine itself. */
static enum err_code base_of(const char *reference, char *out, struct err *err)
{
    const char *slash = strchr(reference, '/');
    const char *at = strrchr(reference, '@');
    if (!slash || !at || at < slash || !blobs_digest_ok(at + 1) || strpbrk(reference, " ?#%\\"))
        return err_set(err, E_BAD_MANIFEST, "image reference is not registry/name@sha256:digest");
    size_t host = (size_t)(slash - reference);
    const char *scheme = is_loopback(reference, strcspn(reference, ":/")) ? "http" : "https";
    int n = snprintf(out, URL_MAX, "%s://%.*s/v2/%.*s", scheme, (int)host, reference,
                     (int)(at - slash - 1), slash + 1);
    return n < URL_MAX ? E_OK : err_set(err, E_BAD_MANIFEST, "image reference is too long");
}

/* The value of name="…" in a WWW-Authenticate header. */
static bool challenge(const char *header, const char *name, char *out, size_t size)
{
    char key[32];
    snprintf(key, sizeof(key), "%s=\"", name);
    const char *p = strstr(header, key);
    const char *end = p ? strchr(p + strlen(key), '"') : NULL;
    if (!end || (size_t)(end - p) - strlen(key) >= size)
        return false;
    p += strlen(key);
    memcpy(out, p, (size_t)(end - p));
    out[end - p] = '\0';
    return true;
}

/* "?name=value", percent-encoded (RFC 3986): services call themselves what they like, spaces too.
 * Nothing for an empty value. */
static void add_query(char *url, size_t size, const char *name, const char *value)
{
    size_t n = strlen(url);
    if (value[0])
        n += (size_t)snprintf(url + n, size - n, "%c%s=", strchr(url, '?') ? '&' : '?', name);
    for (const char *c = value; *c && n + 4 < size; c++) {
        bool plain = isalnum((unsigned char)*c) || strchr("-._~:/,", *c);
        n += (size_t)snprintf(url + n, size - n, plain ? "%c" : "%%%02X", (unsigned char)*c);
    }
}

/* An anonymous token from the service that the registry names (distribution's token
 * authentication). */
static enum err_code get_token(struct registry *r, const char *header, struct err *err)
{
    char realm[512];
    char service[256] = "";
    char scope[512] = "";
    char url[URL_MAX];
    if (strncasecmp(header, "Bearer ", 7) != 0 ||
        !challenge(header, "realm", realm, sizeof(realm)) || strpbrk(realm, " \r\n#\\"))
        return err_set(err, E_PEER, "registry asks for credentials that we do not have");
    bool plain = strncmp(r->base, "http://", 7) == 0;
    if (strncmp(realm, "https://", 8) != 0 && !(plain && strncmp(realm, "http://", 7) == 0))
        return err_set(err, E_PEER, "registry names a token service without TLS");
    challenge(header, "service", service, sizeof(service));
    challenge(header, "scope", scope, sizeof(scope));
    snprintf(url, sizeof(url), "%s", realm);
    add_query(url, sizeof(url), "service", service);
    add_query(url, sizeof(url), "scope", scope);
    struct http_call call = {.method = "GET",
                             .url = url,
                             .timeout_ms = 30000,
                             .max_reply = 65536,
                             .stop = tick,
                             .stop_ctx = r,
                             .public_only = r->want->public_only};
    struct http_reply reply = {0};
    enum err_code rc = ask(r, &call, &reply, err);
    json_t *v = rc == E_OK && reply.status == 200
                    ? json_loadb((char *)reply.body.p, reply.body.n, 0, NULL)
                    : NULL;
    const char *token = json_string_value(json_object_get(v, "token"));
    if (!token)
        token = json_string_value(json_object_get(v, "access_token"));
    if (rc == E_OK && (!token || strpbrk(token, "\r\n") || strlen(token) > sizeof(r->bearer) - 32))
        rc = err_set(err, E_PEER, "the registry's token service answered %d without a token",
                     reply.status);
    if (rc == E_OK)
        snprintf(r->bearer, sizeof(r->bearer), "Authorization: Bearer %s", token);
    json_decref(v);
    buf_done(&reply.body);
    return rc;
}

/* GET into a file: token when asked for (once: one that ran out during a long pull is renewed),
 * redirects (to storage) without it. */
static enum err_code get(struct registry *r, const char *path, int fd, struct err *err)
{
    char url[URL_MAX];
    bool away = false; /* redirected: the token is none of that host's business */
    bool asked = false;
    snprintf(url, sizeof(url), "%.1500s/%s", r->base, path);
    for (int tries = 0; tries <= REDIRECTS_MAX + 1; tries++) {
        const char *headers[] = {ACCEPT, !away && r->bearer[0] ? r->bearer : NULL, NULL};
        struct http_call call = {.method = "GET",
                                 .url = url,
                                 .headers = headers,
                                 .timeout_ms = r->timeout_ms,
                                 .max_reply = (size_t)(r->limit - r->fetched),
                                 .reply_fd = fd,
                                 .stop = tick,
                                 .stop_ctx = r,
                                 .public_only = r->want->public_only};
        struct http_reply reply = {0};
        r->fd = fd;
        if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0)
            return err_set(err, E_IO, "cannot reset a download: %s", strerror(errno));
        enum err_code rc = ask(r, &call, &reply, err);
        buf_done(&reply.body);
        if (rc != E_OK)
            return rc;
        if (reply.status == 200) {
            r->fetched += reply.reply_len;
            return E_OK;
        }
        if (reply.status == 401 && !away && !asked) {
            asked = true;
            rc = get_token(r, reply.authenticate, err);
        } else if ((reply.status == 307 || reply.status == 302 || reply.status == 308) &&
                   (strncmp(reply.location, "https://", 8) == 0 ||
                    (strncmp(r->base, "http://", 7) == 0 &&
                     strncmp(reply.location, "http://", 7) == 0))) {
            snprintf(url, sizeof(url), "%s", reply.location);
            away = true;
        } else {
            rc = err_set(err, reply.status == 404 ? E_BLOB_NOT_FOUND : E_PEER,
                         "registry answered %d for %.90s", reply.status, path);
        }
        if (rc != E_OK)
            return rc;
    }
    return err_set(err, E_PEER, "registry sends us round in circles");
}

/* One blob, stored under its digest if it has it. Blobs that are there already stay. */
static enum err_code pull(struct registry *r, int dir, const char *kind, const char *digest,
                          struct err *err)
{
    char path[128];
    char hex[65];
    int64_t size;
    if (faccessat(dir, digest + 7, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return E_OK;
    int fd = openat(dir, "part", O_CREAT | O_TRUNC | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, E_IO, "cannot store an image blob: %s", strerror(errno));
    snprintf(path, sizeof(path), "%s/%s", kind, digest);
    enum err_code rc = get(r, path, fd, err);
    if (rc == E_OK)
        rc = blobs_hash(fd, hex, &size, err);
    close(fd);
    if (rc == E_OK && strcmp(hex, digest + 7) != 0)
        rc = err_set(err, E_DIGEST_MISMATCH, "registry sent other bytes than %s", digest);
    if (rc == E_OK && renameat(dir, "part", dir, digest + 7) != 0)
        rc = err_set(err, E_IO, "cannot store an image blob: %s", strerror(errno));
    return rc;
}

static enum err_code pull_parts(struct registry *r, int dir, const json_t *doc, struct err *err)
{
    struct document m;
    enum err_code rc = document_read(doc, &m, err);
    if (rc == E_OK)
        r->of = r->fetched + m.bytes;
    if (rc == E_OK)
        rc = pull(r, dir, "blobs", m.config, err);
    for (size_t i = 0; rc == E_OK && i < m.layer_count; i++)
        rc = pull(r, dir, "blobs", m.layers[i], err);
    return rc;
}

enum err_code blobs_from_registry(int dir, const struct image_want *want,
                                  const struct image_limits *limits, struct err *err)
{
    int64_t pull_s = limits->pull_s ? limits->pull_s : PULL_S;
    struct registry r = {.want = want,
                         .http = want->http,
                         .limit = limits->packed_bytes,
                         .timeout_ms = (pull_s + 60) * 1000,
                         .deadline_us = clock_mono_us() + pull_s * SECOND_US,
                         .slow_us = (limits->slow_s ? limits->slow_s : SLOW_S) * SECOND_US};
    json_t *doc = NULL;
    enum err_code rc = base_of(want->reference, r.base, err);
    if (rc == E_OK)
        rc = pull(&r, dir, "manifests", want->digest, err);
    if (rc == E_OK)
        rc = blobs_json(dir, want->digest, &doc, err);
    if (rc == E_OK && document_is_index(doc)) {
        const char *chosen = document_choose(doc);
        json_t *inner = NULL;
        if (!blobs_digest_ok(chosen))
            rc = err_set(err, E_BAD_MANIFEST, "image has no variant for this machine");
        else
            rc = pull(&r, dir, "manifests", chosen, err);
        if (rc == E_OK)
            rc = blobs_json(dir, chosen, &inner, err);
        json_decref(doc);
        doc = inner;
    }
    if (rc == E_OK)
        rc = pull_parts(&r, dir, doc, err);
    json_decref(doc);
    return rc;
}
