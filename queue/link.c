/* SPDX-License-Identifier: MIT */
#include "queue/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/log.h"

#define CONNECT_MS     250
#define COMMAND_MS     500
#define BACKOFF_MIN_US 100000
#define BACKOFF_MAX_US 2000000
#define LOST_APART_US  500000

static enum err_code bad_url(struct err *err)
{
    return err_set(err, E_CONFIG,
                   "REDIS_URL must be redis://[:password@]host[:port][/db] or unix:///path");
}

static bool copy(char *out, size_t room, const char *s, size_t n)
{
    if (n >= room)
        return false;
    memcpy(out, s, n);
    out[n] = '\0';
    return true;
}

static bool number(const char *s, size_t n, int max, int *out)
{
    int v = 0;

    if (n == 0 || n > 6)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        v = v * 10 + (s[i] - '0');
    }
    if (v > max)
        return false;
    *out = v;
    return true;
}

/* host[:port], the host in brackets when it is IPv6. */
static bool parse_host(const char *s, size_t n, struct link_address *at)
{
    const char *end;

    if (n > 0 && s[0] == '[') {
        end = memchr(s, ']', n);
        if (end == NULL || !copy(at->host, sizeof(at->host), s + 1, (size_t)(end - s - 1)))
            return false;
        end++;
    } else {
        end = memchr(s, ':', n);
        if (end == NULL)
            end = s + n;
        if (!copy(at->host, sizeof(at->host), s, (size_t)(end - s)))
            return false;
    }
    if (at->host[0] == '\0')
        return false;
    if (end == s + n)
        return true;
    return *end == ':' && number(end + 1, (size_t)(s + n - end - 1), 65535, &at->port) &&
           at->port > 0;
}

enum err_code link_parse(const char *url, struct link_address *out, struct err *err)
{
    struct link_address at = {.port = 6379};
    const char *s = url;
    const char *slash;
    const char *sign;
    size_t n;

    if (strncmp(s, "unix://", 7) == 0) {
        at.port = 0;
        if (s[7] != '/' || !copy(at.host, sizeof(at.host), s + 7, strlen(s + 7)))
            return bad_url(err);
        *out = at;
        return E_OK;
    }
    if (strncmp(s, "redis://", 8) != 0)
        return bad_url(err);
    s += 8;
    slash = strchr(s, '/');
    n = slash ? (size_t)(slash - s) : strlen(s);
    if (slash && slash[1] && !number(slash + 1, strlen(slash + 1), 65535, &at.db))
        return bad_url(err);
    sign = memchr(s, '@', n);
    if (sign) {
        const char *colon = memchr(s, ':', (size_t)(sign - s));

        if (colon == NULL ||
            !copy(at.password, sizeof(at.password), colon + 1, (size_t)(sign - colon - 1)))
            return bad_url(err);
        n -= (size_t)(sign + 1 - s);
        s = sign + 1;
    }
    if (!parse_host(s, n, &at))
        return bad_url(err);
    *out = at;
    return E_OK;
}

static bool answered_ok(redisContext *c, redisReply *r)
{
    bool ok = r && r->type != REDIS_REPLY_ERROR && c->err == 0;

    if (r)
        freeReplyObject(r);
    return ok;
}

enum err_code link_connect(const struct link_address *at, redisContext **out, struct err *err)
{
    struct timeval connect = {.tv_usec = CONNECT_MS * 1000};
    struct timeval command = {.tv_usec = COMMAND_MS * 1000};
    redisContext *c = at->port ? redisConnectWithTimeout(at->host, at->port, connect)
                               : redisConnectUnixWithTimeout(at->host, connect);
    enum err_code rc = E_OK;

    if (c == NULL)
        return err_set(err, E_PEER, "no memory for a Redis connection");
    if (c->err || redisSetTimeout(c, command) != REDIS_OK) {
        rc = err_set(err, E_PEER, "Redis cannot be reached: %s", c->errstr);
    } else if (at->password[0] && !answered_ok(c, redisCommand(c, "AUTH %s", at->password))) {
        rc = err_set(err, E_PEER, "Redis refused the password");
    } else if (at->db && !answered_ok(c, redisCommand(c, "SELECT %d", at->db))) {
        rc = err_set(err, E_PEER, "Redis has no database %d", at->db);
    }
    if (rc != E_OK) {
        redisFree(c);
        return rc;
    }
    /* On a unix socket this fails, and hiredis then takes the whole connection for broken. */
    if (at->port)
        (void)redisEnableKeepAlive(c);
    *out = c;
    return E_OK;
}

