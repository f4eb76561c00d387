/* SPDX-License-Identifier: MIT */
#include "lib/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec t;

    if (clock_gettime(id, &t) != 0)
        abort();
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

void rfc3339_format(int64_t us, char *out)
{
    int64_t s = us / 1000000;
    int64_t fraction = us % 1000000;
    struct tm t;
    time_t seconds;

    if (fraction < 0) { /* before 1970: C's remainder is negative, the calendar's is not */
        fraction += 1000000;
        s--;
    }
    /* RFC 3339 knows the years 0000 to 9999. */
    s = s < -62167219200 ? -62167219200 : s > 253402300799 ? 253402300799 : s;
    seconds = (time_t)s;
    if (!gmtime_r(&seconds, &t))
        abort();
    snprintf(out, RFC3339_MAX, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ",
             ((unsigned)t.tm_year + 1900) % 10000, (unsigned)(t.tm_mon + 1) % 100,
             (unsigned)t.tm_mday % 100, (unsigned)t.tm_hour % 100, (unsigned)t.tm_min % 100,
             (unsigned)t.tm_sec % 100, (unsigned)fraction % 1000000);
}
