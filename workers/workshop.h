/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_WORKSHOP_H
#define WORKERS_WORKSHOP_H

#include "core/manifest.h"
#include "lib/err.h"
#include "workers/contain/box.h"
#include "workers/contain/cgroup.h"
#include "workers/image/image.h"
#include "workers/software.h"

/** A place to run sources: a runtime, a cgroup, an image cache, host ids. Shared by all slots. */
struct workshop {
    char runtime[256];
    struct cgroup cgroup;
    struct image_store images;
    char tag[24];                 /**< "ogpu-1a2b3c4d-": begins the names of our cgroups */
    char inputs[IMAGE_PATH_MAX];  /**< folder for input files */
    char volumes[IMAGE_PATH_MAX]; /**< folder of named volumes: the provider's caches */
    uint32_t uid_base;            /**< first host id of slot 0 */
    bool rootless;                /**< the worker is not root: it serves no cards */
    int lock;                     /**< held for as long as we use the folder */
};

/** How to open one. */
struct workshop_config {
    const char *dir;     /**< OGPU_WORK_DIR */
    const char *runtime; /**< "crun", "runc" or an absolute path */
    int64_t uid_base;
    int64_t image_mb;    /**< unpacked size that we accept */
    int64_t image_files; /**< tar entries that we accept */
    int64_t cache_mb;    /**< disk budget of the image cache; 0: none */
    int64_t free_mb;     /**< what the disk must have left for the cache to keep what is unused */
    int64_t pull_s;      /**< seconds that a registry may take for an image */
};

/**
 * Check that containers can be run here, take the work folder, tidy what an earlier worker left.
 * There is no other way to run a source: without a usable runtime this fails and so does the
 * worker. A worker that is not root enters its user namespace here: before the first thread.
 *
 * @return E_CONFIG with one sentence that says what to do; E_IO
 */
MUST_CHECK enum err_code workshop_open(struct workshop *w, const struct workshop_config *config,
                                       struct err *err);

/** Let the folder go. */
void workshop_close(struct workshop *w);

/** One run of a source. */
struct job {
    const struct manifest *source;
    const struct software *software;
    const char *id;       /**< unique: the attempt's id */
    unsigned berth;       /**< chooses the host ids; no two live containers share one */
    const char *function; /**< or NULL */
    struct text input;    /**< JSON text */
    const char *task_address;
    const char *source_address;
    const char *provider_address;
    struct box_input inputs[BOX_INPUTS_MAX];
    size_t input_count;
    int stop_fd;        /**< readable: stop */
    const json_t *card; /**< workers/contain/card.h; NULL without one */
    /** From egress_terms_spec(), when the source asks for a network and the provider agrees. */
    const json_t *egress;
    bool keep; /**< http: keep the container, if the run is without fault */
};

/**
 * Run a job in a container. The exec contract's stdin is {"function": …, "input": …}; the http
 * contract's body is the input as it is.
 *
 * A source that asks for a network gets none without job->egress: it is refused.
 *
 * @image  from image_get()
 * @return E_BAD_MANIFEST when the source cannot be started at all; E_INTERNAL, E_IO; the source's
 * own end is in `out`
 */
MUST_CHECK enum err_code job_run(const struct workshop *w, const struct image *image,
                                 const struct job *job, struct box_result *out, struct err *err);

/**
 * The same in a kept container, or in one that may be kept.
 *
 * @box  in: of an earlier job of the same source, or NULL to make one; out: due to box_close(), as
 *       box_begin() and box_again() say
 */
MUST_CHECK enum err_code job_run_in(const struct workshop *w, const struct image *image,
                                    const struct job *job, struct box **box, struct box_result *out,
                                    struct err *err);

/** "0x" and the last 20 bytes of Keccak-256 over an id's 16 UUID bytes, EIP-55: how a task is named
 * to its container. */
void job_address(struct uuid id, char out[43]);

#endif
