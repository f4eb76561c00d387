/* SPDX-License-Identifier: MIT */
#include "workers/contain/egress_head.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define METHOD_MAX 16
#define DIGITS_MAX 15

/* What has been read of one head. */
struct reading {
    struct egress_request request;
    struct text method;
    struct text path; /* empty: "/" */
    bool old;         /* HTTP/1.0 */
    bool has_host;
    bool has_length;
    struct text connection[8]; /* values of Connection: names that end here */
    size_t connections;
    struct egress_refusal *no;
};

static bool refuse(struct reading *r, int status, const char *why)
{
    *r->no = (struct egress_refusal){status, why};
    return false;
}

static bool is_token(struct text t)
{
    for (size_t i = 0; i < t.n; i++) {
        char c = t.s[i];
        if (c <= ' ' || c > '~' || strchr("\"(),/:;<=>?@[\\]{}", c))
            return false;
    }
    return t.n > 0;
}

static bool is_named(struct text t, const char *name)
{
    return t.n == strlen(name) && strncasecmp(t.s, name, t.n) == 0;
}

/* host[:port]; anything else (user@, [address], a sign) is refused. */
static bool read_authority(struct reading *r, struct text t, uint16_t standard, char *host,
                           uint16_t *port)
{
    struct egress_host h;
    const char *fault = t.n > 0 && t.s[0] == '*' ? "a host must be a name" : NULL;
    if (memchr(t.s, '@', t.n) || memchr(t.s, '[', t.n))
        return refuse(r, 403, "a host must be a name, without a user");
    if (!fault)
        fault = egress_host_read(t, &h);
    if (fault)
        return refuse(r, 403, fault);
    memcpy(host, h.name, sizeof(h.name));
    *port = h.port ? h.port : standard;
    return true;
}

/* The target of a CONNECT, or an absolute URL. */
static bool read_target(struct reading *r, struct text t)
{
    static const char scheme[] = "http://";
    struct egress_request *q = &r->request;
    size_t n = sizeof(scheme) - 1;
    for (size_t i = 0; i < t.n; i++) {
        if (t.s[i] <= ' ' || t.s[i] > '~' || t.s[i] == '#')
            return refuse(r, 400, "a target of printable ASCII, please");
    }
    if (q->tunnel) {
        if (!memchr(t.s, ':', t.n))
            return refuse(r, 400, "CONNECT needs a port");
        return read_authority(r, t, 0, q->host, &q->port);
    }
    if (t.n < n || strncasecmp(t.s, scheme, n) != 0)
        return refuse(r, 400, "this is a proxy: CONNECT host:port, or a URL that begins http://");
    t = (struct text){t.s + n, t.n - n};
    size_t end = 0;
    while (end < t.n && t.s[end] != '/' && t.s[end] != '?')
        end++;
    r->path = (struct text){t.s + end, t.n - end};
    return read_authority(r, (struct text){t.s, end}, 80, q->host, &q->port);
}

static bool read_request_line(struct reading *r, struct text line)
{
    const char *a = memchr(line.s, ' ', line.n);
    const char *b = a ? memchr(a + 1, ' ', line.n - (size_t)(a + 1 - line.s)) : NULL;
    if (!b)
        return refuse(r, 400, "no request line");
    r->method = (struct text){line.s, (size_t)(a - line.s)};
    struct text version = {b + 1, line.n - (size_t)(b + 1 - line.s)};
    r->old = text_is(version, "HTTP/1.0");
    if (!is_token(r->method) || r->method.n > METHOD_MAX ||
        (!r->old && !text_is(version, "HTTP/1.1")))
        return refuse(r, 400, "no request line of HTTP/1");
    r->request.tunnel = text_is(r->method, "CONNECT");
    return read_target(r, (struct text){a + 1, (size_t)(b - a - 1)});
}

static bool read_host(struct reading *r, struct text value)
{
    char host[EGRESS_NAME_MAX + 1];
    uint16_t port;
    if (r->has_host)
        return refuse(r, 400, "more than one Host");
    r->has_host = true;
    if (!read_authority(r, value, r->request.tunnel ? r->request.port : 80, host, &port))
        return false;
    if (strcmp(host, r->request.host) != 0 || port != r->request.port)
        return refuse(r, 403, "Host and target are not the same");
    return true;
}

static bool read_length(struct reading *r, struct text value)
{
    int64_t v = 0;
    if (r->has_length || value.n == 0 || value.n > DIGITS_MAX)
        return refuse(r, 400, "Content-Length must be one number");
    for (size_t i = 0; i < value.n; i++) {
        if (value.s[i] < '0' || value.s[i] > '9')
            return refuse(r, 400, "Content-Length must be one number");
        v = v * 10 + (value.s[i] - '0');
    }
    r->has_length = true;
    r->request.length = v;
    return true;
}

