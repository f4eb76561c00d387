/* SPDX-License-Identifier: MIT */
#ifndef EXAMPLES_PNG_H
#define EXAMPLES_PNG_H

#include <stdint.h>

/**
 * Write an 8-bit palette PNG (ISO 15948) with stored deflate blocks: no library, no choice, so
 * equal pixels are equal bytes.
 *
 * @pixels   width × height palette indices, row by row
 * @return   0 when the file could not be written
 */
int png_write(const char *path, const uint8_t *pixels, uint32_t width, uint32_t height,
              uint8_t palette[256][3]);

#endif
