/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/manifest.h"
#include "lib/arena.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/hex.h"
#include "lib/log.h"
#include "workers/agent/claim.h"
#include "workers/agent/slot.h"
#include "workers/agent/submit.h"
#include "workers/contain/courier.h"
#include "workers/image/blobs.h"
#include "workers/image/unpack.h"

#define INPUT_BLOB_MAX ((int64_t)16 << 30)

/* Bytes of a blob into a file, with the rights of the attempt. */
static enum err_code fetch_blob(void *ctx, const char *sha256_hex, int fd, int64_t max,
                                struct err *err)
{
    struct slot *s = ctx;
    char path[96];
    struct api_reply reply = {0};
    enum err_code rc = E_OK;
    snprintf(path, sizeof(path), "/v1/blobs/%s", sha256_hex);
    struct api_request q = {.method = "GET",
                            .path = path,
                            .download_fd = fd,
                            .download_max = max,
                            .timeout_ms = 30 * 60 * 1000,
                            .stop = slot_stopped,
                            .stop_ctx = s};
    for (unsigned n = 0; n < 5; n++) {
        if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0)
            return err_set(err, E_IO, "cannot reset a download: %s", strerror(errno));
        rc = api_call(&s->api, &q, &reply, err);
        if (!api_may_retry(rc, &reply) || slot_stopped(s))
            break;
        api_reply_done(&reply);
        api_sleep(api_backoff_ms(n), slot_stopped, s);
    }
    if (rc == E_OK && reply.status != 200)
        rc = err_set(err, reply.status == 404 ? E_BLOB_NOT_FOUND : E_PEER,
                     "blob %.16s…: the gateway answered %d", sha256_hex, reply.status);
    api_reply_done(&reply);
    return rc;
}

/* ---- input files ---- */

