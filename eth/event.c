/* SPDX-License-Identifier: MIT */
#include "eth/event.h"

#include "eth/logtree.h"

static uint8_t *put(uint8_t *p, const void *bytes, size_t n)
{
    memcpy(p, bytes, n);
    return p + n;
}

static uint8_t *put_u64(uint8_t *p, uint64_t v)
{
    for (int i = 7; i >= 0; i--)
        *p++ = (uint8_t)(v >> (8 * i));
    return p;
}

void event_encode(const struct event *e, uint8_t out[EVENT_SIZE])
{
    uint8_t *p = out;

    *p++ = (uint8_t)e->kind;
    p = put_u64(p, e->epoch);
    p = put(p, e->task.b, sizeof(e->task.b));
    p = put(p, e->attempt.b, sizeof(e->attempt.b));
    p = put(p, e->provider.b, sizeof(e->provider.b));
    p = put(p, e->payee.b, sizeof(e->payee.b));
    p = put(p, e->response.b, sizeof(e->response.b));
    p = put(p, e->amount, sizeof(e->amount));
    put_u64(p, e->at_us);
}

static const uint8_t *take(const uint8_t *p, void *bytes, size_t n)
{
    memcpy(bytes, p, n);
    return p + n;
}

static const uint8_t *take_u64(const uint8_t *p, uint64_t *v)
{
    *v = 0;
    for (int i = 0; i < 8; i++)
        *v = *v << 8 | *p++;
    return p;
}

bool event_decode(const uint8_t in[EVENT_SIZE], struct event *out)
{
    struct event e = {.kind = (enum event_kind)in[0]};
    const uint8_t *p = in + 1;

    if (in[0] < EVENT_ACCEPTED || in[0] > EVENT_EXPIRED)
        return false;
    p = take_u64(p, &e.epoch);
    p = take(p, e.task.b, sizeof(e.task.b));
    p = take(p, e.attempt.b, sizeof(e.attempt.b));
    p = take(p, e.provider.b, sizeof(e.provider.b));
    p = take(p, e.payee.b, sizeof(e.payee.b));
    p = take(p, e.response.b, sizeof(e.response.b));
    p = take(p, e.amount, sizeof(e.amount));
    take_u64(p, &e.at_us);
    *out = e;
    return true;
}

struct digest event_leaf(const struct event *e)
{
    uint8_t bytes[EVENT_SIZE];

    event_encode(e, bytes);
    return logtree_leaf(bytes_of(bytes, sizeof(bytes)));
}
