/* SPDX-License-Identifier: MIT */
/* The configuration a runtime gets, the messages to the supervisor, types of outputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <seccomp.h>

#include "workers/contain/outputs.h"
#include "workers/contain/spec.h"
#include "workers/contain/wire.h"

static const struct box_spec example = {
    .id = "ogpu-1-att_x",
    .runtime = "/usr/bin/crun",
    .rootfs = "/images/a",
    .cgroup_parent = "/a/b",
    .args = {"/bin/x", "-v"},
    .arg_count = 2,
    .env = {"PATH=/bin", "A=b=c"},
    .env_count = 2,
    .cwd = "/",
    .uid = 1000,
    .gid = 1000,
    .uid_base = 200000,
    .contract = BOX_HTTP,
    .function = "echo",
    .task_address = "0x01",
    .limits = {64 << 20, 7, 250, 1 << 20, 2 << 20, 3, 4000},
    .inputs = {{"in", "/tmp/in"}},
    .input_count = 1,
};

static void test_media_types(void **state)
{
    (void)state;
    assert_string_equal(outputs_media_type("x.png"), "image/png");
    assert_string_equal(outputs_media_type("x.json"), "application/json");
    assert_string_equal(outputs_media_type("png"), "application/octet-stream");
}

static const json_t *at(const json_t *v, const char *a, const char *b, const char *c)
{
    v = json_object_get(v, a);
    v = b ? json_object_get(v, b) : v;
    return c ? json_object_get(v, c) : v;
}

static bool masks(const json_t *config, const char *path)
{
    const json_t *list = at(config, "linux", "maskedPaths", NULL);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), path) == 0)
            return true;
    return false;
}

static void test_config(void **state)
{
    static const char *const sets[] = {"bounding", "effective", "inheritable", "permitted",
                                       "ambient"};
    struct err err;
    json_t *v;
    (void)state;
    assert_int_equal(spec_config(&example, &v, &err), E_OK);
    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        const json_t *set = at(v, "process", "capabilities", sets[i]);
        assert_true(json_is_array(set));
        assert_int_equal(json_array_size(set), 0);
    }
    assert_true(json_is_true(at(v, "process", "noNewPrivileges", NULL)));
    assert_true(json_is_true(at(v, "root", "readonly", NULL)));
    assert_int_equal(json_array_size(at(v, "linux", "namespaces", NULL)), 7);
    assert_string_equal(json_string_value(at(v, "linux", "cgroupsPath", NULL)),
                        "/a/b/ogpu-1-att_x");
    const json_t *resources = at(v, "linux", "resources", NULL);
    assert_int_equal(json_integer_value(at(resources, "memory", "limit", NULL)), 64 << 20);
    assert_int_equal(json_integer_value(at(resources, "memory", "swap", NULL)), 64 << 20);
    assert_int_equal(json_integer_value(at(resources, "pids", "limit", NULL)), 7);
    assert_int_equal(json_integer_value(at(resources, "cpu", "quota", NULL)), 25000);
    const json_t *device = json_array_get(json_object_get(resources, "devices"), 0);
    assert_true(json_is_false(json_object_get(device, "allow")));
    const json_t *map = json_array_get(at(v, "linux", "uidMappings", NULL), 0);
    assert_int_equal(json_integer_value(json_object_get(map, "hostID")), 200000);
    assert_int_equal(json_array_size(json_object_get(v, "mounts")), 7);
    assert_true(masks(v, "/proc/kcore"));
    assert_true(masks(v, "/proc/driver"));
    json_decref(v);
    /* a driver's own libraries read it */
    struct box_spec with_card = example;
    with_card.card = json_object();
    assert_int_equal(spec_config(&with_card, &v, &err), E_OK);
    assert_true(masks(v, "/proc/kcore"));
    assert_false(masks(v, "/proc/driver"));
    json_decref((json_t *)with_card.card);
    json_decref(v);
}

/* Every name is a call that libseccomp knows, none stands in two lists, every departure has a
 * reason. */