/* "Name: value" into its parts. */
static bool cut_header(struct text line, struct text *name, struct text *value)
{
    const char *colon = memchr(line.s, ':', line.n);
    if (!colon)
        return false;
    *name = (struct text){line.s, (size_t)(colon - line.s)};
    const char *from = colon + 1;
    const char *end = line.s + line.n;
    while (from < end && (*from == ' ' || *from == '\t'))
        from++;
    while (end > from && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *value = (struct text){from, (size_t)(end - from)};
    for (const char *c = from; c < end; c++) {
        if ((*c >= 0 && *c < ' ' && *c != '\t') || *c == 0x7f)
            return false;
    }
    return is_token(*name);
}

static bool read_header(struct reading *r, struct text line)
{
    struct text name;
    struct text value;
    if (!cut_header(line, &name, &value))
        return refuse(r, 400, "a header line that is none");
    if (is_named(name, "Host"))
        return read_host(r, value);
    if (is_named(name, "Content-Length"))
        return read_length(r, value);
    /* Only a length that is told beforehand leaves nothing to interpret. */
    if (is_named(name, "Transfer-Encoding"))
        return refuse(r, 411, "a body needs a Content-Length here");
    if (!is_named(name, "Connection") && !is_named(name, "Proxy-Connection"))
        return true;
    if (r->connections == ARRAY_LEN(r->connection))
        return refuse(r, 400, "too many Connection headers");
    r->connection[r->connections++] = value;
    return true;
}

/* Whether a Connection header says that this one ends here. */
static bool is_nominated(const struct reading *r, struct text name)
{
    for (size_t i = 0; i < r->connections; i++) {
        struct text t = r->connection[i];
        while (t.n > 0) {
            const char *comma = memchr(t.s, ',', t.n);
            struct text one = {t.s, comma ? (size_t)(comma - t.s) : t.n};
            size_t used = one.n + (comma != NULL);
            while (one.n > 0 && (one.s[0] == ' ' || one.s[0] == '\t')) {
                one.s++;
                one.n--;
            }
            while (one.n > 0 && (one.s[one.n - 1] == ' ' || one.s[one.n - 1] == '\t'))
                one.n--;
            if (one.n == name.n && strncasecmp(one.s, name.s, one.n) == 0)
                return true;
            t = (struct text){t.s + used, t.n - used};
        }
    }
    return false;
}

static bool ends_here(const struct reading *r, struct text name)
{
    static const char *const hop[] = {"Host", "Connection", "Proxy-Connection", "Keep-Alive",
                                      "TE",   "Trailer",    "Upgrade",          "Content-Length"};
    for (size_t i = 0; i < ARRAY_LEN(hop); i++) {
        if (is_named(name, hop[i]))
            return true;
    }
    return (name.n > 6 && strncasecmp(name.s, "Proxy-", 6) == 0) || is_nominated(r, name);
}

/* Each line that ends in CRLF; one that holds another CR or LF is none. */
static bool next_line(struct text *rest, struct text *line)
{
    const char *end = memmem(rest->s, rest->n, "\r\n", 2);
    if (!end)
        return false;
    *line = (struct text){rest->s, (size_t)(end - rest->s)};
    rest->n -= line->n + 2;
    rest->s = end + 2;
    return !memchr(line->s, '\n', line->n) && !memchr(line->s, '\r', line->n) &&
           !memchr(line->s, '\0', line->n);
}

static enum err_code write_head(const struct reading *r, struct text rest, struct buf *out)
{
    const struct egress_request *q = &r->request;
    struct text line;
    struct text name;
    struct text value;
    bool slash = r->path.n > 0 && r->path.s[0] == '/';
    enum err_code rc =
        buf_printf(out, NULL, "%.*s %s%.*s HTTP/1.%d\r\nHost: %s", (int)r->method.n, r->method.s,
                   slash ? "" : "/", (int)r->path.n, r->path.s, r->old ? 0 : 1, q->host);
    if (rc == E_OK && q->port != 80)
        rc = buf_printf(out, NULL, ":%u", q->port);
    if (rc == E_OK)
        rc = buf_printf(out, NULL, "\r\nConnection: close\r\n");
    if (rc == E_OK && r->has_length)
        rc = buf_printf(out, NULL, "Content-Length: %lld\r\n", (long long)q->length);
    while (rc == E_OK && next_line(&rest, &line) && line.n > 0) {
        if (cut_header(line, &name, &value) && !ends_here(r, name))
            rc =
                buf_printf(out, NULL, "%.*s: %.*s\r\n", (int)name.n, name.s, (int)value.n, value.s);
    }
    return rc == E_OK ? buf_add(out, "\r\n", 2, NULL) : rc;
}

bool egress_head_read(const char *head, size_t n, struct egress_request *out, struct buf *forward,
                      struct egress_refusal *no)
{
    struct reading r = {.no = no};
    struct text rest = {head, n};
    struct text line;
    if (!next_line(&rest, &line))
        return refuse(&r, 400, "no request line");
    if (!read_request_line(&r, line))
        return false;
    const struct text headers = rest;
    do {
        if (!next_line(&rest, &line))
            return refuse(&r, 400, "a header line that is none");
        if (line.n > 0 && !read_header(&r, line))
            return false;
    } while (line.n > 0);
    if (r.request.tunnel && r.has_length)
        return refuse(&r, 400, "CONNECT has no body");
    if (!r.request.tunnel && write_head(&r, headers, forward) != E_OK)
        return refuse(&r, 431, "the head is too large");
    *out = r.request;
    return true;
}
