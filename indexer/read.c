/* SPDX-License-Identifier: MIT */
/* From a log to the row that books it, kind by kind. */
#include "indexer/read.h"

#include "core/money.h"
#include "eth/abi.h"
#include "lib/clock.h"
#include "lib/hash.h"

#define SPENT_BIT 0x80000000U

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

/* The members that every book_… statement begins with. */
#define PLACE(log)                                                                         \
    .id = new_id(), .block_no = (int64_t)(log)->block, .log_index = (int32_t)(log)->index, \
    .tx_hash = bytes_of((log)->tx_hash.b, 32)

static enum err_code does_not_fit(const struct kind *kind, struct err *err)
{
    return err_set(err, E_PEER, "a number of %s does not fit", kind->event);
}

static enum err_code read_registered(struct indexer *ix, const struct kind *kind,
                                     const struct rpc_log *log, void *out, struct err *err)
{
    struct sql_book_registered *in = out;
    struct abi_value v[2];
    uint64_t id;
    enum err_code rc = abi_event(kind->event, &log->abi, v, ARRAY_LEN(v), err);

    if (rc != E_OK)
        return rc;
    if (!abi_to_u64(&v[0], &id))
        return does_not_fit(kind, err);
    *in = (struct sql_book_registered){
        PLACE(log), .address = copy20(ix->arena, abi_to_address(&v[1])), .chain_id = (int64_t)id};
    return E_OK;
}

static enum err_code read_deposited(struct indexer *ix, const struct kind *kind,
                                    const struct rpc_log *log, void *out, struct err *err)
{
    struct sql_book_deposited *in = out;
    struct abi_value v[3];
    enum err_code rc = abi_event(kind->event, &log->abi, v, ARRAY_LEN(v), err);

    if (rc != E_OK)
        return rc;
    *in =
        (struct sql_book_deposited){PLACE(log), .address = copy20(ix->arena, abi_to_address(&v[1])),
                                    .amount = wei_from_be(v[2].word)};
    return E_OK;
}

static enum err_code read_settled(struct indexer *ix, const struct kind *kind,
                                  const struct rpc_log *log, void *out, struct err *err)
{
    struct sql_book_settled *in = out;
    struct abi_value v[6];
    struct rpc_block block;
    uint64_t epoch;
    uint64_t increase;
    enum err_code rc = abi_event(kind->event, &log->abi, v, ARRAY_LEN(v), err);

    if (rc != E_OK)
        return rc;
    if (!abi_to_u64(&v[0], &epoch) || !abi_to_u64(&v[2], &increase))
        return does_not_fit(kind, err);
    rc = rpc_agreed_block(ix->rpc, log->block, &block, err);
    if (rc != E_OK)
        return rc;
    *in = (struct sql_book_settled){PLACE(log),
                                    .epoch = (int64_t)epoch,
                                    .root = arena_bytes(ix->arena, bytes_of(v[1].word, 32)),
                                    .increase = (int64_t)increase,
                                    .block_time = (int64_t)block.time * 1000000,
                                    .score_root = arena_bytes(ix->arena, bytes_of(v[3].word, 32)),
                                    .log_root = arena_bytes(ix->arena, bytes_of(v[4].word, 32))};
    return E_OK;
}

static enum err_code read_voided(struct indexer *ix, const struct kind *kind,
                                 const struct rpc_log *log, void *out, struct err *err)
{
    struct sql_book_voided *in = out;
    struct abi_value v[2];
    uint64_t epoch;
    uint64_t increase;
    enum err_code rc = abi_event(kind->event, &log->abi, v, ARRAY_LEN(v), err);

    (void)ix;
    if (rc != E_OK)
        return rc;
    if (!abi_to_u64(&v[0], &epoch) || !abi_to_u64(&v[1], &increase))
        return does_not_fit(kind, err);
    *in = (struct sql_book_voided){PLACE(log), .epoch = (int64_t)epoch,
                                   .increase = (int64_t)increase};
    return E_OK;
}

static enum err_code read_claimed(struct indexer *ix, const struct kind *kind,
                                  const struct rpc_log *log, void *out, struct err *err)
{
    struct sql_book_claimed *in = out;
    struct abi_value v[4];
    uint64_t id;
    uint64_t units;
    enum err_code rc = abi_event(kind->event, &log->abi, v, ARRAY_LEN(v), err);

    (void)ix;
    if (rc != E_OK)
        return rc;
    if (!abi_to_u64(&v[0], &id) || !abi_to_u64(&v[2], &units))
        return does_not_fit(kind, err);
    *in = (struct sql_book_claimed){PLACE(log), .chain_id = (int64_t)id, .units = (int64_t)units,
                                    .amount = wei_from_be(v[3].word)};
    return E_OK;
}

