/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/compose.h"
#include "core/manifest.h"

#define DIGEST "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
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

static enum err_code read_one(const char *yaml, unsigned env, struct compose_service *s)
{
    why = (struct err){.code = E_OK};
    return compose_read(text_of(yaml), env, NULL, arena, s, &why);
}

#define RESERVE(what)                                                                 \
    HEAD "    deploy:\n      resources:\n        reservations:\n          devices:\n" \
         "            - driver: nvidia\n              capabilities: [gpu]\n" what

static void test_reservations(void **state)
{
    static const struct {
        const char *yaml, *says;
        int gpus;
    } rows[] = {
        {RESERVE(""), NULL, -1},
        {RESERVE("              count: all\n"), NULL, -1},
        {RESERVE("              count: 1\n"), NULL, 1},
        {RESERVE("              count: 4\n"), NULL, 4},
        {RESERVE("              device_ids: ['0']\n"), NULL, 1},
        {RESERVE("              device_ids: ['0', '3']\n"), NULL, 2},
        {RESERVE("              count: 0\n"), "line 10: count is all, or 1", 0},
        {RESERVE("              device_ids: []\n"), "line 10: device_ids is a list", 0},
        {RESERVE("              device_ids: ['0', '0']\n"), "line 10: card 0 is there twice", 0},
        {RESERVE("              device_ids: ['GPU-1f']\n"), "line 10: a card of one machine", 0},
        {RESERVE("              count: 1\n              device_ids: ['0']\n"),
         "line 11: count and device_ids: one of them", 0},
        {RESERVE("              options: {a: b}\n"), "line 10: a reservation's options", 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct compose_service s;
        enum err_code rc = read_one(rows[i].yaml, ENV_NVIDIA, &s);
        if ((rc == E_OK) != (rows[i].says == NULL) || (rc == E_OK && s.gpus != rows[i].gpus) ||
            (rc != E_OK && strncmp(why.text, rows[i].says, strlen(rows[i].says)) != 0))
            fail_msg("%s: %s", rows[i].yaml, why.text);
    }
}

/* Everything at once, each with its line; compose_read() says the first of them. */
static void test_all_problems(void **state)
{
    static const char yaml[] = HEAD "    privileged: true\n"
                                    "    environment: [HOME, A=1, A=2]\n"
                                    "    ports:\n"
                                    "      - '80:80'\n"
                                    "      - '${PORT}:5555'\n"
                                    "      - '81:81'\n"
                                    "    deploy: {replicas: 2, resources: {limits: {cpus: 1}}}\n"
                                    "  other:\n"
                                    "    image: x\n"
                                    "networks: {}\n";
    static const char *const all[] = {
        "line 11: another service, other", "line 13: 'networks' is not carried",
        "line 4: privileged is refused",   "line 5: variable HOME has no value",
        "line 5: variable A is there",     "line 7: a port of the host",
        "line 9: a port of the host",      "line 10: deploy.replicas",
        "line 10: deploy.resources.limits"};
    struct compose_problems found;
    struct compose_service s;
    (void)state;
    compose_judge(text_of(yaml), ENV_CPU, arena, &found);
    assert_int_equal(found.n, ARRAY_LEN(all));
    for (size_t i = 0; i < found.n; i++)
        if (strncmp(found.text[i], all[i], strlen(all[i])) != 0)
            fail_msg("%zu: %s", i, found.text[i]);
    assert_int_equal(read_one(yaml, ENV_CPU, &s), E_BAD_MANIFEST);
    assert_string_equal(why.text, found.text[0]);
    compose_judge(text_of(HEAD), ENV_CPU, arena, &found);
    assert_int_equal(found.n, 0);
    compose_judge(text_of("a: [\n"), ENV_CPU, arena, &found);
    assert_int_equal(found.n, 1);
    assert_int_equal(strncmp(found.text[0], "line ", 5), 0);
    char many[COMPOSE_PROBLEMS_MAX * 40 + 400] = HEAD "    ports:\n";
    for (int i = 0; i < COMPOSE_PROBLEMS_MAX + 4; i++)
        strcat(many, "      - '1:1'\n"); // NOLINT: it fits
    compose_judge(text_of(many), ENV_CPU, arena, &found);
    assert_int_equal(found.n, COMPOSE_PROBLEMS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reservations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_problems, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
