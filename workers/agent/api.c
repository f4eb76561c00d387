/* SPDX-License-Identifier: MIT */
#include "workers/agent/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/log.h"

#define CALL_TIMEOUT_MS 15000
#define BACKOFF_MS      250
#define BACKOFF_MAX_MS  15000
#define ASKED_MAX_S     300

void api_open(struct api *api, const struct gateways *gateways, struct identity *me,
              struct stats *stats)
{
    uint32_t random;
    random_bytes(&random, sizeof(random));
    *api = (struct api){http_client_new(), gateways, random % gateways->n, me, stats};
}

void api_close(struct api *api)
{
    http_client_free(api->http);
}

void api_reply_done(struct api_reply *r)
{
    json_decref(r->body);
    r->body = NULL;
}

int64_t api_backoff_ms(unsigned n)
{
    uint32_t random;
    int64_t top = n > 6 ? BACKOFF_MAX_MS : (int64_t)BACKOFF_MS << n;
    if (top > BACKOFF_MAX_MS)
        top = BACKOFF_MAX_MS;
    random_bytes(&random, sizeof(random));
    return top / 2 + (int64_t)(random % (uint32_t)(top / 2 + 1));
}

void api_sleep(int64_t ms, bool (*stop)(void *ctx), void *ctx)
{
    int64_t end = clock_mono_us() + ms * 1000;
    for (;;) {
        int64_t left = end - clock_mono_us();
        if (left <= 0 || (stop && stop(ctx)))
            return;
        if (left > 100000)
            left = 100000;
        struct timespec t = {0, (long)left * 1000};
        nanosleep(&t, NULL);
    }
}

static void understand(struct http_reply *raw, struct api_reply *out)
{
    *out = (struct api_reply){
        .status = raw->status, .retry_after_s = raw->retry_after_s, .length = raw->content_length};
    if (raw->body.n == 0)
        return;
    out->body = json_loadb((char *)raw->body.p, raw->body.n, JSON_REJECT_DUPLICATES, NULL);
    const char *code = json_string_value(json_object_get(out->body, "code"));
    if (code && raw->status >= 400)
        snprintf(out->code, sizeof(out->code), "%.63s", code);
}

static enum err_code once(struct api *api, const struct api_request *q, const char *bearer,
                          struct api_reply *out, struct err *err)
{
    char url[2048];
    char *text = q->body ? json_dumps(q->body, JSON_COMPACT) : NULL;
    const char *headers[4] = {"Accept: application/json"};
    size_t n = 1;
    if (text)
        headers[n++] = "Content-Type: application/json";
    else if (strcmp(q->method, "PUT") == 0)
        headers[n++] = "Content-Type: application/octet-stream";
    if (bearer)
        headers[n++] = bearer;
    headers[n] = NULL;
    snprintf(url, sizeof(url), "%.511s%.900s", api->gateways->url[api->at], q->path);
    struct http_call call = {
        .method = q->method,
        .url = url,
        .headers = headers,
        .body = text,
        .body_len = text ? strlen(text) : 0,
        .body_fd = q->upload_fd,
        .body_fd_len = q->upload_len,
        .timeout_ms = q->timeout_ms ? q->timeout_ms : CALL_TIMEOUT_MS,
        .max_reply = q->download_fd > 0 ? (size_t)q->download_max : API_REPLY_MAX,
        .reply_fd = q->download_fd,
        .stop = q->stop,
        .stop_ctx = q->stop_ctx,
    };
    struct http_reply raw = {0};
    enum err_code rc = http_do(api->http, &call, &raw, err);
    if (rc == E_OK)
        understand(&raw, out);
    else
        *out = (struct api_reply){0};
    buf_done(&raw.body);
    free(text);
    return rc;
}

static bool is_away(enum err_code rc, const struct api_reply *r)
{
    if (rc != E_OK)
        return rc == E_PEER || rc == E_TIMEOUT;
    return r->status >= 502 && r->status <= 504;
}

/*
 * Ask; turn to the next gateway when this one is away. Only what got no connection at all is asked
 * again here, and not what a download has begun to write.
 */
static enum err_code reach(struct api *api, const struct api_request *q, const char *bearer,
                           struct api_reply *out, struct err *err)
{
    for (size_t n = 1;; n++) {
        enum err_code rc = once(api, q, bearer, out, err);
        bool stopped = q->stop && q->stop(q->stop_ctx);
        if (!is_away(rc, out) || stopped || api->gateways->n < 2)
            return rc;
        api->at = (api->at + 1) % api->gateways->n;
        atomic_fetch_add(&api->stats->gateway_switches, 1);
        log_warn("gateway_changed", "to=%s why=%s", api->gateways->url[api->at],
                 rc == E_OK ? out->code : err->text);
        if (rc != E_PEER || q->download_fd > 0 || n >= api->gateways->n)
            return rc;
    }
}

