/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/compose_parts.h"
#include "lib/buf.h"

enum err_code compose_refuse(const struct compose *c, int line, const char *fmt, ...)
{
    char text[240];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (c->all && c->all->n < COMPOSE_PROBLEMS_MAX)
        c->all->text[c->all->n++] = arena_printf(c->arena, "line %d: %s", line, text);
    return err_set(c->err, E_BAD_MANIFEST, "line %d: %s", line, text);
}

bool compose_goes_on(const struct compose *c, enum err_code rc)
{
    return rc == E_OK || (c->all && c->all->n < COMPOSE_PROBLEMS_MAX);
}

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

const char *compose_variable(const struct compose *c, struct text name)
{
    static const struct compose_values nothing;
    const struct compose_values *v = c->values ? c->values : &nothing;

    if (text_is(name, "PORT"))
        return COMPOSE_PORT;
    if (text_is(name, "CALLBACK_URL"))
        return or_empty(v->callback_url);
    if (text_is(name, "SOURCE_ADDRESS"))
        return or_empty(v->source_address);
    if (text_is(name, "PROVIDER_ADDRESS"))
        return or_empty(v->provider_address);
    /* The service may read these two; a provider has nothing to say in them. */
    if (text_is(name, "PROTOCOL_VERSION") || text_is(name, "OGPU_SDK_SENTRY_DSN"))
        return "";
    return NULL;
}

static size_t name_length(const char *s, size_t n)
{
    size_t len = 0;

    while (len < n && (isalnum((unsigned char)s[len]) || s[len] == '_'))
        len++;
    return len;
}

/*
 * One `$…` at `s` (the dollar included): append what it stands for. @return how many characters it
 * was, 0 when it is refused. Only the contract's variables have values: a provider's own
 * environment is nobody's business. ${NAME:-text} and ${NAME-text} fall back to their text.
 */
static size_t expand(struct compose *c, const char *s, size_t n, struct buf *out)
{
    if (n >= 2 && s[1] == '$')
        return buf_add(out, "$", 1, NULL) == E_OK ? 2 : 0;
    bool braces = n >= 2 && s[1] == '{';
    const char *name = s + 1 + braces;
    size_t len = name_length(name, n - 1 - braces);
    const char *end = braces ? memchr(name, '}', n - 2) : name + len;
    if (len == 0 || !end)
        return 0;
    struct text rest = {name + len, (size_t)(end - name) - len};
    const char *value = compose_variable(c, (struct text){name, len});
    struct text what = text_of(value);
    if (rest.n > 0) {
        size_t skip = rest.s[0] == ':' ? 2 : 1;
        if (rest.n < skip || rest.s[skip - 1] != '-' || memchr(rest.s, '$', rest.n))
            return 0;
        if (!value || (skip == 2 && value[0] == '\0'))
            what = (struct text){rest.s + skip, rest.n - skip};
    }
    if (!what.s || buf_add(out, what.s, what.n, NULL) != E_OK)
        return 0;
    return (size_t)(end - s) + braces;
}

enum err_code compose_text(struct compose *c, const struct yaml_node *n, struct text *out)
{
    struct buf b = {.cap = COMPOSE_TEXT_MAX};
    if (n->kind != YAML_SCALAR)
        return compose_refuse(c, n->line, "a text is wanted here");
    for (size_t i = 0; i < n->text.n;) {
        size_t used = 1;
        if (n->text.s[i] == '$')
            used = expand(c, n->text.s + i, n->text.n - i, &b);
        else if (buf_add(&b, n->text.s + i, 1, NULL) != E_OK)
            used = 0;
        if (used == 0) {
            bool variable = n->text.s[i] == '$';
            buf_done(&b);
            return variable ? compose_refuse(c, n->line,
                                             "a variable that a provider does not set: give it a "
                                             "value, or write $$ for a dollar")
                            : compose_refuse(c, n->line, "more than %d bytes", COMPOSE_TEXT_MAX);
        }
        i += used;
    }
    *out = text_of(arena_copy(c->arena, b.p ? (const char *)b.p : "", b.n));
    buf_done(&b);
    return E_OK;
}

/* The next word of a command line into `word`: quotes and backslashes as a shell reads them, and no
 * more. @return where to go on; NULL for a quote that is not closed */
static const char *next_word(const char *s, char *word, size_t *len)
{
    char quote = '\0';
    *len = 0;
    for (; *s && (quote || !isspace((unsigned char)*s)); s++) {
        if (quote ? *s == quote : (*s == '\'' || *s == '"'))
            quote = quote ? '\0' : *s;
        else if (*s == '\\' && quote != '\'' && s[1] && (!quote || strchr("\\\"$`", s[1])))
            word[(*len)++] = *++s;
        else
            word[(*len)++] = *s;
    }
    return quote ? NULL : s;
}

static enum err_code split(struct compose *c, int line, const char *s, const char **out,
                           size_t *count)
{
    char word[COMPOSE_TEXT_MAX + 1]; /* compose_text() measured the whole */
    size_t len;
    for (;;) {
        s += strspn(s, " \t\r\n\v\f");
        if (*s == '\0')
            return E_OK;
        s = next_word(s, word, &len);
        if (!s)
            return compose_refuse(c, line, "a quote that is not closed");
        if (*count >= COMPOSE_WORDS_MAX)
            return compose_refuse(c, line, "more than %d words", COMPOSE_WORDS_MAX);
        out[(*count)++] = arena_copy(c->arena, word, len);
    }
}

enum err_code compose_words(struct compose *c, const struct yaml_node *n, const char **out,
                            size_t *count)
{
    struct text t = {"", 0};
    enum err_code rc = E_OK;
    *count = 0;
    if (n->kind == YAML_SCALAR) {
        rc = compose_text(c, n, &t);
        return rc == E_OK ? split(c, n->line, t.s ? t.s : "", out, count) : rc;
    }
    if (n->kind != YAML_LIST)
        return compose_refuse(c, n->line, "a text or a list of texts is wanted here");
    for (const struct yaml_node *w = n->first; rc == E_OK && w; w = w->next) {
        if (*count >= COMPOSE_WORDS_MAX)
            return compose_refuse(c, w->line, "more than %d words", COMPOSE_WORDS_MAX);
        rc = compose_text(c, w, &t);
        if (rc == E_OK)
            out[(*count)++] = t.s;
    }
    return rc;
}
