/* SPDX-License-Identifier: MIT */
/* `ogpu-relayer status` and `simulate`: they look, and change nothing. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "eth/abi.h"
#include "eth/address.h"
#include "eth/entries.h"
#include "lib/log.h"
#include "relayer/command.h"
#include "relayer/figures.h"
#include "relayer/options.h"

static json_t *wei_json(struct wei w)
{
    char text[WEI_TEXT_MAX];

    wei_format(w, text);
    return json_string(text);
}

static int print(json_t *v)
{
    char *text = v ? json_dumps(v, JSON_INDENT(2)) : NULL;

    if (!text)
        abort();
    puts(text);
    free(text);
    json_decref(v);
    return 0;
}

static int usage(const char *line)
{
    printf("usage: ogpu-relayer %s [--option value]...\n\n", line);
    relayer_help();
    return 0;
}

static json_t *status_json(const struct relayer *r, const struct figures *f, uint64_t last_epoch)
{
    const struct rpc_health nodes = rpc_health(r->rpc);
    char sender[ADDRESS_TEXT_MAX];

    address_format(r->sender, sender);
    return json_pack(
        "{s:s, s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:o, s:o, s:f, s:I,"
        " s:I, s:I}",
        "settler", sender, "chain_id", (json_int_t)r->chain_id, "legacy_fees", r->legacy, "nodes",
        (json_int_t)nodes.nodes, "nodes_usable", (json_int_t)nodes.usable, "last_epoch",
        (json_int_t)last_epoch, "open_batches", (json_int_t)f->open, "mined_nonce",
        (json_int_t)f->mined_nonce, "next_nonce", (json_int_t)f->next_nonce, "waiting_payouts",
        (json_int_t)f->waiting, "unsettled_wei", wei_json(f->unsettled), "oldest_payable_age_s",
        (json_int_t)f->oldest_age_s, "parked_payouts", (json_int_t)f->parked, "gas_per_payout",
        (json_int_t)f->gas_per_payout, "balance_wei", wei_json(f->balance), "day_cost_wei",
        wei_json(f->day_cost), "balance_runway_s", f->runway_s, "last_batch_age_s",
        (json_int_t)figures_life_age(f), "keepalive_s", (json_int_t)r->beat_s, "silence_s",
        (json_int_t)r->facts.silence);
}

int command_status(int argc, char **argv)
{
    struct relayer r = {0};
    struct figures f = {0};
    struct err err = {0};
    uint64_t last_epoch = 0;
    enum err_code rc;
    int status;

    if (command_wants_help(argc, argv))
        return usage("status");
    log_open("ogpu-relayer", LOG_LEVEL_ERROR);
    rc = relayer_open_to_look(&r, argc, argv, &err);
    if (rc == E_OK)
        rc = figures_books(&r, &f, &err);
    if (rc == E_OK)
        rc = figures_chain(&r, &f, &err);
    if (rc == E_OK)
        figures_judge(&r, &f);
    if (rc == E_OK)
        rc = relayer_ask(&r, ABI_LAST_EPOCH, &last_epoch, &err);
    status = rc == E_OK ? print(status_json(&r, &f, last_epoch)) : command_fail(&err);
    relayer_close(&r);
    return status;
}

/* What a batch of everything that waits would be. @entries ledger entries in it */
static enum err_code preview(struct relayer *r, struct batch *out, struct buf *bytes,
                             int64_t *entries, struct err *err)
{
    struct sql_batch_preview in = {.max_count = (int32_t)r->batching.max_count};
    const struct sql_batch_preview_row *row;
    const void *rows;
    size_t n;
    uint64_t last;
    enum err_code rc = db_run(r->db, SQL_BATCH_PREVIEW, &in, 1, r->arena, &rows, &n, err);

    if (rc == E_OK)
        rc = relayer_ask(r, ABI_LAST_EPOCH, &last, err);
    if (rc != E_OK)
        return rc;
    row = rows;
    *out = (struct batch){.epoch = (int64_t)last + 1};
    *entries = n > 0 ? row[0].entries : 0;
    for (size_t i = 0; i < n && rc == E_OK; i++) {
        bool spent = text_is(row[i].counter, "spent");

        if (!spent)
            out->increase_units += row[i].gain;
        rc = entry_encode((struct entry){(uint32_t)row[i].chain_id, spent, (uint64_t)row[i].units},
                          bytes, err);
    }
    if (rc == E_OK && n == 0)
        rc = buf_add(bytes, (uint8_t[ENTRY_SIZE]){0}, ENTRY_SIZE, err);
    out->entries = bytes_of(bytes->p, bytes->n);
    return rc == E_OK ? entries_root(out->entries, &out->root, err) : rc;
}

/* Tries it. @verdict a new object */
static enum err_code try_it(struct relayer *r, const struct batch *batch, int64_t entries,
                            json_t **verdict, struct err *err)
{
    struct buf data = {0};
    struct err words = {0};
    struct wei cost = {{0}};
    struct fees fees;
    uint64_t gas = 0;
    bool accepted;
    enum err_code rc = relayer_call_data(batch, &data, err);

    if (rc == E_OK)
        rc = relayer_fees_now(r, &fees, err);
    if (rc == E_OK) {
        rc = rpc_estimate_gas(r->rpc, r->sender, r->settlement, bytes_of(data.p, data.n), &gas,
                              &words);
        accepted = rc == E_OK;
        if (rc != E_OK && rpc_error_code(r->rpc) != 0)
            rc = E_OK;
        else if (rc != E_OK)
            err_set(err, rc, "%s", words.text);
    }
    if (rc == E_OK)
        rc = fees_cost(&fees, gas, &cost, err);
    if (rc == E_OK)
        *verdict = json_pack(
            "{s:I, s:I, s:I, s:I, s:b, s:s, s:I, s:o}", "epoch", (json_int_t)batch->epoch,
            "payouts", (json_int_t)entries, "entries", (json_int_t)(batch->entries.n / ENTRY_SIZE),
            "increase_units", (json_int_t)batch->increase_units, "accepted", accepted, "reason",
            accepted ? "" : words.text, "gas", (json_int_t)gas, "cost_max_wei", wei_json(cost));
    buf_done(&data);
    return rc;
}

int command_simulate(int argc, char **argv)
{
    struct relayer r = {0};
    struct batch batch;
    struct buf bytes = {0};
    struct err err = {0};
    json_t *verdict = NULL;
    int64_t entries = 0;
    enum err_code rc;
    int status;

    if (command_wants_help(argc, argv))
        return usage("simulate");
    log_open("ogpu-relayer", LOG_LEVEL_ERROR);
    rc = relayer_open_to_look(&r, argc, argv, &err);
    if (rc == E_OK)
        rc = preview(&r, &batch, &bytes, &entries, &err);
    if (rc == E_OK)
        rc = try_it(&r, &batch, entries, &verdict, &err);
    status = rc == E_OK ? print(verdict) : command_fail(&err);
    buf_done(&bytes);
    relayer_close(&r);
    return status;
}
