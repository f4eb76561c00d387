/* SPDX-License-Identifier: MIT */
#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct err_info registry[E_COUNT] = {
#define ERR(name, word, wire, http, blame, retry, title) \
    [E_##name] = {"E_" #name, word, wire, title, http, BLAME_##blame, retry},
#include "lib/error.def"
#undef ERR
};

enum err_code err_record(struct err *err, enum err_code code, const char *file, int line,
                         const char *fmt, ...)
{
    char text[ERR_TEXT_MAX]; /* apart: the old text may be one of the arguments */
    va_list args;

    if (!err)
        return code;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    err->code = code;
    err->file = file;
    err->line = line;
    snprintf(err->text, sizeof(err->text), "%s", text);
    return code;
}

const struct err_info *err_info(enum err_code code)
{
    if ((unsigned)code >= E_COUNT)
        code = E_INTERNAL;
    return &registry[code];
}

enum err_code err_by_word(const char *word, size_t len)
{
    for (size_t i = 0; i < E_COUNT; i++)
        if (strlen(registry[i].word) == len && memcmp(registry[i].word, word, len) == 0)
            return (enum err_code)i;
    return E_INTERNAL;
}
