/* SPDX-License-Identifier: MIT */
/* Who gets a card that somebody calls for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "workers/device/book.h"
#include "workers/device/lock.h"

static const struct device_want any = {.environments = ENV_NVIDIA};
static const struct device_want task = {.environments = ENV_NVIDIA, .in_hand = true};
static const struct device_want named = {.environments = ENV_NVIDIA, .uuid = "GPU-small"};

struct world {
    char work[64];
    char locks[80];
    struct device_book *book;
};

static struct device card(const char *uuid, int64_t memory_mb)
{
    struct device d = device_unknown(ENV_NVIDIA);
    snprintf(d.uuid, sizeof(d.uuid), "%s", uuid);
    d.memory_mb = memory_mb;
    d.simulated = true;
    return d;
}

/* Two free cards, and so many processes on the small one. */
static void look(struct device_book *b, int processes)
{
    static struct device_list seen;
    seen = (struct device_list){.n = 2};
    seen.row[0] = card("GPU-small", 1);
    seen.row[0].vitals.processes = processes;
    seen.row[1] = card("GPU-large", 2);
    book_update(b, &seen);
}

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct err err;
    snprintf(w->work, sizeof(w->work), "/tmp/ogpu-book-XXXXXX");
    *state = w;
    if (!mkdtemp(w->work))
        return -1;
    snprintf(w->locks, sizeof(w->locks), "%s/locks", w->work);
    struct device_book_config c = {.work_dir = w->work, .lock_dir = w->locks, .scrub = false};
    assert_int_equal(book_open(&c, &w->book, &err), E_OK);
    look(w->book, 0);
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    char path[128];
    static const char *const cards[] = {"GPU-small", "GPU-large"};
    for (size_t i = 0; i < ARRAY_LEN(cards); i++) {
        snprintf(path, sizeof(path), "%s/%s.lock", w->locks, cards[i]);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/devices", w->work);
    book_close(w->book);
    int rc = rmdir(w->locks) | rmdir(path) | rmdir(w->work);
    free(w);
    return rc;
}

static const char *gets(struct world *w, const struct device_want *want, struct device_lease *l)
{
    struct err err;
    *l = (struct device_lease){.held = false};
    return book_lease(w->book, want, 0, l, &err) == E_OK ? l->device.uuid : "none";
}

static void test_called(void **state)
{
    struct world *w = *state;
    struct device_lease a;
    struct device_lease b;
    struct device_lease c;
    book_call(w->book, "GPU-small", true);
    assert_string_equal(gets(w, &any, &a), "GPU-large"); /* nobody reserves it */
    assert_string_equal(gets(w, &any, &b), "none");
    assert_string_equal(gets(w, &named, &b), "GPU-small"); /* who called gets it */
    assert_true(book_is_called(w->book, &b));
    assert_false(book_is_called(w->book, &a));
    assert_string_equal(gets(w, &task, &c), "none"); /* and nobody takes it away */
    book_return(w->book, &b, false);
    assert_string_equal(gets(w, &task, &c), "GPU-small"); /* a task in hand goes first */
    assert_string_equal(gets(w, &named, &b), "none");
    book_return(w->book, &c, false);
    book_call(w->book, "GPU-small", false);
    assert_string_equal(gets(w, &any, &b), "GPU-small");
    book_return(w->book, &a, false);
    book_return(w->book, &b, false);
}

static void test_holder(void **state)
{
    struct world *w = *state;
    struct device_lease a;
    struct device_lease b;
    assert_string_equal(gets(w, &any, &a), "GPU-small");
    book_call(w->book, "GPU-small", true);
    book_call(w->book, "GPU-nobody", true);
    assert_true(book_is_called(w->book, &a)); /* the holder learns of it, and keeps it until then */
    assert_true(book_is_sound(w->book, &a));
    assert_string_equal(gets(w, &named, &b), "none");
    book_return(w->book, &a, false);
    assert_string_equal(gets(w, &named, &b), "GPU-small");
    book_return(w->book, &b, false);
}

static bool is_clean(const struct world *w)
{
    bool clean = false;
    int lock = lock_take(w->locks, "GPU-small", &clean);
    assert_true(lock >= 0);
    lock_drop(lock);
    return clean;
}

/* A card that was clean is not after somebody who leased nothing was on it. */
static void test_strangers(void **state)
{
    struct world *w = *state;
    struct device_lease a;
    assert_string_equal(gets(w, &any, &a), "GPU-small");
    look(w->book, 1); /* the tenant's own */
    book_return(w->book, &a, false);
    assert_true(is_clean(w));
    look(w->book, 0);
    assert_true(is_clean(w));
    look(w->book, 1);
    assert_string_equal(gets(w, &any, &a), "GPU-large");
    look(w->book, 0);
    assert_false(is_clean(w));
    book_return(w->book, &a, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_called, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_holder, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_strangers, open_world, close_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
