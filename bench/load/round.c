/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/load.h"
#include "core/id.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/hex.h"
#include "lib/json.h"

/* A provider's round trip: claim a task, upload its output, sign and send the response. */

static const struct actor *actor_of(const struct load *l, const struct conn *c)
{
    return &l->world.providers[c->number % l->world.n_providers];
}

static bool next_claim(struct load *l, struct conn *c)
{
    uint64_t a = load_random(l);
    uint64_t b = load_random(l);
    char body[96];
    int n;

    if (!load_may_begin(l))
        return false;
    n = snprintf(body, sizeof(body), "{\"claim_ref\":\"%08x-%04x-4%03x-8%03x-%012" PRIx64 "\"}",
                 (unsigned)(a >> 32), (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff),
                 (unsigned)(b >> 52), b & 0xffffffffffffU);
    c->phase = PHASE_CLAIM;
    request_begin(c, "POST", "/v1/claims?wait=1", actor_of(l, c)->token, "");
    request_end(c, "application/json", body, (size_t)n);
    return true;
}

static const char *member(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));

    return s ? s : "";
}

static bool read_claim(struct round *r, const char *body, size_t n)
{
    json_t *o = json_loadb(body, n, 0, NULL);
    const char *manifest = member(o, "manifest_hash");
    const char *input = member(o, "input_digest");
    bool ok;

    snprintf(r->attempt_text, sizeof(r->attempt_text), "%s", member(o, "attempt"));
    r->epoch = json_integer_value(json_object_get(o, "epoch"));
    ok = id_parse(ID_ATTEMPT, text_of(r->attempt_text), &r->attempt) &&
         id_parse(ID_TASK, text_of(member(o, "task")), &r->task) &&
         hex_decode(manifest, strlen(manifest), r->manifest.b, 32) &&
         hex_decode(input, strlen(input), r->input.b, 32);
    json_decref(o);
    return ok;
}

static void upload(struct load *l, struct conn *c)
{
    struct round *r = &c->round;
    char hex[65];
    char path[160];

    /* Differs for each attempt, as real outputs do. */
    r->content_n =
        (size_t)snprintf(r->content, sizeof(r->content), "{\"of\":\"%s\"}", r->attempt_text);
    r->blob = sha256(r->content, r->content_n);
    hex_encode(r->blob.b, 32, hex);
    snprintf(path, sizeof(path), "/v1/blobs/%s?attempt=%s", hex, r->attempt_text);
    c->phase = PHASE_UPLOAD;
    request_begin(c, "PUT", path, actor_of(l, c)->token, "");
    request_end(c, "application/octet-stream", r->content, r->content_n);
}

static void respond(struct load *l, struct conn *c)
{
    const struct actor *a = actor_of(l, c);
    const struct round *r = &c->round;
    struct eip712_response m = {.task = r->task,
                                .attempt = r->attempt,
                                .epoch = (uint32_t)r->epoch,
                                .provider = signer_address(a->signer),
                                .manifest = r->manifest,
                                .input = r->input};
    struct signature s;
    char hex[65];
    char sign[131];
    char outputs[256];
    char body[600];
    char path[80];
    int n;

    hex_encode(r->blob.b, 32, hex);
    /* RFC 8785: members in order, no blanks. */
    n = snprintf(outputs, sizeof(outputs),
                 "[{\"media_type\":\"application/json\",\"name\":\"out.json\",\"sha256\":\"%s\","
                 "\"size\":%zu}]",
                 hex, r->content_n);
    m.output = sha256(outputs, (size_t)n);
    s = signer_sign(a->signer, eip712_response_digest(&l->world.domain, &m));
    hex_encode(s.b, 65, sign);
    n = snprintf(body, sizeof(body),
                 "{\"epoch\":%" PRId64 ",\"outputs\":%s,\"signature\":\"0x%s\"}", r->epoch, outputs,
                 sign);
    snprintf(path, sizeof(path), "/v1/attempts/%s/respond", r->attempt_text);
    c->phase = PHASE_RESPOND;
    request_begin(c, "POST", path, a->token, "");
    request_end(c, "application/json", body, (size_t)n);
}

static void answer(struct load *l, struct conn *c, int status, const char *body, size_t n)
{
    enum phase was = c->phase;

    c->phase = PHASE_IDLE;
    if (was == PHASE_CLAIM && status == 204) {
        l->stats.empty++;
        l->begun--; /* nothing was there: not a unit */
        l->ended--;
        return;
    }
    if (was == PHASE_CLAIM && status == 200 && read_claim(&c->round, body, n)) {
        c->round.began_us = c->sent_us;
        upload(l, c);
        return;
    }
    if (was == PHASE_UPLOAD && (status == 200 || status == 201)) {
        respond(l, c);
        return;
    }
    if (was != PHASE_RESPOND || status != 202) {
        stats_unexpected(&l->stats, status, body, n);
        return;
    }
    if (load_counts(l, c->round.began_us))
        samples_add(&l->stats.round, clock_mono_us() - c->round.began_us);
}

const struct traffic traffic_round = {"roundtrip", next_claim, answer};
