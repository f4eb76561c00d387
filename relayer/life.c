/* SPDX-License-Identifier: MIT */
#include "eth/abi.h"
#include "lib/log.h"
#include "relayer/relayer.h"

static enum err_code ask(struct relayer *r, const char *view, uint64_t *out, struct err *err)
{
    struct abi_value v;
    struct buf data = {0};
    struct bytes answer;
    enum err_code rc = abi_call(view, NULL, 0, &data, err);

    if (rc == E_OK) {
        struct rpc_view question = {r->settlement, bytes_of(data.p, data.n), "latest"};

        rc = rpc_read(r->rpc, &question, r->arena, &answer, err);
    }
    if (rc == E_OK)
        rc = abi_decode("(uint64)", answer, &v, 1, err);
    if (rc == E_OK && !abi_to_u64(&v, out))
        rc = err_set(err, E_PEER, "%s answered a number that does not fit", view);
    buf_done(&data);
    return rc;
}

/*
 * A batch counts as a sign of life once it is claimable, `delay` after its block. Settled every
 * `beat`, the newest claimable one is at most one beat old; after an outage the next must be
 * claimable within `silence` of the last. Half of what is left gives a lost beat a second chance.
 */
static int64_t beat_of(const struct life *l)
{
    uint64_t room = l->silence > l->delay ? l->silence - l->delay : l->silence;

    return room < 2 ? 1 : (int64_t)(room / 2);
}

enum err_code relayer_life(struct relayer *r, struct err *err)
{
    struct life l = {.beat_s = 0};
    enum err_code rc = ask(r, ABI_SILENCE, &l.silence, err);

    if (rc == E_OK)
        rc = ask(r, ABI_DELAY, &l.delay, err);
    if (rc == E_OK)
        rc = ask(r, ABI_BORN, &l.born, err);
    if (rc != E_OK)
        return rc;
    l.beat_s = r->keepalive_s > 0 ? r->keepalive_s : beat_of(&l);
    if ((uint64_t)l.beat_s >= l.silence)
        return err_set(err, E_CONFIG,
                       "OGPU_KEEPALIVE_S must be below the contract's silence, %llu s: anyone "
                       "could begin the forced exit",
                       (unsigned long long)l.silence);
    if (l.delay >= l.silence)
        log_warn("short_silence", "silence=%llu delay=%llu", (unsigned long long)l.silence,
                 (unsigned long long)l.delay);
    r->life = l;
    log_info("keepalive", "silence_s=%llu beat_s=%lld", (unsigned long long)l.silence,
             (long long)l.beat_s);
    return E_OK;
}
