/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/compose.h"
#include "core/image_ref.h"
#include "core/manifest.h"
#include "core/yaml_tree.h"

#define HEX    "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
#define DIGEST "sha256:" HEX
#define HEAD   "services:\n  s:\n    image: r.example/x@" DIGEST "\n"

static struct arena *arena;
static struct err why;

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static enum err_code read_file(const char *yaml, unsigned env, struct compose_service *s)
{
    static const struct compose_values values = {"http://127.0.0.1:20000", "0xS", "0xP"};
    why = (struct err){.code = E_OK};
    return compose_read(text_of(yaml), env, &values, arena, s, &why);
}

/* A file as OpenGPU's own example sources have it (ground truth 2.2). */
static const char upstream[] = "version: '3.8'\n"
                               "services:\n"
                               "  openchat:\n"
                               "    image: opengpunetwork/openchat:latest@" DIGEST "\n"
                               "    pull_policy: always\n"
                               "    restart: unless-stopped\n"
                               "    ports:\n"
                               "      - \"${PORT}:5555\"\n"
                               "    environment:\n"
                               "      - CALLBACK_URL=${CALLBACK_URL}\n"
                               "      - SOURCE_ADDRESS\n"
                               "      - OGPU_SDK_SENTRY_DSN=${OGPU_SDK_SENTRY_DSN}\n"
                               "      - MODEL=${MODEL:-small}$$\n"
                               "    extra_hosts:\n"
                               "      - \"host.docker.internal:host-gateway\"\n"
                               "    volumes:\n"
                               "      - hf_cache:/root/.cache/huggingface\n"
                               "    command: python -m \"serve it\" --fast\\ er 'a b'\n"
                               "    deploy:\n"
                               "      resources:\n"
                               "        reservations:\n"
                               "          devices:\n"
                               "            - driver: nvidia\n"
                               "              count: all\n"
                               "              capabilities: [gpu]\n"
                               "volumes:\n"
                               "  hf_cache:\n";

static void test_upstream(void **state)
{
    struct compose_service s;
    (void)state;
    assert_int_equal(read_file(upstream, ENV_NVIDIA, &s), E_OK);
    assert_string_equal(s.reference, "registry-1.docker.io/opengpunetwork/openchat@" DIGEST);
    assert_string_equal(s.digest, DIGEST);
    assert_int_equal(s.env_count, 4);
    assert_string_equal(s.env[0], "CALLBACK_URL=http://127.0.0.1:20000");
    assert_string_equal(s.env[1], "SOURCE_ADDRESS=0xS");
    assert_string_equal(s.env[2], "OGPU_SDK_SENTRY_DSN=");
    assert_string_equal(s.env[3], "MODEL=small$");
    assert_int_equal(s.gpus, -1);
    assert_int_equal(s.volume_count, 1);
    assert_string_equal(s.volumes[0].name, "hf_cache");
    assert_string_equal(s.volumes[0].place, "/root/.cache/huggingface");
    assert_true(s.has_command && !s.has_entrypoint);
    const char *const words[] = {"python", "-m", "serve it", "--fast er", "a b"};
    assert_int_equal(s.command_count, ARRAY_LEN(words));
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        assert_string_equal(s.command[i], words[i]);
    assert_int_equal(read_file(upstream, ENV_CPU, &s), E_BAD_MANIFEST);
    assert_non_null(strstr(why.text, "line 22: NVIDIA cards"));
}

