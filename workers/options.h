/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_OPTIONS_H
#define WORKERS_OPTIONS_H

#include <stdint.h>

#include "lib/config_file.h"

/** All options of ogpu-worker (flags, environment, defaults). */
struct options {
    const char *url;
    const char *config;
    const char *key_file;
    const char *signer_socket;
    const char *master;
    const char *master_signature_file;
    const char *work_dir;
    const char *runtime;
    const char *sources;
    const char *sources_if;
    const char *kwh_price;
    int64_t watts;
    const char *settlement;
    int64_t chain_id;
    int64_t sources_s;
    int64_t slots;
    int64_t drain_s;
    int64_t uid_base;
    int64_t image_mb;
    int64_t image_files;
    int64_t cache_mb;
    int64_t free_mb;
    int64_t pull_s;
    bool private_registries;
    const char *egress;
    const char *egress_hosts;
    const char *private_egress;
    int64_t egress_mb;
    int64_t warm_mb;
    int64_t warm_tasks;
    int64_t warm_minutes;
    int64_t metrics_port;
    const char *simulate_gpu;
    const char *sys_root;
    const char *driver_root;
    const char *cdi_dirs;
    const char *device_locks;
    int64_t device_ms;
    const char *kernels;
    bool scrub;
};

/** Options of a worker that claims. */
extern const struct config_row options_agent[];
extern const size_t options_agent_count;

/** The part that is about running containers: for `try` and `doctor`. */
extern const struct config_row options_local[];
extern const size_t options_local_count;

/** What `doctor` looks at: all that may be set, nothing that must. */
extern const struct config_row options_doctor[];
extern const size_t options_doctor_count;

/** What decides which sources are served, and what they bring: for `earn`. */
extern const struct config_row options_earn[];
extern const size_t options_earn_count;

/** The part that is about cards: for `devices`. */
extern const struct config_row options_devices[];
extern const size_t options_devices_count;

/** Just a key and a socket: for `signer`. */
extern const struct config_row options_signer[];
extern const size_t options_signer_count;

/**
 * Flags, then environment, then the file that OGPU_CONFIG names, then defaults.
 *
 * @rows   one of the tables above; the file may name any option there is
 * @return E_CONFIG
 */
MUST_CHECK enum err_code options_load(const struct config_row *rows, size_t n, int argc,
                                      char **argv, struct options *out, struct err *err);

/** `config [show] [--origin] [options]`: the options in force. @return exit status */
int options_show(int argc, char **argv);

#endif
