/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_IMAGE_DOCUMENT_H
#define WORKERS_IMAGE_DOCUMENT_H

#include <jansson.h>

#include "lib/err.h"
#include "workers/image/image.h"

#define DOCUMENT_LAYERS_MAX 128

/** What an image manifest names. Strings borrow from the JSON. */
struct document {
    const char *config;
    const char *layers[DOCUMENT_LAYERS_MAX];
    size_t layer_count;
    int64_t bytes; /**< of configuration and layers together, as the manifest has it */
};

/** Read an image manifest (OCI or Docker schema 2). @return E_BAD_MANIFEST with the reason. */
MUST_CHECK enum err_code document_read(const json_t *v, struct document *out, struct err *err);

/** In an image index: the digest of this machine's manifest (linux, our architecture); NULL when
 * there is none. */
const char *document_choose(const json_t *index);

/** Whether this JSON is an image index. */
bool document_is_index(const json_t *v);

/** Arguments, environment, folder and user from an image configuration. @return E_BAD_MANIFEST. */
MUST_CHECK enum err_code document_config(const json_t *v, struct image *out, struct arena *arena,
                                         struct err *err);

#endif
