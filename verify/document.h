/* SPDX-License-Identifier: MIT */
#ifndef VERIFY_DOCUMENT_H
#define VERIFY_DOCUMENT_H

#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/err.h"
#include "lib/json.h"

/* A proof document comes from whoever wants to be believed: every member is read strictly. */

/** Largest document; a proof is a few kilobytes. */
#define DOCUMENT_MAX 65536

/** Largest number of siblings: no honest tree is deeper. */
#define SIBLINGS_MAX 48

/**
 * Read and parse a file; "-" is standard input.
 *
 * @out     a new reference, an object
 * @return  E_IO, E_TOO_LARGE, E_BAD_JSON, E_VALIDATION
 */
MUST_CHECK enum err_code document_open(const char *path, struct arena *a, json_t **out,
                                       struct err *err);

/** A string member; no value when it is absent or no string. */
struct text document_text(const json_t *object, const char *name);

/** Exactly n bytes of hex. @return false otherwise; also for the functions below */
bool document_hex(const json_t *object, const char *name, void *out, size_t n);
bool document_address(const json_t *object, const char *name, struct address *out);
/** A JSON integer, 0 .. max. */
bool document_int(const json_t *object, const char *name, uint64_t max, uint64_t *out);

/** Siblings, leaf to root. */
struct siblings {
    struct digest *list;
    size_t n;
};

/** A list of at most SIBLINGS_MAX 32-byte hashes; into the arena. */
bool document_siblings(const json_t *object, const char *name, struct arena *a,
                       struct siblings *out);

#endif
