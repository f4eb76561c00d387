/* SPDX-License-Identifier: MIT */
#include "fault_proxy.h"

#include <stdint.h>
#include <string.h>

/* Enough of a message to know a COMMIT by: type, length, empty portal name, statement name. */
#define LOOK 64

static size_t get_be32(const unsigned char *p)
{
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

static bool is_commit(const unsigned char *m, size_t n)
{
    static const char bind[] = "\0ogpu.commit";

    if (m[0] == 'B') {
        return n >= 5 + sizeof(bind) && memcmp(m + 5, bind, sizeof(bind)) == 0;
    }
    return m[0] == 'Q' && n >= 11 && strncasecmp((const char *)m + 5, "COMMIT", 6) == 0;
}

enum pg_event pg_follow(struct pg_follow *f, const unsigned char *p, size_t n, size_t *pass)
{
    size_t head = f->started ? 5 : 4;
    size_t total;
    bool simple;

    *pass = 0;
    if (f->rest > 0) {
        *pass = n < f->rest ? n : f->rest;
        f->rest -= *pass;
        return PG_PASS;
    }
    if (n < head) {
        return PG_NEED_MORE;
    }
    total = get_be32(p + head - 4) + head - 4;
    if (n < total && n < LOOK) {
        return PG_NEED_MORE;
    }
    *pass = n < total ? n : total;
    f->rest = total - *pass;
    if (!f->started) {
        /* SSLRequest and GSSENCRequest are startup messages too, followed by the real one. */
        f->started = !(total == 8 && p[4] == 0x04 && p[5] == 0xd2);
        return PG_PASS;
    }
    simple = p[0] == 'Q';
    if (is_commit(p, *pass)) {
        f->committing = !simple;
        return PG_COMMIT;
    }
    if (f->committing && p[0] == 'S') {
        f->committing = false;
        return PG_COMMITTED;
    }
    return PG_PASS;
}
