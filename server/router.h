/* SPDX-License-Identifier: MIT */
#ifndef SERVER_ROUTER_H
#define SERVER_ROUTER_H

#include <stddef.h>

#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/err.h"
#include "lib/fields.h"
#include "server/route.h"

/** Finds the operation of a method and a path. Compiled once at start, then read-only. */
struct router;

/** A found operation. */
struct route_match {
    const struct route *route;
    struct field_pair param[ROUTE_PARAMS_MAX]; /**< in the path's order, decoded; borrowed */
    size_t params;
    const char *allow; /**< with E_METHOD_NOT_ALLOWED: the Allow header, in the arena */
};

struct router *router_new(void);
void router_free(struct router *router);

/**
 * Add operations; `routes` must live as long as the router.
 *
 * @return E_CONFIG for an unknown method, a template that is not `/segment/{param}/…`, too many
 *         parameters, or the same method and path twice
 */
MUST_CHECK enum err_code router_add(struct router *router, const struct route *routes, size_t n,
                                    struct err *err);

/**
 * Find the operation. A literal segment wins over a parameter; HEAD finds GET; an empty segment
 * fits a parameter only at the end (`/docs/`).
 *
 * @path   raw path without query, checked by guard_target()
 * @arena  for decoded values; a value that is not UTF-8 fits nothing
 * @return E_NOT_FOUND, E_METHOD_NOT_ALLOWED
 */
MUST_CHECK enum err_code router_match(const struct router *router, struct text method,
                                      struct text path, struct arena *arena,
                                      struct route_match *out);

/** Number of operations; a route's index is stable for metrics. */
size_t router_count(const struct router *router);

/** The routes in the order they were added; 0-based. */
const struct route *router_at(const struct router *router, size_t index);

/** Index of a route in router_at(); router_count() for NULL or a stranger. */
size_t router_index(const struct router *router, const struct route *route);

#endif
