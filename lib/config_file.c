/* SPDX-License-Identifier: MIT */
#include "lib/config_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX 256

struct entry {
    char *name;
    char *value;
    char origin[256];
};

struct config_file {
    struct entry entries[LINES_MAX];
    size_t n;
};

/* Without blanks at both ends, in place. */
static char *trim(char *s)
{
    char *end;

    while (isspace((unsigned char)*s))
        s++;
    end = s + strlen(s);
    while (end > s && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
    return s;
}

static char *unquote(char *s)
{
    size_t n = strlen(s);

    if (n < 2 || (s[0] != '"' && s[0] != '\'') || s[n - 1] != s[0])
        return s;
    s[n - 1] = '\0';
    return s + 1;
}

static bool is_name(const struct config_row *rows, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rows[i].name, name) == 0)
            return true;
    }
    return false;
}

/* One line; comments and empty ones are nothing. @return what is wrong, or NULL */
static const char *take_line(struct config_file *f, char *line, const struct config_row *rows,
                             size_t n)
{
    const char *unused;
    char *equals;

    line = trim(line);
    if (line[0] == '\0' || line[0] == '#')
        return NULL;
    equals = strchr(line, '=');
    if (!equals)
        return "not NAME=value";
    *equals = '\0';
    line = trim(line);
    if (!is_name(rows, n, line))
        return "an option that does not exist";
    if (config_file_value(f, line, &unused))
        return "the same option again";
    if (f->n == LINES_MAX)
        return "too many options";
    f->entries[f->n].name = strdup(line);
    f->entries[f->n].value = strdup(unquote(trim(equals + 1)));
    if (!f->entries[f->n].name || !f->entries[f->n].value)
        return "no memory";
    f->n++;
    return NULL;
}

enum err_code config_file_read(const char *path, const struct config_row *rows, size_t n,
                               struct config_file **out, struct err *err)
{
    struct config_file *f = calloc(1, sizeof(*f));
    FILE *file = f ? fopen(path, "re") : NULL;
    char *line = NULL;
    size_t room = 0;
    enum err_code rc = E_OK;

    if (!file) {
        free(f);
        return err_set(err, E_CONFIG, "cannot read the configuration %.150s: %s", path,
                       strerror(errno));
    }
    for (int no = 1; rc == E_OK && getline(&line, &room, file) >= 0; no++) {
        size_t before = f->n;
        const char *wrong = take_line(f, line, rows, n);

        if (wrong)
            rc = err_set(err, E_CONFIG, "%.150s:%d: %s", path, no, wrong);
        else if (f->n > before)
            snprintf(f->entries[before].origin, sizeof(f->entries[before].origin), "file %.200s:%d",
                     path, no);
    }
    free(line);
    fclose(file);
    if (rc == E_OK)
        *out = f;
    else
        config_file_free(f);
    return rc;
}

void config_file_free(struct config_file *f)
{
    for (size_t i = 0; f && i < LINES_MAX; i++) {
        free(f->entries[i].name);
        free(f->entries[i].value);
    }
    free(f);
}

const char *config_file_value(const struct config_file *f, const char *name, const char **origin)
{
    for (size_t i = 0; f && i < f->n; i++) {
        if (strcmp(f->entries[i].name, name) == 0) {
            *origin = f->entries[i].origin;
            return f->entries[i].value;
        }
    }
    return NULL;
}