/* A token newer than `generation` into `bearer`: somebody else's renewal, or ours. */
static bool renew(struct api *api, uint64_t generation, char *bearer, size_t size)
{
    struct err why;
    enum err_code rc = E_OK;
    pthread_mutex_lock(&api->me->renewal);
    if (identity_bearer(api->me, bearer, size) == generation)
        rc = api_register(api, &why);
    pthread_mutex_unlock(&api->me->renewal);
    if (rc != E_OK)
        log_warn("token_not_renewed", "why=%s", why.text);
    else
        identity_bearer(api->me, bearer, size);
    return rc == E_OK;
}

enum err_code api_call(struct api *api, const struct api_request *q, struct api_reply *out,
                       struct err *err)
{
    char bearer[TOKEN_TEXT_MAX + 32];
    uint64_t generation = q->public_call ? 0 : identity_bearer(api->me, bearer, sizeof(bearer));
    enum err_code rc = reach(api, q, q->public_call ? NULL : bearer, out, err);
    if (rc != E_OK || out->status != 401 || q->public_call)
        return rc;
    if (!renew(api, generation, bearer, sizeof(bearer)))
        return E_OK;
    log_info("token_renewed", "why=%s", out->code);
    api_reply_done(out);
    return reach(api, q, bearer, out, err);
}

bool api_may_retry(enum err_code rc, const struct api_reply *r)
{
    if (rc != E_OK)
        return rc == E_PEER || rc == E_TIMEOUT;
    return r->status >= 500 || r->status == 429 || r->status == 401 ||
           (r->status == 409 && r->retry_after_s > 0);
}

int64_t api_asked_ms(const struct api_reply *r)
{
    return (r->retry_after_s > ASKED_MAX_S ? ASKED_MAX_S : r->retry_after_s) * 1000;
}

enum err_code api_persist(struct api *api, const struct api_request *q, int64_t until_us,
                          struct api_reply *out, struct err *err)
{
    for (unsigned n = 0;; n++) {
        enum err_code rc = api_call(api, q, out, err);
        if (!api_may_retry(rc, out))
            return rc;
        int64_t wait = api_backoff_ms(n);
        if (rc == E_OK && api_asked_ms(out) > wait)
            wait = api_asked_ms(out);
        if (clock_mono_us() + wait * 1000 >= until_us || (q->stop && q->stop(q->stop_ctx)))
            return rc;
        log_warn("call_repeated", "path=%s status=%d why=%s wait_ms=%lld", q->path, out->status,
                 rc == E_OK ? out->code : err->text, (long long)wait);
        api_reply_done(out);
        api_sleep(wait, q->stop, q->stop_ctx);
    }
}

static enum err_code register_once(struct api *api, bool with_master, struct api_reply *reply,
                                   struct err *err)
{
    json_t *body;
    *reply = (struct api_reply){0};
    enum err_code rc = identity_registration(api->me, with_master, &body, err);
    if (rc != E_OK)
        return rc;
    struct api_request q = {
        .method = "POST", .path = "/v1/providers", .body = body, .public_call = true};
    rc = reach(api, &q, NULL, reply, err);
    json_decref(body);
    return rc;
}

enum err_code api_register(struct api *api, struct err *err)
{
    struct api_reply reply;
    bool with_master = api->me->master_binding != NULL && api->me->generation == 0;
    enum err_code rc = register_once(api, with_master, &reply, err);
    /* The master's signature serves once; a worker that starts again has it on file still. */
    if (rc == E_OK && with_master &&
        (strcmp(reply.code, "NONCE_USED") == 0 || strcmp(reply.code, "SIGNATURE_EXPIRED") == 0)) {
        log_info("master_signature_spent", "why=%s", reply.code);
        api_reply_done(&reply);
        rc = register_once(api, false, &reply, err);
    }
    if (rc != E_OK)
        return rc;
    if (reply.status == 201 || reply.status == 200)
        rc = identity_accept(api->me, reply.body, err);
    else if (reply.status >= 500 || reply.status == 429)
        rc = err_set(err, E_PEER, "the gateway answered the registration with %d %s", reply.status,
                     reply.code);
    else
        rc = err_set(err, E_CONFIG,
                     "the gateway refuses this provider: %d %s (check OGPU_MASTER, L1_CHAIN_ID, "
                     "L1_SETTLEMENT, clock)",
                     reply.status, reply.code);
    api_reply_done(&reply);
    return rc;
}

enum err_code api_register_again(struct api *api, struct err *err)
{
    pthread_mutex_lock(&api->me->renewal);
    enum err_code rc = api_register(api, err);
    pthread_mutex_unlock(&api->me->renewal);
    return rc;
}
