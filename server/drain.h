/* SPDX-License-Identifier: MIT */
#ifndef SERVER_DRAIN_H
#define SERVER_DRAIN_H

#include <stdint.h>

struct server;

/**
 * Once a turn: begin and advance the drain after server_stop().
 *
 * Lame: /readyz says no, so that the balancer looks elsewhere; long polls end; everything is still
 * served, each reply closes its connection. Quiet: the listening socket closes, idle connections
 * end, requests in flight finish. Then the loop stops.
 */
void drain_turn(struct server *s, int64_t now_us);

#endif
