/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/hex.h"
#include "lib/json.h"
#include "lib/log.h"
#include "workers/commands.h"
#include "workers/contain/courier.h"
#include "workers/contain/outputs.h"
#include "workers/egress_terms.h"
#include "workers/image/blobs.h"
#include "workers/options.h"
#include "workers/try_card.h"
#include "workers/workshop.h"

#define NOBODY "0x0000000000000000000000000000000000000000"

static const char usage[] =
    "usage: ogpu-worker try MANIFEST.json IMAGE.oci.tar FUNCTION INPUT.json OUTDIR [options]\n"
    "  Runs a source once, as a task would run it. OUTDIR gets the outputs, stdout tells how it "
    "ended.\n"
    "  IMAGE may be '-' for the registry reference of the manifest.\n";

static enum err_code copy(int from, int to, int64_t size, struct err *err)
{
    for (off_t at = 0; at < size;) {
        if (sendfile(to, from, &at, (size_t)(size - at)) <= 0)
            return err_set(err, E_IO, "cannot copy: %s", strerror(errno));
    }
    return E_OK;
}

static enum err_code from_file(void *ctx, const char *sha256_hex, int fd, int64_t max,
                               struct err *err)
{
    struct stat st;
    (void)sha256_hex;
    int from = open(ctx, O_RDONLY | O_CLOEXEC);
    if (from < 0 || fstat(from, &st) != 0)
        return err_set(err, E_IO, "cannot read %.100s: %s", (const char *)ctx, strerror(errno));
    enum err_code rc = st.st_size > max
                           ? err_set(err, E_TOO_LARGE, "the image archive is too large")
                           : copy(from, fd, st.st_size, err);
    close(from);
    return rc;
}

static enum err_code save(const struct box_output *o, const char *dir, json_t *list,
                          struct err *err)
{
    char path[1024];
    char hex[65];
    int64_t size;
    enum err_code rc = blobs_hash(o->fd, hex, &size, err);
    if (rc != E_OK)
        return rc;
    json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:s}", "name", o->name, "media_type",
                                          outputs_media_type(o->name), "size", (json_int_t)size,
                                          "sha256", hex));
    snprintf(path, sizeof(path), "%.800s/%s", dir, o->name);
    int to = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (to < 0)
        return err_set(err, E_IO, "cannot write %.100s: %s", path, strerror(errno));
    rc = copy(o->fd, to, o->size, err);
    close(to);
    return rc;
}

static enum err_code report(const struct box_result *r, const char *dir, struct err *err)
{
    json_t *outputs = json_array();
    enum err_code rc = E_OK;
    if (mkdir(dir, 0755) != 0 && errno != EEXIST)
        rc = err_set(err, E_IO, "cannot make %.100s: %s", dir, strerror(errno));
    for (size_t i = 0; rc == E_OK && i < r->output_count; i++)
        rc = save(&r->outputs[i], dir, outputs, err);
    const struct box_usage *u = &r->usage;
    json_t *v =
        json_pack("{s:s, s:i, s:s, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I}, s:o}", "end",
                  box_end_word(r->end), "status", r->status, "reason", r->reason, "usage",
                  "start_ms", (json_int_t)u->start_ms, "wall_ms", (json_int_t)u->wall_ms, "cpu_us",
                  (json_int_t)u->cpu_us, "memory_peak", (json_int_t)u->memory_peak, "oom_kills",
                  (json_int_t)u->oom_kills, "pids_refused", (json_int_t)u->pids_refused,
                  "egress_bytes", (json_int_t)u->egress_bytes, "outputs", outputs);
    if (rc == E_OK && json_dumpf(v, stdout, JSON_INDENT(2)) != 0)
        rc = err_set(err, E_IO, "cannot print");
    putchar('\n');
    json_decref(v);
    return rc;
}

