/* SPDX-License-Identifier: MIT */
/*
 * An http source: OpenGPU's container contract as its SDK serves it. Listens on port 5555,
 * answers POST /run/echo/{task_address} with 202 at once, then posts the result to
 * {CALLBACK_URL}/{task_address}. One task after the other.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT     5555
#define BODY_MAX (1 << 20)

struct request {
    char method[8];
    char path[256];
    char *body;
    size_t length;
};

static int send_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = send(fd, p, n, MSG_NOSIGNAL);
        if (done <= 0)
            return 0;
        p += done;
        n -= (size_t)done;
    }
    return 1;
}

/* Read one request; 0 when it is none. The body lies in a static buffer. */
static int read_request(int fd, struct request *r)
{
    static char text[BODY_MAX + 16384];
    size_t n = 0;
    char *body = NULL;
    size_t length = 0;
    while (n < sizeof(text) - 1) {
        ssize_t got = recv(fd, text + n, sizeof(text) - 1 - n, 0);
        if (got <= 0)
            return 0;
        n += (size_t)got;
        text[n] = '\0';
        if (!body) {
            char *end = strstr(text, "\r\n\r\n");
            if (!end)
                continue;
            body = end + 4;
            char *header = strcasestr(text, "\r\nContent-Length:");
            length = header && header < end ? strtoul(header + 17, NULL, 10) : 0;
            if (length > BODY_MAX || sscanf(text, "%7s %255s", r->method, r->path) != 2)
                return 0;
        }
        if (n >= (size_t)(body - text) + length) {
            r->body = body;
            r->length = length;
            body[length] = '\0';
            return 1;
        }
    }
    return 0;
}

static void answer(int fd, const char *status, const char *body)
{
    char text[512];
    int n = snprintf(text, sizeof(text),
                     "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n%s",
                     status, strlen(body), body);
    send_all(fd, text, (size_t)n);
}

/* POST the result to CALLBACK_URL ("http://a.b.c.d:port"). */
static int call_back(const char *task, const char *body, size_t n)
{
    const char *url = getenv("CALLBACK_URL");
    char host[64];
    int port;
    if (!url || sscanf(url, "http://%63[0-9.]:%d", host, &port) != 2)
        return 0;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || inet_pton(AF_INET, host, &to.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        return 0;
    char head[512];
    int len = snprintf(head, sizeof(head),
                       "POST /%s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                       task, host, port, n);
    char reply[256] = "";
    int ok = send_all(fd, head, (size_t)len) && send_all(fd, body, n) &&
             recv(fd, reply, sizeof(reply) - 1, 0) > 0;
    close(fd);
    return ok && strncmp(reply, "HTTP/1.1 200", 12) == 0;
}

static void work(const char *task, const struct request *r)
{
    static char result[BODY_MAX + 512];
    const char *source = getenv("SOURCE_ADDRESS");
    int n = snprintf(result, sizeof(result), "{\"echo\":%s,\"source\":\"%s\",\"bytes\":%zu}",
                     r->body, source ? source : "", r->length);
    if (!call_back(task, result, (size_t)n))
        fprintf(stderr, "callback failed\n");
}

static void serve(int fd)
{
    struct request r;
    char task[64];
    char accepted[160];
    if (!read_request(fd, &r)) {
        close(fd);
        return;
    }
    if (strcmp(r.method, "POST") != 0 || strncmp(r.path, "/run/", 5) != 0) {
        answer(fd, "404 Not Found", "{\"detail\":\"Not Found\"}");
    } else if (sscanf(r.path, "/run/echo/%63[0-9a-zA-Z]", task) != 1) {
        answer(fd, "404 Not Found", "{\"detail\":\"no such function\"}");
    } else if (r.body[0] != '{') {
        answer(fd, "422 Unprocessable Entity", "{\"detail\":\"the input must be an object\"}");
    } else {
        snprintf(accepted, sizeof(accepted), "{\"task_address\":\"%s\",\"status\":\"accepted\"}",
                 task);
        answer(fd, "202 Accepted", accepted);
        close(fd);
        work(task, &r);
        return;
    }
    close(fd);
}

int main(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int one = 1;
    signal(SIGPIPE, SIG_IGN);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (listener < 0 || bind(listener, (struct sockaddr *)&any, sizeof(any)) != 0 ||
        listen(listener, 16) != 0) {
        perror("port 5555");
        return 1;
    }
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0)
            serve(fd);
    }
}
