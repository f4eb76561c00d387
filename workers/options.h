/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_OPTIONS_H
#define WORKERS_OPTIONS_H

#include <stdint.h>

#include "lib/config.h"

/** All options of ogpu-worker (flags, environment, defaults). */
struct options {
    const char *url;
    const char *key_file;
    const char *master;
    const char *master_signature_file;
    const char *work_dir;
    const char *runtime;
    const char *sources;
    const char *settlement;
    int64_t chain_id;
    int64_t sources_s;
    int64_t slots;
    int64_t drain_s;
    int64_t uid_base;
    int64_t image_mb;
    int64_t image_files;
    int64_t warm_mb;
    int64_t warm_tasks;
    int64_t warm_minutes;
};

/** Options of a worker that claims. */
extern const struct config_row options_agent[];
extern const size_t options_agent_count;

/** The part that is about running containers: for `try` and `doctor`. */
extern const struct config_row options_local[];
extern const size_t options_local_count;

#endif
