/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "workers/contain/wire.h"

static json_t *strings(const char *const *list, size_t n)
{
    json_t *a = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(a, json_string(list[i]));
    return a;
}

static json_t *caches_of(const struct box_spec *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->cache_count; i++)
        json_array_append_new(list, json_pack("[s, s]", s->caches[i].path, s->caches[i].place));
    return list;
}

json_t *wire_from_spec(const struct box_spec *s)
{
    const struct box_limits *l = &s->limits;
    json_t *inputs = json_array();
    for (size_t i = 0; i < s->input_count; i++)
        json_array_append_new(inputs, json_pack("[s, s]", s->inputs[i].name, s->inputs[i].path));
    json_t *limits =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "memory", (json_int_t)l->memory_bytes,
                  "pids", (json_int_t)l->pids, "cpu", (json_int_t)l->cpu_millis, "tmp",
                  (json_int_t)l->tmp_bytes, "out", (json_int_t)l->output_bytes, "files",
                  (json_int_t)l->output_files, "wall", (json_int_t)l->wall_ms);
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:I, s:I, s:I, s:i, s:s, s:s, s:o, s:o, "
                     "s:o, s:s*, s:b, s:O*, s:O*}",
                     "id", s->id, "runtime", s->runtime, "rootfs", s->rootfs, "cgroup",
                     s->cgroup_parent, "args", strings(s->args, s->arg_count), "env",
                     strings(s->env, s->env_count), "cwd", s->cwd, "uid", (json_int_t)s->uid, "gid",
                     (json_int_t)s->gid, "base", (json_int_t)s->uid_base, "contract",
                     (int)s->contract, "function", s->function ? s->function : "", "address",
                     s->task_address ? s->task_address : "", "limits", limits, "inputs", inputs,
                     "caches", caches_of(s), "readiness", s->readiness, "keep", s->keep ? 1 : 0,
                     "card", s->card, "egress", s->egress);
}

static bool list_of(const json_t *a, const char **out, size_t room, size_t *n)
{
    size_t count = json_array_size(a);
    if (count > room)
        return false;
    for (size_t i = 0; i < count; i++) {
        out[i] = json_string_value(json_array_get(a, i));
        if (!out[i])
            return false;
    }
    *n = count;
    return true;
}

static bool read_caches(const json_t *list, struct box_spec *s)
{
    s->cache_count = json_array_size(list);
    if (s->cache_count > BOX_CACHES_MAX)
        return false;
    for (size_t i = 0; i < s->cache_count; i++) {
        const json_t *row = json_array_get(list, i);
        s->caches[i].path = json_string_value(json_array_get(row, 0));
        s->caches[i].place = json_string_value(json_array_get(row, 1));
        if (!s->caches[i].path || !s->caches[i].place)
            return false;
    }
    return true;
}

static const char *text(const json_t *v, const char *name)
{
    return json_string_value(json_object_get(v, name));
}

static int64_t number(const json_t *v, const char *name)
{
    return (int64_t)json_integer_value(json_object_get(v, name));
}

static struct box_limits limits_of(const json_t *l)
{
    return (struct box_limits){
        .memory_bytes = number(l, "memory"),
        .pids = number(l, "pids"),
        .cpu_millis = number(l, "cpu"),
        .tmp_bytes = number(l, "tmp"),
        .output_bytes = number(l, "out"),
        .output_files = number(l, "files"),
        .wall_ms = number(l, "wall"),
    };
}

enum err_code wire_to_spec(const json_t *v, struct box_spec *out, struct err *err)
{
    struct box_spec s = {
        .id = text(v, "id"),
        .runtime = text(v, "runtime"),
        .rootfs = text(v, "rootfs"),
        .cgroup_parent = text(v, "cgroup"),
        .cwd = text(v, "cwd"),
        .uid = (uint32_t)number(v, "uid"),
        .gid = (uint32_t)number(v, "gid"),
        .uid_base = (uint32_t)number(v, "base"),
        .contract = number(v, "contract") == BOX_HTTP ? BOX_HTTP : BOX_EXEC,
        .function = text(v, "function"),
        .task_address = text(v, "address"),
        .readiness = text(v, "readiness"),
        .limits = limits_of(json_object_get(v, "limits")),
        .keep = json_is_true(json_object_get(v, "keep")),
        .card = json_object_get(v, "card"),
        .egress = json_object_get(v, "egress"),
    };
    const json_t *inputs = json_object_get(v, "inputs");
    bool ok =
        s.id && s.runtime && s.rootfs && s.cgroup_parent && s.cwd && s.function && s.task_address &&
        list_of(json_object_get(v, "args"), s.args, BOX_ARGS_MAX, &s.arg_count) &&
        list_of(json_object_get(v, "env"), s.env, BOX_ENV_MAX, &s.env_count) &&
        read_caches(json_object_get(v, "caches"), &s) && json_array_size(inputs) <= BOX_INPUTS_MAX;
    for (size_t i = 0; ok && i < json_array_size(inputs); i++) {
        const json_t *row = json_array_get(inputs, i);
        s.inputs[i].name = json_string_value(json_array_get(row, 0));
        s.inputs[i].path = json_string_value(json_array_get(row, 1));
        ok = s.inputs[i].name && s.inputs[i].path;
        s.input_count = i + 1;
    }
    if (!ok)
        return err_set(err, E_INTERNAL, "the supervisor's request is broken");
    *out = s;
    return E_OK;
}