static const struct {
    const char *members; /* below the service, from line 4 on */
    int line;
    const char *says;
} refused[] = {
    {"    privileged: true\n", 4, "privileged is refused"},
    {"    network_mode: host\n", 4, "network_mode is refused"},
    {"    network_mode: 'service:x'\n", 4, "network_mode is refused"},
    {"    networks: [default]\n", 4, "networks is refused"},
    {"    pid: host\n", 4, "pid is refused"},
    {"    ipc: host\n", 4, "ipc is refused"},
    {"    uts: host\n", 4, "uts is refused"},
    {"    userns_mode: host\n", 4, "userns_mode is refused"},
    {"    cgroup: host\n", 4, "cgroup is refused"},
    {"    cgroup_parent: /\n", 4, "cgroup_parent is refused"},
    {"    tty: false\n    cap_add: [SYS_ADMIN]\n", 5, "cap_add is refused"},
    {"    security_opt: [seccomp:unconfined]\n", 4, "security_opt is refused"},
    {"    devices: [/dev/sda]\n", 4, "a device of the provider's machine"},
    {"    devices: [/dev/kfd]\n", 4, "AMD cards"},
    {"    device_cgroup_rules: ['a *:* rwm']\n", 4, "device_cgroup_rules is refused"},
    {"    group_add: [disk]\n", 4, "group_add is refused"},
    {"    build: .\n", 4, "build is refused"},
    {"    build:\n      context: .\n", 4, "build is refused"},
    {"    env_file: .env\n", 4, "env_file is refused"},
    {"    secrets: [a]\n", 4, "secrets is refused"},
    {"    configs: [a]\n", 4, "configs is refused"},
    {"    volumes_from: [a]\n", 4, "volumes_from is refused"},
    {"    depends_on: [a]\n", 4, "depends_on is refused"},
    {"    extends: a\n", 4, "extends is refused"},
    {"    sysctls: {a: 1}\n", 4, "sysctls is refused"},
    {"    runtime: nvidia\n", 4, "runtime is refused"},
    {"    mem_limit: 1g\n", 4, "mem_limit is refused"},
    {"    shm_size: 1g\n", 4, "shm_size is refused"},
    {"    tmpfs: /x\n", 4, "tmpfs is refused"},
    {"    unheard_of: 1\n", 4, "'unheard_of' is not carried"},
    {"    ports: ['80:80']\n", 4, "a port of the host"},
    {"    ports:\n      - '${PORT}:5555'\n      - '12436:11434'\n", 6, "a port of the host"},
    {"    ports: ['0.0.0.0:5555:5555']\n", 4, "a port of the host"},
    {"    ports: ['8080:5555']\n", 4, "a port of the host"},
    {"    ports: [{target: 5555, published: '80'}]\n", 4, "a port of the host"},
    {"    ports: [{target: 5555, mode: host}]\n", 4, "a port of the host"},
    {"    ports: 5555\n", 4, "ports is a list"},
    {"    extra_hosts: ['x:1.2.3.4']\n", 4, "a host's address"},
    {"    extra_hosts: 'x:1.2.3.4'\n", 4, "a list or a map"},
    {"    volumes: ['/etc:/x']\n", 4, "a folder of the provider's machine"},
    {"    volumes: ['./x:/x']\n", 4, "a folder of the provider's machine"},
    {"    volumes: ['~/x:/x']\n", 4, "a folder of the provider's machine"},
    {"    volumes: ['/var/run/docker.sock:/var/run/docker.sock']\n", 4, "a folder of"},
    {"    volumes: [{type: bind, source: /, target: /host}]\n", 4, "not bind"},
    {"    volumes: ['/x']\n", 4, "a volume without a name"},
    {"    volumes: ['a:/x']\n", 4, "not among the file's volumes"},
    {"    user: root\n", 4, "nobody is root"},
    {"    user: '0'\n", 4, "nobody is root"},
    {"    user: '1000:0'\n", 4, "nobody is root"},
    {"    working_dir: ../x\n", 4, "working_dir"},
    {"    environment: [HOME]\n", 4, "variable HOME has no value"},
    {"    environment: {A: '${SECRET}'}\n", 4, "a variable that a provider does not set"},
    {"    environment: {A: '${PORT'}\n", 4, "a variable that a provider does not set"},
    {"    environment: ['A-B=1']\n", 4, "a variable's name"},
    {"    environment: ['A=1', B=2, A=3]\n", 4, "variable A is there twice"},
    {"    environment:\n      - A=1\n      - A\n", 6, "variable A"},
    {"    command: 'a \"b'\n", 4, "a quote that is not closed"},
    {"    command: {a: b}\n", 4, "a text or a list"},
    {"    deploy: {replicas: 2}\n", 4, "deploy.replicas is not carried"},
    {"    deploy: {resources: {limits: {memory: 1g}}}\n", 4, "deploy.resources.limits"},
    {"    image: again\n", 4, "the same key a second time"},
    {"    tty: &a false\n", 4, "anchors, aliases and tags"},
    {"    command: !!binary aGk=\n", 4, "anchors, aliases and tags"},
    {"    labels: [[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]\n", 4, "too many levels"},
    {"  t:\n    image: x\n", 4, "another service, t: one container"},
    {"networks: {}\n", 4, "'networks' is not carried"},
    {"include: [x]\n", 4, "'include' is not carried"},
    {"volumes: {v: {driver: local, driver_opts: {device: /}}}\n", 4, "a volume's driver"},
    {"---\nservices: {}\n", 5, "a second document"},
    {"\tx: 1\n", 4, "a tab character"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        char yaml[2048];
        char line[32];
        struct compose_service s;
        snprintf(yaml, sizeof(yaml), HEAD "%s", refused[i].members);
        if (read_file(yaml, ENV_CPU, &s) != E_BAD_MANIFEST)
            fail_msg("taken: %s", refused[i].members);
        snprintf(line, sizeof(line), "line %d: ", refused[i].line);
        if (strncmp(why.text, line, strlen(line)) != 0 || !strstr(why.text, refused[i].says))
            fail_msg("%s says: %s", refused[i].members, why.text);
    }
}