static enum err_code fetch_input(struct slot *s, int dir, const char *digest, struct err *err)
{
    char hex[65];
    int64_t size;
    int fd = openat(dir, digest, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_set(err, E_IO, "cannot store an input: %s", strerror(errno));
    enum err_code rc = fetch_blob(s, digest, fd, INPUT_BLOB_MAX, err);
    if (rc == E_OK)
        rc = blobs_hash(fd, hex, &size, err);
    if (rc == E_OK && strcmp(hex, digest) != 0)
        rc = err_set(err, E_DIGEST_MISMATCH, "input blob %.16s… has other bytes", digest);
    if (rc == E_OK && fchmod(fd, 0444) != 0)
        rc = err_set(err, E_IO, "cannot store an input: %s", strerror(errno));
    close(fd);
    return rc;
}

/* Input files lie in a folder of the attempt's own, named by their digests. */
static enum err_code fetch_inputs(struct slot *s, const struct claim *c, struct job *job,
                                  struct arena *a, struct err *err)
{
    size_t n = json_array_size(c->input_blobs);
    if (n == 0)
        return E_OK;
    if (n > BOX_INPUTS_MAX)
        return err_set(err, E_TOO_LARGE, "more than %d input files", BOX_INPUTS_MAX);
    const char *path = arena_printf(a, "%s/%s", s->agent->shop.inputs, c->attempt);
    if (mkdir(path, 0755) != 0)
        return err_set(err, E_IO, "cannot make a folder for inputs: %s", strerror(errno));
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err_code rc = dir < 0 ? err_set(err, E_IO, "inputs: %s", strerror(errno)) : E_OK;
    for (size_t i = 0; rc == E_OK && i < n; i++) {
        const char *digest = json_string_value(json_array_get(c->input_blobs, i));
        if (!digest || strlen(digest) != 64 || strspn(digest, "0123456789abcdef") != 64)
            rc = err_set(err, E_PEER, "an input blob is not named by its digest");
        else
            rc = fetch_input(s, dir, digest, err);
        job->inputs[i] =
            (struct box_input){digest, arena_printf(a, "%s/%s", path, digest ? digest : "")};
        job->input_count = i + 1;
    }
    if (dir >= 0)
        close(dir);
    return rc;
}

static void drop_inputs(struct slot *s, const struct claim *c)
{
    int dir = open(s->agent->shop.inputs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0 && !unpack_remove(dir, c->attempt) && errno != ENOENT)
        log_warn("inputs_left", "attempt=%s", c->attempt);
    if (dir >= 0)
        close(dir);
}

/* ---- the run ---- */

static enum err_code get_image(struct slot *s, const struct software *software, struct image *image,
                               struct arena *a, struct err *err)
{
    struct image_want want = {
        .fetch = fetch_blob,
        .fetch_ctx = s,
        .http = s->api.http,
        .public_only = !s->agent->options->private_registries,
        .stop = slot_stopped,
        .stop_ctx = s,
        .progress = slot_pulling,
        .progress_ctx = s,
    };
    software_want(software, &want);
    return image_get(&s->agent->shop.images, &want, image, a, err);
}

/* What becomes of an attempt when run() itself fails. */
struct verdict {
    const char *code;
    bool released; /* the source was never tried, so nobody is to blame */
};

/* Run it in the seat's container; a kept one that does not even take the task gets no say. */
static enum err_code run_seated(struct slot *s, const struct image *image, const struct job *job,
                                struct box_result *r, struct err *err)
{
    struct agent *a = s->agent;
    struct warm_seat *seat = &s->seat;
    enum err_code rc = job_run_in(&a->shop, image, job, &seat->box, r, err);
    if (!seat->hit || (rc == E_OK && !r->stale))
        return rc;
    log_info("warm_stale", "attempt=%s why=%s", job->id, rc == E_OK ? r->reason : err->text);
    warm_replace(&a->warm, seat);
    memset(r, 0, sizeof(*r));
    return job_run_in(&a->shop, image, job, &seat->box, r, err);
}

static enum err_code run(struct slot *s, const struct claim *c, struct box_result *r,
                         struct verdict *v, struct arena *a, struct err *err)
{
    struct warm_seat *seat = &s->seat;
    char task_address[43];
    char source_address[43];
    char provider_address[43];
    struct image image = {.hold = -1};
    struct software software;
    struct compose_values values = {COURIER_CALLBACK_URL, source_address, provider_address};
    struct job job = {.source = &c->source,
                      .software = &software,
                      .id = c->attempt,
                      .berth = seat->berth,
                      .function = c->function,
                      .input = c->input,
                      .task_address = task_address,
                      .source_address = source_address,
                      .provider_address = provider_address,
                      .stop_fd = s->stop_fd,
                      .egress = s->egress,
                      .keep = seat->keep,
                      .card = s->card.edits};
    job_address(c->task_id, task_address);
    job_address(c->source_id, source_address);
    address_format(s->agent->me.address, provider_address);
    *v = (struct verdict){"image_unavailable", true};
    enum err_code rc =
        software_choose(&c->source, cards_environment(s), &values, a, &software, err);
    if (rc == E_OK)
        rc = get_image(s, &software, &image, a, err);
    if (rc == E_DIGEST_MISMATCH || rc == E_BAD_MANIFEST || rc == E_TOO_LARGE)
        v->code = "image_refused";
    if (rc != E_OK)
        return rc;
    v->code = "input_unavailable";
    rc = fetch_inputs(s, c, &job, a, err);
    if (rc != E_OK) {
        image_release(&image);
        return rc;
    }
    *v = (struct verdict){"start_failure", false};
    log_info("run_begins", "attempt=%s task=%s source=%.*s warm=%d", c->attempt, c->task,
             (int)c->source.name.n, c->source.name.s, seat->hit);
    slot_running(s);
    rc = run_seated(s, &image, &job, r, err);
    if (rc == E_BAD_MANIFEST && job.card)
        *v = (struct verdict){"image_refused", true};
    /* What is kept still runs from its image: it may not be evicted under it. */
    if (rc == E_OK && r->kept && seat->hold < 0 && image.hold >= 0)
        seat->hold = fcntl(image.hold, F_DUPFD_CLOEXEC, 3);
    image_release(&image);
    return rc;
}

static void finish(struct slot *s, const struct claim *c, struct box_result *r, struct arena *a)
{
    const struct box_usage *u = &r->usage;
    atomic_fetch_add(&s->agent->stats.ends[r->end], 1);
    atomic_fetch_add(&s->agent->stats.run_ms, (unsigned long long)u->wall_ms);
    atomic_fetch_add(&s->agent->stats.egress_bytes, (unsigned long long)u->egress_bytes);
    log_info("run_ended",
             "attempt=%s end=%s reason=%s start_ms=%lld ready_ms=%lld wall_ms=%lld cpu_ms=%lld "
             "memory=%lld egress=%lld kept=%d",
             c->attempt, box_end_word(r->end), r->reason, (long long)u->start_ms,
             (long long)u->ready_ms, (long long)u->wall_ms, (long long)(u->cpu_us / 1000),
             (long long)u->memory_peak, (long long)u->egress_bytes, r->kept);
    /* Whatever came out of a card that failed is not trusted. */
    if (atomic_load(&s->cause) == STOP_CARD)
        submit_failure(s, c->attempt, s->card.code, s->card.text, false);
    else if (r->end == BOX_OK)
        submit_response(s, c, r, a);
    else if (r->end != BOX_STOPPED)
        submit_failure(s, c->attempt, box_end_word(r->end), r->reason, false);
    else if (atomic_load(&s->cause) == STOP_DRAIN)
        submit_failure(s, c->attempt, "draining", "the worker ends", true);
}

/* For the choice of sources: what this task brought and took. */
static void note_earning(struct slot *s, const struct claim *c, const struct box_result *r,
                         const json_t *answer, int64_t submit_ms)
{
    struct wei reward;
    const char *text = json_string_value(json_object_get(answer, "reward"));
    if (r->end == BOX_STOPPED || !text || !wei_parse(text_of(text), &reward))
        return;
    earnings_note(&s->agent->earnings, c->source_id, reward,
                  r->usage.start_ms + r->usage.wall_ms + submit_ms, r->end == BOX_OK);
}

/* A gateway may give out a source that we never registered for. */
static enum err_code agree(struct slot *s, const struct claim *c, struct verdict *v,
                           struct err *err)
{
    const struct egress_terms *terms = &s->agent->sources.egress;
    *v = (struct verdict){"egress_refused", true};
    enum err_code rc = egress_terms_agree(terms, &c->source, err);
    s->egress = rc == E_OK ? egress_terms_spec(terms, &c->source) : NULL;
    return rc;
}

bool attempt_serve(struct slot *s, const json_t *answer)
{
    struct claim c;
    struct err err = {0};
    static _Thread_local struct box_result r;
    struct verdict v = {"bad_claim", true};
    struct arena *a = arena_new();
    memset(&r, 0, sizeof(r));
    enum err_code rc = claim_read(answer, &c, a, &err);
    if (!c.attempt) {
        log_error("claim_unreadable", "why=%s", err.text);
        arena_free(a);
        return false;
    }
    log_info("claimed", "attempt=%s task=%s slot=%u epoch=%u", c.attempt, c.task ? c.task : "",
             s->index, c.epoch);
    slot_begin(s, c.attempt, c.lease_s > 0 ? c.lease_s : 1);
    if (atomic_load(&s->agent->draining))
        slot_stop(s, STOP_DRAIN); /* drain() looked before we were live */
    /* Input files are mounted when a container is made, and bytes are counted from there: such
     * tasks need one of their own. */
    bool warm = c.source.contract == CONTRACT_HTTP && json_array_size(c.input_blobs) == 0 &&
                !c.source.egress;
    if (rc == E_OK)
        rc = agree(s, &c, &v, &err);
    if (rc == E_OK) {
        v = (struct verdict){"no_device", true};
        rc = cards_begin(s, &c.source, &err);
        /* A card is scrubbed between tasks, so nothing that has one is kept. */
        warm = warm && !s->card.lease.held;
    }
    bool seated = rc == E_OK;
    if (seated) {
        warm_take(&s->agent->warm, c.source_id, warm, &s->seat);
        rc = run(s, &c, &r, &v, a, &err);
        cards_after_run(s, r.stuck);
    }
    if (rc == E_OK) {
        int64_t ended = clock_mono_us();
        finish(s, &c, &r, a);
        note_earning(s, &c, &r, answer, (clock_mono_us() - ended) / 1000);
    } else if (atomic_load(&s->cause) == STOP_CARD) {
        submit_failure(s, c.attempt, s->card.code, s->card.text, false);
    } else if (!slot_stopped(s)) {
        submit_failure(s, c.attempt, v.code, err.text, v.released);
    } else if (atomic_load(&s->cause) == STOP_DRAIN) {
        submit_failure(s, c.attempt, "draining", "the worker ends", true);
    }
    bool ran = rc == E_OK && r.end != BOX_START_FAILURE;
    slot_end(s);
    box_result_done(&r);
    if (seated)
        warm_give_back(&s->agent->warm, &s->seat, &r);
    cards_end(s);
    json_decref(s->egress);
    s->egress = NULL;
    drop_inputs(s, &c);
    arena_free(a);
    return ran;
}

void attempt_hand_back(struct slot *s, const json_t *answer)
{
    const char *attempt = json_string_value(json_object_get(answer, "attempt"));
    int64_t lease_s = json_integer_value(json_object_get(answer, "lease_s"));
    if (!attempt)
        return;
    slot_begin(s, attempt, lease_s > 0 ? lease_s : 1);
    submit_failure(s, attempt, "draining", "the worker ends", true);
    slot_end(s);
}