json_t *wire_from_task(const struct box_task *t)
{
    return json_pack("{s:s, s:s, s:I}", "function", t->function, "address", t->task_address, "wall",
                     (json_int_t)t->wall_ms);
}

enum err_code wire_to_task(const json_t *v, struct box_task *out, struct err *err)
{
    struct box_task t = {text(v, "function"), text(v, "address"), number(v, "wall")};
    if (!t.function || !t.task_address || t.wall_ms < 1)
        return err_set(err, E_INTERNAL, "the supervisor's next task is broken");
    *out = t;
    return E_OK;
}

json_t *wire_from_result(const struct box_result *r)
{
    const struct box_usage *u = &r->usage;
    json_t *outputs = json_array();
    for (size_t i = 0; i < r->output_count; i++)
        json_array_append_new(
            outputs, json_pack("[s, I]", r->outputs[i].name, (json_int_t)r->outputs[i].size));
    json_t *usage =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "start", (json_int_t)u->start_ms,
                  "ready", (json_int_t)u->ready_ms, "wall", (json_int_t)u->wall_ms, "cpu",
                  (json_int_t)u->cpu_us, "memory", (json_int_t)u->memory_peak, "oom",
                  (json_int_t)u->oom_kills, "pids", (json_int_t)u->pids_refused, "held",
                  (json_int_t)u->held_bytes, "egress", (json_int_t)u->egress_bytes);
    return json_pack("{s:i, s:i, s:s, s:o, s:o, s:b, s:b}", "end", (int)r->end, "status", r->status,
                     "reason", r->reason, "usage", usage, "outputs", outputs, "kept",
                     r->kept ? 1 : 0, "stale", r->stale ? 1 : 0);
}

enum err_code wire_to_result(const json_t *v, const int *fds, size_t n, struct box_result *out,
                             struct err *err)
{
    struct box_result r = {.end = (enum box_end)number(v, "end"),
                           .status = (int)number(v, "status"),
                           .kept = json_is_true(json_object_get(v, "kept")),
                           .stale = json_is_true(json_object_get(v, "stale"))};
    const json_t *u = json_object_get(v, "usage");
    const json_t *outputs = json_object_get(v, "outputs");
    const char *reason = text(v, "reason");
    if (!reason || (int)r.end < 0 || r.end >= BOX_END_COUNT || json_array_size(outputs) != n ||
        n > BOX_OUTPUTS_MAX)
        return err_set(err, E_INTERNAL, "the supervisor's answer is broken");
    snprintf(r.reason, sizeof(r.reason), "%s", reason);
    r.usage = (struct box_usage){.start_ms = number(u, "start"),
                                 .ready_ms = number(u, "ready"),
                                 .wall_ms = number(u, "wall"),
                                 .cpu_us = number(u, "cpu"),
                                 .memory_peak = number(u, "memory"),
                                 .oom_kills = number(u, "oom"),
                                 .pids_refused = number(u, "pids"),
                                 .held_bytes = number(u, "held"),
                                 .egress_bytes = number(u, "egress")};
    for (size_t i = 0; i < n; i++) {
        const json_t *row = json_array_get(outputs, i);
        const char *name = json_string_value(json_array_get(row, 0));
        snprintf(r.outputs[i].name, sizeof(r.outputs[i].name), "%s", name ? name : "");
        r.outputs[i].size = (int64_t)json_integer_value(json_array_get(row, 1));
        r.outputs[i].fd = fds[i];
    }
    r.output_count = n;
    *out = r;
    return E_OK;
}
