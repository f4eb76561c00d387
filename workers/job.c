/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/arena.h"
#include "lib/buf.h"
#include "workers/contain/courier.h"
#include "workers/contain/egress.h"
#include "workers/device/edits.h"
#include "workers/workshop.h"

/* Set NAME=value; a later one replaces an earlier one. @return false when there is no room. */
static bool set_env(struct box_spec *s, const char *pair)
{
    size_t n = strcspn(pair, "=");
    if (pair[n] != '=' || n == 0)
        return true; /* not a variable: nothing to set */
    for (size_t i = 0; i < s->env_count; i++) {
        if (strncmp(s->env[i], pair, n + 1) == 0) {
            s->env[i] = pair;
            return true;
        }
    }
    if (s->env_count >= BOX_ENV_MAX)
        return false;
    s->env[s->env_count++] = pair;
    return true;
}

/* The names that programs look for. Not ALL_PROXY: the proxy speaks HTTP, and what needs another
 * protocol should say so itself. */
static bool set_proxy(struct box_spec *s, const struct job *job)
{
    static const char *const pairs[] = {
        "http_proxy=" EGRESS_URL,  "HTTP_PROXY=" EGRESS_URL,       "https_proxy=" EGRESS_URL,
        "HTTPS_PROXY=" EGRESS_URL, "no_proxy=localhost,127.0.0.1", "NO_PROXY=localhost,127.0.0.1"};
    bool ok = true;
    for (size_t i = 0; ok && job->egress && i < ARRAY_LEN(pairs); i++)
        ok = set_env(s, pairs[i]);
    return ok;
}

static bool set_environment(struct box_spec *s, const struct image *image, const struct job *job,
                            struct arena *a)
{
    bool ok = set_env(s, "HOME=/tmp");
    for (size_t i = 0; ok && i < image->env_count; i++)
        ok = set_env(s, image->env[i]);
    const struct compose_service *service = &job->software->service;
    for (size_t i = 0; ok && i < service->env_count; i++)
        ok = set_env(s, service->env[i]);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)job->source->env, name, value)
    {
        const char *text = json_string_value(value);
        ok = ok && text && set_env(s, arena_printf(a, "%s=%s", name, text));
    }
    ok = ok && set_proxy(s, job);
    ok = ok && edits_environment(job->card, s->env, BOX_ENV_MAX, &s->env_count, a);
    if (!ok || job->source->contract != CONTRACT_HTTP)
        return ok;
    return set_env(s, "CALLBACK_URL=" COURIER_CALLBACK_URL) &&
           set_env(s, arena_printf(a, "SOURCE_ADDRESS=%s", job->source_address)) &&
           set_env(s, arena_printf(a, "PROVIDER_ADDRESS=%s", job->provider_address));
}

static bool add_args(struct box_spec *s, const char *const *words, size_t n)
{
    if (s->arg_count + n > BOX_ARGS_MAX)
        return false;
    memcpy(s->args + s->arg_count, words, n * sizeof(words[0]));
    s->arg_count += n;
    return true;
}

/* As compose has it: an entrypoint takes the image's command away, a command replaces it. */
static bool set_service_args(struct box_spec *s, const struct image *image,
                             const struct compose_service *v)
{
    bool ok = v->has_entrypoint ? add_args(s, v->entrypoint, v->entrypoint_count)
                                : add_args(s, image->args, image->entry_count);
    if (ok && v->has_command)
        ok = add_args(s, v->command, v->command_count);
    else if (ok && !v->has_entrypoint)
        ok = add_args(s, image->args + image->entry_count, image->arg_count - image->entry_count);
    return ok && s->arg_count > 0;
}

/* Named volumes are caches that the provider has filled; one that he has not is empty. */
static enum err_code set_caches(struct box_spec *s, const struct workshop *w,
                                const struct image *image, const struct compose_service *v,
                                struct arena *a, struct err *err)
{
    for (size_t i = 0; i < v->volume_count; i++) {
        struct stat st;
        const char *path = arena_printf(a, "%s/%s", w->volumes, v->volumes[i].name);
        enum err_code rc = image_place(image->rootfs, v->volumes[i].place, err);
        if (rc != E_OK)
            return rc;
        bool filled = lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
        s->caches[s->cache_count++] = (struct box_cache){filled ? path : "", v->volumes[i].place};
    }
    return E_OK;
}

/* What a compose file says beyond the manifest. */
static enum err_code set_service(struct box_spec *s, const struct workshop *w,
                                 const struct image *image, const struct compose_service *v,
                                 struct arena *a, struct err *err)
{
    if (v->cwd)
        s->cwd = v->cwd;
    if (v->uid) {
        s->uid = v->uid;
        s->gid = v->gid;
    }
    if (!set_service_args(s, image, v))
        return err_set(err, E_BAD_MANIFEST, "neither image nor compose file has a command");
    return set_caches(s, w, image, v, a, err);
}

