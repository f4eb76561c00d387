/* SPDX-License-Identifier: MIT */
#include "eth/finality.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 100000

enum err_code finality_parse(const char *s, struct finality *out, struct err *err)
{
    if (strcmp(s, "tag:finalized") == 0 || strcmp(s, "tag:safe") == 0) {
        *out = (struct finality){.tag = s + strlen("tag:")};
        return E_OK;
    }
    if (strncmp(s, "depth:", 6) == 0 && s[6] >= '0' && s[6] <= '9') {
        char *end;
        unsigned long depth = strtoul(s + 6, &end, 10);

        if (*end == '\0' && depth <= DEPTH_MAX) {
            *out = (struct finality){.depth = depth};
            return E_OK;
        }
    }
    return err_set(err, E_CONFIG,
                   "finality '%s' is not tag:finalized, tag:safe or depth:N (N up to %d)", s,
                   DEPTH_MAX);
}

enum err_code finality_block(const struct finality *f, struct rpc *rpc, uint64_t *out,
                             struct err *err)
{
    return rpc_final(rpc, f->tag, f->depth, out, err);
}
