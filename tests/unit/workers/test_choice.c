/* SPDX-License-Identifier: MIT */
/* Which sources a worker serves: predicates, what is expected of a source, and the order of picks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workers/agent/earnings.h"
#include "workers/agent/picks.h"
#include "workers/agent/predicate.h"

static struct manifest source(const char *reward)
{
    struct manifest m = {.name = text_of("up scale"),
                         .contract = CONTRACT_HTTP,
                         .environments = ENV_CPU | ENV_NVIDIA,
                         .limits = {.memory_mb = 512,
                                    .pids = 8,
                                    .cpu_millis = 1000,
                                    .timeout_s = 60,
                                    .tmp_mb = 1,
                                    .output_bytes = (3 << 20) + 1,
                                    .output_files = 1}};
    assert_true(wei_parse(text_of(reward), &m.min_reward));
    return m;
}

static void test_predicates(void **state)
{
    static const struct {
        const char *text;
        bool holds;
    } rows[] = {
        {"", true},
        {"reward >= 0.5", true},
        {"reward>0.5", false},
        {"reward == 0.500000000000000000", true},
        {"reward < 1000000000000", true},
        {"memory_mb <= 512 && pids == 8", true},
        {"memory_mb<512&&pids==8", false},
        {"output_mb == 4", true},
        {"environment == nvidia", true},
        {"environment != cpu", false},
        {"environment == amd", false},
        {"contract == http && timeout_s <= 60 && cpu_millis >= 1000 && tmp_mb != 2", true},
        {"contract != http", false},
        {"name == \"up scale\"", true},
        {"name != other", true},
        {"image_mb <= 2", true},
        {"image_mb <= 1", false},
    };
    struct manifest m = source("500000000000000000");
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct predicate p;
        struct err err;
        char why[PREDICATE_WHY_MAX];
        assert_int_equal(predicate_read(rows[i].text, &p, &err), E_OK);
        if (predicate_holds(&p, &m, (1 << 20) + 1, why) != rows[i].holds)
            fail_msg("%s: %s", rows[i].text, why);
        assert_true(rows[i].holds == (why[0] == '\0'));
    }
}

static void test_reasons(void **state)
{
    struct manifest m = source("1");
    struct predicate p;
    struct err err;
    char why[PREDICATE_WHY_MAX];
    (void)state;
    assert_int_equal(predicate_read("pids == 8 && memory_mb < 100", &p, &err), E_OK);
    assert_false(predicate_wants_image(&p));
    assert_false(predicate_holds(&p, &m, -1, why));
    assert_string_equal(why, "not memory_mb < 100: it is 512");
    assert_int_equal(predicate_read("image_mb < 100", &p, &err), E_OK);
    assert_true(predicate_wants_image(&p));
    assert_false(predicate_holds(&p, &m, -1, why));
    assert_string_equal(why, "not image_mb < 100: it is unknown");
    assert_true(predicate_holds(&p, &m, IMAGE_BYTES_UNASKED, why));
}

static void test_no_predicates(void **state)
{
    static const char *const bad[] = {"reward",        "reward >= ",
                                      "reward >= 1.",  "reward >= x",
                                      "vram_mb >= 1",  "pids = 8",
                                      "pids == -1",    "pids == 8x",
                                      "pids == 8 &&",  "pids == 8 pids",
                                      "name < b",      "name == \"open",
                                      "&& pids == 1",  "reward == 0.1234567890123456789",
                                      "pids == 8 || x"};
    struct predicate p = {.n = 99};
    struct err err;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (predicate_read(bad[i], &p, &err) != E_CONFIG)
            fail_msg("taken: %s", bad[i]);
    }
    assert_int_equal(p.n, 99);
}

static void test_expectations(void **state)
{
    char dir[] = "/tmp/ogpu-earn-XXXXXX";
    char file[64];
    static struct earnings e;
    struct uuid id = {{1}};
    struct power power = {.watts = 400, .kwh_units = 250000, .slots = 2};
    struct manifest m = source("1000000000000000"); /* 0.001 OGPU = 1000 units */
    struct wei reward;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof(file), "%s/earnings.json", dir);
    earnings_open(&e, dir);
    /* never run: 1000 units a minute; 400 W at 0.25 OGPU a kWh, for one of two slots */
    struct expectation x = earnings_expect(&e, id, &m, &power);
    assert_false(x.measured);
    assert_int_equal(x.income, 60000);
    assert_int_equal(x.cost, 50000);
    assert_int_equal(x.profit, 10000);
    /* two runs in 2 s, one of them bad, rewards of 4000 units */
    assert_true(wei_parse(text_of("4000000000000000"), &reward));
    earnings_note(&e, id, reward, 2000, true);
    earnings_note(&e, id, reward, 9000, false);
    earnings_close(&e);
    earnings_open(&e, dir); /* what was noted is there after a restart */
    x = earnings_expect(&e, id, &m, &power);
    assert_true(x.measured);
    assert_int_equal(x.good_percent, 50);
    assert_int_equal(x.mean_ms, 2000);
    assert_int_equal(x.income, 4000 * 1800 / 2);
    earnings_close(&e);
    unlink(file);
    /* a reward beyond all bounds does not wrap around */
    earnings_open(&e, "/nowhere");
    assert_true(wei_parse(text_of("99999999999999999999999999999999999999999999"), &m.min_reward));
    m.limits.timeout_s = 1;
    assert_true(earnings_expect(&e, id, &m, &power).income > 0);
    earnings_close(&e);
    rmdir(dir);
}

static void test_picks(void **state)
{
    struct picks p = {.n = 0};
    struct pick one = {.measured = true};
    (void)state;
    for (int i = 0; i < 100; i++) {
        one.profit = i * 37 % 100;
        picks_add(&p, &one);
    }
    assert_int_equal(p.n, PICKS_MAX);
    for (size_t i = 0; i < p.n; i++)
        assert_int_equal(p.rows[i].profit, 99 - (int)i);
    picks_done(&p, true);
    assert_int_equal(p.top, 51); /* 99 … 49 */
    picks_done(&p, false);
    assert_int_equal(p.top, p.n);
}

static void test_picks_that_earn(void **state)
{
    struct picks p = {.n = 0};
    (void)state;
    for (int i = 0; i < 10; i++) {
        picks_add_earning(&p, &(struct pick){.profit = -5, .measured = false});
        picks_add_earning(&p, &(struct pick){.profit = -5, .measured = true});
    }
    assert_int_equal(p.n, PICKS_EXPLORE);
    picks_done(&p, true);
    assert_int_equal(p.top, PICKS_EXPLORE);
    picks_add_earning(&p, &(struct pick){.profit = 7, .measured = true});
    picks_done(&p, true);
    assert_int_equal(p.top, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_predicates),    cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_no_predicates), cmocka_unit_test(test_expectations),
        cmocka_unit_test(test_picks),         cmocka_unit_test(test_picks_that_earn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
