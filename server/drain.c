/* SPDX-License-Identifier: MIT */
#include "server/drain.h"

#include <unistd.h>

#include "lib/log.h"
#include "server/state.h"
#include "server/wait.h"

static void begin_lame(struct server *s, int64_t now_us)
{
    log_info("drain_begun", "connections=%zu requests=%zu", s->reaper.connections, s->in_flight);
    s->drain = DRAIN_LAME;
    s->drain_at_us = now_us + s->config.lame_ms * 1000;
    wait_all(loop_bells(s->loop));
}

static void begin_quiet(struct server *s, int64_t now_us)
{
    MHD_socket fd = MHD_quiesce_daemon(s->mhd);

    if (fd != MHD_INVALID_SOCKET)
        close(fd);
    s->listen_fd = -1;
    s->drain = DRAIN_QUIET;
    s->drain_at_us = now_us + s->config.drain_ms * 1000;
}

static void end(struct server *s)
{
    if (s->in_flight > 0)
        log_warn("drain_cut", "requests=%zu", s->in_flight);
    log_info("drain_over", "requests=%zu", s->in_flight);
    s->drain = DRAIN_OVER;
    loop_stop(s->loop);
}

void drain_turn(struct server *s, int64_t now_us)
{
    int asked = atomic_load(&s->stop_asked);

    if (asked == 0 || s->drain == DRAIN_OVER)
        return;
    if (s->drain == DRAIN_NO)
        begin_lame(s, now_us);
    if (s->drain == DRAIN_LAME && (now_us >= s->drain_at_us || asked > 1))
        begin_quiet(s, now_us);
    if (s->drain != DRAIN_QUIET)
        return;
    reaper_cut_idle(&s->reaper, now_us);
    if (s->reaper.connections == 0 || now_us >= s->drain_at_us)
        end(s);
}