static void test_volume_places(void **state)
{
    static const char *const bad[] = {"/",       "x",     "/proc",  "/proc/x", "/dev/shm",
                                      "/sys",    "/out",  "/in/x",  "/tmp",    "/run/x",
                                      "/a/../b", "/a//b", "/a/./b", "/a/"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char yaml[512];
        struct compose_service s;
        snprintf(yaml, sizeof(yaml), HEAD "    volumes: ['v:%s']\nvolumes: {v: }\n", bad[i]);
        if (read_file(yaml, ENV_CPU, &s) != E_BAD_MANIFEST)
            fail_msg("taken: %s", bad[i]);
    }
    struct compose_service s;
    assert_int_equal(
        read_file(HEAD "    volumes: ['v:/processed:ro']\nvolumes: {v: {}}\n", ENV_CPU, &s), E_OK);
}

static void test_amd(void **state)
{
    struct compose_service s;
    static const char yaml[] = HEAD "    devices: ['/dev/kfd:/dev/kfd', /dev/dri]\n"
                                    "    group_add: [video, render]\n";
    (void)state;
    assert_int_equal(read_file(yaml, ENV_AMD, &s), E_OK);
    assert_int_equal(s.gpus, -1);
    assert_int_equal(read_file(HEAD "    security_opt: [seccomp:unconfined]\n", ENV_AMD, &s),
                     E_BAD_MANIFEST);
}

static void test_forms(void **state)
{
    struct compose_service s;
    static const char yaml[] =
        HEAD "    entrypoint: [\"/bin/x\", \"${PORT}\"]\n    command:\n"
             "    environment: {A: 1, B: 'x=y', PORT: , C: ''}\n    user: 12:13\n"
             "    working_dir: /app\n    privileged: false\n    ports:\n"
             "      - {target: 5555, published: '${PORT}', protocol: tcp}\n"
             "    x-note: {a: [b]}\n    labels: {a: b}\nx-more: 1\n";
    (void)state;
    assert_int_equal(read_file(yaml, ENV_CPU, &s), E_OK);
    assert_true(s.has_entrypoint && !s.has_command);
    assert_string_equal(s.entrypoint[1], "5555");
    assert_int_equal(s.env_count, 4);
    assert_string_equal(s.env[1], "B=x=y");
    assert_string_equal(s.env[2], "PORT=5555");
    assert_string_equal(s.env[3], "C=");
    assert_int_equal(s.uid, 12);
    assert_int_equal(s.gid, 13);
    assert_string_equal(s.cwd, "/app");
    assert_int_equal(s.gpus, 0);
}

