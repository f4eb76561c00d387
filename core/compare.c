/* SPDX-License-Identifier: MIT */
#include "core/compare.h"

#include <math.h>

size_t compare_size(enum compare_type type)
{
    return type == COMPARE_F32 ? 4 : 2;
}

enum err_code compare_rule_check(const struct compare_rule *rule, struct err *err)
{
    if (!isfinite(rule->atol) || !isfinite(rule->rtol) || !isfinite(rule->max_l2))
        return err_set(err, E_VALIDATION, "tolerances are finite numbers");
    if (rule->atol < 0 && rule->rtol < 0 && rule->max_ulp < 0 && rule->max_l2 < 0)
        return err_set(err, E_VALIDATION, "nothing is asked: set atol, rtol, max_ulp or max_l2");
    if (rule->nan_equals != 0 && rule->nan_equals != 1)
        return err_set(err, E_VALIDATION, "nan_equals is 0 or 1");
    return E_OK;
}

static uint32_t element(enum compare_type type, const uint8_t *p, uint64_t i)
{
    const uint8_t *at = p + i * compare_size(type);

    if (type == COMPARE_F32)
        return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
               (uint32_t)at[3] << 24;
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

/* The tree over a chunk's lanes. A lane that saw nothing adds +0, which changes no sum. */
static struct compare_lane lanes_sum(const struct compare_lane *lanes)
{
    struct compare_lane t[COMPARE_LANES];

    memcpy(t, lanes, sizeof(t));
    for (size_t half = COMPARE_LANES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++) {
            t[l].err2 = compare_add(t[l].err2, t[l + half].err2);
            t[l].ref2 = compare_add(t[l].ref2, t[l + half].ref2);
        }
    return t[0];
}

static void result_clear(struct compare_result *r)
{
    memset(r, 0, sizeof(*r));
    compare_counts_clear(&r->counts);
}

static void result_add(struct compare_result *r, const struct compare_part *part)
{
    r->n += part->n;
    compare_join(&r->counts, &part->counts);
    r->err2 = compare_add(r->err2, part->sum.err2);
    r->ref2 = compare_add(r->ref2, part->sum.ref2);
}

static void result_judge(struct compare_result *r, const struct compare_rule *rule)
{
    if (r->err2 == 0)
        r->l2 = 0;
    else if (r->ref2 == 0)
        r->l2 = INFINITY;
    else
        r->l2 = sqrt(r->err2 / r->ref2); /* both correctly rounded by IEEE 754 */
    r->l2_beyond = rule->max_l2 >= 0 && r->l2 > rule->max_l2;
    r->close = !r->l2_beyond && r->counts.first == UINT64_MAX;
}

static void chunk_begin(struct compare *c)
{
    compare_counts_clear(&c->counts);
    memset(c->lanes, 0, sizeof(c->lanes));
    c->at = 0;
}

static void chunk_part(const struct compare *c, struct compare_part *out)
{
    *out = (struct compare_part){.n = c->at, .counts = c->counts, .sum = lanes_sum(c->lanes)};
}

static void chunk_end(struct compare *c)
{
    struct compare_part part;

    chunk_part(c, &part);
    result_add(&c->total, &part);
    chunk_begin(c);
}

void compare_begin(struct compare *c, const struct compare_rule *rule)
{
    c->rule = *rule;
    result_clear(&c->total);
    chunk_begin(c);
}

/* Elements that all lie in the chunk at hand; `base` is the tensor's index of its first. */
static void take(struct compare *c, const uint8_t *actual, const uint8_t *expected, uint64_t n,
                 uint64_t base)
{
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t at = c->at + i;

        compare_pair(&c->rule, element(c->rule.type, actual, i), element(c->rule.type, expected, i),
                     base + at, &c->lanes[at % COMPARE_LANES], &c->counts);
    }
    c->at += n;
}

void compare_feed(struct compare *c, const void *actual, const void *expected, uint64_t n)
{
    const uint8_t *a = actual;
    const uint8_t *e = expected;

    while (n > 0) {
        const uint64_t room = COMPARE_CHUNK - c->at;
        const uint64_t now = n < room ? n : room;

        take(c, a, e, now, c->total.n);
        a += now * compare_size(c->rule.type);
        e += now * compare_size(c->rule.type);
        n -= now;
        if (c->at == COMPARE_CHUNK)
            chunk_end(c);
    }
}

void compare_end(struct compare *c, struct compare_result *out)
{
    if (c->at > 0)
        chunk_end(c);
    *out = c->total;
    result_judge(out, &c->rule);
}

void compare_chunk(const struct compare_rule *rule, uint64_t chunk, const void *actual,
                   const void *expected, uint64_t n, struct compare_part *out)
{
    struct compare c;

    compare_begin(&c, rule);
    take(&c, actual, expected, n, chunk * COMPARE_CHUNK);
    chunk_part(&c, out);
}

void compare_fold(const struct compare_rule *rule, const struct compare_part *parts, size_t n,
                  struct compare_result *out)
{
    result_clear(out);
    for (size_t i = 0; i < n; i++)
        result_add(out, &parts[i]);
    result_judge(out, rule);
}
