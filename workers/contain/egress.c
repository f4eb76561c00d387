/* SPDX-License-Identifier: MIT */
#include "workers/contain/egress.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"
#include "workers/contain/egress_proxy.h"
#include "workers/contain/wire.h"

#define READY_MS 10000
/* Of a slot's 65,536 host ids the last one: an image's user may not be it, another slot's cannot.
 */
#define ID_OF_PROXY 65535

/* ---- the process ---- */

static enum err_code prepare(int sock, struct egress_config *c, int *listener, struct err *err)
{
    json_t *v = NULL;
    size_t n = 1;
    enum err_code rc = wire_receive(sock, &v, listener, &n, err);
    if (rc == E_OK && n != 1)
        rc = err_set(err, E_INTERNAL, "the proxy got no listener");
    if (rc == E_OK)
        rc = egress_config_read(v, c, err);
    uint32_t id = (uint32_t)json_integer_value(json_object_get(v, "id"));
    json_decref(v);
    return rc == E_OK ? egress_drop_rights(id, err) : rc;
}

static _Noreturn void be_the_proxy(int sock, struct egress_book *book)
{
    static struct egress_config config;
    struct err err = {0};
    int listener = -1;
    prctl(PR_SET_NAME, "ogpu-egress");
    if (dup2(sock, 3) < 0)
        _exit(1);
    close_range(4, ~0U, 0);
    /* The search list of the machine's own network is none of the source's business. */
    if (setenv("LOCALDOMAIN", ".", 1) != 0 || setenv("RES_OPTIONS", "timeout:3 attempts:2", 1) != 0)
        _exit(1);
    /* Nothing to write to but the two sockets: a reason goes to the supervisor. */
    if (dup2(1, 2) < 0)
        _exit(1);
    if (prepare(3, &config, &listener, &err) != E_OK) {
        (void)send(3, err.text, strlen(err.text), MSG_NOSIGNAL);
        _exit(1);
    }
    if (send(3, "R", 1, MSG_NOSIGNAL) != 1)
        _exit(1);
    egress_serve(&config, listener, 3, book);
}

bool egress_fork(struct egress_side *out)
{
    int pair[2];
    void *p = mmap(NULL, sizeof(struct egress_book), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    out->book = p;
    out->pid = fork();
    if (out->pid == 0) {
        close(pair[0]);
        be_the_proxy(pair[1], out->book);
    }
    close(pair[1]);
    out->sock = pair[0];
    return out->pid > 0;
}

/* ---- the supervisor's side ---- */

static enum err_code listen_inside(const struct life *life, int *out, struct err *err)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(EGRESS_PORT)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = life_socket(life);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 128) != 0) {
        int saved = errno;
        if (fd >= 0)
            close(fd);
        return err_set(err, E_IO, "no proxy listener in the container: %s", strerror(saved));
    }
    *out = fd;
    return E_OK;
}

static enum err_code hand_over(const struct egress_side *e, const struct box_spec *spec,
                               int listener, struct err *err)
{
    char word[ERR_TEXT_MAX] = "";
    struct pollfd row = {.fd = e->sock, .events = POLLIN};
    json_t *v = json_deep_copy((const json_t *)spec->egress);
    json_object_set_new(v, "id", json_integer((json_int_t)spec->uid_base + ID_OF_PROXY));
    enum err_code rc = wire_send(e->sock, v, &listener, 1, err);
    json_decref(v);
    if (rc != E_OK)
        return rc;
    if (poll(&row, 1, READY_MS) != 1 || recv(e->sock, word, sizeof(word) - 1, 0) < 1)
        return err_set(err, E_IO, "the proxy for the source's network did not start");
    if (strcmp(word, "R") != 0)
        return err_set(err, E_IO, "%.*s", (int)strlen(word), word);
    return E_OK;
}

enum err_code egress_open(struct egress_side *e, const struct life *life, struct err *err)
{
    int listener = -1;
    if (!life->spec->egress)
        return E_OK;
    if (e->sock < 0)
        return err_set(err, E_INTERNAL, "the supervisor has no proxy");
    enum err_code rc = listen_inside(life, &listener, err);
    if (rc != E_OK)
        return rc;
    rc = hand_over(e, life->spec, listener, err);
    close(listener);
    return rc;
}

bool egress_over(struct egress_side *e)
{
    char word = 0;
    if (recv(e->sock, &word, 1, MSG_DONTWAIT) == 1 && word == 'L')
        return true;
    log_warn("egress_ended", "why=%s", "the proxy is gone before its run");
    egress_close(e);
    return false;
}

int64_t egress_moved(const struct egress_side *e)
{
    return e->book ? atomic_load(&e->book->moved) : 0;
}

void egress_close(struct egress_side *e)
{
    if (e->sock >= 0)
        close(e->sock);
    e->sock = -1;
}
