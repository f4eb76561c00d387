/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_SOURCES_H
#define WORKERS_AGENT_SOURCES_H

#include <jansson.h>

#include "workers/agent/api.h"

#define SOURCES_MAX       64 /**< what one claim may name */
#define SOURCES_KNOWN_MAX 4096

/** Which sources this worker serves. */
struct sources {
    char ids[SOURCES_MAX][ID_TEXT_MAX]; /**< of OGPU_SOURCES; none: all that fit */
    size_t count;
    int64_t memory_mb;  /**< what this machine has: sources that want more do not fit */
    struct uuid *known; /**< registered already, in this process's life */
    size_t known_count;
};

/** Read OGPU_SOURCES. @return E_CONFIG naming what is no source id. */
MUST_CHECK enum err_code sources_open(struct sources *s, const char *list, struct err *err);
void sources_close(struct sources *s);

/**
 * Sign and put a registration for every source that is meant, fits this machine and is not
 * registered yet.
 *
 * @added  how many are new
 * @return E_CONFIG when a source of OGPU_SOURCES cannot be served; E_PEER, E_TIMEOUT
 */
MUST_CHECK enum err_code sources_register(struct sources *s, struct api *api, size_t *added,
                                          struct err *err);

/** The `sources` member of a claim; a new reference, NULL when every registered source is meant. */
json_t *sources_claim(const struct sources *s);

#endif
