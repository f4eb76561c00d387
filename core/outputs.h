/* SPDX-License-Identifier: MIT */
#ifndef CORE_OUTPUTS_H
#define CORE_OUTPUTS_H

#include "lib/json.h"

#define OUTPUTS_MAX       64
#define OUTPUT_NAME_MAX   128
#define OUTPUT_SIZE_LIMIT 1099511627776LL /**< 2^40 bytes a file */

/** One file of a response. Texts are borrowed from the JSON it was read from. */
struct output {
    struct text name;
    struct text media_type;
    int64_t size;
    struct digest sha256;
};

struct outputs {
    struct output items[OUTPUTS_MAX];
    size_t n;
    int64_t total; /**< bytes of all files */
};

/** Whether a file name is safe everywhere: ^[A-Za-z0-9_][A-Za-z0-9_.-]*$, at most OUTPUT_NAME_MAX.
 */
bool output_name_ok(struct text name);

/**
 * Read and judge the list [{name, media_type, size, sha256}].
 *
 * @max_files  the source's limit, at most OUTPUTS_MAX
 * @max_bytes  the source's limit on all files together
 * @return     E_VALIDATION with a sentence: unknown or missing members, unsafe or repeated names,
 *             limits
 */
MUST_CHECK enum err_code outputs_read(const json_t *list, int64_t max_files, int64_t max_bytes,
                                      struct outputs *out, struct err *err);

/** The text that is signed (RFC 8785, in the arena; the list's own order) and its SHA-256. */
MUST_CHECK enum err_code outputs_canonical(const struct outputs *o, struct arena *a,
                                           struct text *text, struct digest *digest,
                                           struct err *err);

/** The list as a new JSON array. */
json_t *outputs_json(const struct outputs *o);

#endif
