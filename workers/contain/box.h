/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CONTAIN_BOX_H
#define WORKERS_CONTAIN_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/outputs.h"
#include "lib/bytes.h"
#include "lib/err.h"

/*
 * A box is one run of one source in one container. The worker never touches the container itself:
 * box_run() starts a supervisor process (this program again, with nothing but a socket: no key, no
 * token, no environment) in a pid and mount namespace of its own. Whatever ends the worker ends the
 * supervisor, and the kernel then ends every process in that pid namespace, container included.
 */

#define BOX_IDS         65536U /**< host ids of one container */
#define BOX_BERTHS_MAX  128    /**< containers at once, kept ones too */
#define BOX_ARGS_MAX    128
#define BOX_ENV_MAX     192
#define BOX_INPUTS_MAX  64
#define BOX_CACHES_MAX  8
#define BOX_OUTPUTS_MAX (OUTPUTS_MAX + 1) /**< output.json too */
#define BOX_REASON_MAX  256

/** How the source is talked to; the manifest's `contract`. */
enum box_contract { BOX_EXEC, BOX_HTTP };

/** How a run ended. */
enum box_end {
    BOX_OK,
    BOX_EXIT,         /**< left with a status other than 0 (http: left before its callback) */
    BOX_SIGNAL,       /**< died by a signal that was not ours */
    BOX_OOM,          /**< the kernel killed it at its memory limit */
    BOX_TIMEOUT,      /**< wall clock */
    BOX_OUTPUT_LIMIT, /**< more output bytes or files than the manifest allows */
    BOX_BAD_OUTPUT,   /**< not JSON, a link, a device, a name we do not carry, a refused function */
    BOX_START_FAILURE, /**< the runtime could not start it */
    BOX_EGRESS_LIMIT,  /**< more bytes over the network than the manifest asked for */
    BOX_STOPPED,       /**< we were told to stop */
    BOX_END_COUNT
};

/** What one run may use; all in bytes, milliseconds, counts. */
struct box_limits {
    int64_t memory_bytes;
    int64_t pids;
    int64_t cpu_millis; /**< thousandths of one CPU */
    int64_t tmp_bytes;
    int64_t output_bytes;
    int64_t output_files;
    int64_t wall_ms;
};

/** A file that the container finds as /in/<name>, read only. */
struct box_input {
    const char *name;
    const char *path;
};

/** A folder of the provider's that the container finds read only, or an empty one of its own. */
struct box_cache {
    const char *path;  /**< absolute on this machine; "": a tmpfs that ends with the run */
    const char *place; /**< absolute in the container; the folder is there */
};

/** One run. All strings are borrowed for the length of box_run(). */
struct box_spec {
    const char *id;            /**< [A-Za-z0-9_-]{1,64}, unique on this machine; names the cgroup */
    const char *runtime;       /**< absolute path of crun, runc or their like */
    const char *rootfs;        /**< absolute path of the unpacked image */
    const char *cgroup_parent; /**< "" or "/a/b": the cgroup that holds ours */
    const char *args[BOX_ARGS_MAX];
    size_t arg_count;
    const char *env[BOX_ENV_MAX]; /**< NAME=value */
    size_t env_count;
    const char *cwd;
    uint32_t uid; /**< inside the container; never 0 */
    uint32_t gid;
    uint32_t uid_base; /**< host id of the container's 0; 65,536 ids are ours from there */
    enum box_contract contract;
    const char *function;     /**< http: part of the path; exec: the caller put it into the input */
    const char *task_address; /**< http: 0x and 40 hex digits */
    const char *readiness;    /**< http: path that answers 200 when work is welcome; NULL: none */
    struct box_limits limits;
    struct box_input inputs[BOX_INPUTS_MAX];
    size_t input_count;
    struct box_cache caches[BOX_CACHES_MAX];
    size_t cache_count;
    bool keep; /**< http: the container may take further tasks when this one ends well */
    /** {"hosts", "private", "max_bytes"} for workers/contain/egress_proxy.h; NULL: no network.
     * Never together with `keep`: the cap is one run's. */
    const struct json_t *egress;
    const struct json_t *card; /**< a leased card, as workers/contain/card.h has it; NULL: none */
};

