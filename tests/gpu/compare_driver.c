/* SPDX-License-Identifier: MIT */
/* The C comparator over two files, for the oracle in JavaScript:
 *   compare_driver f32|f16|bf16 ATOL RTOL MAX_ULP MAX_L2 NAN_EQUALS ACTUAL EXPECTED
 * Doubles are printed as the 16 hex digits of their bits. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/compare.h"

/* Not a divisor of a chunk: pieces end anywhere. */
#define PIECE 40009

static const char *const names[] = {"f32", "f16", "bf16"};

static uint64_t bits(double v)
{
    uint64_t b;

    memcpy(&b, &v, sizeof(b));
    return b;
}

static int print(const struct compare_result *r)
{
    const struct compare_counts *c = &r->counts;

    printf("{\"n\":%" PRIu64 ",\"close\":%s,\"tolerance\":%" PRIu64 ",\"ulp\":%" PRIu64
           ",\"nan\":%" PRIu64 ",\"inf\":%" PRIu64 ",\"first\":\"%" PRIu64 "\",\"max_ulp\":%" PRIu32
           ",\"max_abs\":\"%016" PRIx64 "\",\"err2\":\"%016" PRIx64 "\",\"ref2\":\"%016" PRIx64
           "\",\"l2\":\"%016" PRIx64 "\",\"l2_beyond\":%s}\n",
           r->n, r->close ? "true" : "false", c->beyond_tolerance, c->beyond_ulp, c->nan_differs,
           c->inf_differs, c->first, c->max_ulp, bits(c->max_abs), bits(r->err2), bits(r->ref2),
           bits(r->l2), r->l2_beyond ? "true" : "false");
    return 0;
}

static enum compare_type type_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], name) == 0)
            return (enum compare_type)i;
    fprintf(stderr, "no type %s\n", name);
    exit(2);
}

int main(int argc, char **argv)
{
    static struct compare c;
    static uint8_t a[PIECE * 4];
    static uint8_t e[PIECE * 4];
    struct compare_rule rule;
    struct compare_result result;
    struct err err;
    FILE *fa;
    FILE *fe;
    size_t n;

    if (argc != 9)
        return 2;
    rule = (struct compare_rule){.type = type_of(argv[1]),
                                 .atol = atof(argv[2]),
                                 .rtol = atof(argv[3]),
                                 .max_ulp = atoll(argv[4]),
                                 .max_l2 = atof(argv[5]),
                                 .nan_equals = atoi(argv[6])};
    if (compare_rule_check(&rule, &err) != E_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    compare_begin(&c, &rule);
    fa = fopen(argv[7], "rb");
    fe = fopen(argv[8], "rb");
    if (fa == NULL || fe == NULL)
        return 2;
    do {
        n = fread(a, compare_size(rule.type), PIECE, fa);
        if (fread(e, compare_size(rule.type), PIECE, fe) != n)
            return 2;
        compare_feed(&c, a, e, n);
    } while (n == PIECE);
    compare_end(&c, &result);
    fclose(fa);
    fclose(fe);
    return print(&result);
}
