/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CONTAIN_OUTPUTS_H
#define WORKERS_CONTAIN_OUTPUTS_H

#include "lib/err.h"
#include "workers/contain/box.h"

/** The name under which stdout (or the callback's body) is kept. */
#define OUTPUT_JSON "output.json"

/**
 * Open every file that the source left in a folder, as data nobody trusts: openat2 beneath the
 * folder without links, regular files with one name only, names that output_name_ok() takes, sizes
 * and count within the limits.
 *
 * @r      outputs are added; on a violation `end` and `reason` are set (BOX_BAD_OUTPUT,
 * BOX_OUTPUT_LIMIT)
 * @return E_IO when the folder cannot be read at all
 */
MUST_CHECK enum err_code outputs_collect(int dir_fd, const struct box_limits *limits,
                                         struct box_result *r, struct err *err);

/**
 * The most bytes that output.json may have: it is held in memory, larger results belong into files.
 *
 * @return  the manifest's limit on outputs, 16 MiB at most
 */
int64_t outputs_json_max(const struct box_limits *limits);

/** `image/png` and so on by the name's ending; `application/octet-stream` for others; static. */
const char *outputs_media_type(const char *name);

#endif
