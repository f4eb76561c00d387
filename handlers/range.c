/* SPDX-License-Identifier: MIT */
#include "handlers/range.h"

#include <stdbool.h>
#include <strings.h>

/* Digits up to the end or `stop`; numbers beyond int64 count as its maximum. */
static bool number(struct text s, size_t *at, int64_t *out)
{
    size_t begin = *at;
    int64_t v = 0;

    while (*at < s.n && s.s[*at] >= '0' && s.s[*at] <= '9') {
        int digit = s.s[(*at)++] - '0';

        v = v > (INT64_MAX - digit) / 10 ? INT64_MAX : v * 10 + digit;
    }
    *out = v;
    return *at > begin;
}

enum range_kind range_read(struct text value, int64_t size, struct range *out)
{
    size_t at = 6;
    int64_t first;
    int64_t last;
    bool has_first;
    bool has_last;

    *out = (struct range){0, size};
    if (value.s == NULL || value.n < 7 || strncasecmp(value.s, "bytes=", 6) != 0)
        return RANGE_WHOLE;
    has_first = number(value, &at, &first);
    if (at >= value.n || value.s[at++] != '-')
        return RANGE_WHOLE;
    has_last = number(value, &at, &last);
    if (at != value.n || (!has_first && !has_last) || (has_first && has_last && last < first))
        return RANGE_WHOLE;
    if (!has_first) {
        /* The last so many bytes. */
        if (last == 0 || size == 0)
            return RANGE_BEYOND;
        first = last < size ? size - last : 0;
        last = size - 1;
    } else if (first >= size) {
        return RANGE_BEYOND;
    } else if (!has_last || last >= size) {
        last = size - 1;
    }
    *out = (struct range){first, last - first + 1};
    return RANGE_PART;
}
