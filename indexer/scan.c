/* SPDX-License-Identifier: MIT */
#include "indexer/scan.h"

#include "indexer/pool.h"
#include "indexer/theft.h"
#include "lib/log.h"

#define RANGE_MAX 1000

/* Tells the database how far the chain is final, reads where the books are and how far it was final
 * at most. */
static enum err_code begin(const struct scan *s, uint64_t final, uint64_t *at, struct err *err)
{
    struct sql_cursor_begin in = {.name = text_of(s->figures->cursor),
                                  .final_no = (int64_t) final,
                                  .start_no = s->start_block - 1};
    const struct sql_cursor_begin_row *row;
    const void *rows;
    size_t n;
    enum err_code rc = db_run(s->db, SQL_CURSOR_BEGIN, &in, 1, s->arena, &rows, &n, err);

    if (rc != E_OK)
        return rc;
    row = rows;
    *at = (uint64_t)(row->block_no + 1);
    s->figures->final = (uint64_t)row->final_no;
    s->figures->booked = *at > 0 ? *at - 1 : 0; /* another indexer may have moved it on */
    return E_OK;
}

static enum err_code hash_of(const struct scan *s, uint64_t number, struct digest *out,
                             struct err *err)
{
    struct rpc_block block;
    enum err_code rc = rpc_agreed_block(s->rpc, number, &block, err);

    if (rc == E_NOT_FOUND)
        return err_set(err, E_PEER, "the node does not have block %llu",
                       (unsigned long long)number);
    if (rc == E_OK)
        *out = block.hash;
    return rc;
}

static enum err_code advance(const struct scan *s, uint64_t to, const struct digest *hash,
                             struct err *err)
{
    struct sql_cursor_advance in = {.name = text_of(s->figures->cursor),
                                    .block_no = (int64_t)to,
                                    .block_hash = bytes_of(hash->b, sizeof(hash->b))};
    const struct sql_cursor_advance_row *row;
    const void *rows;
    size_t n;
    enum err_code rc = db_run(s->db, SQL_CURSOR_ADVANCE, &in, 1, s->arena, &rows, &n, err);

    if (rc != E_OK)
        return rc;
    row = rows;
    if (!text_is(row->outcome, "ok"))
        return err_set(err, E_BUSY, "another indexer moved the cursor past block %llu",
                       (unsigned long long)to);
    return E_OK;
}

/* What was booked as final must still be there: a chain that went back behind our finality has
 * undone facts that are money here, and nobody may book on over that. */
static enum err_code check_ground(const struct scan *s, uint64_t at, struct err *err)
{
    struct sql_cursor_get in = {.name = text_of(s->figures->cursor)};
    const struct sql_cursor_get_row *row;
    struct digest hash;
    const void *rows;
    size_t n;
    enum err_code rc = db_run(s->db, SQL_CURSOR_GET, &in, 1, s->arena, &rows, &n, err);

    if (rc != E_OK)
        return rc;
    row = rows;
    /* Before its first range a cursor has no hash; another indexer may have moved it on. */
    if (n == 0 || row->block_hash.n != sizeof(hash.b) || (uint64_t)row->block_no + 1 != at)
        return E_OK;
    rc = hash_of(s, (uint64_t)row->block_no, &hash, err);
    if (rc == E_OK && memcmp(hash.b, row->block_hash.p, sizeof(hash.b)) != 0)
        return err_set(err, E_DIGEST_MISMATCH,
                       "block %lld was final and is another now: nothing is booked over it",
                       (long long)row->block_no);
    return rc;
}

/* The last block's logs are of the last block. */
static bool ends_in(const struct rpc_filter *f, const struct rpc_log *logs, size_t n,
                    const struct digest *hash)
{
    return n == 0 || logs[n - 1].block != f->to ||
           memcmp(&logs[n - 1].block_hash, hash, sizeof(*hash)) == 0;
}

/* Who is wrong about a range alone, or about what is final: the range is booked all the same, and
 * an operator should know. */
static void tell_outvoted(const struct scan *s, const struct rpc_filter *f)
{
    struct rpc_health h = rpc_health(s->rpc);

    if (h.outvoted == 0 && !h.split)
        return;
    s->figures->outvoted++;
    log_warn("outvoted", "cursor=%s from=%llu to=%llu nodes=%zu of=%zu about=%s",
             s->figures->cursor, (unsigned long long)f->from, (unsigned long long)f->to,
             h.outvoted > 0 ? h.outvoted : 1, h.nodes, h.outvoted > 0 ? "logs" : "final blocks");
}

