/* SPDX-License-Identifier: MIT */
#include "workers/contain/http_in.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void http_in_begin(struct http_in *h, size_t body_max)
{
    *h = (struct http_in){.state = HTTP_IN_HEAD};
    h->raw.cap = HTTP_IN_HEAD_MAX + 65536;
    h->body.cap = body_max;
}

void http_in_done(struct http_in *h)
{
    buf_done(&h->raw);
    buf_done(&h->body);
}

/* What is not yet understood. */
static char *rest(const struct http_in *h, size_t *n)
{
    *n = h->raw.n - h->at;
    return (char *)h->raw.p + h->at;
}

static void eat(struct http_in *h, size_t n)
{
    h->at += n;
}

/* Once for all that was eaten: moved at each of many small chunks, the rest would be copied
 * thousands of times, and not at the source's expense. */
static void tidy(struct http_in *h)
{
    size_t n;
    const char *p = rest(h, &n);
    memmove(h->raw.p, p, n);
    h->raw.n = n;
    h->at = 0;
}

/* Decimal or hex digits only, at most 15 of them: no sign, no blanks, no overflow. */
static bool number(const char *s, size_t n, int base, int64_t *out)
{
    if (n == 0 || n > 15)
        return false;
    int64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        const char *digits = "0123456789abcdef";
        char c = (char)(s[i] >= 'A' && s[i] <= 'F' ? s[i] + 32 : s[i]);
        const char *d = c ? strchr(digits, c) : NULL;
        if (!d || d - digits >= base)
            return false;
        v = v * base + (d - digits);
    }
    *out = v;
    return true;
}

static bool request_line(struct http_in *h, const char *s, size_t n)
{
    const char *a = memchr(s, ' ', n);
    const char *b = a ? memchr(a + 1, ' ', n - (size_t)(a + 1 - s)) : NULL;
    if (!b || (size_t)(a - s) >= sizeof(h->method) || (size_t)(b - a - 1) >= sizeof(h->path))
        return false;
    if (n - (size_t)(b + 1 - s) != 8 || memcmp(b + 1, "HTTP/1.", 7) != 0)
        return false;
    memcpy(h->method, s, (size_t)(a - s));
    memcpy(h->path, a + 1, (size_t)(b - a - 1));
    return true;
}

static bool header_is(const char *s, size_t n, const char *name, const char **value, size_t *len)
{
    size_t k = strlen(name);
    if (n <= k || s[k] != ':' || strncasecmp(s, name, k) != 0)
        return false;
    const char *v = s + k + 1;
    const char *end = s + n;
    while (v < end && (*v == ' ' || *v == '\t'))
        v++;
    while (end > v && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *value = v;
    *len = (size_t)(end - v);
    return true;
}

static bool header_line(struct http_in *h, const char *s, size_t n)
{
    const char *v;
    size_t len;
    if (header_is(s, n, "Content-Length", &v, &len)) {
        if (h->left >= 0 || !number(v, len, 10, &h->left))
            return false;
    } else if (header_is(s, n, "Transfer-Encoding", &v, &len)) {
        if (len != 7 || strncasecmp(v, "chunked", 7) != 0)
            return false;
        h->chunked = true;
    } else if (header_is(s, n, "Expect", &v, &len)) {
        h->expects_continue = len == 12 && strncasecmp(v, "100-continue", 12) == 0;
    }
    return true;
}

static void head(struct http_in *h)
{
    size_t have;
    char *text = rest(h, &have);
    char *end = memmem(text, have, "\r\n\r\n", 4);
    if (!end) {
        if (have > HTTP_IN_HEAD_MAX)
            h->state = HTTP_IN_BAD;
        return;
    }
    bool ok = true;
    size_t line = 0;
    h->left = -1;
    for (char *p = text; ok && p < end + 2; line++) {
        char *eol = memmem(p, (size_t)(end + 2 - p), "\r\n", 2);
        size_t n = (size_t)(eol - p);
        ok = line == 0 ? request_line(h, p, n) : header_line(h, p, n);
        p = eol + 2;
    }
    /* Both lengths at once is how requests are smuggled. */
    if (h->chunked && h->left >= 0)
        ok = false;
    if (!h->chunked && h->left < 0)
        h->left = 0;
    eat(h, (size_t)(end + 4 - text));
    h->state = ok ? HTTP_IN_BODY : HTTP_IN_BAD;
    if (ok && !h->chunked && (uint64_t)h->left > h->body.cap)
        h->state = HTTP_IN_TOO_LARGE;
}

static void take(struct http_in *h)
{
    size_t have;
    const char *p = rest(h, &have);
    size_t n = have < (size_t)h->left ? have : (size_t)h->left;
    if (n == 0)
        return;
    if (buf_add(&h->body, p, n, NULL) != E_OK) {
        h->state = HTTP_IN_TOO_LARGE;
        return;
    }
    eat(h, n);
    h->left -= (int64_t)n;
}

/* A chunk's size line, or the line that ends a chunk. @return false when more bytes are needed or
 * all is over. */
static bool chunk_line(struct http_in *h, bool *first)
{
    size_t have;
    char *line = rest(h, &have);
    char *eol = memmem(line, have, "\r\n", 2);
    if (!eol) {
        if (have > 256)
            h->state = HTTP_IN_BAD;
        return false;
    }
    size_t n = (size_t)(eol - line);
    if (!*first && n == 0) {
        eat(h, 2);
        *first = true;
        return true;
    }
    const char *semicolon = memchr(line, ';', n);
    int64_t size;
    if (!*first || !number(line, semicolon ? (size_t)(semicolon - line) : n, 16, &size)) {
        h->state = HTTP_IN_BAD;
        return false;
    }
    eat(h, n + 2);
    h->left = size;
    *first = false;
    if (size == 0)
        h->state = HTTP_IN_DONE; /* trailers, if any, are nobody's business */
    return size != 0;
}

static void chunks(struct http_in *h)
{
    /* left: -1 before a size line; 0 after a chunk's last byte, before its line end */
    bool first = h->left < 0;
    while (h->state == HTTP_IN_BODY) {
        if (h->left > 0) {
            take(h);
            if (h->left > 0)
                return;
        }
        if (!chunk_line(h, &first)) {
            if (first)
                h->left = -1;
            return;
        }
        if (first)
            h->left = -1;
    }
}

void http_in_feed(struct http_in *h, const void *p, size_t n)
{
    if (h->state != HTTP_IN_HEAD && h->state != HTTP_IN_BODY)
        return;
    if (buf_add(&h->raw, p, n, NULL) != E_OK) {
        h->state = HTTP_IN_BAD;
        return;
    }
    if (h->state == HTTP_IN_HEAD)
        head(h);
    if (h->state == HTTP_IN_BODY && h->chunked)
        chunks(h);
    else if (h->state == HTTP_IN_BODY)
        take(h);
    if (h->state == HTTP_IN_BODY && !h->chunked && h->left == 0)
        h->state = HTTP_IN_DONE;
    tidy(h);
}
