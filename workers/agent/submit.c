/* SPDX-License-Identifier: MIT */
#include "workers/agent/submit.h"

#include <stdio.h>
#include <string.h>

#include "core/outputs.h"
#include "lib/clock.h"
#include "lib/hex.h"
#include "lib/log.h"
#include "workers/contain/outputs.h"
#include "workers/image/blobs.h"

#define MESSAGE_MAX 1024
#define SIGNER_TRY  3 /* a signer on this machine is asked every other second at least */

/* A stop from the gateway or a lost lease makes every further word useless; draining does not. */
static bool over(void *ctx)
{
    enum stop_cause cause = atomic_load(&((struct slot *)ctx)->cause);
    return cause == STOP_TOLD || cause == STOP_LEASE;
}

/* Nor does a worker that drains wait for what may never come. */
static bool pressed(void *ctx)
{
    return over(ctx) || atomic_load(&((struct slot *)ctx)->cause) == STOP_DRAIN;
}

void submit_failure(struct slot *s, const char *attempt, const char *code, const char *message,
                    bool released)
{
    char path[96];
    char safe[MESSAGE_MAX];
    struct err err;
    struct api_reply reply;
    size_t n = strnlen(message, sizeof(safe) - 1);
    for (size_t i = 0; i < n; i++)
        safe[i] = message[i] >= ' ' && message[i] <= '~' ? message[i] : '?';
    safe[n] = '\0';
    atomic_fetch_add(released ? &s->agent->stats.released : &s->agent->stats.failed, 1);
    json_t *body =
        json_pack("{s:s, s:s, s:b}", "code", code, "message", safe, "released", released ? 1 : 0);
    snprintf(path, sizeof(path), "/v1/attempts/%s/fail", attempt);
    struct api_request q = {
        .method = "POST", .path = path, .body = body, .stop = over, .stop_ctx = s};
    enum err_code rc = api_persist(&s->api, &q, slot_lease_end(s), &reply, &err);
    log_info("attempt_failed", "attempt=%s code=%s released=%d message=%s status=%d answer=%s",
             attempt, code, released, safe, reply.status, rc == E_OK ? reply.code : err.text);
    api_reply_done(&reply);
    json_decref(body);
}

/* Another provider was first, or the task is over: what we hold is worth nothing, and no fault. */
static void note_if_beaten(struct slot *s, const struct api_reply *r)
{
    static const char *const codes[] = {"LEASE_LOST", "TASK_CLOSED", "ATTEMPT_NOT_FOUND"};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (strcmp(r->code, codes[i]) == 0)
            slot_stop(s, STOP_TOLD);
    }
}

static enum err_code upload(struct slot *s, const char *attempt, const struct box_output *o,
                            const char *hex, struct err *err)
{
    char path[160];
    struct api_reply reply;
    snprintf(path, sizeof(path), "/v1/blobs/%s?attempt=%s", hex, attempt);
    /* an empty file has no descriptor to read: its body is no body */
    struct api_request q = {.method = "PUT",
                            .path = path,
                            .upload_fd = o->size > 0 ? o->fd : 0,
                            .upload_len = o->size,
                            .timeout_ms = 10 * 60 * 1000,
                            .stop = over,
                            .stop_ctx = s};
    enum err_code rc = api_persist(&s->api, &q, slot_lease_end(s), &reply, err);
    if (rc == E_OK && reply.status != 200 && reply.status != 201) {
        note_if_beaten(s, &reply);
        rc = err_set(err, E_PEER, "upload of %.40s: the gateway answered %d %s", o->name,
                     reply.status, reply.code);
    }
    api_reply_done(&reply);
    return rc;
}

/* The list that is signed, in the order in which it is sent. */
static enum err_code upload_all(struct slot *s, const struct claim *c, const struct box_result *r,
                                struct outputs *list, struct arena *a, struct err *err)
{
    enum err_code rc = E_OK;
    list->n = 0;
    list->total = 0;
    for (size_t i = 0; rc == E_OK && i < r->output_count; i++) {
        const struct box_output *o = &r->outputs[i];
        char hex[65];
        int64_t size;
        rc = blobs_hash(o->fd, hex, &size, err);
        if (rc != E_OK)
            break;
        struct output *to = &list->items[list->n++];
        to->name = text_of(arena_copy(a, o->name, strlen(o->name)));
        to->media_type = text_of(outputs_media_type(o->name));
        to->size = size;
        list->total += size;
        if (!hex_decode(hex, 64, to->sha256.b, sizeof(to->sha256.b)))
            return err_set(err, E_INTERNAL, "a digest that is none");
        rc = upload(s, c->attempt, o, hex, err);
    }
    return rc;
}

