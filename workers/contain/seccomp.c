/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/utsname.h>

#include "workers/contain/spec.h"

/*
 * The list is data (workers/seccomp.json) and travels inside the binary: a worker cannot lose it,
 * and nobody can weaken it without building another worker.
 */
__asm__(".section .rodata\n"
        ".balign 16\n"
        "ogpu_seccomp_begin:\n"
        ".incbin \"workers/seccomp.json\"\n"
        "ogpu_seccomp_end:\n"
        ".balign 8\n"
        "ogpu_seccomp_size: .quad ogpu_seccomp_end - ogpu_seccomp_begin\n"
        ".previous\n");

extern const char ogpu_seccomp_begin[];
extern const uint64_t ogpu_seccomp_size;

static const char *architecture(void)
{
    struct utsname u;
    if (uname(&u) == 0 && strcmp(u.machine, "aarch64") == 0)
        return "SCMP_ARCH_AARCH64";
    return "SCMP_ARCH_X86_64";
}

static void add_rules(json_t *to, const json_t *rows, const char *action, bool gvisor)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        bool allow = gvisor && json_object_get(row, "gvisor");
        json_t *rule = json_pack("{s:O, s:s}", "names", json_object_get(row, "names"), "action",
                                 allow ? "SCMP_ACT_ALLOW" : action);
        json_t *no = allow ? NULL : json_object_get(row, "errno");
        json_t *args = json_object_get(row, "args");
        if (no)
            json_object_set(rule, "errnoRet", no);
        if (args)
            json_object_set(rule, "args", args);
        json_array_append_new(to, rule);
    }
}

enum err_code spec_seccomp(bool gvisor, json_t **out, struct err *err)
{
    json_error_t why;
    json_t *data =
        json_loadb(ogpu_seccomp_begin, (size_t)ogpu_seccomp_size, JSON_REJECT_DUPLICATES, &why);
    if (!data)
        return err_set(err, E_INTERNAL, "seccomp.json, line %d: %s", why.line, why.text);
    json_t *rules = json_array();
    json_t *allow = json_pack("[{s:O}]", "names", json_object_get(data, "allow"));
    add_rules(rules, allow, "SCMP_ACT_ALLOW", gvisor);
    add_rules(rules, json_object_get(data, "conditional"), "SCMP_ACT_ALLOW", gvisor);
    add_rules(rules, json_object_get(data, "refuse"), "SCMP_ACT_ERRNO", gvisor);
    json_t *v = json_pack("{s:s, s:O, s:[s], s:o}", "defaultAction", "SCMP_ACT_ERRNO",
                          "defaultErrnoRet", json_object_get(data, "default_errno"),
                          "architectures", architecture(), "syscalls", rules);
    json_decref(allow);
    json_decref(data);
    if (!v)
        return err_set(err, E_INTERNAL, "seccomp.json does not have the expected members");
    *out = v;
    return E_OK;
}
