/* SPDX-License-Identifier: MIT */
#include "indexer/figures.h"

#include <inttypes.h>

enum err_code figures_prometheus(const struct figures *f, const struct rpc_health *nodes,
                                 struct buf *out, struct err *err)
{
    const struct {
        const char *name;
        const char *type;
        const char *help;
        uint64_t value;
    } all[] = {
        {"final_block", "gauge", "The newest final block heard of.", f->final},
        {"booked_block", "gauge", "The newest block in the books.", f->booked},
        {"logs_booked_total", "counter", "Logs in the ranges booked.", f->logs},
        {"outvoted_total", "counter", "Ranges about which a node told otherwise than most.",
         f->outvoted},
        {"deposits_unchecked_total", "counter",
         "Ranges booked though no node told the sum of all deposits.", f->unchecked},
        {"foreign_batches", "gauge", "Batches on chain that are not ours, not voided or accepted.",
         f->foreign},
        {"forged_vouchers", "gauge", "Vouchers on chain, not voided, for more than was earned.",
         f->forged},
        {"failures_total", "counter", "Looks at the chain that failed.", f->failed},
        {"halted", "gauge", "Whether the last look found what nobody may step over.", f->halted},
        {"last_look_timestamp_seconds", "gauge", "When the last look succeeded; 0: none has.",
         (uint64_t)f->looked},
        {"nodes", "gauge", "RPC nodes configured.", nodes->nodes},
        {"nodes_usable", "gauge", "Of the right chain, answering, and not behind.", nodes->usable},
    };
    enum err_code rc = E_OK;

    for (size_t i = 0; i < ARRAY_LEN(all) && rc == E_OK; i++)
        rc = buf_printf(out, err,
                        "# HELP ogpu_indexer_%s %s\n# TYPE ogpu_indexer_%s %s\n"
                        "ogpu_indexer_%s{cursor=\"%s\"} %" PRIu64 "\n",
                        all[i].name, all[i].help, all[i].name, all[i].type, all[i].name, f->cursor,
                        all[i].value);
    return rc;
}
