/* SPDX-License-Identifier: MIT */
#ifndef HANDLERS_COMMON_H
#define HANDLERS_COMMON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "handlers/json_out.h"
#include "lib/bytes.h"
#include "server/op.h"

/** Lane routing and conflict key of an id. */
uint64_t key_of(struct uuid id);

/** Conflict key of the request's Idempotency-Key: twins never share a batch. 0 without one. */
uint64_t key_of_idempotency(const struct op *op);

/** The digest as bytes that live in the arena. */
struct bytes digest_bytes(const struct op *op, struct digest d);

/** The address as bytes that live in the arena. */
struct bytes address_bytes(const struct op *op, struct address a);

/** An id as the database writes UUIDs, in the arena. */
const char *uuid_text(const struct op *op, struct uuid id);

/** Hex digests of a list that the field table has checked, one behind the other, in the arena. */
struct bytes digests_of(const struct op *op, const json_t *list);

/** 200, 202 or 201 with this body. */
enum op_next reply(struct op *op, int status, const struct json_out *o);

/** 200 with an ETag made from the representation itself. */
enum op_next reply_tagged(struct op *op, const struct json_out *o);

/**
 * 201 with Location and, for single resources, ETag.
 *
 * @tag  NULL: none; "": made from the representation
 */
enum op_next reply_created(struct op *op, const struct json_out *o, const char *location,
                           const char *tag);

/** 200 with a Task and its ETag. */
enum op_next reply_task(struct op *op, const struct sql_task_get_row *t);

/**
 * Judge a write's answer: sets the problem for a failed call or an outcome other than 'ok'.
 *
 * @outcome   of the row
 * @replayed  sets Idempotency-Replayed, also on a replayed problem
 * @return    false: the answer is set
 */
bool written(struct op *op, struct text outcome, bool replayed);

/** Refuse what no settlement batch could ever hold. @what the member and advice, @most wei */
enum op_next refuse_large(struct op *op, const char *what, struct wei most);

/** A read that must bring a row. @return false: the answer (`missing`, or op->err) is set */
bool found(struct op *op, enum err_code missing);

/** A signature's deadline by our clock: not past, at most a day ahead. @return false: answer set */
bool deadline_ok(struct op *op, int64_t deadline_s);

/** Whether the provider of the token is this one. @return false: the answer (SCOPE_DENIED) is set
 */
bool own_provider(struct op *op, struct uuid provider);

#endif