/*
 * What was computed is not thrown away for a signer that starts again: a response's signature has
 * no deadline of its own, so it may come as late as the response. Heartbeats extend the lease
 * meanwhile.
 */
static enum err_code sign(struct slot *s, struct digest digest, char out[SIGNATURE_TEXT_MAX],
                          struct err *err)
{
    for (unsigned n = 0;; n++) {
        enum err_code rc = identity_sign(&s->agent->me, digest, out, err);
        int64_t wait = api_backoff_ms(n < SIGNER_TRY ? n : SIGNER_TRY);
        if (rc == E_OK || pressed(s) || clock_mono_us() + wait * 1000 >= slot_lease_end(s))
            return rc;
        log_warn("signer_away", "attempt=%s why=%s wait_ms=%lld", s->attempt, err->text,
                 (long long)wait);
        api_sleep(wait, pressed, s);
    }
}

static enum err_code respond(struct slot *s, const struct claim *c, const struct outputs *list,
                             struct digest output, struct err *err)
{
    struct identity *me = &s->agent->me;
    struct eip712_response m = {.task = c->task_id,
                                .attempt = c->attempt_id,
                                .epoch = c->epoch,
                                .provider = me->address,
                                .manifest = c->manifest_hash,
                                .input = c->input_digest,
                                .output = output};
    char signature[SIGNATURE_TEXT_MAX];
    char path[96];
    struct api_reply reply;
    enum err_code rc = sign(s, eip712_response_digest(&me->domain, &m), signature, err);
    if (rc != E_OK)
        return rc;
    json_t *body = json_pack("{s:I, s:o, s:s}", "epoch", (json_int_t)c->epoch, "outputs",
                             outputs_json(list), "signature", signature);
    snprintf(path, sizeof(path), "/v1/attempts/%s/respond", c->attempt);
    struct api_request q = {
        .method = "POST", .path = path, .body = body, .stop = over, .stop_ctx = s};
    rc = api_persist(&s->api, &q, slot_lease_end(s), &reply, err);
    const char *status = json_string_value(json_object_get(reply.body, "status"));
    if (rc == E_OK && reply.status == 202)
        atomic_fetch_add(&s->agent->stats.responded, 1);
    if (rc == E_OK && reply.status == 202)
        log_info("responded", "attempt=%s task=%s outputs=%zu status=%s", c->attempt, c->task,
                 list->n, status ? status : "");
    if (rc == E_OK && reply.status != 202) {
        note_if_beaten(s, &reply);
        rc = err_set(err, E_PEER, "response: the gateway answered %d %s", reply.status, reply.code);
    }
    api_reply_done(&reply);
    json_decref(body);
    return rc;
}

void submit_response(struct slot *s, const struct claim *c, const struct box_result *r,
                     struct arena *a)
{
    static _Thread_local struct outputs list;
    struct digest output;
    struct text canonical;
    struct err err = {0};
    enum err_code rc = r->output_count > OUTPUTS_MAX
                           ? err_set(&err, E_TOO_LARGE, "more outputs than a response carries")
                           : upload_all(s, c, r, &list, a, &err);
    if (rc == E_OK)
        rc = outputs_canonical(&list, a, &canonical, &output, &err);
    if (rc == E_OK)
        rc = respond(s, c, &list, output, &err);
    if (rc == E_OK)
        return;
    if (over(s)) {
        atomic_fetch_add(&s->agent->stats.beaten, 1);
        log_info("beaten", "attempt=%s why=%s", c->attempt, err.text);
        return;
    }
    log_warn("not_responded", "attempt=%s why=%s", c->attempt, err.text);
    /* Give the slot back rather than let the lease run out. */
    submit_failure(s, c->attempt, "submit_failed", err.text, false);
}
