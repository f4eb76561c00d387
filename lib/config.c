/* SPDX-License-Identifier: MIT */
#include "lib/config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/config_file.h"

#define FLAG_MAX 64

/* Where a value came from; `text` NULL when it is required and missing. */
struct found {
    const char *text;
    const char *origin;
};

/* OGPU_LEASE_S -> lease-s, DATABASE_URL -> database-url. */
static void flag_name(const char *name, char out[FLAG_MAX])
{
    size_t n = 0;

    if (strncmp(name, "OGPU_", 5) == 0)
        name += 5;
    for (; n < FLAG_MAX - 1 && name[n]; n++)
        out[n] = name[n] == '_' ? '-' : (char)tolower((unsigned char)name[n]);
    out[n] = '\0';
}

/* Whether arg is --flag or --flag=value of this row; `*value` then points behind '=' or is NULL. */
static bool is_flag(const char *arg, const struct config_row *row, const char **value)
{
    char flag[FLAG_MAX];
    size_t n;

    if (strncmp(arg, "--", 2) != 0)
        return false;
    flag_name(row->name, flag);
    n = strlen(flag);
    if (strncmp(arg + 2, flag, n) != 0 || (arg[2 + n] != '\0' && arg[2 + n] != '='))
        return false;
    *value = arg[2 + n] == '=' ? arg + 3 + n : NULL;
    return true;
}

/* Every argument must be a known flag with a value. */
static enum err_code check_flags(const struct config_row *rows, size_t n, int argc, char **argv,
                                 struct err *err)
{
    for (int i = 0; i < argc; i++) {
        const char *value = NULL;
        bool known = false;

        for (size_t r = 0; r < n && !known; r++)
            known = is_flag(argv[i], &rows[r], &value);
        if (!known)
            return err_set(err, E_CONFIG, "unknown option '%s'; --help lists them", argv[i]);
        if (!value && ++i >= argc)
            return err_set(err, E_CONFIG, "option '%s' needs a value", argv[argc - 1]);
    }
    return E_OK;
}

/* The last flag wins, then a non-empty environment variable, then the file, then the default. */
static struct found find(const struct config_row *row, int argc, char **argv,
                         const struct config_file *file)
{
    struct found f = {NULL, NULL};
    const char *env;

    for (int i = 0; i < argc; i++) {
        const char *value;

        if (!is_flag(argv[i], row, &value)) {
            if (!strchr(argv[i], '='))
                i++; /* the value of another flag */
            continue;
        }
        if (!value)
            value = i + 1 < argc ? argv[++i] : NULL;
        if (value)
            f = (struct found){value, "flag"};
    }
    if (f.text)
        return f;
    env = getenv(row->name);
    if (env && *env)
        return (struct found){env, "environment"};
    f.text = config_file_value(file, row->name, &f.origin);
    if (f.text)
        return f;
    return (struct found){row->fallback, "default"};
}

static enum err_code store_int(const struct config_row *row, const char *text, int64_t *out,
                               struct err *err)
{
    char *end;
    long long v;

    errno = 0;
    v = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end || isspace((unsigned char)*text))
        return err_set(err, E_CONFIG, "%s must be a whole number", row->name);
    if (v < row->min || v > row->max)
        return err_set(err, E_CONFIG, "%s must be %" PRId64 " to %" PRId64, row->name, row->min,
                       row->max);
    *out = v;
    return E_OK;
}

static enum err_code store_bool(const struct config_row *row, const char *text, bool *out,
                                struct err *err)
{
    static const char *const yes[] = {"1", "true", "yes", "on"};
    static const char *const no[] = {"0", "false", "no", "off"};

    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *out = strcmp(text, yes[i]) == 0;
            return E_OK;
        }
    }
    return err_set(err, E_CONFIG, "%s must be true or false", row->name);
}

const char *config_peek(const struct config_row *row, int argc, char **argv)
{
    return find(row, argc, argv, NULL).text;
}

enum err_code config_load(const struct config_row *rows, size_t n, int argc, char **argv, void *out,
                          struct err *err)
{
    return config_load_from(rows, n, &(struct config_words){argc, argv, NULL}, out, err);
}

enum err_code config_load_from(const struct config_row *rows, size_t n,
                               const struct config_words *w, void *out, struct err *err)
{
    enum err_code rc = check_flags(rows, n, w->argc, w->argv, err);

    for (size_t i = 0; i < n && rc == E_OK; i++) {
        struct found f = find(&rows[i], w->argc, w->argv, w->file);
        void *member = (char *)out + rows[i].offset;
        char flag[FLAG_MAX];

        flag_name(rows[i].name, flag);
        if (!f.text)
            return err_set(err, E_CONFIG, "%s (or --%s) is required: %s", rows[i].name, flag,
                           rows[i].help);
        switch (rows[i].type) {
        case CONFIG_TEXT:
            memcpy(member, &f.text, sizeof(f.text));
            break;
        case CONFIG_INT:
            rc = store_int(&rows[i], f.text, member, err);
            break;
        case CONFIG_BOOL:
            rc = store_bool(&rows[i], f.text, member, err);
            break;
        }
    }
    return rc;
}

void config_help(const struct config_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char flag[FLAG_MAX];

        flag_name(rows[i].name, flag);
        printf("  --%-22s %-24s %-20s %s\n", flag, rows[i].name,
               rows[i].fallback ? rows[i].fallback : "(required)", rows[i].help);
    }
}

void config_show(const struct config_row *rows, size_t n, int argc, char **argv)
{
    config_show_from(rows, n, &(struct config_words){argc, argv, NULL}, true);
}

void config_show_from(const struct config_row *rows, size_t n, const struct config_words *w,
                      bool origins)
{
    for (size_t i = 0; i < n; i++) {
        struct found f = find(&rows[i], w->argc, w->argv, w->file);

        if (!f.text)
            printf("%s= (missing)\n", rows[i].name);
        else
            printf("%s=%s%s%s%s\n", rows[i].name, rows[i].secret && *f.text ? "***" : f.text,
                   origins ? " (" : "", origins ? f.origin : "", origins ? ")" : "");
    }
}