/* The network that the source asks for, if this worker's options agree; NULL: none. */
static enum err_code agree(const struct options *o, const struct manifest *source, json_t **egress,
                           struct err *err)
{
    struct egress_terms terms;
    enum err_code rc = egress_terms_read(o, &terms, err);
    if (rc == E_OK)
        rc = egress_terms_agree(&terms, source, err);
    if (rc == E_OK)
        *egress = egress_terms_spec(&terms, source);
    return rc;
}

/* @archive  the image's file, or "-": from its registry */
static enum err_code get_image(char *archive, struct workshop *w, const struct software *software,
                               struct image *out, struct arena *a, struct err *err)
{
    struct image_want want = {.fetch = from_file, .fetch_ctx = archive, .http = http_client_new()};
    software_want(software, &want);
    if (strcmp(archive, "-") == 0)
        want.blob = NULL;
    else if (!want.blob)
        want.reference = NULL;
    enum err_code rc = image_get(&w->images, &want, out, a, err);
    http_client_free(want.http);
    return rc;
}

static enum err_code run(char **argv, const struct options *o, struct workshop *w, struct arena *a,
                         struct box_result *r, struct err *err)
{
    struct manifest source;
    struct image image = {.hold = -1};
    json_error_t why;
    json_t *manifest = json_with_integers(json_load_file(argv[0], JSON_REJECT_DUPLICATES, &why));
    json_t *input = json_load_file(argv[3], JSON_DECODE_ANY, &why);
    if (!manifest || !input) {
        json_decref(manifest);
        json_decref(input);
        return err_set(err, E_BAD_JSON, "%.100s is not JSON", manifest ? argv[3] : argv[0]);
    }
    struct software software;
    struct try_card card = {.book = NULL};
    json_t *egress = NULL;
    struct compose_values values = {COURIER_CALLBACK_URL, NOBODY, NOBODY};
    enum err_code rc = manifest_read(manifest, &source, err);
    if (rc == E_OK)
        rc = agree(o, &source, &egress, err);
    /* As the agent: cards are for a worker that is root. */
    if (rc == E_OK && !w->rootless)
        rc = try_card_take(&card, o, &source, err);
    if (rc == E_OK)
        rc = software_choose(&source, try_card_environment(&card), &values, a, &software, err);
    if (rc == E_OK)
        rc = get_image(argv[1], w, &software, &image, a, err);
    if (rc == E_OK) {
        char id[32];
        snprintf(id, sizeof(id), "try-%d", (int)getpid());
        struct job job = {.source = &source,
                          .software = &software,
                          .id = id,
                          .function = argv[2][0] ? argv[2] : NULL,
                          .input = json_text(input, a),
                          .task_address = NOBODY,
                          .source_address = NOBODY,
                          .provider_address = NOBODY,
                          .stop_fd = -1,
                          .egress = egress,
                          .card = card.edits};
        rc = job_run(w, &image, &job, r, err);
    }
    try_card_end(&card);
    json_decref(egress);
    image_release(&image);
    json_decref(manifest);
    json_decref(input);
    return rc;
}

int command_try(int argc, char **argv)
{
    static struct box_result r;
    struct err err = {0};
    struct options o = {0};
    struct workshop w = {.lock = -1};
    if (argc < 5) {
        fputs(usage, stderr);
        return 2;
    }
    struct arena *a = arena_new();
    enum err_code rc =
        options_load(options_local, options_local_count, argc - 5, argv + 5, &o, &err);
    if (rc == E_OK) {
        struct workshop_config c = {o.work_dir,    o.runtime,  o.uid_base, o.image_mb,
                                    o.image_files, o.cache_mb, o.free_mb,  o.pull_s};
        rc = workshop_open(&w, &c, &err);
    }
    if (rc == E_OK)
        rc = run(argv, &o, &w, a, &r, &err);
    if (rc == E_OK)
        rc = report(&r, argv[4], &err);
    if (rc != E_OK)
        fprintf(stderr, "ogpu-worker: %s: %s\n", err_info(rc)->word, err.text);
    int status = rc != E_OK ? 2 : r.end == BOX_OK ? 0 : 1;
    box_result_done(&r);
    workshop_close(&w);
    arena_free(a);
    return status;
}
