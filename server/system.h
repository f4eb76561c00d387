/* SPDX-License-Identifier: MIT */
#ifndef SERVER_SYSTEM_H
#define SERVER_SYSTEM_H

#include "server/op.h"
#include "server/route.h"

struct server;

/* Operations of the contract's `system` tag: the server answers them itself. */
extern const struct op_def op_get_index;
extern const struct op_def op_get_openapi_json;
extern const struct op_def op_get_openapi_yaml;
extern const struct op_def op_get_docs;
extern const struct op_def op_get_livez;
extern const struct op_def op_get_readyz;
extern const struct op_def op_get_healthz;
extern const struct op_def op_get_metrics;

/** Pages that belong to no contract: /docs, and what a problem's type URI resolves to. */
extern const struct route system_routes[];
extern const size_t system_route_count;

/** Register the server's own metrics. */
void system_register(struct server *server);

#endif
