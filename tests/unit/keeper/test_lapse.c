/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "keeper/state.h"

static struct sql_due_leases_row row(uint8_t attempt, uint8_t task)
{
    return (struct sql_due_leases_row){.id = {{attempt}}, .task = {{task}}};
}

/* Two attempts of one task in one batch would both see the same live count. */
static void test_a_batch_holds_one_attempt_of_a_task(void **state)
{
    struct app app = {.attempts_max = 5};
    struct sql_due_leases_row left[] = {row(1, 1), row(2, 2), row(3, 1), row(4, 1), row(5, 3)};
    struct sql_attempt_end calls[5];
    size_t n_left = 5;

    (void)state;
    assert_int_equal(lapse_batch(&app, left, &n_left, calls), 3);
    assert_int_equal(calls[0].id.b[0], 1);
    assert_int_equal(calls[1].id.b[0], 2);
    assert_int_equal(calls[2].id.b[0], 5);
    assert_true(text_is(calls[0].how, "lapsed"));
    assert_true(uuid_is_zero(calls[0].provider));
    assert_int_equal(n_left, 2);
    assert_int_equal(lapse_batch(&app, left, &n_left, calls), 1);
    assert_int_equal(calls[0].id.b[0], 3);
    assert_int_equal(lapse_batch(&app, left, &n_left, calls), 1);
    assert_int_equal(calls[0].id.b[0], 4);
    assert_int_equal(n_left, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_batch_holds_one_attempt_of_a_task)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