/** One output: a read-only descriptor of bytes that nobody can change any more. */
struct box_output {
    char name[OUTPUT_NAME_MAX + 1];
    int fd;
    int64_t size;
};

struct box_usage {
    int64_t start_ms; /**< from the request to a started (or thawed) container */
    int64_t ready_ms; /**< http: from there until the source took the task (its 202); else 0 */
    int64_t wall_ms;  /**< from start to end */
    int64_t cpu_us;
    int64_t memory_peak;
    int64_t oom_kills;
    int64_t pids_refused;
    int64_t egress_bytes; /**< read by its proxy, from the source and from hosts */
    int64_t held_bytes;   /**< memory of a kept container, now that it is frozen; else 0 */
};

struct box_result {
    enum box_end end;
    int status;                  /**< exit status, or the signal's number */
    char reason[BOX_REASON_MAX]; /**< one printable sentence; empty for BOX_OK */
    struct box_usage usage;
    struct box_output outputs[BOX_OUTPUTS_MAX];
    size_t output_count;
    bool kept; /**< the container is frozen and may take another task */
    /** A kept container ended before it took the task: nothing is known against the source, and a
     * fresh container should try. */
    bool stale;
    /** Set on failure too: the container did not end when it had to. What is left of it cannot be
     * killed, and may hold whatever it was given. */
    bool stuck;
};

/** A container that outlives its first task; see box_begin(). One caller at a time. */
struct box;

/** A further task for a kept container. Strings are borrowed for the length of box_again(). */
struct box_task {
    const char *function;
    const char *task_address;
    int64_t wall_ms;
};

/**
 * Run a source to its end.
 *
 * @input    exec: the bytes on stdin; http: the body of POST /run/...
 * @stop_fd  readable when the run shall end (BOX_STOPPED); -1 for never
 * @out      outputs only with BOX_OK; give back with box_result_done()
 * @return   E_INTERNAL, E_IO when the supervisor itself could not work; an end of the source is no
 * error
 */
MUST_CHECK enum err_code box_run(const struct box_spec *spec, const void *input, size_t input_len,
                                 int stop_fd, struct box_result *out, struct err *err);

/**
 * The same, and keep the container if `spec->keep` asks for it and the run was without fault: its
 * callback came, nothing else did, no limit was met. A kept container is frozen; the outputs cannot
 * change before box_again().
 *
 * @kept  in any case due to box_close(); NULL when there is none
 */
MUST_CHECK enum err_code box_begin(const struct box_spec *spec, struct bytes input, int stop_fd,
                                   struct box_result *out, struct box **kept, struct err *err);

/**
 * Give a kept container its next task. `/out` is emptied first: the outputs of the task before must
 * have been read. Afterwards `out->kept` says whether it may take another; if not (or on failure)
 * only box_close() is left.
 *
 * @return E_INTERNAL, E_IO as box_run()
 */
MUST_CHECK enum err_code box_again(struct box *box, const struct box_task *task, struct bytes input,
                                   int stop_fd, struct box_result *out, struct err *err);

/** Kill a kept container and what belongs to it, and free; NULL allowed. */
void box_close(struct box *box);

/** Close the outputs. */
void box_result_done(struct box_result *r);

/** "ok", "exit", "out_of_memory" and so on: the code that is reported; static. */
const char *box_end_word(enum box_end end);

/** The supervisor's main: never returns to the worker's own code. @sock the socket box_run() made.
 * @egress  whether its run has a proxy */
int box_supervisor_main(int sock, bool egress);

/** The word on the command line that makes this program a supervisor. */
#define BOX_SUPERVISOR_WORD "contain-supervisor"

#endif