static void test_references(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"x@" DIGEST, "registry-1.docker.io/library/x@" DIGEST},
        {"docker.io/x@" DIGEST, "registry-1.docker.io/library/x@" DIGEST},
        {"docker.io/a/x:1.2@" DIGEST, "registry-1.docker.io/a/x@" DIGEST},
        {"a/x@" DIGEST, "registry-1.docker.io/a/x@" DIGEST},
        {"localhost/x:v1@" DIGEST, "localhost/x@" DIGEST},
        {"127.0.0.1:5000/a/x@" DIGEST, "127.0.0.1:5000/a/x@" DIGEST},
        {"ghcr.io/a/x:latest@" DIGEST, "ghcr.io/a/x@" DIGEST},
        {"x", NULL},
        {"x:latest", NULL},
        {"@" DIGEST, NULL},
        {"a/../b@" DIGEST, NULL},
        {"A/x@" DIGEST, NULL},
        {"a/x:@" DIGEST, NULL},
        {"a/x@sha512:" HEX, NULL},
        {"a/x@" DIGEST " ", NULL},
        {"http://a.b/x@" DIGEST, NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct text out = {0};
        bool ok = image_ref_full(text_of(rows[i].in), arena, &out);
        if (ok != (rows[i].out != NULL) || (ok && !text_is(out, rows[i].out)))
            fail_msg("%s gives %s", rows[i].in, ok ? out.s : "nothing");
    }
}

static void test_yaml_limits(void **state)
{
    struct yaml_node *root;
    char *big = malloc(YAML_BYTES_MAX + 2);
    (void)state;
    memset(big, '#', YAML_BYTES_MAX + 1);
    assert_int_equal(yaml_read((struct text){big, YAML_BYTES_MAX + 1}, arena, &root, &why),
                     E_BAD_MANIFEST);
    for (size_t i = 0; i < 6000; i += 2)
        memcpy(big + i, i ? "x," : "[ ", 2);
    assert_int_equal(yaml_read((struct text){big, 6000}, arena, &root, &why), E_BAD_MANIFEST);
    assert_non_null(strstr(why.text, "too many values"));
    free(big);
    assert_int_equal(yaml_read(text_of("# nothing\n"), arena, &root, &why), E_BAD_MANIFEST);
    assert_int_equal(yaml_read(text_of("a: \"\\0\"\n"), arena, &root, &why), E_BAD_MANIFEST);
    assert_int_equal(yaml_read(text_of("? [a]\n: b\n"), arena, &root, &why), E_BAD_MANIFEST);
    assert_int_equal(yaml_read(text_of("a: *b\n"), arena, &root, &why), E_BAD_MANIFEST);
}

/* Every prefix of a good file, and every file with one byte changed, ends without a fault. */
static void test_noise(void **state)
{
    size_t n = strlen(upstream);
    char *copy = malloc(n + 1);
    struct compose_service s;
    (void)state;
    for (size_t i = 0; i <= n; i++) {
        struct arena *a = arena_new();
        enum err_code rc = compose_read((struct text){upstream, i}, ENV_NVIDIA, NULL, a, &s, NULL);
        assert_true(rc == E_OK || rc == E_BAD_MANIFEST);
        memcpy(copy, upstream, n + 1);
        if (i < n)
            copy[i] = (char)(copy[i] ^ (1 << (i % 7)));
        rc = compose_read((struct text){copy, n}, ENV_NVIDIA, NULL, a, &s, NULL);
        assert_true(rc == E_OK || rc == E_BAD_MANIFEST);
        arena_free(a);
    }
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_upstream, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_volume_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_amd, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_references, setup, teardown),
        cmocka_unit_test_setup_teardown(test_yaml_limits, setup, teardown),
        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
