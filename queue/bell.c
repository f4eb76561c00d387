/* SPDX-License-Identifier: MIT */
#include "queue/bell.h"

#include "lib/hash.h"
#include "queue/link.h"

static uint64_t topic_of(const char kind[4], struct uuid id)
{
    uint8_t text[4 + sizeof(id.b)];

    memcpy(text, kind, 4);
    memcpy(text + 4, id.b, sizeof(id.b));
    return hash64(text, sizeof(text));
}

uint64_t bell_source(struct uuid source)
{
    return topic_of("src:", source);
}

uint64_t bell_task(struct uuid task)
{
    return topic_of("tsk:", task);
}

static void put(uint8_t *out, uint64_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 8)
        out[i] = (uint8_t)v;
}

static uint64_t take(const uint8_t *p)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

size_t bell_write(uint64_t sender, const uint64_t *topics, size_t n, uint8_t *out)
{
    put(out, sender);
    for (size_t i = 0; i < n; i++)
        put(out + 8 * (i + 1), topics[i]);
    return 8 * (n + 1);
}

void bell_read(struct bytes message, uint64_t self, void (*ring)(void *ctx, uint64_t topic),
               void *ctx)
{
    if (message.n < 16 || message.n % 8 != 0 || message.n > BELL_MESSAGE_MAX ||
        take(message.p) == self)
        return;
    for (size_t i = 8; i < message.n; i += 8)
        ring(ctx, take(message.p + i));
}

void queue_ring(struct queue *q, uint64_t topic)
{
    /* Neighbours repeat most: all submits of one source in a round. Older twins cost one wake more.
     */
    for (size_t i = q->n_topics; i > 0 && i + 8 > q->n_topics; i--)
        if (q->topics[i - 1] == topic)
            return;
    if (q->n_topics == BELL_TOPICS_MAX)
        link_ring_out(q);
    q->topics[q->n_topics++] = topic;
}

void link_ring_out(struct queue *q)
{
    uint8_t message[BELL_MESSAGE_MAX];
    struct link_args a = {.n = 0};

    if (q->n_topics == 0)
        return;
    link_arg(&a, "PUBLISH", 7);
    link_arg(&a, BELL_CHANNEL, sizeof(BELL_CHANNEL) - 1);
    link_arg(&a, (const char *)message, bell_write(q->self, q->topics, q->n_topics, message));
    (void)link_append(q, &a, NULL);
    link_drain(q);
    for (size_t i = 0; i < q->n_topics; i++)
        q->ring(q->ctx, q->topics[i]);
    q->n_topics = 0;
}