static bool load_scripts(struct queue *q)
{
    for (int i = 0; i < SCRIPT_COUNT; i++) {
        redisReply *r = redisCommand(q->link, "SCRIPT LOAD %s", script_text[i]);
        bool ok = r && r->type == REDIS_REPLY_STRING && r->len == SHA1_TEXT_MAX - 1;

        if (ok)
            memcpy(q->sha[i], r->str, SHA1_TEXT_MAX);
        else
            log_warn("redis_script_refused", "reason=%s", r && r->str ? r->str : "no answer");
        if (r)
            freeReplyObject(r);
        if (!ok)
            return false;
    }
    return true;
}

void link_try(struct queue *q)
{
    int64_t now = clock_mono_us();
    struct err err = {0};
    uint16_t jitter;

    if (q->link || now < q->retry_us)
        return;
    if (link_connect(&q->at, &q->link, &err) == E_OK && load_scripts(q)) {
        q->backoff_us = BACKOFF_MIN_US;
        atomic_store(&q->up, true);
        (void)link_lost(q);
        log_info("redis_up", NULL);
        return;
    }
    if (q->backoff_us <= BACKOFF_MIN_US)
        log_warn("redis_away", "reason=%s", err.text);
    link_drop(q);
    random_bytes(&jitter, sizeof(jitter));
    q->retry_us = clock_mono_us() + q->backoff_us / 2 + q->backoff_us * jitter / 65536;
    q->backoff_us = q->backoff_us * 2 > BACKOFF_MAX_US ? BACKOFF_MAX_US : q->backoff_us * 2;
}

void link_drop(struct queue *q)
{
    if (q->link)
        redisFree(q->link);
    q->link = NULL;
    q->unread = 0;
    atomic_store(&q->up, false);
}

bool link_lost(struct queue *q)
{
    int64_t now = clock_mono_us();

    if (q->lost_us && now - q->lost_us < LOST_APART_US)
        return false;
    q->lost_us = now;
    atomic_fetch_add(&q->losses, 1);
    return true;
}

void link_arg(struct link_args *a, const char *s, size_t n)
{
    if ((size_t)a->n == ARRAY_LEN(a->arg))
        abort();
    a->arg[a->n] = s;
    a->len[a->n++] = n;
}

void link_eval(const struct queue *q, struct link_args *a, enum script script, const char *n_keys)
{
    a->n = 0;
    link_arg(a, "EVALSHA", 7);
    link_arg(a, q->sha[script], SHA1_TEXT_MAX - 1);
    link_arg(a, n_keys, strlen(n_keys));
}

static enum err_code away(struct queue *q, struct err *err)
{
    enum err_code rc = q->link && q->link->err
                           ? err_set(err, E_PEER, "Redis failed: %s", q->link->errstr)
                           : err_set(err, E_PEER, "Redis is away");

    if (q->link) {
        log_warn("redis_link_lost", "reason=%s", q->link->errstr);
        link_drop(q);
        (void)link_lost(q);
    }
    return rc;
}

enum err_code link_append(struct queue *q, const struct link_args *a, struct err *err)
{
    if (q->link == NULL)
        return away(q, err);
    if (redisAppendCommandArgv(q->link, a->n, (const char **)a->arg, a->len) != REDIS_OK)
        return away(q, err);
    q->unread++;
    /* Bounded: neither our buffer nor the server's may grow with the length of a round. */
    if (q->unread >= 256)
        link_drain(q);
    return E_OK;
}

/* A script that Redis forgot (restart behind our back, SCRIPT FLUSH) comes back with a new link. */
static void judge(struct queue *q, const redisReply *r)
{
    if (r->type != REDIS_REPLY_ERROR)
        return;
    /* A Redis that is full answers so to every write: told as often as it is counted. What was
     * refused is missing from the book, so that claims must go by the database. */
    if (link_lost(q)) {
        struct link_args a = {.n = 0};

        log_warn("redis_error", "reason=%s", r->str);
        link_arg(&a, "DEL", 3);
        link_arg(&a, BOOK_MARK, sizeof(BOOK_MARK) - 1);
        (void)link_append(q, &a, NULL);
    }
    if (strncmp(r->str, "NOSCRIPT", 8) == 0)
        link_drop(q);
}

void link_drain(struct queue *q)
{
    while (q->link && q->unread) {
        void *r = NULL;

        if (redisGetReply(q->link, &r) != REDIS_OK || r == NULL) {
            (void)away(q, NULL);
            return;
        }
        q->unread--;
        judge(q, r);
        freeReplyObject(r);
    }
}

enum err_code link_next(struct queue *q, redisReply **out, struct err *err)
{
    void *r = NULL;

    if (q->link == NULL || q->unread == 0 || redisGetReply(q->link, &r) != REDIS_OK || r == NULL)
        return away(q, err);
    q->unread--;
    if (((redisReply *)r)->type == REDIS_REPLY_ERROR) {
        enum err_code rc = err_set(err, E_PEER, "Redis: %s", ((redisReply *)r)->str);

        judge(q, r);
        freeReplyObject(r);
        return rc;
    }
    *out = r;
    return E_OK;
}
