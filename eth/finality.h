/* SPDX-License-Identifier: MIT */
#ifndef ETH_FINALITY_H
#define ETH_FINALITY_H

#include "eth/rpc.h"

/** When a block counts as final: what the chain says (a tag), or a number of blocks on top of it.
 */
struct finality {
    const char *tag; /**< "finalized" or "safe"; NULL: by depth */
    uint64_t depth;
};

/** Read "tag:finalized", "tag:safe" or "depth:N" (0 to 100000). @return E_CONFIG */
MUST_CHECK enum err_code finality_parse(const char *s, struct finality *out, struct err *err);

/** Number of the last final block. @return E_NOT_FOUND while there is none, else as rpc_block() */
MUST_CHECK enum err_code finality_block(const struct finality *f, struct rpc *rpc, uint64_t *out,
                                        struct err *err);

#endif
