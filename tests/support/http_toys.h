/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_HTTP_TOYS_H
#define TESTS_SUPPORT_HTTP_TOYS_H

#include "server/route.h"

/** Toy operations on the real server: what the probes need and nothing more. */
extern const struct route toy_routes[];
extern const size_t toy_route_count;

#endif
