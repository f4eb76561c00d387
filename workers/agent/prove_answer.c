/* SPDX-License-Identifier: MIT */
/* One challenge, from asking for it to its verdict. */
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/hex.h"
#include "lib/log.h"
#include "workers/agent/slot.h"

#define ASK_US     (30 * 1000000LL)
#define OPEN_US    (60 * 1000000LL) /* what the gateway gives for the rows */
#define SEND_MS    30000            /* two megabytes of rows */
#define VERDICT_US (300 * 1000000LL)
#define POLL_MS    1000
#define WAIT_MAX_S 86400

/* The twin is for tests' little memories: bounded in memory and, with the measured rate, in time.
 */
#define TWIN_BYTES (256ULL << 20)
#define TWIN_OPS   100000000000ULL
#define TWIN_SHARE 3 /* it may need a third of the window, as measured: cores are shared */

struct challenge {
    char id[ID_TEXT_MAX];
    struct gpu_proof_shape shape;
    struct digest seed;
    int64_t commit_us; /* monotonic end of the window */
};

static bool ended(void *ctx)
{
    const struct prove_job *j = ctx;
    return atomic_load(&j->agent->draining) ||
           (j->lease.held && !book_is_sound(j->agent->cards.book, &j->lease));
}

static enum err_code call(struct prove_job *j, struct api_request *q, int64_t until_us,
                          struct api_reply *reply, struct err *err)
{
    q->stop = ended;
    q->stop_ctx = j;
    enum err_code rc = api_persist(j->api, q, until_us, reply, err);
    if (!ended(j))
        return rc;
    if (rc == E_OK)
        api_reply_done(reply);
    return err_set(err, E_DRAINING, "told to end, or the card failed");
}

static void path_of(const struct prove_job *j, const char *id, const char *step, char out[160])
{
    snprintf(out, 160, "/v1/providers/%s/challenges%s%s%s", j->agent->me.provider, id[0] ? "/" : "",
             id, step);
}

enum err_code prove_fits_twin(int64_t memory_mb, struct err *err)
{
    struct gpu_proof_shape s;
    enum err_code rc = gpu_proof_shape_of(memory_mb, &s, err);
    if (rc != E_OK)
        return err_set(err, E_NO_SLOT, "%.120s", err->text);
    if (gpu_proof_bytes(&s) > TWIN_BYTES || gpu_proof_ops(&s) > TWIN_OPS)
        return err_set(err, E_NO_SLOT,
                       "%lld MB are more than the plain C twin proves, and nothing else computes "
                       "for this device",
                       (long long)memory_mb);
    return E_OK;
}

/* Nothing is asked for that will not be done. */
static enum err_code fits(const struct prove_job *j, struct gpu_proof_shape *own, struct err *err)
{
    enum err_code rc = gpu_proof_shape_of(j->lease.device.memory_mb, own, err);
    if (rc != E_OK)
        return err_set(err, E_NO_SLOT, "%.120s", err->text);
    double s = (double)gpu_proof_ops(own) / j->ops_per_s;
    if (j->twin && s * TWIN_SHARE > (double)gpu_proof_window_s(own))
        return err_set(err, E_NO_SLOT, "the plain C twin would need %.1f s of a window of %lld s",
                       s, (long long)gpu_proof_window_s(own));
    return E_OK;
}

/* ---- asking ---- */

static bool waits(const json_t *v, const char *uuid)
{
    const char *device = json_string_value(json_object_get(v, "device"));
    const char *status = json_string_value(json_object_get(v, "status"));
    return device && status && strcmp(device, uuid) == 0 &&
           (strcmp(status, "issued") == 0 || strcmp(status, "committed") == 0);
}

/*
 * The quota says no: there is a challenge already. It may be ours, from before this process began,
 * or its answer was lost on the way. The product is the same, so it may be answered as well.
 */
static json_t *find_waiting(struct prove_job *j)
{
    char path[200];
    char list[160];
    struct api_reply reply;
    struct err err;
    json_t *found = NULL;
    json_t *v;
    size_t i;
    path_of(j, "", "", list);
    snprintf(path, sizeof(path), "%s?limit=100", list);
    struct api_request q = {.method = "GET", .path = path};
    if (call(j, &q, clock_mono_us() + ASK_US, &reply, &err) != E_OK)
        return NULL;
    json_array_foreach(json_object_get(reply.body, "data"), i, v)
    {
        if (!found && reply.status == 200 && waits(v, j->lease.device.uuid))
            found = json_incref(v);
    }
    api_reply_done(&reply);
    return found;
}

