/* SPDX-License-Identifier: MIT */
#ifndef SERVER_GUARD_H
#define SERVER_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/bytes.h"

/*
 * G1: what may enter. libmicrohttpd 0.9.75 frames some requests otherwise than a strict proxy does
 * (two Content-Length, chunked beside Content-Length, odd names), so every head is judged here,
 * before a byte of the body is believed. Pure: bytes in, verdict out.
 */

/** Largest request target, bytes. */
#define GUARD_TARGET_MAX 4096

/** Most header lines of a request. */
#define GUARD_HEADERS_MAX 64

/** Longest value of one header line, bytes. */
#define GUARD_VALUE_MAX 4096

/** Header lines the gateway reads; all others are checked for form only. */
enum guard_known {
    GUARD_HOST,
    GUARD_CONTENT_LENGTH,
    GUARD_TRANSFER_ENCODING,
    GUARD_AUTHORIZATION,
    GUARD_API_KEY,
    GUARD_IDEMPOTENCY_KEY,
    GUARD_CONTENT_TYPE,
    GUARD_CONTENT_ENCODING,
    GUARD_IF_NONE_MATCH,
    GUARD_RANGE,
    GUARD_REQUEST_ID,
    GUARD_EXPECT,
    GUARD_KNOWN_COUNT
};

/** One request head under judgement. */
struct guard {
    const char *fault;                    /**< static sentence; NULL while nothing is wrong */
    struct text known[GUARD_KNOWN_COUNT]; /**< borrowed from the connection; s NULL when absent */
    size_t headers;
    int64_t content_length; /**< bytes; -1 when not stated (none, or chunked) */
    bool chunked;
    bool old; /**< HTTP/1.0 */
};

/**
 * Judge the target as it came, before anything decoded it.
 *
 * Refuses what does not begin with `/`, spaces, controls, non-ASCII, `#`, a `%` without two hex
 * digits, and escapes of control characters (`%00` would cut the URL).
 *
 * @target  raw, path and query; s NULL when the request line had none
 * @return  NULL, or a static sentence
 */
const char *guard_target(struct text target);

/** Begin: the method must be a token, the version HTTP/1.0 or HTTP/1.1 (RFC 9112 2.3). */
void guard_begin(struct guard *g, const char *method, const char *version);

/**
 * Judge one header line, duplicates included.
 *
 * @name, @value  as received, lengths in bytes; borrowed for as long as `known` is read
 */
void guard_header(struct guard *g, struct text name, struct text value);

/** Judge the whole: exactly one Host, at most one of Content-Length and Transfer-Encoding. */
void guard_end(struct guard *g);

#endif