static enum err_code read_exit_begun(struct indexer *ix, const struct kind *kind,
                                     const struct rpc_log *log, void *out, struct err *err)
{
    struct sql_book_exit_begun *in = out;
    struct abi_value v[1];
    uint64_t at;
    enum err_code rc = abi_event(kind->event, &log->abi, v, ARRAY_LEN(v), err);

    (void)ix;
    if (rc != E_OK)
        return rc;
    if (!abi_to_u64(&v[0], &at) || at > INT64_MAX / 1000000)
        return does_not_fit(kind, err);
    *in = (struct sql_book_exit_begun){PLACE(log), .exit_at = (int64_t)at * 1000000};
    return E_OK;
}

static enum err_code read_exited(struct indexer *ix, const struct kind *kind,
                                 const struct rpc_log *log, void *out, struct err *err)
{
    struct sql_book_exited *in = out;
    struct abi_value v[3];
    uint64_t id;
    enum err_code rc = abi_event(kind->event, &log->abi, v, ARRAY_LEN(v), err);

    (void)ix;
    if (rc != E_OK)
        return rc;
    if (!abi_to_u64(&v[0], &id))
        return does_not_fit(kind, err);
    *in = (struct sql_book_exited){PLACE(log), .chain_id = (int64_t)id,
                                   .amount = wei_from_be(v[2].word)};
    return E_OK;
}

/* (account, amount): most of what happens to stake. */
static enum err_code read_stake(struct indexer *ix, const struct kind *kind,
                                const struct rpc_log *log, void *out, struct err *err)
{
    struct sql_book_stake *in = out;
    struct abi_value v[2];
    enum err_code rc = abi_event(kind->event, &log->abi, v, ARRAY_LEN(v), err);

    if (rc != E_OK)
        return rc;
    *in = (struct sql_book_stake){PLACE(log), .kind = text_of(kind->word),
                                  .address = copy20(ix->arena, abi_to_address(&v[0])),
                                  .amount = wei_from_be(v[1].word)};
    return E_OK;
}

/* (account, evidence, appeal until): moves nothing. */
static enum err_code read_evidence(struct indexer *ix, const struct kind *kind,
                                   const struct rpc_log *log, void *out, struct err *err)
{
    struct sql_book_stake *in = out;
    struct abi_value v[3];
    enum err_code rc = abi_event(kind->event, &log->abi, v, ARRAY_LEN(v), err);

    if (rc != E_OK)
        return rc;
    *in = (struct sql_book_stake){PLACE(log), .kind = text_of(kind->word),
                                  .address = copy20(ix->arena, abi_to_address(&v[0])),
                                  .data = arena_bytes(ix->arena, bytes_of(v[1].word, 32))};
    return E_OK;
}

/* (account, to, amount): sanctioned stake went to whoever was harmed. */
static enum err_code read_taken(struct indexer *ix, const struct kind *kind,
                                const struct rpc_log *log, void *out, struct err *err)
{
    struct sql_book_stake *in = out;
    struct abi_value v[3];
    enum err_code rc = abi_event(kind->event, &log->abi, v, ARRAY_LEN(v), err);

    if (rc != E_OK)
        return rc;
    *in = (struct sql_book_stake){PLACE(log), .kind = text_of(kind->word),
                                  .address = copy20(ix->arena, abi_to_address(&v[0])),
                                  .amount = wei_from_be(v[2].word),
                                  .data = copy20(ix->arena, abi_to_address(&v[1]))};
    return E_OK;
}

/* (id, units): of a voucher, a declaration taken back, a figure shown in an exit. The id of a spent
 * figure has its top bit set; `data` keeps that bit as one byte. */
