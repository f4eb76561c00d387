/* SPDX-License-Identifier: MIT */
#include "server/guard.h"

#include <strings.h>

#include "lib/err.h"

/* Longest Content-Length we read: 18 digits stay below 2^63 and far above any limit. */
#define LENGTH_DIGITS_MAX 18
#define NAME_MAX_BYTES    128

static const struct known_name {
    const char *name;
    size_t n;
    /* This libmicrohttpd joins a folded line to the *name* of the header above it ("Host: a", " b"
     * becomes "Hostb"), which hides the header. A name that only begins like these is refused. */
    bool frames;
} known_names[GUARD_KNOWN_COUNT] = {
    [GUARD_HOST] = {"Host", 4, true},
    [GUARD_CONTENT_LENGTH] = {"Content-Length", 14, true},
    [GUARD_TRANSFER_ENCODING] = {"Transfer-Encoding", 17, true},
    [GUARD_AUTHORIZATION] = {"Authorization", 13, true},
    [GUARD_API_KEY] = {"X-API-Key", 9, true},
    [GUARD_IDEMPOTENCY_KEY] = {"Idempotency-Key", 15, true},
    [GUARD_CONTENT_TYPE] = {"Content-Type", 12, true},
    [GUARD_CONTENT_ENCODING] = {"Content-Encoding", 16, true},
    [GUARD_IF_NONE_MATCH] = {"If-None-Match", 13, false},
    [GUARD_RANGE] = {"Range", 5, false},
    [GUARD_REQUEST_ID] = {"X-Request-Id", 12, false},
    [GUARD_EXPECT] = {"Expect", 6, false},
};

static bool is_token_char(unsigned char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
        return true;
    return c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_token(struct text t)
{
    if (t.n == 0)
        return false;
    for (size_t i = 0; i < t.n; i++) {
        if (!is_token_char((unsigned char)t.s[i]))
            return false;
    }
    return true;
}

static int hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *escape_fault(const char *s, size_t left)
{
    int high = left > 1 ? hex_digit((unsigned char)s[1]) : -1;
    int low = left > 2 ? hex_digit((unsigned char)s[2]) : -1;

    if (high < 0 || low < 0)
        return "a percent sign in the target is not followed by two hex digits";
    if (high < 2 || (high == 7 && low == 15))
        return "the target escapes a control character";
    return NULL;
}

const char *guard_target(struct text target)
{
    if (!target.s || target.n == 0 || target.s[0] != '/')
        return "the target is not a path";
    if (target.n > GUARD_TARGET_MAX)
        return "the target is too long";
    for (size_t i = 0; i < target.n; i++) {
        unsigned char c = (unsigned char)target.s[i];

        if (c <= 0x20 || c >= 0x7f || c == '#' || c == '\\' || c == '"' || c == '<' || c == '>')
            return "the target holds a character that must be escaped";
        if (c == '%') {
            const char *fault = escape_fault(target.s + i, target.n - i);

            if (fault)
                return fault;
        }
    }
    return NULL;
}

void guard_begin(struct guard *g, const char *method, const char *version)
{
    memset(g, 0, sizeof(*g));
    g->content_length = -1;
    g->old = version && strcmp(version, "HTTP/1.0") == 0;
    if (!method || strlen(method) > NAME_MAX_BYTES || !is_token(text_of(method)))
        g->fault = "the method is not a token";
    else if (!version || (!g->old && strcmp(version, "HTTP/1.1") != 0))
        g->fault = "the protocol version is not HTTP/1.0 or HTTP/1.1";
}

static const char *length_fault(struct guard *g, struct text value)
{
    int64_t n = 0;

    if (value.n == 0 || value.n > LENGTH_DIGITS_MAX)
        return "Content-Length is not a plain number";
    for (size_t i = 0; i < value.n; i++) {
        if (value.s[i] < '0' || value.s[i] > '9')
            return "Content-Length is not a plain number";
        n = n * 10 + (value.s[i] - '0');
    }
    g->content_length = n;
    return NULL;
}

static bool is_word(struct text value, const char *word)
{
    return value.n == strlen(word) && strncasecmp(value.s, word, value.n) == 0;
}

static const char *host_fault(struct text value)
{
    if (value.n == 0 || value.n > 255)
        return "Host is empty or too long";
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.s[i];

        if (!is_token_char(c) && c != ':' && c != '[' && c != ']')
            return "Host holds a character that no host has";
    }
    return NULL;
}

static const char *known_fault(struct guard *g, enum guard_known which, struct text value)
{
    switch (which) {
    case GUARD_HOST:
        return host_fault(value);
    case GUARD_CONTENT_LENGTH:
        return length_fault(g, value);
    case GUARD_TRANSFER_ENCODING:
        g->chunked = true;
        return is_word(value, "chunked") ? NULL : "Transfer-Encoding is not chunked";
    case GUARD_CONTENT_ENCODING:
        return is_word(value, "identity") ? NULL : "Content-Encoding is not supported";
    case GUARD_EXPECT:
        return is_word(value, "100-continue") ? NULL : "Expect is not 100-continue";
    default:
        return NULL;
    }
}

/* The known header of this name; GUARD_KNOWN_COUNT when there is none. */
static enum guard_known find_known(struct guard *g, struct text name)
{
    for (size_t i = 0; i < GUARD_KNOWN_COUNT; i++) {
        const struct known_name *k = &known_names[i];

        if (name.n < k->n || strncasecmp(name.s, k->name, k->n) != 0)
            continue;
        if (name.n == k->n)
            return (enum guard_known)i;
        if (k->frames)
            g->fault = "a header name only begins like one that frames or authorises the request";
    }
    return GUARD_KNOWN_COUNT;
}

void guard_header(struct guard *g, struct text name, struct text value)
{
    enum guard_known which;

    if (g->fault)
        return;
    if (++g->headers > GUARD_HEADERS_MAX) {
        g->fault = "too many header lines";
        return;
    }
    if (name.n > NAME_MAX_BYTES || !is_token(name)) {
        g->fault = "a header name is not a token";
        return;
    }
    if (value.n > GUARD_VALUE_MAX) {
        g->fault = "a header value is too long";
        return;
    }
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.s[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            g->fault = "a header value holds a control character";
            return;
        }
    }
    while (value.n > 0 && (value.s[value.n - 1] == ' ' || value.s[value.n - 1] == '\t'))
        value.n--;
    which = find_known(g, name);
    if (which == GUARD_KNOWN_COUNT || g->fault)
        return;
    if (g->known[which].s) {
        g->fault = "a header that may come once came twice";
        return;
    }
    g->known[which] = value.s ? value : text_of("");
    g->fault = known_fault(g, which, g->known[which]);
}

void guard_end(struct guard *g)
{
    if (g->fault)
        return;
    if (!g->known[GUARD_HOST].s)
        g->fault = "Host is missing";
    else if (g->chunked && g->content_length >= 0)
        g->fault = "Content-Length and Transfer-Encoding exclude each other";
    else if (g->chunked && g->old)
        g->fault = "HTTP/1.0 has no Transfer-Encoding";
}
