/* SPDX-License-Identifier: MIT */
#include "workers/agent/predicate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const fields[] = {
    [FIELD_REWARD] = "reward",
    [FIELD_MEMORY_MB] = "memory_mb",
    [FIELD_CPU_MILLIS] = "cpu_millis",
    [FIELD_PIDS] = "pids",
    [FIELD_TIMEOUT_S] = "timeout_s",
    [FIELD_TMP_MB] = "tmp_mb",
    [FIELD_OUTPUT_MB] = "output_mb",
    [FIELD_IMAGE_MB] = "image_mb",
    [FIELD_ENVIRONMENT] = "environment",
    [FIELD_CONTRACT] = "contract",
    [FIELD_NAME] = "name",
};

/* Longer signs first: "<=" begins with "<". */
static const struct {
    const char *sign;
    enum predicate_op op;
} ops[] = {{"==", OP_EQ}, {"!=", OP_NE}, {"<=", OP_LE}, {">=", OP_GE}, {"<", OP_LT}, {">", OP_GT}};

static bool is_word_field(enum predicate_field f)
{
    return f >= FIELD_ENVIRONMENT;
}

bool ogpu_parse(const char *text, struct wei *out)
{
    char digits[WEI_TEXT_MAX];
    size_t whole = strspn(text, "0123456789");
    const char *rest = text + whole;
    size_t part = *rest == '.' ? strspn(rest + 1, "0123456789") : 0;
    if (whole == 0 || whole > 40 || part > 18 || (*rest == '.' && part == 0) ||
        rest[*rest == '.' ? part + 1 : 0] != '\0')
        return false;
    while (whole > 1 && *text == '0') {
        text++;
        whole--;
    }
    snprintf(digits, sizeof(digits), "%.*s%.*s%.*s", (int)whole, text, (int)part,
             part ? rest + 1 : "", (int)(18 - part), "000000000000000000");
    const char *from = digits + strspn(digits, "0");
    return wei_parse(text_of(*from ? from : "0"), out);
}

static bool read_field(const char **p, enum predicate_field *out)
{
    size_t n = strspn(*p, "abcdefghijklmnopqrstuvwxyz_");
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (strlen(fields[i]) == n && strncmp(*p, fields[i], n) == 0) {
            *out = (enum predicate_field)i;
            *p += n;
            return true;
        }
    }
    return false;
}

static bool read_op(const char **p, enum predicate_op *out)
{
    *p += strspn(*p, " ");
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (strncmp(*p, ops[i].sign, strlen(ops[i].sign)) == 0) {
            *out = ops[i].op;
            *p += strlen(ops[i].sign);
            *p += strspn(*p, " ");
            return true;
        }
    }
    return false;
}

/* A word as it stands, or between quotes. */
static bool read_value(const char **p, char out[PREDICATE_WORD_MAX])
{
    bool quoted = **p == '"';
    const char *from = *p + quoted;
    size_t n = quoted ? strcspn(from, "\"") : strcspn(from, " &");
    if (n == 0 || n >= PREDICATE_WORD_MAX || (quoted && from[n] != '"'))
        return false;
    memcpy(out, from, n);
    out[n] = '\0';
    *p = from + n + quoted;
    return true;
}

static bool read_number(struct predicate_clause *c)
{
    char *end;
    if (c->field == FIELD_REWARD)
        return ogpu_parse(c->word, &c->wei);
    c->number = strtoll(c->word, &end, 10);
    return end != c->word && *end == '\0' && c->number >= 0;
}

static bool read_clause(const char **p, struct predicate_clause *c)
{
    if (!read_field(p, &c->field) || !read_op(p, &c->op) || !read_value(p, c->word))
        return false;
    if (is_word_field(c->field))
        return c->op == OP_EQ || c->op == OP_NE;
    return read_number(c);
}