static bool set_args(struct box_spec *s, const struct image *image, const json_t *command)
{
    if (!command) {
        memcpy(s->args, image->args, sizeof(image->args[0]) * image->arg_count);
        s->arg_count = image->arg_count;
        return s->arg_count > 0;
    }
    size_t i;
    json_t *word;
    json_array_foreach(command, i, word)
    {
        if (s->arg_count >= BOX_ARGS_MAX || !json_is_string(word))
            return false;
        s->args[s->arg_count++] = json_string_value(word);
    }
    return s->arg_count > 0;
}

static enum err_code input_of(const struct job *job, const char *function, struct buf *out,
                              struct err *err)
{
    out->cap = job->input.n + 256;
    if (job->source->contract == CONTRACT_HTTP)
        return buf_add(out, job->input.s, job->input.n, err);
    enum err_code rc = function ? buf_printf(out, err, "{\"function\":\"%s\",\"input\":", function)
                                : buf_printf(out, err, "{\"function\":null,\"input\":");
    if (rc == E_OK)
        rc = buf_add(out, job->input.s, job->input.n, err);
    return rc == E_OK ? buf_add(out, "}\n", 2, err) : rc;
}

/* The name goes into JSON and into an HTTP request line: it is one word or it is nothing. */
static bool function_ok(const char *f)
{
    static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    return strlen(f) <= 64 && f[0] != '\0' && strspn(f, word) == strlen(f);
}

static const char *function_of(const struct job *job, struct arena *a)
{
    if (job->function)
        return job->function;
    return job->source->function.s ? arena_text(a, job->source->function).s : NULL;
}

static struct box_limits limits_of(const struct manifest_limits *l)
{
    return (struct box_limits){
        .memory_bytes = l->memory_mb << 20,
        .pids = l->pids,
        .cpu_millis = l->cpu_millis,
        .tmp_bytes = l->tmp_mb << 20,
        .output_bytes = l->output_bytes,
        .output_files = l->output_files,
        .wall_ms = l->timeout_s * 1000,
    };
}

/* Run it in the given container, or in a new one. */
static enum err_code run_in(struct box **box, const struct box_spec *s, const struct buf *input,
                            const struct job *job, struct box_result *out, struct err *err)
{
    struct bytes bytes = {input->p, input->n};
    if (!*box)
        return box_begin(s, bytes, job->stop_fd, out, box, err);
    struct box_task task = {s->function, s->task_address, s->limits.wall_ms};
    return box_again(*box, &task, bytes, job->stop_fd, out, err);
}

enum err_code job_run(const struct workshop *w, const struct image *image, const struct job *job,
                      struct box_result *out, struct err *err)
{
    struct job once = *job;
    struct box *none = NULL;
    once.keep = false;
    enum err_code rc = job_run_in(w, image, &once, &none, out, err);
    box_close(none);
    return rc;
}

enum err_code job_run_in(const struct workshop *w, const struct image *image, const struct job *job,
                         struct box **box, struct box_result *out, struct err *err)
{
    struct arena *a = arena_new();
    const char *function = function_of(job, a);
    struct box_spec s = {
        .id = arena_printf(a, "%s%.40s", w->tag, job->id),
        .runtime = w->runtime,
        .rootfs = image->rootfs,
        .cgroup_parent = w->cgroup.parent,
        .cwd = image->cwd,
        .uid = image->uid,
        .gid = image->gid,
        .uid_base = w->uid_base + job->berth * BOX_IDS,
        .contract = job->source->contract == CONTRACT_HTTP ? BOX_HTTP : BOX_EXEC,
        .function = function,
        .task_address = job->task_address,
        .readiness = job->source->readiness.s ? arena_text(a, job->source->readiness).s : NULL,
        .limits = limits_of(&job->source->limits),
        .input_count = job->input_count,
        .keep = job->keep && !job->egress,
        .egress = job->egress,
        .card = job->card,
    };
    struct buf input = {0};
    memcpy(s.inputs, job->inputs, sizeof(s.inputs));
    enum err_code rc = E_OK;
    if (job->source->egress && !job->egress)
        rc = err_set(err, E_BAD_MANIFEST, "the source asks for a network, which is not agreed to");
    else if (function && !function_ok(function))
        rc = err_set(err, E_BAD_MANIFEST, "the function's name is not one word");
    else if (!function && s.contract == BOX_HTTP)
        rc = err_set(err, E_BAD_MANIFEST, "the http contract needs a function's name");
    else if (!set_environment(&s, image, job, a))
        rc = err_set(err, E_BAD_MANIFEST, "too many environment variables");
    else if (job->software->composed)
        rc = set_service(&s, w, image, &job->software->service, a, err);
    else if (!set_args(&s, image, job->source->command))
        rc = err_set(err, E_BAD_MANIFEST, "neither image nor manifest has a command");
    if (rc == E_OK && job->card)
        rc = edits_judge(s.env, s.env_count, err);
    if (rc == E_OK)
        rc = input_of(job, function, &input, err);
    if (rc == E_OK)
        rc = run_in(box, &s, &input, job, out, err);
    buf_done(&input);
    arena_free(a);
    return rc;
}
