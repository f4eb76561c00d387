/* SPDX-License-Identifier: MIT */
#ifndef LIB_CONFIG_FILE_H
#define LIB_CONFIG_FILE_H

#include "lib/config.h"

/**
 * A file of options: lines `NAME=value` under the options' environment names, `#` comments, empty
 * lines. Values may stand in double or single quotes; nothing is expanded. What systemd reads as
 * EnvironmentFile= and a shell can source reads the same here.
 */
struct config_file;

/**
 * Read one.
 *
 * @rows   the names that may stand in it
 * @out    its texts are what config_load_from() hands out: keep it for the life of the process
 * @return E_CONFIG with file and line: cannot be read, a name that is none, twice the same
 */
MUST_CHECK enum err_code config_file_read(const char *path, const struct config_row *rows, size_t n,
                                          struct config_file **out, struct err *err);

/** Free; NULL allowed. */
void config_file_free(struct config_file *f);

/** The value of a name, or NULL; `*origin` then says "file PATH:LINE". */
const char *config_file_value(const struct config_file *f, const char *name, const char **origin);

/** Where values may come from, beside the environment and the defaults. */
struct config_words {
    int argc;
    char **argv;
    const struct config_file *file; /**< between environment and defaults; NULL for none */
};

/** config_load() from these words. */
MUST_CHECK enum err_code config_load_from(const struct config_row *rows, size_t n,
                                          const struct config_words *words, void *out,
                                          struct err *err);

/** config_show() of these words, with the origins or without them. */
void config_show_from(const struct config_row *rows, size_t n, const struct config_words *words,
                      bool origins);

/** What flags or environment say for one option, before anything is loaded; NULL for nothing. */
const char *config_peek(const struct config_row *row, int argc, char **argv);

#endif
