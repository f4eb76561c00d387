/* SPDX-License-Identifier: MIT */
#include "eth/tx.h"

#include <stdlib.h>
#include <string.h>

#include "eth/keccak.h"
#include "eth/rlp.h"

/* What both kinds have in a row. */
static enum err_code put_call(const struct tx *tx, struct buf *out, struct err *err)
{
    enum err_code rc = rlp_u64(out, tx->max_fee, err);

    if (rc == E_OK)
        rc = rlp_u64(out, tx->gas, err);
    if (rc == E_OK)
        rc = rlp_bytes(out, tx->to.b, tx->create ? 0 : sizeof(tx->to.b), err);
    if (rc == E_OK)
        rc = rlp_number(out, tx->value, sizeof(tx->value), err);
    return rc == E_OK ? rlp_bytes(out, tx->data.p, tx->data.n, err) : rc;
}

/* The members that EIP-1559 lists before the signature. */
static enum err_code put_1559(const struct tx *tx, struct buf *out, struct err *err)
{
    enum err_code rc = rlp_u64(out, tx->chain_id, err);

    if (rc == E_OK)
        rc = rlp_u64(out, tx->nonce, err);
    if (rc == E_OK)
        rc = rlp_u64(out, tx->priority_fee, err);
    if (rc == E_OK)
        rc = put_call(tx, out, err);
    return rc == E_OK ? rlp_list(out, bytes_of("", 0), err) : rc; /* no access list */
}

static enum err_code put_legacy(const struct tx *tx, struct buf *out, struct err *err)
{
    enum err_code rc = rlp_u64(out, tx->nonce, err);

    return rc == E_OK ? put_call(tx, out, err) : rc;
}

static enum err_code put_body(const struct tx *tx, struct buf *out, struct err *err)
{
    return tx->type == TX_EIP1559 ? put_1559(tx, out, err) : put_legacy(tx, out, err);
}

/* The items as a list, behind the type byte that EIP-2718 puts before all but legacy ones. */
static enum err_code put_envelope(const struct tx *tx, struct bytes items, struct buf *out,
                                  struct err *err)
{
    enum err_code rc = tx->type == TX_EIP1559 ? buf_add(out, "\x02", 1, err) : E_OK;

    return rc == E_OK ? rlp_list(out, items, err) : rc;
}

/* EIP-155: the unsigned form ends with (chainId, 0, 0). */
static enum err_code put_155_tail(const struct tx *tx, struct buf *out, struct err *err)
{
    enum err_code rc = rlp_u64(out, tx->chain_id, err);

    if (rc == E_OK)
        rc = rlp_u64(out, 0, err);
    return rc == E_OK ? rlp_u64(out, 0, err) : rc;
}

enum err_code tx_sign_digest(const struct tx *tx, struct digest *out, struct err *err)
{
    struct buf items = {.cap = 0};
    struct buf raw = {.cap = 0};
    enum err_code rc = put_body(tx, &items, err);

    if (rc == E_OK && tx->type == TX_LEGACY)
        rc = put_155_tail(tx, &items, err);
    if (rc == E_OK)
        rc = put_envelope(tx, bytes_of(items.p, items.n), &raw, err);
    if (rc == E_OK)
        *out = keccak256(raw.p, raw.n);
    buf_done(&items);
    buf_done(&raw);
    return rc;
}

/* v = chain id × 2 + 35 + parity needs 65 bits for the largest chain ids. */
static enum err_code put_155_v(uint64_t chain_id, uint8_t parity, struct buf *out, struct err *err)
{
    uint64_t low = chain_id << 1;
    uint64_t v = low + 35 + parity;
    uint8_t be[9];

    be[0] = (uint8_t)((chain_id >> 63) + (v < low));
    for (int i = 0; i < 8; i++)
        be[1 + i] = (uint8_t)(v >> (56 - 8 * i));
    return rlp_number(out, be, sizeof(be), err);
}

enum err_code tx_encode(const struct tx *tx, const struct signature *sig, struct buf *raw,
                        struct digest *hash, struct err *err)
{
    struct buf items = {.cap = 0};
    uint8_t parity = (uint8_t)(sig->b[64] - 27);
    enum err_code rc;

    if (parity > 1)
        return err_set(err, E_BAD_SIGNATURE, "v must be 27 or 28");
    rc = put_body(tx, &items, err);
    if (rc == E_OK)
        rc = tx->type == TX_EIP1559 ? rlp_u64(&items, parity, err)
                                    : put_155_v(tx->chain_id, parity, &items, err);
    if (rc == E_OK)
        rc = rlp_number(&items, sig->b, 32, err);
    if (rc == E_OK)
        rc = rlp_number(&items, sig->b + 32, 32, err);
    if (rc == E_OK)
        rc = put_envelope(tx, bytes_of(items.p, items.n), raw, err);
    if (rc == E_OK)
        *hash = keccak256(raw->p, raw->n);
    buf_done(&items);
    return rc;
}

struct address tx_created(struct address from, uint64_t nonce)
{
    struct buf items = {.cap = 0};
    struct buf list = {.cap = 0};
    struct address out;
    struct digest hash;

    if (rlp_bytes(&items, from.b, sizeof(from.b), NULL) != E_OK ||
        rlp_u64(&items, nonce, NULL) != E_OK ||
        rlp_list(&list, bytes_of(items.p, items.n), NULL) != E_OK)
        abort(); /* 30 bytes fit any buffer */
    hash = keccak256(list.p, list.n);
    memcpy(out.b, hash.b + 12, sizeof(out.b));
    buf_done(&items);
    buf_done(&list);
    return out;
}