static enum err_code refused(struct prove_job *j, const struct api_reply *reply, struct err *err)
{
    int64_t s = reply->retry_after_s;
    if (reply->status != 429)
        return err_set(err, E_NO_SLOT, "the gateway gives no challenge: %d %s", reply->status,
                       reply->code);
    j->again_us = clock_mono_us() + (s > WAIT_MAX_S ? WAIT_MAX_S : s > 1 ? s : 1) * 1000000;
    return err_set(err, E_QUOTA, "the next challenge can be had in %lld s", (long long)s);
}

static enum err_code ask(struct prove_job *j, json_t **out, struct err *err)
{
    char path[160];
    struct api_reply reply = {0};
    path_of(j, "", "", path);
    json_t *body = json_pack("{s:s}", "device", j->lease.device.uuid);
    struct api_request q = {.method = "POST", .path = path, .body = body};
    enum err_code rc = call(j, &q, clock_mono_us() + ASK_US, &reply, err);
    json_decref(body);
    if (rc != E_OK)
        return rc == E_DRAINING ? rc : err_set(err, E_NO_SLOT, "no gateway: %.120s", err->text);
    if (reply.status == 201)
        *out = json_incref(reply.body);
    else if (reply.status == 429)
        *out = find_waiting(j);
    if (!*out)
        rc = refused(j, &reply, err);
    api_reply_done(&reply);
    return rc;
}

/* The sizes must be this device's: a gateway does not say how much memory is taken here. */
static enum err_code read_challenge(const json_t *v, const struct gpu_proof_shape *own,
                                    struct challenge *c, struct err *err)
{
    const char *id = json_string_value(json_object_get(v, "id"));
    const char *seed = json_string_value(json_object_get(v, "seed"));
    struct uuid uuid;
    if (!id || !id_parse(ID_CHALLENGE, text_of(id), &uuid) || !seed ||
        !hex_decode(seed, strlen(seed), c->seed.b, sizeof(c->seed.b)))
        return err_set(err, E_PEER, "the challenge is not what the gateway's contract says");
    if (json_integer_value(json_object_get(v, "rows")) != own->rows ||
        json_integer_value(json_object_get(v, "inner")) != own->inner ||
        json_integer_value(json_object_get(v, "cols")) != own->cols)
        return err_set(err, E_NO_SLOT, "the challenge is not of this device's size");
    snprintf(c->id, sizeof(c->id), "%s", id);
    c->shape = *own;
    return E_OK;
}

/* ---- answering ---- */

static enum err_code lost(const char *step, const struct api_reply *reply, struct err *err)
{
    return err_set(err, E_PEER, "the gateway did not take the %s: %d %s", step, reply->status,
                   reply->code);
}

static enum err_code read_draw(const json_t *v, uint32_t rows, uint32_t *at, struct err *err)
{
    const json_t *list = json_object_get(v, "open_rows");
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n && n == GPU_PROOF_OPENED; i++) {
        json_int_t row = json_integer_value(json_array_get(list, i));
        if (row < 0 || row >= rows)
            n = 0;
        else
            at[i] = (uint32_t)row;
    }
    return n == GPU_PROOF_OPENED ? E_OK : err_set(err, E_PEER, "the gateway drew no such rows");
}

static enum err_code commit(struct prove_job *j, const struct challenge *c,
                            const struct digest *root, uint32_t *at, struct err *err)
{
    char path[160];
    char hex[65];
    struct api_reply reply = {0};
    hex_encode(root->b, sizeof(root->b), hex);
    path_of(j, c->id, "/commit", path);
    json_t *body = json_pack("{s:s}", "root", hex);
    struct api_request q = {.method = "POST", .path = path, .body = body};
    enum err_code rc = call(j, &q, c->commit_us, &reply, err);
    json_decref(body);
    if (rc != E_OK)
        return rc;
    rc = reply.status == 200 ? read_draw(reply.body, c->shape.rows, at, err)
                             : lost("root", &reply, err);
    api_reply_done(&reply);
    return rc;
}

