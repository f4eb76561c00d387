/* SPDX-License-Identifier: MIT */
#ifndef LIB_CONFIG_H
#define LIB_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

enum config_type { CONFIG_TEXT, CONFIG_INT, CONFIG_BOOL };

/** One option of a program: read from the environment under its name, or from `--name value`. */
struct config_row { /* NOLINT(clang-analyzer-optin.performance.Padding): rows read in this order */
    const char *name; /**< environment name, e.g. OGPU_LEASE_S; the flag is --lease-s (prefix OGPU_
                         dropped) */
    enum config_type type;
    const char *fallback; /**< default as text; NULL: required */
    int64_t min;
    int64_t max;
    bool secret;   /**< printed as *** */
    size_t offset; /**< member in the program's struct: const char * | int64_t | bool */
    const char *help;
};

/** The `offset` of a member of `struct options`, as most programs call their own. */
#define CONFIG_AT(member) offsetof(struct options, member)

/**
 * Fill `out` from flags, then environment, then defaults. Unknown flags are an error.
 *
 * @argv   arguments after the program name (and after a subcommand)
 * @out    text members point into argv, the environment or the rows: borrowed for the life of the
 * process
 * @return E_CONFIG with a sentence that names the option
 */
MUST_CHECK enum err_code config_load(const struct config_row *rows, size_t n, int argc, char **argv,
                                     void *out, struct err *err);

/** Print "--flag  NAME  default  help" for every row. */
void config_help(const struct config_row *rows, size_t n);

/** Print NAME=value with where it came from (flag, environment, default); secrets masked. */
void config_show(const struct config_row *rows, size_t n, int argc, char **argv);

#endif
