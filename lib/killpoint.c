/* SPDX-License-Identifier: MIT */
#include "lib/killpoint.h"

#ifdef OGPU_KILLPOINTS

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void act(const char *how)
{
    struct timespec t;
    long ms;

    if (strcmp(how, "stop") == 0) {
        kill(getpid(), SIGSTOP);
        return;
    }
    ms = strtol(how, NULL, 10);
    if (ms <= 0) {
        kill(getpid(), SIGKILL);
        return;
    }
    t = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

void killpoint_hit(const char *name)
{
    static atomic_long hits;
    const char *plan = getenv("OGPU_KILLPOINT");
    size_t n = strlen(name);
    long at = 1;
    char *rest = NULL;

    if (plan == NULL || strncmp(plan, name, n) != 0 || (plan[n] != '\0' && plan[n] != ':'))
        return;
    if (plan[n] == ':')
        at = strtol(plan + n + 1, &rest, 10);
    if (atomic_fetch_add(&hits, 1) + 1 == at)
        act(rest && *rest == ':' ? rest + 1 : "");
}

#else
/* ISO C wants a declaration in every file. */
typedef int killpoint_absent;
#endif
