/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_DEVICE_EDITS_H
#define WORKERS_DEVICE_EDITS_H

#include "lib/arena.h"
#include "lib/err.h"
#include "workers/device/device.h"

/*
 * What a container gets with a card: device nodes, the driver's libraries, environment; in the form
 * of workers/contain/card.h. From a CDI specification where there is one for the card, else from
 * the driver's own files.
 */

/** Where to look. */
struct edits_config {
    const char *driver_root; /**< "" or the folder in which the driver's dev and libraries lie */
    const char *cdi_dirs;    /**< folders with colons between; *.json in them is read */
    const char *sys_root;    /**< "" or a folder that stands for / */
};

/**
 * The edits for one card.
 *
 * @out    a new reference
 * @return E_CONFIG with a sentence: a node or library is missing, a specification asks for what we
 * do not do
 */
MUST_CHECK enum err_code device_edits(const struct edits_config *config, const struct device *d,
                                      json_t **out, struct err *err);

/**
 * From the CDI specifications (version 0.3 to 1.0, JSON). A device entry is ours if it is named by
 * the card's UUID, or brings its node and no other card's.
 *
 * @return E_NOT_FOUND when none tells of this card; E_CONFIG when one does and is refused
 */
MUST_CHECK enum err_code cdi_edits(const struct edits_config *config, const struct device *d,
                                   json_t **out, struct err *err);

/** From /dev and the driver's libraries. @return E_CONFIG */
MUST_CHECK enum err_code driver_edits(const struct edits_config *config, const struct device *d,
                                      json_t **out, struct err *err);

/** What to do about a card that device_edits() refuses; static. */
const char *edits_fix(const struct edits_config *config, const struct device *d);

/** Likewise for driver_edits(): the first thing of the driver's that is missing or closed. */
const char *driver_fix(const struct edits_config *config, const struct device *d);

/** Empty edits; a new reference. */
json_t *edits_new(void);

/** Add a device node. @to its path in the container. E_CONFIG when `from` is no character device.
 */
MUST_CHECK enum err_code edits_node(json_t *edits, const char *from, const char *to,
                                    struct err *err);

/** Add a library and the links by which it is found: its SONAME, and for libcuda also the bare
 * name. E_CONFIG when it is no ELF library. */
MUST_CHECK enum err_code edits_library(json_t *edits, const char *path, struct err *err);

/** Add NAME=value. */
void edits_set(json_t *edits, const char *name, const char *value);

/**
 * What a source may not set beside a card: LD_PRELOAD and LD_AUDIT, which put code into every
 * program; LD_LIBRARY_PATH with relative or empty entries, which load from where the program
 * happens to stand.
 *
 * @env    of the container: image, compose file and manifest together
 * @return E_BAD_MANIFEST naming the variable
 */
MUST_CHECK enum err_code edits_judge(const char *const *env, size_t n, struct err *err);

/**
 * Put the edits' variables into an environment; our libraries go before the image's own.
 *
 * @edits  or NULL: nothing
 * @return false when there is no room
 */
bool edits_environment(const json_t *edits, const char **env, size_t room, size_t *n,
                       struct arena *a);

/** The SONAME of an ELF library (64 bit, this machine's byte order). @return false when it has none
 * or is none */
bool soname_of(const char *path, char *out, size_t size);

#endif
