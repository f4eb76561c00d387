/* SPDX-License-Identifier: MIT */
#include "eth/abi.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "relayer/relayer.h"

#define ASK_EVERY_US 60000000

struct question {
    const char *view; /* without arguments */
    const char *type; /* of its result, one word */
    const char *tag;
};

static enum err_code ask_word(struct relayer *r, const struct question *q, struct abi_value *out,
                              struct err *err)
{
    struct buf data = {0};
    struct bytes answer;
    enum err_code rc = abi_call(q->view, NULL, 0, &data, err);

    if (rc == E_OK) {
        struct rpc_view call = {r->settlement, bytes_of(data.p, data.n), q->tag};

        rc = rpc_read(r->rpc, &call, r->arena, &answer, err);
    }
    if (rc == E_OK)
        rc = abi_decode(q->type, answer, out, 1, err);
    buf_done(&data);
    return rc;
}

enum err_code relayer_ask(struct relayer *r, const char *view, uint64_t *out, struct err *err)
{
    return relayer_ask_at(r, view, "latest", out, err);
}

enum err_code relayer_ask_at(struct relayer *r, const char *view, const char *tag, uint64_t *out,
                             struct err *err)
{
    struct abi_value v;
    enum err_code rc = ask_word(r, &(struct question){view, "(uint64)", tag}, &v, err);

    if (rc == E_OK && !abi_to_u64(&v, out))
        rc = err_set(err, E_PEER, "%s answered a number that does not fit", view);
    return rc;
}

enum err_code relayer_ask_settler(struct relayer *r, struct address *out, struct err *err)
{
    struct abi_value v;
    enum err_code rc = ask_word(r, &(struct question){ABI_SETTLER, "(address)", "latest"}, &v, err);

    if (rc == E_OK)
        *out = abi_to_address(&v);
    return rc;
}

/*
 * A batch counts as a sign of life once it is claimable, `delay` after its block. Settled every
 * `beat`, the newest claimable one is at most one beat old; after an outage the next must be
 * claimable within `silence` of the last. A quarter of what is left: when a theft stops all
 * batches, three are left until the exit opens, in which the settler gets a successor
 * (relayer/terms.c).
 */
static int64_t beat_of(const struct contract_facts *f)
{
    uint64_t room = f->silence > f->delay ? f->silence - f->delay : f->silence;

    return room < 4 ? 1 : (int64_t)(room / 4);
}

static enum err_code choose_beat(struct relayer *r, const struct contract_facts *f, struct err *err)
{
    int64_t beat_s = r->keepalive_s > 0 ? r->keepalive_s : beat_of(f);

    if ((uint64_t)beat_s >= f->silence)
        return err_set(err, E_CONFIG,
                       "OGPU_KEEPALIVE_S must be below the contract's silence, %llu s: anyone "
                       "could begin the forced exit",
                       (unsigned long long)f->silence);
    if (r->facts.asked_at == 0) {
        log_info("keepalive", "silence_s=%llu beat_s=%lld", (unsigned long long)f->silence,
                 (long long)beat_s);
        if (f->delay >= f->silence)
            log_warn("short_silence", "silence=%llu delay=%llu", (unsigned long long)f->silence,
                     (unsigned long long)f->delay);
    }
    r->beat_s = beat_s;
    return E_OK;
}

enum err_code relayer_facts(struct relayer *r, struct err *err)
{
    struct contract_facts f = {.asked_at = clock_mono_us()};
    enum err_code rc;

    if (r->facts.asked_at != 0 && f.asked_at - r->facts.asked_at < ASK_EVERY_US)
        return E_OK;
    rc = relayer_ask(r, ABI_SILENCE, &f.silence, err);
    if (rc == E_OK)
        rc = relayer_ask(r, ABI_DELAY, &f.delay, err);
    if (rc == E_OK)
        rc = relayer_ask(r, ABI_BORN, &f.born, err);
    if (rc == E_OK)
        rc = relayer_ask(r, ABI_DAILY_CAP, &f.day_cap, err);
    if (rc == E_OK)
        rc = choose_beat(r, &f, err);
    if (rc == E_OK)
        r->facts = f;
    return rc;
}
