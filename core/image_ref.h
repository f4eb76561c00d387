/* SPDX-License-Identifier: MIT */
#ifndef CORE_IMAGE_REF_H
#define CORE_IMAGE_REF_H

#include "lib/arena.h"
#include "lib/bytes.h"

/* Names of images. Only the digest says what an image is; the rest says where to look for it. */

#define IMAGE_REF_MAX    512
#define IMAGE_DIGEST_LEN 71 /**< sha256: and 64 digits */

/** Whether this is "sha256:" and 64 lower-case hex digits. */
bool image_digest_ok(struct text t);

/** Whether this is host[:port]/name[/name…]@sha256:…, without a tag: a tag may move. */
bool image_ref_ok(struct text t);

/**
 * A name as people write it into compose files: [host[:port]/]name[/name…][:tag]@sha256:…, where
 * no host means Docker Hub. The tag is dropped, the host spelled out.
 *
 * @out    host[:port]/name@sha256:… in the arena
 * @return false when it has no digest or is no name
 */
bool image_ref_full(struct text t, struct arena *a, struct text *out);

#endif
