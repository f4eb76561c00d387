/* SPDX-License-Identifier: MIT */
#include "lib/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/netaddr.h"

#define DEFAULT_TIMEOUT_MS 30000
#define CONNECT_MS         5000
#define DEFAULT_MAX_REPLY  ((size_t)1 << 20)

struct http_client {
    CURL *curl;
};

/* What the callbacks of one call share. */
struct transfer {
    const struct http_call *call;
    struct http_reply *reply;
    size_t max_reply;
    int64_t sent;
    struct err why; /* set by the callback that stopped it; code 0 otherwise */
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static char *no_proxy;

/* A proxy of the environment serves the way out only: this machine's own services never use it. */
static void global_init(void)
{
    const char *env = getenv("no_proxy");
    int n;

    if (!env)
        env = getenv("NO_PROXY");
    if (env && strcmp(env, "*") == 0)
        n = asprintf(&no_proxy, "*");
    else
        n = asprintf(&no_proxy, "localhost,127.0.0.1,::1,%s", env ? env : "");
    if (n < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
}

struct http_client *http_client_new(void)
{
    struct http_client *c = calloc(1, sizeof(*c));

    pthread_once(&global_once, global_init);
    if (!c)
        abort();
    c->curl = curl_easy_init();
    if (!c->curl)
        abort();
    return c;
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->curl);
    free(c);
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

/* Returning another number than n makes libcurl end the transfer. */
static size_t on_reply(char *p, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t n = size * count;

    if (n > t->max_reply - (size_t)t->reply->reply_len) {
        err_set(&t->why, E_TOO_LARGE, "the reply has more than %zu bytes", t->max_reply);
        return n == 0 ? 1 : 0;
    }
    if (t->call->reply_fd > 0) {
        if (!write_all(t->call->reply_fd, p, n)) {
            err_set(&t->why, E_IO, "write the reply: %s", strerror(errno));
            return 0;
        }
    } else if (buf_add(&t->reply->body, p, n, &t->why) != E_OK) {
        return 0;
    }
    t->reply->reply_len += (int64_t)n;
    return n;
}

static size_t on_body(char *p, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t n = size * count;
    ssize_t got;

    if ((int64_t)n > t->call->body_fd_len - t->sent)
        n = (size_t)(t->call->body_fd_len - t->sent);
    if (n == 0)
        return 0;
    got = pread(t->call->body_fd, p, n, t->sent);
    if (got <= 0) {
        err_set(&t->why, E_IO, "read the body: %s", got < 0 ? "failed" : "the file is too short");
        return CURL_READFUNC_ABORT;
    }
    t->sent += got;
    return (size_t)got;
}

/* libcurl rewinds when a kept connection turns out dead and it sends again on a new one. */
static int on_seek(void *ctx, curl_off_t offset, int origin)
{
    struct transfer *t = ctx;

    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    t->sent = offset;
    return CURL_SEEKFUNC_OK;
}

/* Keep the value of "name: value" when it is this header and fits. */
static void keep_header(const char *line, size_t n, const char *name, char *out, size_t room)
{
    size_t len = strlen(name);

    if (n <= len || strncasecmp(line, name, len) != 0 || line[len] != ':')
        return;
    for (len++; len < n && (line[len] == ' ' || line[len] == '\t');)
        len++;
    while (n > len && (unsigned char)line[n - 1] <= ' ')
        n--;
    if (n - len < room) {
        memcpy(out, line + len, n - len);
        out[n - len] = '\0';
    }
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t n = size * count;

    keep_header(line, n, "location", t->reply->location, sizeof(t->reply->location));
    keep_header(line, n, "www-authenticate", t->reply->authenticate,
                sizeof(t->reply->authenticate));
    keep_header(line, n, "content-type", t->reply->content_type, sizeof(t->reply->content_type));
    keep_header(line, n, "date", t->reply->date, sizeof(t->reply->date));
    return n;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct transfer *t = ctx;

    (void)a, (void)b, (void)c, (void)d;
    if (!t->call->stop(t->call->stop_ctx))
        return 0;
    err_set(&t->why, E_TIMEOUT, "stopped");
    return 1;
}

static void set_body(CURL *h, const struct http_call *call, struct transfer *t)
{
    if (call->body_fd > 0) {
        curl_easy_setopt(h, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(h, CURLOPT_INFILESIZE_LARGE, (curl_off_t)call->body_fd_len);
        curl_easy_setopt(h, CURLOPT_READFUNCTION, on_body);
        curl_easy_setopt(h, CURLOPT_READDATA, t);
        curl_easy_setopt(h, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(h, CURLOPT_SEEKDATA, t);
    } else if (call->body || strcmp(call->method, "POST") == 0 ||
               strcmp(call->method, "PUT") == 0) {
        curl_easy_setopt(h, CURLOPT_POST, 1L);
        curl_easy_setopt(h, CURLOPT_POSTFIELDS, call->body ? call->body : "");
        curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)(call->body ? call->body_len : 0));
    }
    if (strcmp(call->method, "HEAD") == 0)
        curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, call->method);
}

/* Here the name has become an address: what a redirect or a name server says later cannot undo it.
 */
static curl_socket_t open_public(void *ctx, curlsocktype purpose, struct curl_sockaddr *at)
{
    struct transfer *t = ctx;

    (void)purpose;
    if (netaddr_public(&at->addr))
        return socket(at->family, at->socktype | SOCK_CLOEXEC, at->protocol);
    (void)err_set(&t->why, E_PEER, "the address is not a public one");
    return CURL_SOCKET_BAD;
}

static void set_options(const struct http_client *c, const struct http_call *call,
                        struct transfer *t, struct curl_slist *headers, char *why)
{
    CURL *h = c->curl;
    int64_t timeout = call->timeout_ms > 0 ? call->timeout_ms : DEFAULT_TIMEOUT_MS;