/* The range's logs, all of one chain: its last block is the same before and after they were read.
 */
static enum err_code read_range(const struct scan *s, const struct rpc_filter *f,
                                struct rpc_log **logs, size_t *n, struct digest *hash,
                                struct err *err)
{
    struct digest after;
    enum err_code rc = hash_of(s, f->to, hash, err);

    if (rc != E_OK)
        return rc;
    rc = rpc_logs(s->rpc, f, s->arena, logs, n, err);
    if (rc != E_OK) {
        /* Nodes cap how much one answer may hold and say so in many ways: ask for less. */
        *s->range_max = *s->range_max > 1 ? *s->range_max / 2 : 1;
        return rc;
    }
    tell_outvoted(s, f);
    rc = hash_of(s, f->to, &after, err);
    if (rc == E_OK && (memcmp(hash, &after, sizeof(after)) != 0 || !ends_in(f, *logs, *n, &after)))
        rc = err_set(err, E_PEER, "block %llu changed while its logs were read",
                     (unsigned long long)f->to);
    return rc;
}

/* One range of final blocks: its logs, their booking, the cursor. */
static enum err_code book_range(const struct scan *s, uint64_t from, uint64_t to, struct err *err)
{
    const struct rpc_filter filter = {from, to, s->contracts, s->n_contracts};
    struct digest hash;
    struct rpc_log *logs;
    size_t n;
    enum err_code rc = read_range(s, &filter, &logs, &n, &hash, err);

    if (rc == E_OK && s->check)
        rc = s->check(s->who, &(struct scan_range){from, to, logs, n}, err);
    if (rc == E_OK)
        rc = s->book(s->who, logs, n, err);
    if (rc != E_OK)
        return rc;
    if (n > 0)
        log_info("booked", "cursor=%s from=%llu to=%llu logs=%zu", s->figures->cursor,
                 (unsigned long long)from, (unsigned long long)to, n);
    rc = advance(s, to, &hash, err);
    if (rc == E_OK) {
        s->figures->booked = to;
        s->figures->logs += n;
    }
    return rc;
}

enum err_code scan_step(const struct scan *s, uint64_t *booked, struct err *err)
{
    uint64_t final;
    uint64_t at = 0;
    enum err_code rc;

    *booked = 0;
    arena_reset(s->arena);
    rc = finality_block(s->finality, s->rpc, &final, err);
    if (rc == E_NOT_FOUND)
        return E_OK;
    if (rc == E_OK)
        rc = begin(s, final, &at, err);
    if (rc != E_OK)
        return rc;
    /* Nodes that lag, or begin anew, would else stop the booking without a word. */
    if (at > final && final < s->figures->final)
        return err_set(err, E_PEER, "the nodes call block %llu final, and called %llu so before",
                       (unsigned long long) final, (unsigned long long)s->figures->final);
    if (at > final)
        return E_OK;
    rc = check_ground(s, at, err);
    if (rc != E_OK)
        return rc;
    if (*s->range_max == 0)
        *s->range_max = RANGE_MAX;
    if (final - at >= *s->range_max)
        final = at + *s->range_max - 1;
    rc = book_range(s, at, final, err);
    if (rc != E_OK)
        return rc;
    *booked = final - at + 1;
    *s->range_max = *s->range_max < RANGE_MAX / 2 ? *s->range_max * 2 : RANGE_MAX;
    return E_OK;
}

static enum err_code check(void *who, const struct scan_range *range, struct err *err)
{
    return indexer_pool_check(who, range, err);
}

static enum err_code book(void *who, const struct rpc_log *logs, size_t n, struct err *err)
{
    return indexer_book(who, logs, n, err);
}

enum err_code indexer_step(struct indexer *ix, uint64_t *booked, struct err *err)
{
    const struct address contracts[] = {ix->vault, ix->settlement};
    const struct scan s = {.rpc = ix->rpc,
                           .db = ix->db,
                           .arena = ix->arena,
                           .finality = &ix->finality,
                           .start_block = ix->start_block,
                           .contracts = contracts,
                           .n_contracts = ARRAY_LEN(contracts),
                           .range_max = &ix->range_max,
                           .check = check,
                           .book = book,
                           .who = ix,
                           .figures = &ix->figures};
    uint64_t before = ix->figures.booked; /* another indexer may move it on, too */
    enum err_code rc = scan_step(&s, booked, err);

    return rc == E_OK ? theft_watch(ix, ix->figures.booked != before, err) : rc;
}
