/* SPDX-License-Identifier: MIT */
#include "indexer/theft.h"

#include "lib/hex.h"
#include "lib/log.h"

/* Named in the log at once; a thief may post thousands. */
#define NAMED_MAX 20

/* Each that stands, whenever one came: a line too many is better than the one that was missed. */
static void tell(const struct sql_theft_list_row *rows, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++) {
        char tx[2 * 32 + 1];

        if (!text_is(rows[i].what, what) || rows[i].tx_hash.n != 32)
            continue;
        hex_encode(rows[i].tx_hash.p, 32, tx);
        log_error(what, "id=%lld units=%lld tx=0x%s standing=%lld", (long long)rows[i].id,
                  (long long)rows[i].units, tx, (long long)rows[i].standing);
    }
}

static uint64_t standing(const struct sql_theft_list_row *rows, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (text_is(rows[i].what, what))
            return (uint64_t)rows[i].standing;
    return 0;
}

enum err_code theft_watch(struct indexer *ix, bool booked, struct err *err)
{
    const struct sql_theft_list in = {.max = NAMED_MAX};
    struct figures *f = &ix->figures;
    uint64_t foreign;
    uint64_t forged;
    const void *rows;
    size_t n;
    enum err_code rc;

    if (booked)
        ix->watched = false;
    if (ix->watched && f->foreign == 0 && f->forged == 0)
        return E_OK;
    rc = db_run(ix->db, SQL_THEFT_LIST, &in, 1, ix->arena, &rows, &n, err);
    if (rc != E_OK)
        return rc;
    foreign = standing(rows, n, "foreign_batch");
    forged = standing(rows, n, "forged_voucher");
    if (foreign > f->foreign)
        tell(rows, n, "foreign_batch");
    if (forged > f->forged)
        tell(rows, n, "forged_voucher");
    f->foreign = foreign;
    f->forged = forged;
    ix->watched = true;
    return E_OK;
}
