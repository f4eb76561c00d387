/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/reputation.h"
#include "lib/hash.h"

static uint32_t scored(uint32_t before, uint64_t accepted, uint64_t rejected, uint64_t expired)
{
    struct score_counts c = {accepted, rejected, expired};

    return reputation_score(before, &c);
}

static void test_figures(void **state)
{
    (void)state;
    assert_int_equal(scored(SCORE_BEGIN, 0, 0, 0), 5000);
    assert_int_equal(scored(SCORE_BEGIN, 1, 0, 0), 5151); /* 170000 / 33 */
    assert_int_equal(scored(SCORE_BEGIN, 0, 1, 0), 4444); /* 160000 / 36 */
    assert_int_equal(scored(SCORE_BEGIN, 0, 0, 1), 4705); /* 160000 / 34 */
    assert_int_equal(scored(SCORE_BEGIN, 32, 0, 0), 7500);
    assert_int_equal(scored(SCORE_MAX, 1000, 0, 0), SCORE_MAX);
    assert_int_equal(scored(0, 0, 9, 9), 0);
    assert_int_equal(scored(0, UINT64_MAX, 0, 0), 9999);
    assert_true(scored(SCORE_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX) < SCORE_MAX);
    assert_int_equal(scored(SCORE_MAX + 1, 0, 0, 0), SCORE_MAX);
}

static void test_more_good_never_lowers_more_bad_never_raises(void **state)
{
    (void)state;
    for (uint32_t before = 0; before <= SCORE_MAX; before += 625)
        for (uint64_t a = 0; a < 12; a++)
            for (uint64_t r = 0; r < 6; r++)
                for (uint64_t x = 0; x < 6; x++) {
                    uint32_t s = scored(before, a, r, x);

                    assert_true(s <= SCORE_MAX);
                    assert_true(scored(before, a + 1, r, x) >= s);
                    assert_true(scored(before, a, r + 1, x) <= s);
                    assert_true(scored(before, a, r, x + 1) <= s);
                    assert_true(scored(before, a, r + 1, x) <= scored(before, a, r, x + 1));
                }
}

static void test_an_empty_epoch(void **state)
{
    static const struct digest zero;
    struct digest nothing = sha256("", 0);
    struct arena *a = arena_new();
    struct epoch_close c;

    (void)state;
    reputation_close(NULL, 0, reputation_score, a, &c);
    assert_int_equal(c.n_scores + c.n_log, 0);
    assert_memory_equal(&c.score_root, &zero, sizeof(zero));
    assert_memory_equal(&c.log_root, &nothing, sizeof(nothing));
    arena_free(a);
}

static uint32_t always_seven(uint32_t before, const struct score_counts *counts)
{
    (void)before;
    (void)counts;
    return 7;
}

static void test_the_formula_is_a_plug(void **state)
{
    struct scored_event events[2] = {{{.kind = EVENT_REJECTED, .epoch = 3}, 5000},
                                     {{.kind = EVENT_EXPIRED, .epoch = 3}, 5000}};
    struct arena *a = arena_new();
    struct epoch_close c;

    (void)state;
    reputation_close(events, 2, always_seven, a, &c);
    assert_int_equal(c.n_scores, 1);
    assert_int_equal(c.scores[0].score, 7);
    assert_int_equal(c.scores[0].rejected, 1);
    assert_int_equal(c.scores[0].expired, 1);
    assert_int_equal(c.scores[0].epoch, 3);
    assert_int_equal(c.n_log, 0);
    arena_free(a);
}

static void test_work_without_a_response_signs_nothing(void **state)
{
    static const struct digest zero;
    const struct eip712_domain domain = {31337, {{1}}};
    struct work w = {.kind = EVENT_EXPIRED, .at_us = 9};
    struct event e = reputation_event(&w, &domain, 4);

    (void)state;
    assert_memory_equal(&e.response, &zero, sizeof(zero));
    assert_int_equal(e.epoch, 4);
    w.responded = true;
    w.amount = wei_from_u64(258);
    e = reputation_event(&w, &domain, 4);
    assert_memory_not_equal(&e.response, &zero, sizeof(zero));
    assert_int_equal(e.amount[31], 2);
    assert_int_equal(e.amount[30], 1);
}

static void test_unknown_kinds_are_refused(void **state)
{
    uint8_t bytes[EVENT_SIZE] = {0};
    struct event e;

    (void)state;
    for (int kind = 0; kind < 256; kind++) {
        bytes[0] = (uint8_t)kind;
        assert_int_equal(event_decode(bytes, &e), kind >= EVENT_ACCEPTED && kind <= EVENT_EXPIRED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_more_good_never_lowers_more_bad_never_raises),
        cmocka_unit_test(test_an_empty_epoch),
        cmocka_unit_test(test_the_formula_is_a_plug),
        cmocka_unit_test(test_work_without_a_response_signs_nothing),
        cmocka_unit_test(test_unknown_kinds_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
