/* SPDX-License-Identifier: MIT */
#include "indexer/mirror.h"

#include "lib/log.h"

/* Whether the node's block of this number is the one we know. */
static enum err_code still_there(struct mirror *m, int64_t number, struct bytes hash, bool *out,
                                 struct err *err)
{
    struct rpc_block block;
    char tag[RPC_TAG_MAX];
    enum err_code rc;

    rpc_tag((uint64_t)number, tag);
    rc = rpc_block(m->rpc, tag, &block, err);
    if (rc == E_NOT_FOUND) /* a node that lags, or a chain that is yet to grow past us: wait */
        return err_set(err, E_PEER, "the node does not have block %lld yet", (long long)number);
    if (rc == E_OK)
        *out = hash.n == sizeof(block.hash.b) && memcmp(hash.p, block.hash.b, hash.n) == 0;
    return rc;
}

/* The newest block with a booked event below `below` that the chain still has; none: number is the
 * one before the first. */
static enum err_code find_base(struct mirror *m, int64_t below, struct sql_mirror_mark_row *out,
                               struct err *err)
{
    struct sql_mirror_mark in = {.chain_id = (int64_t)m->chain_id, .below = below};
    bool same = false;

    while (!same) {
        const void *rows;
        size_t n;
        enum err_code rc = db_run(m->db, SQL_MIRROR_MARK, &in, 1, m->arena, &rows, &n, err);

        if (rc != E_OK)
            return rc;
        if (n == 0) {
            *out = (struct sql_mirror_mark_row){.block_no = m->start_block - 1,
                                                .block_hash = bytes_of("", 0)};
            return E_OK;
        }
        memcpy(out, rows, sizeof(*out));
        in.below = out->block_no;
        rc = still_there(m, out->block_no, out->block_hash, &same, err);
        if (rc != E_OK)
            return rc;
    }
    return E_OK;
}

static enum err_code rewind_to(struct mirror *m, const struct sql_mirror_mark_row *base,
                               struct err *err)
{
    const struct sql_mirror_rewind in = {.name = text_of(m->cursor),
                                         .chain_id = (int64_t)m->chain_id,
                                         .block_no = base->block_no,
                                         .block_hash = base->block_hash};
    const void *rows;
    size_t n;

    log_warn("rewound", "cursor=%s to=%lld", m->cursor, (long long)base->block_no);
    return db_run(m->db, SQL_MIRROR_REWIND, &in, 1, m->arena, &rows, &n, err);
}

/* A finality by depth is a bet, and some chains lose it. */
static enum err_code go_back(struct mirror *m, struct err *err)
{
    const struct sql_cursor_get in = {.name = text_of(m->cursor)};
    const struct sql_cursor_get_row *row;
    struct sql_mirror_mark_row base;
    const void *rows;
    size_t n;
    enum err_code rc = db_run(m->db, SQL_CURSOR_GET, &in, 1, m->arena, &rows, &n, err);

    if (rc != E_OK || n == 0)
        return rc;
    row = rows;
    rc = find_base(m, row->block_no, &base, err);
    return rc == E_OK ? rewind_to(m, &base, err) : rc;
}

static enum err_code book(void *who, const struct rpc_log *logs, size_t n, struct err *err)
{
    return mirror_book(who, logs, n, err);
}

enum err_code mirror_step(struct mirror *m, uint64_t *booked, struct err *err)
{
    const struct scan s = {.rpc = m->rpc,
                           .db = m->db,
                           .arena = m->arena,
                           .finality = &m->finality,
                           .start_block = m->start_block,
                           .contracts = &m->nexus,
                           .n_contracts = 1,
                           .range_max = &m->range_max,
                           .book = book,
                           .who = m,
                           .figures = &m->figures};
    uint64_t blocks = 0;
    uint64_t structs = 0;
    enum err_code rc;

    *booked = 0;
    rc = scan_step(&s, &blocks, err);
    if (rc == E_DIGEST_MISMATCH) /* the block at the cursor is another now */
        return go_back(m, err);
    if (rc == E_OK)
        rc = mirror_read_due(m, &structs, err);
    *booked = blocks + structs;
    return rc;
}
