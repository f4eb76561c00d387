/* SPDX-License-Identifier: MIT */
/*
 * `ogpu-relayer accept`: batches on chain that these books did not make, and an operator's word to
 * settle on although one stands. Only what is final and not voided is in that list.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/hex.h"
#include "lib/log.h"
#include "relayer/command.h"
#include "relayer/options.h"

#define LIST_MAX 1000

static void add_hex(json_t *to, const char *name, struct bytes b)
{
    char text[2 + 2 * 32 + 1] = "0x";

    hex_encode(b.p, b.n < 32 ? b.n : 32, text + 2);
    json_object_set_new(to, name, json_string(text));
}

/* NULL of the database is 0. */
static void add_time(json_t *to, const char *name, int64_t us)
{
    char text[RFC3339_MAX];

    rfc3339_format(us, text);
    json_object_set_new(to, name, us != 0 ? json_string(text) : json_null());
}

/* @delay seconds after which the guardian can void it no more */
static json_t *batch_json(const struct sql_foreign_batch_list_row *row, uint64_t delay)
{
    json_t *v = json_pack("{s:I, s:I, s:I}", "epoch", (json_int_t)row->epoch, "increase_units",
                          (json_int_t)row->increase_units, "block", (json_int_t)row->block_no);

    if (!v)
        abort();
    add_hex(v, "tx", row->tx_hash);
    add_hex(v, "root", row->root);
    add_time(v, "settled_at", row->settled_at);
    add_time(v, "voidable_until", row->settled_at + (int64_t)delay * 1000000);
    add_time(v, "voided_at", row->voided_at);
    add_time(v, "accepted_at", row->accepted_at);
    return v;
}

/* All of them, or the one of this epoch. */
static enum err_code show(struct relayer *r, struct err *err)
{
    struct sql_foreign_batch_list in = {.max = LIST_MAX};
    const struct sql_foreign_batch_list_row *row;
    const void *rows;
    json_t *list = json_array();
    char *text;
    size_t n;
    enum err_code rc = db_run(r->db, SQL_FOREIGN_BATCH_LIST, &in, 1, r->arena, &rows, &n, err);

    if (rc == E_OK) {
        row = rows;
        for (size_t i = 0; i < n; i++)
            if (r->about == 0 || row[i].epoch == r->about)
                json_array_append_new(list, batch_json(&row[i], r->facts.delay));
        text = json_dumps(list, JSON_INDENT(2));
        if (!text)
            abort();
        puts(text);
        free(text);
    }
    json_decref(list);
    return rc;
}

static enum err_code accept_it(struct relayer *r, struct err *err)
{
    struct sql_foreign_batch_accept in = {.epoch = r->about};
    const struct sql_foreign_batch_accept_row *row;
    const void *rows;
    size_t n;
    enum err_code rc = db_run(r->db, SQL_FOREIGN_BATCH_ACCEPT, &in, 1, r->arena, &rows, &n, err);

    if (rc != E_OK)
        return rc;
    row = rows;
    if (text_is(row->outcome, "not_found"))
        return err_set(
            err, E_NOT_FOUND,
            "the books know no foreign batch of epoch %lld: it is ours, or not final yet",
            (long long)r->about);
    if (!text_is(row->outcome, "ok"))
        return err_set(err, E_BUSY, "epoch %lld was voided and holds up nothing",
                       (long long)r->about);
    return E_OK;
}

int command_accept(int argc, char **argv)
{
    struct relayer r = {0};
    struct err err = {0};
    enum err_code rc;

    if (command_wants_help(argc, argv)) {
        puts("usage: ogpu-relayer accept [--epoch N] [--option value]...\n\n"
             "Lists the batches on chain that these books did not make; with --epoch, accepts that "
             "one.\n");
        relayer_help();
        return 0;
    }
    log_open("ogpu-relayer", LOG_LEVEL_ERROR);
    rc = relayer_open_to_look(&r, argc, argv, &err);
    if (rc == E_OK && r.about != 0)
        rc = accept_it(&r, &err);
    if (rc == E_OK)
        rc = show(&r, &err);
    relayer_close(&r);
    return rc == E_OK ? 0 : command_fail(&err);
}
