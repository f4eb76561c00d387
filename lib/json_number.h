/* SPDX-License-Identifier: MIT */
#ifndef LIB_JSON_NUMBER_H
#define LIB_JSON_NUMBER_H

#define JSON_NUMBER_MAX 40

/**
 * A finite double as ECMAScript prints it (ECMA-262 Number::toString, as RFC 8785 3.2.2.3 asks):
 * the fewest digits that read back to the same value, exponent form outside 1e-7 .. 1e21.
 *
 * @out  JSON_NUMBER_MAX bytes; the text and a NUL
 */
void json_number(double v, char *out);

#endif
