/* SPDX-License-Identifier: MIT */
#include "db/listen.h"

#include <ctype.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "db/link.h"
#include "lib/clock.h"
#include "lib/log.h"

#define PING_US     500000
#define FRESH_US    1000000
#define RETRY_MS    250
#define CHANNEL_MAX 63

struct db_listen {
    pthread_t thread;
    char *url;
    char command[sizeof("LISTEN ") + CHANNEL_MAX];
    db_listen_fn *told;
    void *ctx;
    int stop; /* eventfd */
    struct db_link link;
    atomic_int_fast64_t answered_us;
};

bool db_listen_fresh(struct db_listen *l)
{
    return clock_mono_us() - atomic_load(&l->answered_us) <= FRESH_US;
}

/* A notification read by any round trip waits in libpq until it is asked for. */
static void drain(struct db_listen *l)
{
    PGnotify *n;

    while (link_up(&l->link) && (n = PQnotifies(l->link.pg)) != NULL) {
        l->told(l->ctx, n->extra ? n->extra : "");
        PQfreemem(n);
    }
}

static bool ping(struct db_listen *l)
{
    int64_t asked = clock_mono_us();

    if (!link_ping(&l->link)) {
        return false;
    }
    drain(l);
    /* From the asking on, not from the answer: what was committed in between may be on its way. */
    atomic_store(&l->answered_us, asked);
    return true;
}

static bool start_listening(struct db_listen *l)
{
    struct err err = {.code = E_OK};
    PGresult *res;
    bool ok;

    if (link_open(&l->link, &err)) {
        return false;
    }
    if (!PQsendQueryParams(l->link.pg, l->command, 0, NULL, NULL, NULL, NULL, 0) ||
        !link_sync(&l->link)) {
        link_close(&l->link);
        return false;
    }
    res = link_result(&l->link, clock_mono_us() + l->link.answer_us);
    ok = res && PQresultStatus(res) == PGRES_COMMAND_OK;
    PQclear(res);
    if (!ok || !link_synced(&l->link)) {
        link_close(&l->link);
        return false;
    }
    l->told(l->ctx, NULL);
    return ping(l);
}

/* Sleep until a notification, the next ping or the end. @return false: stop */
static bool rest(struct db_listen *l)
{
    struct pollfd p[2] = {{.fd = l->stop, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    int ms = RETRY_MS;

    if (link_up(&l->link)) {
        int64_t due = atomic_load(&l->answered_us) + PING_US - clock_mono_us();

        p[1].fd = PQsocket(l->link.pg);
        ms = due > 0 ? (int)(due / 1000) + 1 : 0;
    }
    (void)poll(p, 2, ms);
    return !(p[0].revents & POLLIN);
}

static void *listen_main(void *arg)
{
    struct db_listen *l = arg;
    bool was_up = true;

    do {
        if (!link_up(&l->link)) {
            if (!start_listening(l) && was_up) {
                log_warn("db_listen_lost", "channel=%s message=%s", l->command, l->link.why);
            }
            was_up = link_up(&l->link);
            continue;
        }
        link_check(&l->link);
        drain(l);
        if (link_up(&l->link) && clock_mono_us() - atomic_load(&l->answered_us) >= PING_US) {
            (void)ping(l);
        }
    } while (rest(l));
    link_close(&l->link);
    return NULL;
}

static bool is_channel(const char *s)
{
    size_t n = strlen(s);

    for (size_t i = 0; i < n; i++) {
        if (!islower((unsigned char)s[i]) && s[i] != '_' &&
            !(i > 0 && isdigit((unsigned char)s[i]))) {
            return false;
        }
    }
    return n > 0 && n <= CHANNEL_MAX;
}

enum err_code db_listen_open(const char *url, const char *channel, db_listen_fn *told, void *ctx,
                             struct db_listen **out, struct err *err)
{
    struct db_listen *l;
    sigset_t all, old;
    int failed;

    if (!is_channel(channel)) {
        return err_set(err, E_CONFIG, "\"%s\" cannot be a channel", channel);
    }
    l = calloc(1, sizeof(*l));
    if (!l || !(l->url = strdup(url))) {
        abort();
    }
    l->told = told;
    l->ctx = ctx;
    l->answered_us = clock_mono_us() - 2 * FRESH_US;
    snprintf(l->command, sizeof(l->command), "LISTEN %s", channel);
    link_init(&l->link, l->url, LINK_LISTEN, 0);
    l->stop = eventfd(0, EFD_CLOEXEC);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    failed = l->stop < 0 || pthread_create(&l->thread, NULL, listen_main, l) != 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed) {
        if (l->stop >= 0) {
            close(l->stop);
        }
        free(l->url);
        free(l);
        return err_set(err, E_INTERNAL, "cannot start the listening thread");
    }
    *out = l;
    return E_OK;
}

void db_listen_close(struct db_listen *l)
{
    if (l) {
        (void)!write(l->stop, &(uint64_t){1}, sizeof(uint64_t));
        pthread_join(l->thread, NULL);
        close(l->stop);
        free(l->url);
        free(l);
    }
}
