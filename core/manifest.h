/* SPDX-License-Identifier: MIT */
#ifndef CORE_MANIFEST_H
#define CORE_MANIFEST_H

#include "core/egress.h"
#include "core/money.h"
#include "lib/fields.h"
#include "lib/json.h"

#define ENV_CPU    1U
#define ENV_NVIDIA 2U
#define ENV_AMD    4U

#define MANIFEST_EXPIRY_DEFAULT_S 86400

enum manifest_contract {
    CONTRACT_EXEC, /**< stdin JSON, stdout JSON, files in /out */
    CONTRACT_HTTP  /**< OpenGPU's container contract on port 5555 */
};

/** What one run may use. */
struct manifest_limits {
    int64_t memory_mb;
    int64_t pids;
    int64_t cpu_millis; /**< thousandths of a CPU */
    int64_t timeout_s;
    int64_t tmp_mb;
    int64_t output_bytes; /**< all files together */
    int64_t output_files;
    int64_t card_memory_mb; /**< of a card; 0: whatever it has */
};

/** A source's manifest. Texts and JSON are borrowed from the value it was read from. */
struct manifest {
    struct text name;
    enum manifest_contract contract;
    const json_t *compose;    /**< compose files by environment, NULL: the image's members count */
    struct text image_digest; /**< sha256:… of the image manifest; s NULL with compose */
    struct text reference;    /**< registry/name@sha256:…; s NULL when the image is a blob */
    bool has_blob;
    struct digest blob;    /**< SHA-256 of an OCI archive in the blob store */
    unsigned environments; /**< mask of ENV_* */
    struct text function;  /**< default function; s NULL for none */
    const json_t *command; /**< array of strings, or NULL: the image's own */
    const json_t *env;     /**< object of strings, or NULL */
    struct text readiness; /**< path that answers 200 when work is welcome; s NULL: TCP is enough */
    struct manifest_limits limits;
    const json_t *egress;  /**< core/egress.h reads it; NULL: no network */
    struct wei min_reward; /**< at least 1 */
    int64_t max_expiry_s;
};

/**
 * Read and judge a manifest: all that the schema says, and what it cannot say (the reference names
 * the same digest, exactly one place to fetch from, a reward of at least 1 wei).
 *
 * @return E_BAD_MANIFEST with a sentence that names the member
 */
MUST_CHECK enum err_code manifest_read(const json_t *v, struct manifest *out, struct err *err);

/**
 * All that is known to be wrong with a manifest that manifest_read() refused: every problem of its
 * compose files with its line, and what else was found first.
 *
 * @pointer  where the manifest is in the request: "/manifest"
 * @first    what manifest_read() said
 * @bad      gets them; the texts live in the arena
 */
void manifest_problems(const json_t *v, const char *pointer, const struct err *first,
                       struct arena *a, struct violations *bad);

/** The compose file for one environment (a single ENV_* bit); s NULL when there is none. */
struct text manifest_compose(const struct manifest *m, unsigned environment);

/** The text that is hashed and stored (RFC 8785, in the arena) and its SHA-256. */
MUST_CHECK enum err_code manifest_canonical(const json_t *v, struct arena *a, struct text *text,
                                            struct digest *hash, struct err *err);

/**
 * A list of environment names as a mask.
 *
 * @v      ["cpu", "nvidia", "amd"], 1 to 3 different ones
 * @return E_VALIDATION
 */
MUST_CHECK enum err_code environments_read(const json_t *v, unsigned *out, struct err *err);

/** The names of a mask as a new JSON array. */
json_t *environments_json(unsigned mask);

#endif
