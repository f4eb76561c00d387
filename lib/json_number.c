/* SPDX-License-Identifier: MIT */
#include "lib/json_number.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 17

/* A positive value as 0.d1d2…dn × 10^point; d1 and dn are not 0 (except for the value 0). */
struct decimal {
    char digits[DIGITS_MAX + 2];
    int n;
    int point;
};

static double value_of(const struct decimal *d)
{
    char text[DIGITS_MAX + 16];

    snprintf(text, sizeof(text), "0.%se%d", d->digits, d->point);
    return strtod(text, NULL);
}

static void trim(struct decimal *d)
{
    while (d->n > 1 && d->digits[d->n - 1] == '0')
        d->n--;
    d->digits[d->n] = '\0';
}

/* v rounded to n digits. */
static struct decimal rounded(double v, int n)
{
    char text[DIGITS_MAX + 16];
    struct decimal d = {.n = n};
    char *exponent;

    snprintf(text, sizeof(text), "%.*e", n - 1, v); /* d.ddde±xx */
    exponent = strchr(text, 'e');
    d.point = atoi(exponent + 1) + 1;
    d.digits[0] = text[0];
    if (n > 1)
        memcpy(d.digits + 1, text + 2, (size_t)n - 1);
    return d;
}

/* The next decimal of the same length above d. */
static void step_up(struct decimal *d)
{
    int i = d->n - 1;

    while (i >= 0 && d->digits[i] == '9')
        d->digits[i--] = '0';
    if (i >= 0) {
        d->digits[i]++;
        return;
    }
    memset(d->digits, '0', (size_t)d->n);
    d->digits[0] = '1';
    d->point++;
}

/*
 * The shortest decimal that reads back to v. Correct rounding to n digits finds it, except at
 * powers of two: there the gap above is twice the gap below, and a decimal a little farther off,
 * on the upper side, may read back when the nearer one below does not.
 */
static struct decimal shortest(double v)
{
    int exponent;
    bool power_of_two = frexp(v, &exponent) == 0.5;
    struct decimal d;

    for (int n = 1; n <= DIGITS_MAX; n++) {
        d = rounded(v, n);
        if (value_of(&d) == v)
            break;
        if (power_of_two && value_of(&d) < v) {
            step_up(&d);
            if (value_of(&d) == v)
                break;
        }
    }
    trim(&d);
    return d;
}

/* Number::toString steps 6 to 12; k digits, decimal point behind digit n. */
static void layout(const struct decimal *d, char *out)
{
    int k = d->n;
    int n = d->point;

    if (k <= n && n <= 21) {
        snprintf(out, JSON_NUMBER_MAX, "%s%.*s", d->digits, n - k, "000000000000000000000");
    } else if (0 < n && n < k) {
        snprintf(out, JSON_NUMBER_MAX, "%.*s.%s", n, d->digits, d->digits + n);
    } else if (-6 < n && n <= 0) {
        snprintf(out, JSON_NUMBER_MAX, "0.%.*s%s", -n, "000000", d->digits);
    } else {
        snprintf(out, JSON_NUMBER_MAX, "%c%s%se%c%d", d->digits[0], k > 1 ? "." : "", d->digits + 1,
                 n > 0 ? '+' : '-', abs(n - 1));
    }
}

void json_number(double v, char *out)
{
    struct decimal d;

    if (v == 0) { /* -0 as well: RFC 8785 prints 0 */
        memcpy(out, "0", 2);
        return;
    }
    if (v < 0)
        *out++ = '-';
    d = shortest(fabs(v));
    layout(&d, out);
}
