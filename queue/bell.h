/* SPDX-License-Identifier: MIT */
#ifndef QUEUE_BELL_H
#define QUEUE_BELL_H

#include <stddef.h>
#include <stdint.h>

#include "lib/bytes.h"
#include "queue/thread.h"

/** Rings when a source may have a new open slot. */
uint64_t bell_source(struct uuid source);

/** Rings when a task has moved on: a verdict, a cancel, its expiry. */
uint64_t bell_task(struct uuid task);

/**
 * Ring in every gateway, this one included, after the writes that this round of work has sent.
 * While Redis is away it rings here alone; the others poll. Only inside queue work.
 */
void queue_ring(struct queue *q, uint64_t topic);

/** The channel all gateways listen on. A message is a row of 8-byte big-endian numbers: who sent
 * it, then topics. */
#define BELL_CHANNEL "ogpu:bell"

/** Most topics of one message. */
#define BELL_TOPICS_MAX 512

/** Bytes of the largest message. */
#define BELL_MESSAGE_MAX ((BELL_TOPICS_MAX + 1) * 8)

/** Write a message. @n up to BELL_TOPICS_MAX; @out BELL_MESSAGE_MAX bytes. @return its bytes */
size_t bell_write(uint64_t sender, const uint64_t *topics, size_t n, uint8_t *out);

/**
 * Read a message.
 *
 * @self  our own number: our messages ring nothing, we rang when we sent them
 * @ring  called for each topic; a message that is no row of numbers rings nothing
 */
void bell_read(struct bytes message, uint64_t self, void (*ring)(void *ctx, uint64_t topic),
               void *ctx);

#endif
