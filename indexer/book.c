/* SPDX-License-Identifier: MIT */
/*
 * From logs to rows. Kinds are booked one after the other because each leans on the one before: a
 * deposit needs its account, a claim needs its settlement. Every row is unique by (transaction, log
 * index), so a repeated range changes nothing.
 */
#include "core/money.h"
#include "eth/abi.h"
#include "indexer/indexer.h"
#include "lib/clock.h"
#include "lib/hash.h"

static struct uuid new_id(void)
{
    uint8_t random[10];

    random_bytes(random, sizeof(random));
    return id_make(clock_wall_us() / 1000, random);
}

static struct bytes copy20(struct arena *a, struct address address)
{
    return arena_bytes(a, bytes_of(address.b, sizeof(address.b)));
}

static enum err_code read_registered(struct indexer *ix, const struct rpc_log *log, void *out,
                                     struct err *err)
{
    struct sql_book_registered *in = out;
    struct abi_value v[2];
    uint64_t id;
    enum err_code rc = abi_event(ABI_EV_REGISTERED, &log->abi, v, ARRAY_LEN(v), err);

    if (rc != E_OK)
        return rc;
    if (!abi_to_u64(&v[0], &id))
        return err_set(err, E_PEER, "a registered id does not fit");
    *in = (struct sql_book_registered){.id = new_id(),
                                       .block_no = (int64_t)log->block,
                                       .log_index = (int32_t)log->index,
                                       .tx_hash = bytes_of(log->tx_hash.b, 32),
                                       .address = copy20(ix->arena, abi_to_address(&v[1])),
                                       .chain_id = (int64_t)id};
    return E_OK;
}

static enum err_code read_deposited(struct indexer *ix, const struct rpc_log *log, void *out,
                                    struct err *err)
{
    struct sql_book_deposited *in = out;
    struct abi_value v[3];
    enum err_code rc = abi_event(ABI_EV_DEPOSITED, &log->abi, v, ARRAY_LEN(v), err);

    if (rc != E_OK)
        return rc;
    *in = (struct sql_book_deposited){.id = new_id(),
                                      .block_no = (int64_t)log->block,
                                      .log_index = (int32_t)log->index,
                                      .tx_hash = bytes_of(log->tx_hash.b, 32),
                                      .address = copy20(ix->arena, abi_to_address(&v[1])),
                                      .amount = wei_from_be(v[2].word)};
    return E_OK;
}

static enum err_code read_settled(struct indexer *ix, const struct rpc_log *log, void *out,
                                  struct err *err)
{
    struct sql_book_settled *in = out;
    struct abi_value v[6];
    struct rpc_block block;
    char tag[RPC_TAG_MAX];
    uint64_t epoch;
    enum err_code rc = abi_event(ABI_EV_SETTLED, &log->abi, v, ARRAY_LEN(v), err);

    if (rc != E_OK)
        return rc;
    if (!abi_to_u64(&v[0], &epoch))
        return err_set(err, E_PEER, "a settled epoch does not fit");
    rpc_tag(log->block, tag);
    rc = rpc_block(ix->rpc, tag, &block, err);
    if (rc != E_OK)
        return rc;
    *in = (struct sql_book_settled){.id = new_id(),
                                    .block_no = (int64_t)log->block,
                                    .log_index = (int32_t)log->index,
                                    .tx_hash = bytes_of(log->tx_hash.b, 32),
                                    .epoch = (int64_t)epoch,
                                    .root = arena_bytes(ix->arena, bytes_of(v[1].word, 32)),
                                    .block_time = (int64_t)block.time * 1000000};
    return E_OK;
}

static enum err_code read_claimed(struct indexer *ix, const struct rpc_log *log, void *out,
                                  struct err *err)
{
    struct sql_book_claimed *in = out;
    struct abi_value v[4];
    uint64_t id;
    uint64_t units;
    enum err_code rc = abi_event(ABI_EV_CLAIMED, &log->abi, v, ARRAY_LEN(v), err);

    (void)ix;
    if (rc != E_OK)
        return rc;
    if (!abi_to_u64(&v[0], &id) || !abi_to_u64(&v[2], &units))
        return err_set(err, E_PEER, "a claim's numbers do not fit");
    *in = (struct sql_book_claimed){.id = new_id(),
                                    .block_no = (int64_t)log->block,
                                    .log_index = (int32_t)log->index,
                                    .tx_hash = bytes_of(log->tx_hash.b, 32),
                                    .chain_id = (int64_t)id,
                                    .units = (int64_t)units,
                                    .amount = wei_from_be(v[3].word)};
    return E_OK;
}

/* One kind of event: where it comes from, how it is read, which statement books it. */
static const struct kind {
    const char *event;
    bool of_vault;
    enum sql_id stmt;
    size_t in_size;
    enum err_code (*read)(struct indexer *ix, const struct rpc_log *log, void *out,
                          struct err *err);
} kinds[] = {
    {ABI_EV_REGISTERED, true, SQL_BOOK_REGISTERED, sizeof(struct sql_book_registered),
     read_registered},
    {ABI_EV_DEPOSITED, true, SQL_BOOK_DEPOSITED, sizeof(struct sql_book_deposited), read_deposited},
    {ABI_EV_SETTLED, false, SQL_BOOK_SETTLED, sizeof(struct sql_book_settled), read_settled},
    {ABI_EV_CLAIMED, false, SQL_BOOK_CLAIMED, sizeof(struct sql_book_claimed), read_claimed},
};

/* All book_… statements answer (call, outcome): one row type serves them. */
_Static_assert(sizeof(struct sql_book_registered_row) == sizeof(struct sql_book_settled_row),
               "row shapes differ");
_Static_assert(sizeof(struct sql_book_deposited_row) == sizeof(struct sql_book_claimed_row),
               "row shapes differ");

static enum err_code run(struct indexer *ix, const struct kind *kind, const void *in, size_t n,
                         struct err *err)
{
    const struct sql_book_settled_row *row;
    const void *rows;
    size_t n_rows;
    enum err_code rc = db_run(ix->db, kind->stmt, in, n, ix->arena, &rows, &n_rows, err);

    if (rc != E_OK)
        return rc;
    row = rows;
    for (size_t i = 0; i < n_rows; i++)
        if (!text_is(row[i].outcome, "ok"))
            return err_set(err, err_by_word(row[i].outcome.s, row[i].outcome.n),
                           "%s: the chain tells of what the books do not know", kind->event);
    return E_OK;
}

static bool is_kind(const struct indexer *ix, const struct kind *kind, const struct digest *topic,
                    const struct rpc_log *log)
{
    const struct address *of = kind->of_vault ? &ix->vault : &ix->settlement;

    return log->abi.n_topics > 0 && memcmp(&log->abi.topics[0], topic, sizeof(*topic)) == 0 &&
           memcmp(&log->address, of, sizeof(*of)) == 0;
}

enum err_code indexer_book(struct indexer *ix, const struct rpc_log *logs, size_t n,
                           struct err *err)
{
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        struct digest topic = abi_topic(kinds[k].event);
        uint8_t *in = arena_alloc(ix->arena, n * kinds[k].in_size);
        size_t found = 0;
        enum err_code rc = E_OK;

        for (size_t i = 0; i < n && rc == E_OK; i++)
            if (is_kind(ix, &kinds[k], &topic, &logs[i]))
                rc = kinds[k].read(ix, &logs[i], in + found++ * kinds[k].in_size, err);
        if (rc == E_OK && found > 0)
            rc = run(ix, &kinds[k], in, found, err);
        if (rc != E_OK)
            return rc;
    }
    return E_OK;
}
