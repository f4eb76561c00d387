/* SPDX-License-Identifier: MIT */
#include "workers/agent/gateways.h"

#include <string.h>

static bool is_url(const char *s, size_t n)
{
    return (n > 8 && strncmp(s, "https://", 8) == 0) || (n > 7 && strncmp(s, "http://", 7) == 0);
}

enum err_code gateways_read(const char *list, struct gateways *out, struct err *err)
{
    *out = (struct gateways){.n = 0};
    for (const char *p = list + strspn(list, ", "); *p; p += strspn(p, ", ")) {
        size_t n = strcspn(p, ", ");
        size_t keep = n;
        if (!is_url(p, n) || n >= GATEWAY_URL_MAX || out->n >= GATEWAYS_MAX)
            return err_set(err, E_CONFIG,
                           "OGPU_URL: '%.*s' is no http(s) URL, or there are more than %d",
                           n > 80 ? 80 : (int)n, p, GATEWAYS_MAX);
        while (keep > 0 && p[keep - 1] == '/')
            keep--;
        memcpy(out->url[out->n++], p, keep);
        p += n;
    }
    return out->n > 0 ? E_OK : err_set(err, E_CONFIG, "OGPU_URL is empty");
}
