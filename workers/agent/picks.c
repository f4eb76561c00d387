/* SPDX-License-Identifier: MIT */
#include "workers/agent/picks.h"

#include <string.h>

void picks_add(struct picks *p, const struct pick *one)
{
    size_t at = p->n;
    while (at > 0 && p->rows[at - 1].profit < one->profit)
        at--;
    if (at == PICKS_MAX)
        return;
    size_t last = p->n < PICKS_MAX ? p->n++ : PICKS_MAX - 1;
    memmove(&p->rows[at + 1], &p->rows[at], (last - at) * sizeof(p->rows[0]));
    p->rows[at] = *one;
}

void picks_add_earning(struct picks *p, const struct pick *one)
{
    bool explores = one->profit <= 0 && !one->measured && p->explored < PICKS_EXPLORE;
    if (one->profit <= 0 && !explores)
        return;
    p->explored += explores;
    picks_add(p, one);
}

void picks_done(struct picks *p, bool by_profit)
{
    p->top = by_profit ? 0 : p->n;
    while (p->top < p->n && p->rows[p->top].profit > 0 &&
           p->rows[p->top].profit >= p->rows[0].profit / 2)
        p->top++;
    if (p->top == 0)
        p->top = p->n;
}
