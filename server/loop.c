/* SPDX-License-Identifier: MIT */
#include "server/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/clock.h"
#include "server/wait.h"

struct loop {
    int epoll;
    int wake;
    bool stopping;
    struct completion_list posted;
    struct bells *bells;
};

bool completion_push(struct completion_list *list, struct completion *c)
{
    struct completion *old = atomic_load_explicit(&list->head, memory_order_relaxed);

    do {
        c->next = old;
    } while (!atomic_compare_exchange_weak_explicit(&list->head, &old, c, memory_order_release,
                                                    memory_order_relaxed));
    return old == NULL;
}

struct completion *completion_take(struct completion_list *list)
{
    struct completion *c = atomic_exchange_explicit(&list->head, NULL, memory_order_acquire);
    struct completion *oldest = NULL;

    while (c) {
        struct completion *next = c->next;

        c->next = oldest;
        oldest = c;
        c = next;
    }
    return oldest;
}

enum err_code loop_new(struct loop **out, struct err *err)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    struct epoll_event event = {.events = EPOLLIN};

    if (!loop)
        abort();
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->epoll < 0 || loop->wake < 0 ||
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event) != 0) {
        enum err_code code = err_set(err, E_IO, "epoll: %s", strerror(errno));

        loop_free(loop);
        return code;
    }
    loop->bells = bells_new(loop);
    *out = loop;
    return E_OK;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    if (loop->bells)
        bells_free(loop->bells);
    if (loop->epoll >= 0)
        close(loop->epoll);
    if (loop->wake >= 0)
        close(loop->wake);
    free(loop);
}

void loop_wake(struct loop *loop)
{
    const uint64_t one = 1;

    /* A full counter means that the loop is going to wake anyway. */
    if (write(loop->wake, &one, sizeof(one)) < 0)
        return;
}

void loop_post(struct loop *loop, struct completion *c)
{
    if (completion_push(&loop->posted, c))
        loop_wake(loop);
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

void wait_ring(struct loop *loop, uint64_t topic)
{
    bells_ring(loop->bells, topic);
}

struct bells *loop_bells(struct loop *loop)
{
    return loop->bells;
}

static void run_posted(struct loop *loop)
{
    struct completion *c = completion_take(&loop->posted);

    while (c) {
        struct completion *next = c->next; /* run() may post it again */

        c->run(c);
        c = next;
    }
}

static int timeout_ms(int64_t us)
{
    if (us < 0)
        return -1;
    return us > 60000000 ? 60000 : (int)((us + 999) / 1000);
}

enum err_code loop_run(struct loop *loop, const struct loop_driver *driver, struct err *err)
{
    struct epoll_event event = {.events = EPOLLIN};

    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, driver->fd, &event) != 0)
        return err_set(err, E_IO, "epoll: %s", strerror(errno));
    for (;;) {
        struct epoll_event ready[2];
        uint64_t count;

        /* Completions and deadlines resume connections, which nothing but run() looks at: no
         * descriptor tells of them. So they come before it, and the sleep is reckoned after it. */
        run_posted(loop);
        driver->turn(driver->ctx, clock_mono_us());
        driver->run(driver->ctx);
        if (loop->stopping)
            break;
        if (epoll_wait(loop->epoll, ready, 2,
                       timeout_ms(driver->sleep_us(driver->ctx, clock_mono_us()))) < 0 &&
            errno != EINTR)
            return err_set(err, E_IO, "epoll_wait: %s", strerror(errno));
        if (read(loop->wake, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
            return err_set(err, E_IO, "eventfd: %s", strerror(errno));
    }
    loop->stopping = false;
    if (epoll_ctl(loop->epoll, EPOLL_CTL_DEL, driver->fd, NULL) != 0)
        return err_set(err, E_IO, "epoll: %s", strerror(errno));
    return E_OK;
}
