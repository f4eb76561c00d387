/* SPDX-License-Identifier: MIT */
#ifndef CORE_ID_H
#define CORE_ID_H

#include "lib/bytes.h"
#include "lib/err.h"

/** The kinds of id; each has a TypeID prefix. */
enum id_kind {
    ID_SOURCE,
    ID_TASK,
    ID_PROVIDER,
    ID_ATTEMPT,
    ID_RESPONSE,
    ID_BATCH,
    ID_WEBHOOK,
    ID_KEY,
    ID_WITHDRAWAL,
    ID_CHALLENGE,
    ID_KIND_COUNT
};

#define ID_TEXT_MAX 32

/**
 * A UUIDv7 (RFC 9562).
 *
 * @unix_ms  milliseconds since 1970 UTC, passed in: core reads no clock
 * @random   10 random bytes
 */
struct uuid id_make(int64_t unix_ms, const uint8_t random[10]);

/** TypeID text ("tsk_01h…", prefix + 26 base32 characters) and a NUL into `out` (ID_TEXT_MAX
 * bytes). */
void id_format(enum id_kind kind, struct uuid id, char *out);

/** Read a TypeID of this kind. @return false for another prefix, length, alphabet, overflow or
 * nil; `out` untouched. */
bool id_parse(enum id_kind kind, struct text s, struct uuid *out);

/** "tsk" and so on; static. */
const char *id_prefix(enum id_kind kind);

#endif
