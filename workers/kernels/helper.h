/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_KERNELS_HELPER_H
#define WORKERS_KERNELS_HELPER_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/gpu_proof.h"
#include "lib/buf.h"
#include "workers/kernels/kernels.h"

/*
 * Kernels in a process of their own: a driver that hangs must not hang the worker, a computation
 * must end when it is told to, and a context's memory goes with its process. Words on its standard
 * input, lines on its standard output:
 *
 *   (start)                     ready OPS_PER_SECOND     after a small product that came out right
 *   bench                       rates INT8 FP16 BF16 FP32 COPY TO FROM
 *   prove ROWS INNER COLS SEED  root ROOT
 *   open ROW ...                {"rows": [...]}           as the gateway takes them; then it ends
 *
 * or `no WHY` in place of any answer. It ends when its input does, and with its parent.
 */

/** The word on the command line that makes this program such a process, before the arguments of
 * helper_main(). */
#define HELPER_WORD "device-compute"

enum helper_kind {
    HELPER_TWIN, /**< the plain C twin, for devices without a card behind them */
    HELPER_CUDA
};

struct helper {
    pid_t pid; /**< 0: none */
    int to;
    int from;
    struct buf held; /**< read, but not yet asked for */
    bool (*stop)(void *ctx);
    void *ctx;
    const char *library; /**< for kernels_cuda() */
};

/**
 * Start one and wait until it is ready.
 *
 * @h          `library`, `stop` and `ctx` set by the caller: a true stop() ends every wait
 *             (E_DRAINING); the rest zero. To be ended with helper_end(), whatever this returns
 * @uuid       of the device; the only name by which it is chosen
 * @ops_per_s  of the small product: what the twin can do; says nothing of a card
 * @return     E_PEER with its reason when it cannot; E_TIMEOUT, E_IO
 */
MUST_CHECK enum err_code helper_start(struct helper *h, enum helper_kind kind, const char *uuid,
                                      double *ops_per_s, struct err *err);

/** Kill it and wait for its end, a moment at most. */
void helper_end(struct helper *h);

/** Measure the device. @return as helper_start() */
MUST_CHECK enum err_code helper_bench(struct helper *h, struct kernels_rates *out, struct err *err);

/** Compute a product and its rows' Merkle root. @until_us monotonic @return as helper_start() */
MUST_CHECK enum err_code helper_prove(struct helper *h, const struct gpu_proof_shape *shape,
                                      const struct digest *seed, int64_t until_us,
                                      struct digest *root, struct err *err);

/**
 * The rows that were drawn, with their paths.
 *
 * @at    GPU_PROOF_OPENED row numbers
 * @out   body of the opening, JSON text behind what is there; the caller's to free
 * @return as helper_start()
 */
MUST_CHECK enum err_code helper_open(struct helper *h, const uint32_t *at, int64_t until_us,
                                     struct buf *out, struct err *err);

/** The process's main. @kind "c" or "cuda" @library for kernels_cuda() */
int helper_main(const char *kind, const char *uuid, const char *library);

#endif
