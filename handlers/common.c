/* SPDX-License-Identifier: MIT */
#include "handlers/common.h"

#include <string.h>

#include "handlers/view.h"
#include "lib/arena.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/hex.h"
#include "lib/json.h"

#define DEADLINE_AHEAD_S 86400

uint64_t key_of(struct uuid id)
{
    return hash64(id.b, sizeof(id.b));
}

uint64_t key_of_idempotency(const struct op *op)
{
    uint8_t text[8 + 256];
    size_t n = op->idempotency_key.n;

    if (op->idempotency_key.s == NULL)
        return 0;
    if (n > 256)
        n = 256;
    memcpy(text, &op->who.account, 8);
    memcpy(text + 8, op->idempotency_key.s, n);
    return hash64(text, 8 + n);
}

struct bytes digest_bytes(const struct op *op, struct digest d)
{
    return arena_bytes(op->arena, bytes_of(d.b, sizeof(d.b)));
}

struct bytes address_bytes(const struct op *op, struct address a)
{
    return arena_bytes(op->arena, bytes_of(a.b, sizeof(a.b)));
}

const char *uuid_text(const struct op *op, struct uuid id)
{
    static const int dash_before[] = {4, 6, 8, 10};
    char *out = arena_alloc(op->arena, 37);
    size_t n = 0;
    size_t dash = 0;

    for (int i = 0; i < 16; i++) {
        if (dash < ARRAY_LEN(dash_before) && i == dash_before[dash]) {
            out[n++] = '-';
            dash++;
        }
        hex_encode(&id.b[i], 1, out + n);
        n += 2;
    }
    return out;
}

struct bytes digests_of(const struct op *op, const json_t *list)
{
    size_t n = json_array_size(list);
    uint8_t *out = arena_alloc(op->arena, 32 * n + 1);
    size_t i;
    json_t *hex;

    json_array_foreach(list, i, hex)
    {
        (void)hex_decode(json_string_value(hex), json_string_length(hex), out + 32 * i, 32);
    }
    return bytes_of(out, 32 * n);
}

#define JSON_TYPE "application/json"

static const char *tag_of(struct op *op, struct text body)
{
    struct digest d = sha256(body.s, body.n);
    char *tag = arena_alloc(op->arena, 17);

    hex_encode(d.b, 8, tag);
    return tag;
}

enum op_next reply(struct op *op, int status, const struct json_out *o)
{
    struct text body = json_out_text(o);

    return op_bytes(op, status, body.s, body.n, JSON_TYPE);
}

enum op_next reply_tagged(struct op *op, const struct json_out *o)
{
    struct text body = json_out_text(o);

    return op_tagged(op, 200, body.s, body.n, JSON_TYPE, tag_of(op, body));
}

enum op_next reply_created(struct op *op, const struct json_out *o, const char *location,
                           const char *tag)
{
    op_header(op, "Location", location);
    if (tag)
        op_header(op, "ETag",
                  arena_printf(op->arena, "\"%s\"", *tag ? tag : tag_of(op, json_out_text(o))));
    return reply(op, 201, o);
}

enum op_next reply_task(struct op *op, const struct sql_task_get_row *t)
{
    struct json_out *o = json_out_new(op->arena);
    struct text body;

    view_task(o, NULL, t);
    body = json_out_text(o);
    return op_tagged(op, 200, body.s, body.n, JSON_TYPE, view_task_tag(t, op->arena));
}

bool written(struct op *op, struct text outcome, bool replayed)
{
    bool good;

    if (op->err.code != E_OK) {
        (void)op_fail_err(op);
        return false;
    }
    if (op->n_rows != 1) {
        (void)op_fail(op, E_INTERNAL, "the database answered nothing");
        return false;
    }
    good = text_is(outcome, "ok");
    if (!good)
        (void)op_fail_word(op, outcome);
    /* After op_fail(): it forgets the headers set before. */
    if (replayed)
        op_header(op, "Idempotency-Replayed", "true");
    return good;
}

enum op_next refuse_large(struct op *op, const char *what, struct wei most)
{
    char text[WEI_TEXT_MAX];

    wei_format(most, text);
    return op_fail(op, E_PAYOUT_TOO_LARGE,
                   "%s; by the contract's daily cap a batch holds a payout of at most %s wei.",
                   what, text);
}

bool found(struct op *op, enum err_code missing)
{
    if (op->err.code != E_OK) {
        (void)op_fail_err(op);
        return false;
    }
    if (op->n_rows == 0) {
        (void)op_fail(op, missing, "%s.", err_info(missing)->title);
        return false;
    }
    return true;
}

bool deadline_ok(struct op *op, int64_t deadline_s)
{
    int64_t now_s = clock_wall_us() / 1000000;

    if (deadline_s >= now_s && deadline_s <= now_s + DEADLINE_AHEAD_S)
        return true;
    (void)op_fail(op, E_SIGNATURE_EXPIRED, "%s",
                  deadline_s < now_s ? "The signature's deadline has passed."
                                     : "The signature's deadline is more than a day ahead.");
    return false;
}

bool own_provider(struct op *op, struct uuid provider)
{
    if (uuid_eq(op->who.provider, provider))
        return true;
    (void)op_fail(op, E_SCOPE_DENIED, "The token belongs to another provider.");
    return false;
}
