/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_GATEWAYS_H
#define WORKERS_AGENT_GATEWAYS_H

#include <stddef.h>

#include "lib/err.h"

#define GATEWAYS_MAX    8
#define GATEWAY_URL_MAX 512

/** The doors to one marketplace: any gateway will do, they share their database. */
struct gateways {
    char url[GATEWAYS_MAX][GATEWAY_URL_MAX]; /**< without a slash at the end */
    size_t n;                                /**< at least 1 */
};

/** Read OGPU_URL: one or several URLs with commas or blanks. @return E_CONFIG naming what is none.
 */
MUST_CHECK enum err_code gateways_read(const char *list, struct gateways *out, struct err *err);

#endif
