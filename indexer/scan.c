/* SPDX-License-Identifier: MIT */
#include "indexer/indexer.h"
#include "lib/log.h"

#define CURSOR    "main"
#define RANGE_MAX 1000

/* Tells the database how far the chain is final and reads where the books are. */
static enum err_code begin(struct indexer *ix, uint64_t final, uint64_t *at, struct err *err)
{
    struct sql_cursor_begin in = {
        .name = text_of(CURSOR), .final_no = (int64_t) final, .start_no = ix->start_block - 1};
    const struct sql_cursor_begin_row *row;
    const void *rows;
    size_t n;
    enum err_code rc = db_run(ix->db, SQL_CURSOR_BEGIN, &in, 1, ix->arena, &rows, &n, err);

    if (rc != E_OK)
        return rc;
    row = rows;
    *at = (uint64_t)(row->block_no + 1);
    return E_OK;
}

static enum err_code advance(struct indexer *ix, uint64_t to, struct err *err)
{
    struct sql_cursor_advance in = {.name = text_of(CURSOR), .block_no = (int64_t)to};
    const struct sql_cursor_advance_row *row;
    struct rpc_block block;
    char tag[RPC_TAG_MAX];
    const void *rows;
    size_t n;
    enum err_code rc;

    rpc_tag(to, tag);
    rc = rpc_block(ix->rpc, tag, &block, err);
    if (rc != E_OK)
        return rc;
    in.block_hash = bytes_of(block.hash.b, sizeof(block.hash.b));
    rc = db_run(ix->db, SQL_CURSOR_ADVANCE, &in, 1, ix->arena, &rows, &n, err);
    if (rc != E_OK)
        return rc;
    row = rows;
    if (!text_is(row->outcome, "ok"))
        return err_set(err, E_BUSY, "another indexer moved the cursor past block %llu",
                       (unsigned long long)to);
    return E_OK;
}

/* One range of final blocks: its logs, their booking, the cursor. */
static enum err_code book_range(struct indexer *ix, uint64_t from, uint64_t to, struct err *err)
{
    const struct address contracts[] = {ix->vault, ix->settlement};
    const struct rpc_filter filter = {from, to, contracts, ARRAY_LEN(contracts)};
    struct rpc_log *logs;
    size_t n;
    enum err_code rc = rpc_logs(ix->rpc, &filter, ix->arena, &logs, &n, err);

    if (rc != E_OK) {
        /* Nodes cap how much one answer may hold and say so in many ways: ask for less. */
        ix->range_max = ix->range_max > 1 ? ix->range_max / 2 : 1;
        return rc;
    }
    rc = indexer_book(ix, logs, n, err);
    if (rc != E_OK)
        return rc;
    if (n > 0)
        log_info("booked", "from=%llu to=%llu logs=%zu", (unsigned long long)from,
                 (unsigned long long)to, n);
    return advance(ix, to, err);
}

enum err_code indexer_step(struct indexer *ix, uint64_t *booked, struct err *err)
{
    uint64_t final;
    uint64_t at;
    enum err_code rc;

    *booked = 0;
    arena_reset(ix->arena);
    rc = finality_block(&ix->finality, ix->rpc, &final, err);
    if (rc == E_NOT_FOUND)
        return E_OK;
    if (rc == E_OK)
        rc = begin(ix, final, &at, err);
    if (rc != E_OK || at > final)
        return rc;
    if (ix->range_max == 0)
        ix->range_max = RANGE_MAX;
    if (final - at >= ix->range_max)
        final = at + ix->range_max - 1;
    rc = book_range(ix, at, final, err);
    if (rc != E_OK)
        return rc;
    *booked = final - at + 1;
    ix->range_max = ix->range_max < RANGE_MAX / 2 ? ix->range_max * 2 : RANGE_MAX;
    return E_OK;
}