static enum err_code open_rows(struct prove_job *j, const struct challenge *c, const uint32_t *at,
                               struct err *err)
{
    char path[160];
    struct api_reply reply = {0};
    struct buf text = {0};
    int64_t until = clock_mono_us() + OPEN_US;
    path_of(j, c->id, "/open", path);
    enum err_code rc = helper_open(&j->helper, at, until, &text, err);
    json_t *body = rc == E_OK ? json_loadb((char *)text.p, text.n, 0, NULL) : NULL;
    buf_done(&text);
    if (rc != E_OK)
        return rc;
    if (!body)
        return err_set(err, E_IO, "the rows could not be read back from the device");
    struct api_request q = {.method = "POST", .path = path, .body = body, .timeout_ms = SEND_MS};
    rc = call(j, &q, until, &reply, err);
    json_decref(body);
    if (rc != E_OK)
        return rc;
    if (reply.status != 202)
        rc = lost("rows", &reply, err);
    api_reply_done(&reply);
    return rc;
}

enum err_code prove_answer(struct prove_job *j, struct err *err)
{
    struct challenge c;
    struct gpu_proof_shape own;
    struct digest root;
    uint32_t at[GPU_PROOF_OPENED];
    json_t *v = NULL;
    enum err_code rc = fits(j, &own, err);
    if (rc != E_OK)
        return rc;
    c.commit_us = clock_mono_us() + gpu_proof_window_s(&own) * 1000000;
    rc = ask(j, &v, err);
    if (rc == E_OK)
        rc = read_challenge(v, &own, &c, err);
    json_decref(v);
    if (rc != E_OK)
        return rc;
    j->asked = true;
    log_info("proof_begun", "uuid=%s challenge=%s", j->lease.device.uuid, c.id);
    rc = helper_prove(&j->helper, &c.shape, &c.seed, c.commit_us, &root, err);
    /* What the process itself cannot do is no matter of the gateway's. */
    if (rc == E_OK)
        rc = commit(j, &c, &root, at, err);
    if (rc == E_OK)
        log_info("proof_committed", "uuid=%s challenge=%s", j->lease.device.uuid, c.id);
    if (rc == E_OK)
        rc = open_rows(j, &c, at, err);
    if (rc == E_OK)
        snprintf(j->challenge, sizeof(j->challenge), "%s", c.id);
    return rc;
}

/* ---- the verdict ---- */

static bool told(struct prove_job *j, const json_t *v)
{
    const char *status = json_string_value(json_object_get(v, "status"));
    const char *reason = json_string_value(json_object_get(v, "reason"));
    json_int_t gops = json_integer_value(json_object_get(v, "gops_per_s"));
    bool passed = status && strcmp(status, "passed") == 0;
    if (!status || (!passed && strcmp(status, "failed") != 0))
        return false;
    atomic_fetch_add(passed ? &j->agent->stats.proofs_passed : &j->agent->stats.proofs_failed, 1);
    if (passed)
        log_info("proof_passed", "uuid=%s challenge=%s gops_per_s=%lld", j->lease.device.uuid,
                 j->challenge, (long long)gops);
    else
        log_error("proof_failed", "uuid=%s challenge=%s why=%s", j->lease.device.uuid, j->challenge,
                  reason ? reason : "");
    return true;
}

void prove_verdict(struct prove_job *j)
{
    char path[160];
    int64_t until = clock_mono_us() + VERDICT_US;
    path_of(j, j->challenge, "", path);
    while (clock_mono_us() < until && !ended(j)) {
        struct api_request q = {.method = "GET", .path = path, .stop = ended, .stop_ctx = j};
        struct api_reply reply = {0};
        struct err err;
        bool done = api_call(j->api, &q, &reply, &err) == E_OK && reply.status == 200 &&
                    told(j, reply.body);
        api_reply_done(&reply);
        if (done)
            return;
        api_sleep(POLL_MS, ended, j);
    }
    log_warn("proof_undecided", "uuid=%s challenge=%s", j->lease.device.uuid, j->challenge);
}
