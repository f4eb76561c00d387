/* SPDX-License-Identifier: MIT */
#ifndef HANDLERS_JSON_OUT_H
#define HANDLERS_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/id.h"
#include "core/money.h"
#include "lib/arena.h"
#include "lib/bytes.h"

/*
 * JSON text written straight into the arena. Half of what a submit cost the HTTP thread was a tree
 * of JSON values that was built only to be printed; the replies know their members, so they print
 * them.
 *
 * Every put_ takes the member's name, NULL inside arrays and at the top. Zero ids and times, NULL
 * texts and bytes become null.
 */
struct json_out;

/** An empty text. */
struct json_out *json_out_new(struct arena *a);

/** Where it is written. */
struct arena *json_out_arena(const struct json_out *o);

/** What was written; everything opened must be closed. */
struct text json_out_text(const struct json_out *o);

/** Begin and end an object ('{', '}') or an array ('[', ']'). */
void put_open(struct json_out *o, const char *name, char bracket);
void put_close(struct json_out *o, char bracket);

/** A string; `t` is valid UTF-8. */
void put_text(struct json_out *o, const char *name, struct text t);
void put_string(struct json_out *o, const char *name, const char *s);
/** JSON text as it is. */
void put_raw(struct json_out *o, const char *name, struct text json);
void put_null(struct json_out *o, const char *name);
/** An integer, or null where there is none. */
void put_count(struct json_out *o, const char *name, bool has, int64_t v);
void put_bool(struct json_out *o, const char *name, bool v);
void put_int(struct json_out *o, const char *name, int64_t v);
/** A number as a decimal string: units. */
void put_decimal(struct json_out *o, const char *name, int64_t v);
void put_id(struct json_out *o, const char *name, enum id_kind kind, struct uuid id);
/** RFC 3339 of microseconds since 1970. */
void put_time(struct json_out *o, const char *name, int64_t us);
/** Lower-case hex behind `prefix`, "" or "0x". */
void put_hex(struct json_out *o, const char *name, const char *prefix, struct bytes b);
void put_wei(struct json_out *o, const char *name, struct wei w);
/** EIP-55. */
void put_address(struct json_out *o, const char *name, struct bytes b);
/** `before`, the TypeID, `after`: a path. */
void put_path(struct json_out *o, const char *name, const char *before, enum id_kind kind,
              struct uuid id, const char *after);

#endif