enum err_code predicate_read(const char *text, struct predicate *out, struct err *err)
{
    struct predicate p = {.n = 0};
    const char *at = text + strspn(text, " ");
    while (*at) {
        const char *begin = at;
        if (p.n == PREDICATE_CLAUSES_MAX)
            return err_set(err, E_CONFIG, "more than %d clauses", PREDICATE_CLAUSES_MAX);
        if (!read_clause(&at, &p.clauses[p.n++]))
            return err_set(err, E_CONFIG, "no clause `field op value`: '%.60s'", begin);
        at += strspn(at, " ");
        bool more = strncmp(at, "&&", 2) == 0;
        if (*at && !more)
            return err_set(err, E_CONFIG, "clauses are joined by &&: '%.60s'", at);
        at += more ? 2 : 0;
        at += strspn(at, " ");
        if (more && !*at)
            return err_set(err, E_CONFIG, "nothing behind the last &&");
    }
    *out = p;
    return E_OK;
}

bool predicate_wants_image(const struct predicate *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->clauses[i].field == FIELD_IMAGE_MB)
            return true;
    }
    return false;
}

/* ---- judging ---- */

static int64_t number_of(enum predicate_field f, const struct manifest *m, int64_t image_bytes)
{
    const struct manifest_limits *l = &m->limits;
    switch (f) {
    case FIELD_MEMORY_MB:
        return l->memory_mb;
    case FIELD_CPU_MILLIS:
        return l->cpu_millis;
    case FIELD_PIDS:
        return l->pids;
    case FIELD_TIMEOUT_S:
        return l->timeout_s;
    case FIELD_TMP_MB:
        return l->tmp_mb;
    case FIELD_OUTPUT_MB:
        return (l->output_bytes + (1 << 20) - 1) >> 20;
    default:
        return image_bytes < 0 ? -1 : (image_bytes + (1 << 20) - 1) >> 20;
    }
}

static unsigned environment_bit(const char *word)
{
    if (strcmp(word, "cpu") == 0)
        return ENV_CPU;
    if (strcmp(word, "nvidia") == 0)
        return ENV_NVIDIA;
    return strcmp(word, "amd") == 0 ? ENV_AMD : 0;
}

static bool same_word(const struct predicate_clause *c, const struct manifest *m)
{
    if (c->field == FIELD_ENVIRONMENT)
        return (m->environments & environment_bit(c->word)) != 0;
    if (c->field == FIELD_CONTRACT)
        return strcmp(c->word, m->contract == CONTRACT_HTTP ? "http" : "exec") == 0;
    return strlen(c->word) == m->name.n && memcmp(c->word, m->name.s, m->name.n) == 0;
}

static bool compares(enum predicate_op op, int cmp)
{
    switch (op) {
    case OP_EQ:
        return cmp == 0;
    case OP_NE:
        return cmp != 0;
    case OP_LE:
        return cmp <= 0;
    case OP_LT:
        return cmp < 0;
    case OP_GE:
        return cmp >= 0;
    default:
        return cmp > 0;
    }
}

static const char *sign_of(enum predicate_op op)
{
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (ops[i].op == op)
            return ops[i].sign;
    }
    return "?";
}

static bool clause_holds(const struct predicate_clause *c, const struct manifest *m,
                         int64_t image_bytes, char has[WEI_TEXT_MAX])
{
    has[0] = '\0';
    if (is_word_field(c->field))
        return same_word(c, m) == (c->op == OP_EQ);
    if (c->field == FIELD_REWARD) {
        wei_format(m->min_reward, has);
        return compares(c->op, wei_cmp(m->min_reward, c->wei));
    }
    int64_t n = number_of(c->field, m, image_bytes);
    if (n < 0) {
        snprintf(has, WEI_TEXT_MAX, "unknown");
        return false;
    }
    snprintf(has, WEI_TEXT_MAX, "%" PRId64, n);
    return compares(c->op, n < c->number ? -1 : n > c->number);
}

bool predicate_holds(const struct predicate *p, const struct manifest *m, int64_t image_bytes,
                     char why[PREDICATE_WHY_MAX])
{
    char has[WEI_TEXT_MAX];
    why[0] = '\0';
    for (size_t i = 0; i < p->n; i++) {
        const struct predicate_clause *c = &p->clauses[i];
        bool left_out = c->field == FIELD_IMAGE_MB && image_bytes == IMAGE_BYTES_UNASKED;
        if (left_out || clause_holds(c, m, image_bytes, has))
            continue;
        snprintf(why, PREDICATE_WHY_MAX, "not %s %s %.40s%s%s", fields[c->field], sign_of(c->op),
                 c->word, has[0] ? ": it is " : "", has);
        return false;
    }
    return true;
}
