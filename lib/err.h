/* SPDX-License-Identifier: MIT */
#ifndef LIB_ERR_H
#define LIB_ERR_H

#include <stdbool.h>
#include <stddef.h>

/** Every code of lib/error.def as E_NAME; E_OK is 0. */
enum err_code {
#define ERR(name, word, wire, http, blame, retry, title) E_##name,
#include "lib/error.def"
#undef ERR
    E_COUNT
};

/** Whose fault: their request, a peer that may recover, or a bug of ours. */
enum err_blame { BLAME_CLIENT, BLAME_PEER, BLAME_SELF };

/** What the registry says of one code. All strings are static. */
struct err_info {
    const char *name;
    const char *word;
    const char *wire;
    const char *title;
    int http;
    enum err_blame blame;
    bool retry;
};

#define ERR_TEXT_MAX 192

/** One failure, on the caller's stack: no allocation on the error path. */
struct err {
    enum err_code code;
    const char *file;
    int line;
    char text[ERR_TEXT_MAX];
};

/**
 * Record a failure and hand its code back, so that `return err_set(...)` reads well.
 *
 * @err   may be NULL when the caller does not want the text
 * @fmt   printf form; must hold no secret and no request body. Its arguments may be the err's own
 *        text, to say more of a cause
 */
#define err_set(err, code, ...) err_record((err), (code), __FILE__, __LINE__, __VA_ARGS__)

enum err_code err_record(struct err *err, enum err_code code, const char *file, int line,
                         const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/** Registry row of a code; never NULL. */
const struct err_info *err_info(enum err_code code);

/**
 * The code whose SQL word this is.
 *
 * @return E_INTERNAL when the word is unknown: the database and the registry then disagree
 */
enum err_code err_by_word(const char *word, size_t len);

#define MUST_CHECK   __attribute__((warn_unused_result))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
