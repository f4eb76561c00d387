/* SPDX-License-Identifier: MIT */
#ifndef SERVER_IDEMPOTENCY_H
#define SERVER_IDEMPOTENCY_H

#include "lib/bytes.h"
#include "lib/err.h"

#define IDEMPOTENCY_KEY_MAX 255

/**
 * Read an Idempotency-Key: bare (as every SDK sends it) or a quoted sf-string (RFC 9651 3.3.3, as
 * the draft says). Both forms of one key are the same key.
 *
 * @value  the header's value, no value when the header is absent
 * @arena  for unescaping a quoted key
 * @out    1 to 255 visible ASCII characters (0x21 to 0x7e, inside quotes blanks too); no value when
 * absent
 * @return E_BAD_IDEMPOTENCY_KEY
 */
struct arena;
MUST_CHECK enum err_code idempotency_key_read(struct text value, struct arena *arena,
                                              struct text *out, struct err *err);

#endif
