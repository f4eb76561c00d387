/* SPDX-License-Identifier: MIT */
#ifndef SERVER_ROUTE_H
#define SERVER_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct op_def;
struct fields; /* lib/fields.h: how members of one struct in_<operation> are read and checked */

/** Who may call; bits, any of them suffices. No bit: public. */
enum route_auth { ROUTE_KEY = 1, ROUTE_PROVIDER = 2 };

/** What the request body is. */
enum route_body {
    ROUTE_BODY_NONE,   /**< none; `{}` is tolerated on POST and DELETE */
    ROUTE_BODY_JSON,   /**< application/json, collected whole, checked against body_fields */
    ROUTE_BODY_STREAM, /**< any bytes, handed to op_def.body in pieces: server/stream.h */
};

/**
 * One operation of the contract; rows are generated from openapi/ into api.c, constant for the life
 * of the process.
 *
 * A row for HEAD is not needed: HEAD is answered by the GET row.
 */
struct route {
    const char *method; /**< upper case */
    /** Template, e.g. "/v1/tasks/{task}/cancel"; a parameter is a whole segment. It matches an
     * empty last segment too
     * ("/docs/" is "/docs/{file}"); whether empty text fits is for path_fields to say. */
    const char *path;
    const char *operation; /**< operationId in snake_case; the `route` label of metrics is the path
                              template */
    const struct op_def *op;
    uint8_t auth;          /**< enum route_auth bits */
    uint8_t body;          /**< enum route_body */
    bool body_optional;    /**< JSON: an absent body reads as {} */
    bool idempotent;       /**< reads Idempotency-Key and stores its answer */
    enum err_code missing; /**< the 404 of a path parameter that does not parse: the same as for one
                              that is not there */
    bool quiet;            /**< no access-log line when it succeeds: health and metrics */
    uint32_t scopes;       /**< SCOPE_… bits of which an API key needs all */
    size_t body_max;       /**< bytes; 0: 64 KiB for JSON, 1 GiB for streams */
    size_t in_size;        /**< sizeof(struct in_<operation>) */
    const struct fields *path_fields;  /**< NULL: none. A value that does not parse is a 404 */
    const struct fields *query_fields; /**< NULL: none; an unknown or wrong parameter is a 422 */
    const struct fields *body_fields;  /**< NULL: none */
};

/** Path parameters of one template. */
#define ROUTE_PARAMS_MAX 4

#endif