    curl_easy_reset(h); /* options only: connections stay */
    curl_easy_setopt(h, CURLOPT_URL, call->url);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_NOPROXY, no_proxy);
    curl_easy_setopt(h, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(h, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS,
                     timeout < CONNECT_MS ? (long)timeout : CONNECT_MS);
    curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)timeout);
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_reply);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(h, CURLOPT_HEADERDATA, t);
    if (call->public_only) {
        curl_easy_setopt(h, CURLOPT_FRESH_CONNECT, 1L); /* kept ones were not judged */
        curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, open_public);
        curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, t);
    }
    if (call->stop) {
        curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
        curl_easy_setopt(h, CURLOPT_XFERINFODATA, t);
    }
    set_body(h, call, t);
}

static struct curl_slist *append(struct curl_slist *list, const char *header)
{
    list = curl_slist_append(list, header);
    if (!list)
        abort();
    return list;
}

/* "Expect:" takes libcurl's own "Expect: 100-continue" out: it would cost a round trip or a second.
 */
static struct curl_slist *header_list(const struct http_call *call)
{
    struct curl_slist *list = append(NULL, "Expect:");

    for (size_t i = 0; call->headers && call->headers[i]; i++)
        list = append(list, call->headers[i]);
    return list;
}

static enum err_code outcome(CURL *h, CURLcode got, const struct transfer *t, const char *why,
                             struct err *err)
{
    curl_off_t retry = 0;
    long status = 0;

    if (t->why.code != E_OK)
        return err_set(err, t->why.code, "%s", t->why.text);
    if (got == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, E_TIMEOUT, "%s", why);
    if (got != CURLE_OK)
        return err_set(err, E_PEER, "%s", *why ? why : curl_easy_strerror(got));
    curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(h, CURLINFO_RETRY_AFTER, &retry);
    t->reply->status = (int)status;
    t->reply->retry_after_s = retry;
    return E_OK;
}

/* What Content-Length said; -1 when it was absent. */
static int64_t told_length(CURL *h)
{
    curl_off_t n = -1;

    if (curl_easy_getinfo(h, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &n) != CURLE_OK)
        return -1;
    return (int64_t)n;
}

int64_t http_date(const char *text)
{
    time_t t = text[0] ? curl_getdate(text, NULL) : -1;

    return t < 0 ? 0 : (int64_t)t;
}

enum err_code http_do(struct http_client *c, const struct http_call *call, struct http_reply *reply,
                      struct err *err)
{
    struct curl_slist *headers = header_list(call);
    struct transfer t = {.call = call, .reply = reply};
    char why[CURL_ERROR_SIZE] = "";
    enum err_code rc;

    t.max_reply = call->max_reply ? call->max_reply : DEFAULT_MAX_REPLY;
    reply->body.n = 0;
    reply->body.cap = t.max_reply;
    reply->reply_len = 0;
    reply->location[0] = reply->authenticate[0] = reply->content_type[0] = reply->date[0] = '\0';
    set_options(c, call, &t, headers, why);
    rc = outcome(c->curl, curl_easy_perform(c->curl), &t, why, err);
    reply->content_length = told_length(c->curl);
    curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, NULL);
    curl_slist_free_all(headers);
    return rc;
}
