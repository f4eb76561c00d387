/* SPDX-License-Identifier: MIT */
/* Services that keep OpenGPU's container contract badly; one odd thing each. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostile.h"

static char task[64];

/* Accept the run request, remember its task, answer with this status. */
static void take_run(int listener, const char *status)
{
    char text[65536];
    int fd = accept(listener, NULL, NULL);
    ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    sscanf(text, "POST /run/run/%63s", task);
    dprintf(fd, "HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\n{}", status);
    close(fd);
}

static int listen_here(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(5555)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0 || listen(fd, 8) != 0)
        _exit(4);
    return fd;
}

/* What the callbacks of others than the task in flight are answered with. */
static void odd_callbacks(void)
{
    char body[160];
    int wrong = call_back("POST", "0x0000000000000000000000000000000000000001", "{\"stolen\":1}");
    int method = call_back("GET", task, "");
    int root = call_back("POST", "", "{}");
    snprintf(body, sizeof(body), "{\"wrong\":%d,\"method\":%d,\"root\":%d}", wrong, method, root);
    call_back("POST", task, body);
}

static void large_callback(void)
{
    static char body[3 << 20];
    memset(body, ' ', sizeof(body) - 1);
    body[0] = '{';
    body[sizeof(body) - 2] = '}';
    call_back("POST", task, body);
}

static void chunked_callback(void)
{
    char head[256];
    int fd = dial(CALLBACK_PORT);
    int n = snprintf(
        head, sizeof(head),
        "POST /%s HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n", task);
    say(fd, head, (size_t)n);
    recv(fd, head, sizeof(head), 0);
    say(fd, "5\r\n{\"a\":\r\n", 10);
    usleep(50000);
    say(fd, "2\r\n1}\r\n0\r\n\r\n", 12);
    recv(fd, head, sizeof(head), 0);
}

/* Connections that never say anything must not keep the real callback out for good. */
static void crowd(void)
{
    for (int i = 0; i < 20; i++)
        dial(CALLBACK_PORT);
    usleep(200000);
}

static int keep(const char *what, int listener, int early)
{
    take_run(listener, strcmp(what, "teapot") == 0 ? "418 I'm a teapot" : "202 Accepted");
    if (strcmp(what, "leave") == 0)
        return 3;
    if (strcmp(what, "odd") == 0)
        odd_callbacks();
    else if (strcmp(what, "large") == 0)
        large_callback();
    else if (strcmp(what, "chunked") == 0)
        chunked_callback();
    else if (strcmp(what, "text") == 0)
        call_back("POST", task, "not json");
    else if (strcmp(what, "list") == 0)
        call_back("POST", task, "[]");
    else if (strcmp(what, "early") == 0)
        call_back("POST", task,
                  early == 409 || early == 404 ? "{\"early\":\"refused\"}"
                                               : "{\"early\":\"taken\"}");
    else if (strcmp(what, "crowd") == 0)
        crowd();
    else
        serve_heavily(what, task);
    return 0;
}

int serve_badly(const char *what)
{
    if (strcmp(what, "slow-start") == 0)
        sleep(1);
    /* Before anybody could hand over a task: nobody listens yet. */
    int early = strcmp(what, "early") == 0
                    ? call_back("POST", getenv("GUESS") ? getenv("GUESS") : "x", "{}")
                    : 0;
    int status = keep(what, listen_here(), early);
    if (strcmp(what, "slow-start") == 0)
        call_back("POST", task, "{\"slow\":true}");
    if (status)
        return status;
    for (;;)
        pause();
}