static void test_seccomp(void **state)
{
    struct err err;
    json_t *v;
    size_t i;
    json_t *rule;
    json_t *seen = json_object();
    size_t allowed = 0;
    (void)state;
    assert_int_equal(spec_seccomp(false, &v, &err), E_OK);
    assert_string_equal(json_string_value(json_object_get(v, "defaultAction")), "SCMP_ACT_ERRNO");
    json_array_foreach(json_object_get(v, "syscalls"), i, rule)
    {
        size_t k;
        json_t *name;
        const char *action = json_string_value(json_object_get(rule, "action"));
        json_array_foreach(json_object_get(rule, "names"), k, name)
        {
            const char *s = json_string_value(name);
            const json_t *before = json_object_get(seen, s);
            if (seccomp_syscall_resolve_name(s) == __NR_SCMP_ERROR)
                fail_msg("%s is no system call", s);
            /* conditional rules may repeat a call: each line another argument */
            if (before && !(json_object_get(rule, "args") && json_is_true(before)))
                fail_msg("%s stands in two lists", s);
            json_object_set_new(seen, s, json_boolean(json_object_get(rule, "args") != NULL));
            allowed += strcmp(action, "SCMP_ACT_ALLOW") == 0;
        }
    }
    assert_in_range(allowed, 250, 320);
    static const char *const never[] = {"mount",  "unshare", "setns",   "ptrace",
                                        "keyctl", "bpf",     "mknodat", "reboot"};
    for (i = 0; i < ARRAY_LEN(never); i++)
        assert_non_null(json_object_get(seen, never[i]));
    json_decref(seen);
    json_decref(v);
}

/* gVisor's list is the same but for what a row says of it. */
static void test_seccomp_gvisor(void **state)
{
    struct err err;
    json_t *plain;
    json_t *other;
    size_t i;
    json_t *rule;
    size_t differ = 0;
    (void)state;
    assert_int_equal(spec_seccomp(false, &plain, &err), E_OK);
    assert_int_equal(spec_seccomp(true, &other, &err), E_OK);
    json_array_foreach(json_object_get(other, "syscalls"), i, rule)
    {
        if (json_equal(rule, json_array_get(json_object_get(plain, "syscalls"), i)))
            continue;
        json_t *want = json_pack("{s:[s], s:s}", "names", "clone3", "action", "SCMP_ACT_ALLOW");
        assert_true(json_equal(rule, want));
        json_decref(want);
        differ++;
    }
    assert_int_equal(differ, 1);
    json_decref(plain);
    json_decref(other);
}

static void test_wire_spec(void **state)
{
    struct err err;
    struct box_spec back;
    (void)state;
    json_t *v = wire_from_spec(&example);
    assert_non_null(v);
    assert_int_equal(wire_to_spec(v, &back, &err), E_OK);
    assert_string_equal(back.args[1], "-v");
    assert_string_equal(back.env[1], "A=b=c");
    assert_string_equal(back.inputs[0].path, "/tmp/in");
    assert_int_equal(back.contract, BOX_HTTP);
    assert_memory_equal(&back.limits, &example.limits, sizeof(back.limits));
    json_t *again = wire_from_spec(&back);
    assert_true(json_equal(v, again));
    json_decref(again);
    json_object_del(v, "rootfs");
    assert_int_equal(wire_to_spec(v, &back, &err), E_INTERNAL);
    json_decref(v);
}

static void test_wire_messages(void **state)
{
    int pair[2];
    int memory;
    int got[BOX_OUTPUTS_MAX];
    size_t n = BOX_OUTPUTS_MAX;
    struct err err;
    struct box_result back;
    struct box_result r = {
        .end = BOX_OOM, .status = 9, .reason = "why", .usage = {.oom_kills = 1, .pids_refused = 6}};
    json_t *v;
    char text[8] = "";
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(wire_memfd("bytes", 5, &memory, &err), E_OK);
    assert_int_equal(write(memory, "x", 1), -1); /* sealed */
    strcpy(r.outputs[0].name, "a");              // NOLINT: one letter
    r.outputs[0].size = 5;
    r.output_count = 1;
    json_t *sent = wire_from_result(&r);
    assert_int_equal(wire_send(pair[0], sent, &memory, 1, &err), E_OK);
    assert_int_equal(wire_receive(pair[1], &v, got, &n, &err), E_OK);
    assert_int_equal(n, 1);
    assert_int_equal(wire_to_result(v, got, n, &back, &err), E_OK);
    assert_int_equal(back.end, BOX_OOM);
    assert_int_equal(back.usage.pids_refused, 6);
    assert_int_equal(pread(back.outputs[0].fd, text, sizeof(text), 0), 5);
    assert_string_equal(text, "bytes");
    assert_int_equal(wire_to_result(v, got, 0, &back, &err), E_INTERNAL);
    json_decref(v);
    close(pair[0]);
    n = BOX_OUTPUTS_MAX;
    assert_int_equal(wire_receive(pair[1], &v, got, &n, &err), E_IO);
    json_decref(sent);
    close(memory);
    close(got[0]);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_media_types),   cmocka_unit_test(test_config),
        cmocka_unit_test(test_seccomp),       cmocka_unit_test(test_wire_spec),
        cmocka_unit_test(test_wire_messages), cmocka_unit_test(test_seccomp_gvisor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
