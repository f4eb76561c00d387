/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_SOFTWARE_H
#define WORKERS_SOFTWARE_H

#include "core/compose.h"
#include "core/manifest.h"
#include "workers/image/image.h"

/** What a manifest means on this machine: one image, and how its container is begun. */
struct software {
    unsigned environment;           /**< the ENV_* bit that was chosen */
    const char *digest;             /**< of the image manifest */
    const char *reference;          /**< where to pull it from; NULL with `blob` */
    const char *blob;               /**< SHA-256 of an OCI archive in the blob store, or NULL */
    bool composed;                  /**< `service` says the rest; else the manifest does */
    struct compose_service service; /**< of the environment's compose file */
};

/**
 * Choose an environment (a card before the CPU) and read what the manifest says for it.
 *
 * @mine    mask of ENV_* that this machine runs
 * @values  for the variables of a compose file
 * @a       owns the texts of `out`
 * @return  E_BAD_MANIFEST when the manifest has nothing for this machine, or the file is not good
 */
MUST_CHECK enum err_code software_choose(const struct manifest *m, unsigned mine,
                                         const struct compose_values *values, struct arena *a,
                                         struct software *out, struct err *err);

/**
 * The environments of a manifest that a run of ours can serve: a container gets one card, so a
 * compose file that reserves more is none of them.
 */
unsigned software_fits(const struct manifest *m);

/** Fill in what image, and where from. */
void software_want(const struct software *s, struct image_want *want);

#endif
