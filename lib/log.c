/* SPDX-License-Identifier: MIT */
#include "lib/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/utf8.h"

/* One write of at most PIPE_BUF bytes is atomic, so lines of several threads never mix. */
#define LINE_MAX_BYTES   4096
#define FIELDS_MAX_BYTES 3072
#define SEPARATOR        '\x1f'

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *program_name = "ogpu";
static enum log_level least_level = LOG_LEVEL_INFO;

struct line {
    char s[LINE_MAX_BYTES];
    size_t n;
};

void log_open(const char *program, enum log_level least)
{
    program_name = program;
    least_level = least;
}

/* All or nothing, and always room for the quote, brace and newline that end the line. */
static bool put(struct line *l, const char *s, size_t n)
{
    if (l->n + n + 4 > sizeof(l->s))
        return false;
    memcpy(l->s + l->n, s, n);
    l->n += n;
    return true;
}

static void put_string(struct line *l, const char *s, size_t n)
{
    size_t i = 0;

    put(l, "\"", 1);
    while (i < n) {
        unsigned char c = (unsigned char)s[i];
        size_t step = utf8_step(s + i, n - i);
        char esc[8];
        bool ok;

        if (step == 0) { /* not UTF-8: the line must stay JSON whatever a peer sent */
            ok = put(l, "\\ufffd", 6);
            step = 1;
        } else if (c == '"' || c == '\\') {
            esc[0] = '\\';
            esc[1] = (char)c;
            ok = put(l, esc, 2);
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(esc, sizeof(esc), "\\u%04x", c);
            ok = put(l, esc, 6);
        } else {
            ok = put(l, s + i, step);
        }
        if (!ok)
            break;
        i += step;
    }
    l->s[l->n++] = '"'; /* put() keeps this byte free */
}

static void put_field(struct line *l, const char *key, size_t key_len, const char *s, size_t n)
{
    size_t before = l->n;

    /* 8: comma, two pairs of quotes, colon and some of the value; else leave the field out whole */
    if (l->n + key_len + 12 > sizeof(l->s))
        return;
    put(l, ",", 1);
    put_string(l, key, key_len);
    if (!put(l, ":", 1) || l->n + 8 > sizeof(l->s)) {
        l->n = before;
        return;
    }
    put_string(l, s, n);
}

static size_t count(const char *s, char c)
{
    size_t n = 0;

    for (; *s; s++)
        n += *s == c;
    return n;
}

/*
 * Print the pairs. The blanks of the format become a separator that stays visible after printing,
 * so that values may hold blanks. A value that smuggles the separator in (a forged field) makes the
 * counts differ; then the whole text is one field.
 */
static void put_pairs(struct line *l, const char *fmt, va_list args)
{
    char form[512];
    char text[FIELDS_MAX_BYTES];
    char *pair = text;

    snprintf(form, sizeof(form), "%s", fmt);
    for (char *p = form; *p; p++)
        if (*p == ' ')
            *p = SEPARATOR;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* form is fmt with other blanks */
    vsnprintf(text, sizeof(text), form, args);
#pragma GCC diagnostic pop
    if (count(text, SEPARATOR) > count(form, SEPARATOR)) {
        put_field(l, "text", 4, text, strlen(text));
        return;
    }
    while (pair) {
        char *next = strchr(pair, SEPARATOR);
        char *value;

        if (next)
            *next++ = '\0';
        value = strchr(pair, '=');
        if (value && value != pair)
            put_field(l, pair, (size_t)(value - pair), value + 1, strlen(value + 1));
        else if (*pair)
            put_field(l, "text", 4, pair, strlen(pair));
        pair = next;
    }
}

void log_line(enum log_level level, const char *event, const char *fmt, ...)
{
    struct line l = {.n = 0};
    char ts[RFC3339_MAX];
    int n;

    if (level < least_level)
        return;
    rfc3339_format(clock_wall_us(), ts);
    n = snprintf(l.s, sizeof(l.s) / 2,
                 "{\"ts\":\"%s\",\"level\":\"%s\",\"program\":\"%s\",\"event\":\"%s\"", ts,
                 level_names[level], program_name, event);
    if (n < 0 || (size_t)n >= sizeof(l.s) / 2)
        return;
    l.n = (size_t)n;
    if (fmt) {
        va_list args;

        va_start(args, fmt);
        put_pairs(&l, fmt, args);
        va_end(args);
    }
    l.s[l.n++] = '}';
    l.s[l.n++] = '\n';
    if (write(STDERR_FILENO, l.s, l.n) < 0)
        return; /* nowhere left to say it */
}
