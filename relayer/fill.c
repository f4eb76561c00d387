/* SPDX-License-Identifier: MIT */
/*
 * A gap in the lane: nonces below one of ours that no block counts and that nothing on its way will
 * use. It comes of a count that was told and taken back: a node that lied, or a reorganisation
 * deeper than what was final. All above it would wait for ever, so its nonces are used up: by what
 * we once signed for them, else by a call that reads. It moves no coins and goes where batches go,
 * so that a signer's policy admits it. If the nonce was used after all, it is refused and costs
 * nothing.
 */
#include "lib/clock.h"
#include "lib/killpoint.h"
#include "lib/log.h"
#include "relayer/relayer.h"

/* Nodes keep few transactions of a sender that cannot be mined yet. */
#define FILL_AT_ONCE 16
#define SECOND       1000000

static uint64_t small(struct wei w)
{
    return w.limb[0]; /* ours: stored from a uint64_t */
}

/* A first transaction for a place, or a dearer one. */
static enum err_code fill(struct relayer *r, int64_t nonce, const struct fees *fees,
                          struct err *err)
{
    struct sql_chain_tx_store in = {.nonce = nonce};
    enum err_code rc = relayer_put(r, NULL, fees, &in, err);

    if (rc != E_OK)
        return rc;
    KILLPOINT("f2");
    rc = relayer_broadcast(r, in.hash, in.raw, err);
    KILLPOINT("f3");
    return rc;
}

/* One place of the gap: filled, said again, or filled anew with a higher fee. */
static enum err_code push(struct relayer *r, const struct sql_lane_gap_row *at,
                          const struct fees *fresh, struct err *err)
{
    struct fees last = {.max_fee = small(at->max_fee), .tip = small(at->tip)};
    int64_t now = clock_wall_us();
    struct fees next;
    struct err full = {0};

    if (!at->hash.p)
        return fill(r, at->nonce, fresh, err);
    if (now - at->created_at >= r->bump_s * SECOND) {
        if (fees_bump(&last, fresh, &r->cap, &next, &full) == E_OK)
            return fill(r, at->nonce, &next, err);
        alarm_raise(&r->alarms, ALARM_FEE_CAP, "nonce %lld: %s", (long long)at->nonce, full.text);
    }
    if (text_is(at->state, "signed") || now - at->updated_at >= r->resend_s * SECOND)
        return relayer_broadcast(r, at->hash, at->raw, err);
    return E_OK;
}

/* Written down first, whole: so the lane stays without holes whatever happens next. */
static enum err_code claim(struct relayer *r, struct bytes sender, int64_t low, int64_t high,
                           struct err *err)
{
    struct sql_lane_fill in = {.sender = sender, .low = low, .high = high};
    const void *rows;
    size_t n;
    enum err_code rc = db_run(r->db, SQL_LANE_FILL, &in, 1, r->arena, &rows, &n, err);

    KILLPOINT("f1");
    return rc;
}

/* The places below `ours` that nothing will use, lowest first. */
static enum err_code find(struct relayer *r, const struct sql_chain_tx_list_row *ours, int64_t low,
                          const struct sql_lane_gap_row **out, size_t *n, struct err *err)
{
    struct sql_lane_gap in = {
        .sender = ours->sender, .low = low, .high = ours->nonce, .max = FILL_AT_ONCE};
    const void *rows;
    enum err_code rc = db_run(r->db, SQL_LANE_GAP, &in, 1, r->arena, &rows, n, err);

    if (rc == E_OK)
        *out = rows;
    return rc;
}

/* Whether it is time: a node that lags a little, or a reorganisation in progress, is no gap. */
static bool has_lasted(struct relayer *r, uint64_t count)
{
    int64_t now = clock_mono_us();

    if (r->gap.since == 0 || count < r->gap.nonce)
        r->gap = (struct gap){.nonce = count, .since = now};
    return now - r->gap.since >= r->resend_s * SECOND;
}

enum err_code relayer_mend(struct relayer *r, const struct sql_chain_tx_list_row *ours,
                           uint64_t count, struct err *err)
{
    const struct sql_lane_gap_row *rows = NULL;
    int64_t low = (int64_t)count;
    bool far = ours->nonce - low > r->skip_max + r->in_flight_max;
    struct fees fresh;
    size_t n = 0;
    enum err_code rc = E_OK;

    if (!far && low < ours->nonce)
        rc = find(r, ours, low, &rows, &n, err);
    if (rc != E_OK)
        return rc;
    if (!far && n == 0) {
        r->gap.since = 0;
        alarm_clear(&r->alarms, ALARM_GAP);
        return E_OK;
    }
    if (!has_lasted(r, count))
        return E_OK;
    alarm_raise(&r->alarms, ALARM_GAP, "the chain counts %lld transactions, ours is nonce %lld%s",
                (long long)low, (long long)ours->nonce, far ? ": too far to be bridged" : "");
    if (far)
        return E_OK;
    rc = relayer_fees_now(r, &fresh, err);
    if (rc == E_OK)
        rc = claim(r, ours->sender, low, ours->nonce, err);
    for (size_t i = 0; i < n && rc == E_OK; i++)
        rc = push(r, &rows[i], &fresh, err);
    /* A used budget holds up no other work of this round. */
    return rc == E_QUOTA ? E_OK : rc;
}
