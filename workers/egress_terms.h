/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_EGRESS_TERMS_H
#define WORKERS_EGRESS_TERMS_H

#include <jansson.h>

#include "core/manifest.h"
#include "workers/options.h"

#define EGRESS_TERMS_MAX 64

/** What the provider agrees to: OGPU_EGRESS and what belongs to it. */
struct egress_terms {
    bool listed; /**< false: no source gets a network */
    struct egress_host hosts[EGRESS_TERMS_MAX];
    size_t count;
    struct egress_host privates[EGRESS_TERMS_MAX];
    size_t private_count;
    int64_t max_bytes; /**< of one run */
};

/** @return E_CONFIG naming the option */
MUST_CHECK enum err_code egress_terms_read(const struct options *o, struct egress_terms *out,
                                           struct err *err);

/**
 * Whether a source may be served: it asks for nothing, or for what is agreed to.
 *
 * @return E_CONFIG with the reason why not
 */
MUST_CHECK enum err_code egress_terms_agree(const struct egress_terms *t, const struct manifest *m,
                                            struct err *err);

/** What box_spec.egress wants: a new reference, NULL for a source that asks for nothing. Only after
 * egress_terms_agree(). */
json_t *egress_terms_spec(const struct egress_terms *t, const struct manifest *m);

#endif
