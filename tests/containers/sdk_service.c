/* SPDX-License-Identifier: MIT */
/*
 * A source as a user of OpenGPU's Python SDK makes it, with that SDK's habits (its server.py and
 * handler.py, version 0.2.1): @init before it listens, 202 at once, each task in a thread, a
 * callback without retry, errors and empty results only logged, no look at repeated task addresses.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct task {
    char function[65];
    char address[65];
    char body[4096];
};

static struct timespec listening_since;

static void say(int fd, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t done = send(fd, text, n, MSG_NOSIGNAL);
        if (done <= 0)
            return;
        text += done;
        n -= (size_t)done;
    }
}

static void answer(int fd, const char *status, const char *json)
{
    char text[512];
    int n = snprintf(text, sizeof(text),
                     "HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n"
                     "server: uvicorn\r\nconnection: close\r\n\r\n%s",
                     status, strlen(json), json);
    say(fd, text, (size_t)n);
    close(fd);
}

/* POST {CALLBACK_URL}/{task_address}; whatever comes of it is logged and forgotten. */
static void call_back(const struct task *t, const char *json)
{
    const char *url = getenv("CALLBACK_URL");
    char host[64] = "";
    int port = 80;
    char text[8192];
    char reply[64] = "";
    if (!url || sscanf(url, "http://%63[^:/]:%d", host, &port) < 1) {
        fprintf(stderr, "no CALLBACK_URL, result dropped\n");
        return;
    }
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, host, &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return;
    int n = snprintf(text, sizeof(text),
                     "POST /%s HTTP/1.1\r\nhost: %s:%d\r\naccept: */*\r\n"
                     "content-type: application/json\r\ncontent-length: %zu\r\n\r\n%s",
                     t->address, host, port, strlen(json), json);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
        say(fd, text, (size_t)n);
        ssize_t got = recv(fd, reply, sizeof(reply) - 1, 0);
        reply[got > 0 ? got : 0] = '\0';
    }
    close(fd);
    if (strncmp(reply, "HTTP/1.1 200", 12) != 0)
        fprintf(stderr, "callback answered %.3s\n", reply[0] ? reply + 9 : "not");
}

static void weights(char out[64])
{
    FILE *f = fopen("/models/weights", "r");
    if (!f || !fgets(out, 64, f))
        snprintf(out, 64, "none");
    out[strcspn(out, "\"\\\n")] = '\0';
    if (f)
        fclose(f);
}

/* Whether the volume can be written: "no" for a provider's cache. */
static const char *writable(void)
{
    FILE *f = fopen("/models/mine", "w");
    if (!f)
        return "no";
    fclose(f);
    return "yes";
}

static void *handle(void *arg)
{
    struct task *t = arg;
    char json[1024];
    char model[64];
    const char *x = strstr(t->body, "\"x\"");
    long value = x ? strtol(x + 4 + strspn(x + 4, ": "), NULL, 10) : 0;
    weights(model);
    snprintf(json, sizeof(json),
             "{\"result\":%ld,\"model\":\"%s\",\"writable\":\"%s\",\"greeting\":\"%s\","
             "\"uid\":%d,\"provider\":\"%s\"}",
             2 * value, model, writable(), getenv("GREETING") ? getenv("GREETING") : "",
             (int)getuid(), getenv("PROVIDER_ADDRESS") ? getenv("PROVIDER_ADDRESS") : "");
    if (strcmp(t->function, "fail") == 0) {
        fprintf(stderr, "ValueError: nothing to do with %ld\n", value);
    } else if (strcmp(t->function, "none") == 0) {
        fprintf(stderr, "handler returned None\n");
    } else {
        if (strcmp(t->function, "slow") == 0)
            sleep(1);
        if (strcmp(t->function, "stolen") == 0) {
            struct task other = *t;
            snprintf(other.address, sizeof(other.address),
                     "0x0000000000000000000000000000000000000001");
            call_back(&other, "{\"result\":666}");
        }
        call_back(t, json);
        if (strcmp(t->function, "twice") == 0)
            call_back(t, "{\"result\":666}");
    }
    free(t);
    return NULL;
}

static int is_known(const char *f)
{
    static const char *const known[] = {"double", "fail", "none", "slow", "twice", "stolen"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(f, known[i]) == 0)
            return 1;
    }
    return 0;
}

/* The whole request: head, and as much body as its content-length says. */
static int receive(int fd, char *text, size_t size)
{
    size_t n = 0;
    for (;;) {
        ssize_t got = n < size - 1 ? recv(fd, text + n, size - 1 - n, 0) : 0;
        if (got <= 0)
            return 0;
        n += (size_t)got;
        text[n] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        const char *length = strcasestr(text, "content-length:");
        size_t body = length ? strtoul(length + 15, NULL, 10) : 0;
        if (end && n >= (size_t)(end + 4 - text) + body)
            return 1;
    }
}

/* /readiness is no part of the SDK; a newer service may have it. */
static void readiness(int fd)
{
    struct timespec now;
    const char *after = getenv("READY_AFTER_MS");
    clock_gettime(CLOCK_MONOTONIC, &now);
    long ms = (now.tv_sec - listening_since.tv_sec) * 1000 +
              (now.tv_nsec - listening_since.tv_nsec) / 1000000;
    if (!after)
        answer(fd, "404 Not Found", "{\"detail\":\"Not Found\"}");
    else if (ms < atol(after))
        answer(fd, "503 Service Unavailable", "{}");
    else
        answer(fd, "200 OK", "{}");
}

static void serve(int fd)
{
    static char text[65536];
    struct task t = {.function = ""};
    char accepted[160];
    if (!receive(fd, text, sizeof(text))) {
        close(fd);
        return;
    }
    const char *body = strstr(text, "\r\n\r\n");
    if (strncmp(text, "GET /readiness ", 15) == 0) {
        readiness(fd);
        return;
    }
    if (sscanf(text, "POST /run/%64[^/ ]/%64[^/ ]", t.function, t.address) != 2 ||
        !is_known(t.function)) {
        answer(fd, "404 Not Found", "{\"detail\":\"Not Found\"}");
        return;
    }
    snprintf(t.body, sizeof(t.body), "%s", body ? body + 4 : "");
    if (!strstr(t.body, "\"x\"")) {
        answer(fd, "422 Unprocessable Entity", "{\"detail\":[{\"msg\":\"Field required\"}]}");
        return;
    }
    struct task *copy = malloc(sizeof(*copy));
    pthread_t thread;
    if (!copy)
        return;
    *copy = t;
    snprintf(accepted, sizeof(accepted), "{\"task_address\":\"%s\",\"status\":\"accepted\"}",
             t.address);
    answer(fd, "202 Accepted", accepted);
    if (pthread_create(&thread, NULL, handle, copy) == 0)
        pthread_detach(thread);
    else
        free(copy);
}

int main(int argc, char **argv)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(5555)};
    const char *init = getenv("INIT_MS");
    if (argc > 1)
        fprintf(stderr, "serving as %s\n", argv[1]);
    if (init)
        usleep((useconds_t)atol(init) * 1000); /* @init: a download, a model to load */
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&any, sizeof(any)) != 0 ||
        listen(listener, 16) != 0)
        return 1;
    clock_gettime(CLOCK_MONOTONIC, &listening_since);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0)
            serve(fd);
    }
}
