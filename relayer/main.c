/* SPDX-License-Identifier: MIT */
/* ogpu-relayer: settles the books on the chain. One per key; serves nobody. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "eth/address.h"
#include "lib/log.h"
#include "relayer/options.h"

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

static int fail(const struct err *err)
{
    fprintf(stderr, "ogpu-relayer: %s\n", err->text);
    return 1;
}

static int loop(struct relayer *r, int64_t poll_ms)
{
    struct timespec pause = {.tv_sec = poll_ms / 1000, .tv_nsec = (poll_ms % 1000) * 1000000};
    bool checked = false;

    while (!stopping) {
        struct err err = {0};
        enum err_code rc = checked ? E_OK : relayer_check_chain(r, &err);

        if (rc == E_CONFIG)
            return fail(&err);
        if (rc == E_OK) {
            checked = true;
            rc = relayer_step(r, &err);
        }
        if (rc == E_BUSY && !db_lock_held(r->db, RELAYER_LOCK) && !db_try_lock(r->db, RELAYER_LOCK))
            return fail(&err);
        if (rc != E_OK && err_info(rc)->blame == BLAME_PEER)
            log_warn("retry", "code=%s text=%s", err_info(rc)->word, err.text);
        else if (rc != E_OK)
            log_error("halted", "code=%s text=%s", err_info(rc)->word, err.text);
        nanosleep(&pause, NULL); /* a signal ends it early */
    }
    return 0;
}

static int run(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};
    char sender[ADDRESS_TEXT_MAX];
    struct relayer r = {0};
    struct err err = {0};
    int64_t poll_ms;
    int rc;

    log_open("ogpu-relayer", LOG_LEVEL_INFO);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (relayer_open(&r, argc, argv, &poll_ms, &err) != E_OK) {
        relayer_close(&r);
        return fail(&err);
    }
    address_format(r.sender, sender);
    log_info("started", "sender=%s", sender);
    rc = loop(&r, poll_ms);
    relayer_close(&r);
    log_info("stopped", NULL);
    return rc;
}

/* The key must not reach a core file, swap of a dump, or a debugger of the same user. */
static void keep_secrets(void)
{
    const struct rlimit none = {0, 0};

    prctl(PR_SET_DUMPABLE, 0);
    setrlimit(RLIMIT_CORE, &none);
}

int main(int argc, char **argv)
{
    keep_secrets();
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        puts("usage: ogpu-relayer [--option value]...\n");
        relayer_help();
        return 0;
    }
    return run(argc - 1, argv + 1);
}
