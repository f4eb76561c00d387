/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "handlers/page.h"

static void test_cursors_come_back(void **state)
{
    uint8_t key[CURSOR_KEY_MAX];
    uint8_t back[CURSOR_KEY_MAX];
    char text[CURSOR_MAX];

    (void)state;
    for (size_t n = 1; n <= CURSOR_KEY_MAX; n++) {
        for (size_t i = 0; i < n; i++)
            key[i] = (uint8_t)(i * 37 + n * 11);
        cursor_format("list_tasks", key, n, text);
        assert_true(strlen(text) < CURSOR_MAX);
        assert_int_equal(
            strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            strlen(text));
        assert_true(cursor_parse("list_tasks", text_of(text), back, n));
        assert_memory_equal(back, key, n);
    }
}

static void test_nothing_else_is_a_cursor(void **state)
{
    const uint8_t key[16] = {1, 2, 3};
    uint8_t back[16];
    char text[CURSOR_MAX];
    char longer[CURSOR_MAX + 1];
    size_t n;

    (void)state;
    cursor_format("list_tasks", key, sizeof(key), text);
    n = strlen(text);
    assert_false(cursor_parse("list_sources", text_of(text), back, 16)); /* another list's */
    assert_false(cursor_parse("list_tasks", text_of(text), back, 8));    /* another key's size */
    for (size_t i = 0; i < n; i++) {
        char kept = text[i];

        text[i] = kept == 'A' ? 'B' : 'A';
        assert_false(cursor_parse("list_tasks", text_of(text), back, 16));
        text[i] = '+';
        assert_false(cursor_parse("list_tasks", text_of(text), back, 16));
        text[i] = kept;
    }
    for (size_t i = 0; i < n; i++)
        assert_false(cursor_parse("list_tasks", (struct text){text, i}, back, 16));
    memcpy(longer, text, n);
    longer[n] = 'A';
    assert_false(cursor_parse("list_tasks", (struct text){longer, n + 1}, back, 16));
    assert_true(cursor_parse("list_tasks", text_of(text), back, 16));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cursors_come_back),
        cmocka_unit_test(test_nothing_else_is_a_cursor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
