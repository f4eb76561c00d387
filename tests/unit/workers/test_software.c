/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "workers/software.h"

#define DIGEST "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
#define FILE   "services:\n  s:\n    image: r.example/x@" DIGEST "\n"
#define RESERVE \
    "    deploy: {resources: {reservations: {devices: [{driver: nvidia, capabilities: [gpu]"

/* A source with a file for the CPU and one that reserves these cards. */
static struct manifest source_with(json_t *files, const char *reservation)
{
    struct arena *a = arena_new();
    json_object_set_new(files, "cpu", json_string(FILE));
    json_object_set_new(files, "nvidia",
                        json_string(arena_printf(a, FILE RESERVE "%s}]}}}\n", reservation)));
    arena_free(a);
    return (struct manifest){.compose = files, .environments = ENV_CPU | ENV_NVIDIA};
}

/* A container gets one card: a source that reserves more is served without, or not at all. */
static void test_cards(void **state)
{
    static const struct {
        const char *reservation;
        bool fits;
    } rows[] = {
        {"", true},
        {", count: all", true},
        {", count: 1", true},
        {", device_ids: ['1']", true},
        {", count: 2", false},
        {", device_ids: ['0', '1']", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *files = json_object();
        struct manifest m = source_with(files, rows[i].reservation);
        struct arena *a = arena_new();
        struct software s;
        struct err err = {.code = E_OK};
        assert_int_equal(software_fits(&m), ENV_CPU | (rows[i].fits ? ENV_NVIDIA : 0));
        assert_int_equal(software_choose(&m, ENV_CPU, NULL, a, &s, &err), E_OK);
        enum err_code rc = software_choose(&m, ENV_CPU | ENV_NVIDIA, NULL, a, &s, &err);
        assert_int_equal(rc, rows[i].fits ? E_OK : E_BAD_MANIFEST);
        if (!rows[i].fits)
            assert_string_equal(err.text, "the source asks for 2 cards: a run gets one");
        arena_free(a);
        json_decref(files);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cards)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
