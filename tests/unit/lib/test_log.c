/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"

static char text[1 << 20];

/* What was written to stderr between begin() and end(). */
static int saved;
static FILE *caught;

static void begin(void)
{
    caught = tmpfile();
    saved = dup(STDERR_FILENO);
    assert_true(dup2(fileno(caught), STDERR_FILENO) >= 0);
}

static size_t end(void)
{
    size_t n;

    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(caught);
    n = fread(text, 1, sizeof(text) - 1, caught);
    text[n] = '\0';
    fclose(caught);
    return n;
}

static json_t *line(const char *s)
{
    json_t *v = json_loads(s, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, NULL);

    if (!v)
        fail_msg("not JSON: %s", s);
    return v;
}

static void expect(const json_t *v, const char *key, const char *want)
{
    const char *got = json_string_value(json_object_get(v, key));

    assert_non_null(got);
    assert_string_equal(got, want);
}

static void test_a_line_is_json_with_its_fields(void **state)
{
    json_t *v;

    (void)state;
    begin();
    log_info("task_created", "id=%s n=%d note=%s", "tsk_1", 7, "two words \"quoted\" \\ = x");
    end();
    v = line(text);
    expect(v, "level", "info");
    expect(v, "program", "unit");
    expect(v, "event", "task_created");
    expect(v, "id", "tsk_1");
    expect(v, "n", "7");
    expect(v, "note", "two words \"quoted\" \\ = x");
    assert_int_equal(json_object_size(v), 7);
    json_decref(v);
}

static void test_levels(void **state)
{
    (void)state;
    begin();
    log_debug("quiet", NULL);
    assert_int_equal(end(), 0);
    begin();
    log_error("loud", NULL);
    assert_true(end() > 0);
    assert_non_null(strstr(text, "\"error\""));
}

/* A peer's text must neither break the line nor forge a field or a second line. */
static void test_hostile_values_stay_values(void **state)
{
    json_t *v;

    (void)state;
    begin();
    log_info("e", "a=%s b=%s", "x\n{\"event\":\"forged\"}\r\x1b[2J\xff\xc0\xaf", "ok");
    end();
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    v = line(text);
    expect(v, "event", "e");
    expect(v, "b", "ok");
    json_decref(v);
    begin();
    log_info("e", "a=%s b=%s",
             "x\x1f"
             "event=forged",
             "ok");
    end();
    v = line(text);
    expect(v, "event", "e");
    assert_non_null(strstr(json_string_value(json_object_get(v, "text")), "forged"));
    json_decref(v);
}

static void test_long_values_are_cut_and_stay_json(void **state)
{
    static char big[9000];

    (void)state;
    for (size_t n = 2900; n < 4300; n += 7) {
        json_t *v;

        for (size_t i = 0; i < n; i += 2)
            memcpy(big + i, i % 6 == 0 ? "\"\\" : "é", 2);
        big[n] = '\0';
        begin();
        log_info("big", "a=%s b=%s", big, "end");
        assert_true(end() <= 4096);
        v = line(text);
        expect(v, "event", "big");
        json_decref(v);
    }
}

static void *many(void *arg)
{
    for (int i = 0; i < 500; i++)
        log_info("race", "thread=%s i=%d pad=%s", (const char *)arg, i,
                 "0123456789012345678901234567890123456789012345678901234567890123456789");
    return NULL;
}

static void test_threads_do_not_mix_lines(void **state)
{
    pthread_t t[4];
    int lines = 0;
    char *s = text;

    (void)state;
    begin();
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, many, "t"), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    end();
    for (char *next; (next = strchr(s, '\n')); s = next + 1) {
        json_decref(line(s));
        lines++;
    }
    assert_int_equal(lines, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_is_json_with_its_fields),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_hostile_values_stay_values),
        cmocka_unit_test(test_long_values_are_cut_and_stay_json),
        cmocka_unit_test(test_threads_do_not_mix_lines),
    };

    log_open("unit", LOG_LEVEL_INFO);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
