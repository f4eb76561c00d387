/* SPDX-License-Identifier: MIT */
#ifndef SERVER_STATE_H
#define SERVER_STATE_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "server/app.h"
#include "server/loop.h"
#include "server/metrics.h"
#include "server/reaper.h"
#include "server/router.h"
#include "server/server.h"

struct auth;
struct db_listen;
struct statics;
struct request;

/** How far an ending gateway has come. */
enum drain_stage {
    DRAIN_NO,
    DRAIN_LAME,  /**< /readyz says no; everything is still served, each reply ends its connection */
    DRAIN_QUIET, /**< nothing new is accepted; requests in flight finish */
    DRAIN_OVER
};

/** Everything the HTTP thread owns. No other thread touches it, except `stop_asked`. */
struct server {
    struct app *app;
    struct server_config config;
    struct loop *loop;
    struct MHD_Daemon *mhd;
    int listen_fd;
    struct router *router;
    struct auth *auth;
    struct db_listen *revocations; /**< NULL without a database */
    struct statics *statics;
    struct metrics *metrics;
    struct reaper reaper;
    int64_t reaper_at_us; /**< next look */

    struct request *spare; /**< requests kept for reuse */
    size_t spares;
    size_t in_flight;  /**< requests from their first line to their end */
    size_t streams;    /**< uploads that hold a piece buffer */
    uint64_t id_state; /**< makes request ids differ; no secret */

    atomic_int stop_asked; /**< the one member other threads touch */
    enum drain_stage drain;
    int64_t drain_at_us; /**< when the next stage begins */
};

#endif