static enum err_code read_units(struct indexer *ix, const struct kind *kind,
                                const struct rpc_log *log, void *out, struct err *err)
{
    static const uint8_t spent[] = {1};
    struct sql_book_noted *in = out;
    struct abi_value v[3];
    size_t n = strcmp(kind->event, ABI_EV_VOUCHER_POSTED) == 0 ? 3 : 2;
    uint64_t id;
    uint64_t units;
    enum err_code rc = abi_event(kind->event, &log->abi, v, n, err);

    (void)ix;
    if (rc != E_OK)
        return rc;
    if (!abi_to_u64(&v[0], &id) || !abi_to_u64(&v[1], &units) || units > INT64_MAX)
        return does_not_fit(kind, err);
    *in = (struct sql_book_noted){PLACE(log),
                                  .kind = text_of(kind->word),
                                  .chain_id = (int64_t)(id & ~(uint64_t)SPENT_BIT),
                                  .has_chain_id = true,
                                  .units = (int64_t)units,
                                  .has_units = true};
    if (id & SPENT_BIT)
        in->data = bytes_of(spent, sizeof(spent));
    return E_OK;
}

/* (address) or (units): who holds a key, or the daily cap, as the chain's own 32 bytes. */
static enum err_code read_role(struct indexer *ix, const struct kind *kind,
                               const struct rpc_log *log, void *out, struct err *err)
{
    struct sql_book_noted *in = out;
    struct abi_value v[1];
    enum err_code rc = abi_event(kind->event, &log->abi, v, ARRAY_LEN(v), err);

    if (rc != E_OK)
        return rc;
    *in = (struct sql_book_noted){PLACE(log), .kind = text_of(kind->word),
                                  .data = arena_bytes(ix->arena, bytes_of(v[0].word, 32))};
    return E_OK;
}

static const struct kind registered[] = {{ABI_EV_REGISTERED, NULL, true, read_registered}};
static const struct kind deposited[] = {{ABI_EV_DEPOSITED, NULL, true, read_deposited}};
static const struct kind settled[] = {{ABI_EV_SETTLED, NULL, false, read_settled}};
static const struct kind voided[] = {{ABI_EV_VOIDED, NULL, false, read_voided}};
static const struct kind claimed[] = {{ABI_EV_CLAIMED, NULL, false, read_claimed}};
static const struct kind exit_begun[] = {{ABI_EV_EXIT_BEGUN, NULL, false, read_exit_begun}};
static const struct kind exited[] = {{ABI_EV_EXITED, NULL, false, read_exited}};

static const struct kind stake[] = {
    {ABI_EV_STAKE_LOCKED, "locked", true, read_stake},
    {ABI_EV_STAKE_UNBONDED, "unbonded", true, read_stake},
    {ABI_EV_STAKE_UNBOND_OFF, "unbonding_canceled", true, read_stake},
    {ABI_EV_STAKE_CLAIMED, "stake_claimed", true, read_stake},
    {ABI_EV_STAKE_SANCTIONED, "sanctioned", true, read_stake},
    {ABI_EV_STAKE_EVIDENCE, "sanction_evidence", true, read_evidence},
    {ABI_EV_STAKE_WAIVED, "waived", true, read_stake},
    {ABI_EV_STAKE_SANCTION_TAKEN, "sanction_withdrawn", true, read_taken},
};

static const struct kind noted[] = {
    {ABI_EV_VOUCHER_POSTED, "voucher_posted", false, read_units},
    {ABI_EV_VOUCHER_VOIDED, "voucher_voided", false, read_units},
    {ABI_EV_RELEASED, "released", false, read_units},
    {ABI_EV_SHOWN, "shown", false, read_units},
    {ABI_EV_SETTLER_SET, "settler_set", false, read_role},
    {ABI_EV_SIGNER_SET, "signer_set", false, read_role},
    {ABI_EV_GUARDIAN_SET, "guardian_set", false, read_role},
    {ABI_EV_DAILY_CAP_SET, "daily_cap_set", false, read_role},
};

#define BOOKING(stmt, name, kinds)                                               \
    {                                                                            \
        SQL_BOOK_##stmt, sizeof(struct sql_book_##name), kinds, ARRAY_LEN(kinds) \
    }

const struct booking bookings[] = {
    BOOKING(REGISTERED, registered, registered),
    BOOKING(DEPOSITED, deposited, deposited),
    BOOKING(SETTLED, settled, settled),
    BOOKING(VOIDED, voided, voided),
    BOOKING(CLAIMED, claimed, claimed),
    BOOKING(EXIT_BEGUN, exit_begun, exit_begun),
    BOOKING(EXITED, exited, exited),
    BOOKING(STAKE, stake, stake),
    BOOKING(NOTED, noted, noted),
};
const size_t booking_count = ARRAY_LEN(bookings);
