/* SPDX-License-Identifier: MIT */
#include "lib/pattern.h"

bool pattern_matches(const struct pattern *p, struct text s)
{
    uint16_t state = 1;

    for (size_t i = 0; i < s.n && state != 0; i++) {
        uint8_t c = (uint8_t)s.s[i];

        if (c > 127)
            return false;
        state = p->next[(size_t)state * p->n_classes + p->class_of[c]];
    }
    return p->accepts[state] != 0;
}
