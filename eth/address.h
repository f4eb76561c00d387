/* SPDX-License-Identifier: MIT */
#ifndef ETH_ADDRESS_H
#define ETH_ADDRESS_H

#include "lib/bytes.h"

#define ADDRESS_TEXT_MAX 43 /**< 0x, 40 digits, NUL */

/** Read 0x and 40 hex digits in any case; a wrong EIP-55 checksum is not refused. `out` untouched
 * on false. */
bool address_parse(struct text s, struct address *out);

/** EIP-55 text and a NUL into `out` (ADDRESS_TEXT_MAX bytes). */
void address_format(struct address a, char *out);

bool address_eq(struct address a, struct address b);
bool address_is_zero(struct address a);

#endif
