/* SPDX-License-Identifier: MIT */
#include "relayer/figures.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/id.h"
#include "eth/address.h"
#include "lib/clock.h"

#define SECOND 1000000
#define DAY_S  86400.0

static double as_double(struct wei w)
{
    char text[WEI_TEXT_MAX];

    wei_format(w, text);
    return strtod(text, NULL);
}

static int64_t age_s(int64_t since_us)
{
    int64_t age = (clock_wall_us() - since_us) / SECOND;

    return age > 0 ? age : 0;
}

int64_t figures_life_age(const struct figures *f)
{
    return f->life_at == 0 ? -1 : age_s(f->life_at * SECOND);
}

/* Three quarters of the silence without a batch: somebody should look before anyone may leave. */
void figures_judge(struct relayer *r, const struct figures *f)
{
    int64_t age = figures_life_age(f);

    if (r->facts.silence > 0 && age >= 0 && (uint64_t)age > r->facts.silence / 4 * 3)
        alarm_raise(&r->alarms, ALARM_SILENCE,
                    "no batch became claimable for %" PRId64 " s; at %" PRIu64
                    " s anyone may begin the forced exit",
                    age, r->facts.silence);
    else
        alarm_clear(&r->alarms, ALARM_SILENCE);
}

/* The contract counts from there; before it was asked nothing is known. */
static int64_t life_at(const struct relayer *r, int64_t newest_us)
{
    if (r->facts.asked_at == 0)
        return 0;
    return newest_us > 0 ? newest_us / SECOND + (int64_t)r->facts.delay : (int64_t)r->facts.born;
}

/* The guardian has no more than `delay` from its block on. */
static void judge_foreign(struct relayer *r, const struct sql_relayer_figures_row *row)
{
    if (row->foreign_batches > 0)
        alarm_raise(&r->alarms, ALARM_FOREIGN,
                    "epoch %" PRId64 " on chain is not ours (such batches: %" PRId64
                    "): void it, or nothing is settled until it is accepted",
                    row->foreign_epoch, row->foreign_batches);
    else
        alarm_clear(&r->alarms, ALARM_FOREIGN);
}

static enum err_code read_books(struct relayer *r, struct figures *f, struct err *err)
{
    struct sql_relayer_figures in = {.sender = bytes_of(r->sender.b, sizeof(r->sender.b)),
                                     .delay_s = (int64_t)r->facts.delay};
    const struct sql_relayer_figures_row *row;
    const void *rows;
    size_t n;
    enum err_code rc = db_run(r->db, SQL_RELAYER_FIGURES, &in, 1, r->arena, &rows, &n, err);

    if (rc != E_OK)
        return rc;
    row = rows;
    f->unsettled = row->unsettled;
    f->waiting = row->waiting;
    f->oldest_age_s = row->oldest > 0 ? age_s(row->oldest) : 0;
    f->open = row->open;
    f->parked = row->parked;
    f->next_nonce = row->next_nonce;
    f->day_cost = row->cost;
    f->gas_per_payout = row->payouts > 0 ? row->gas / row->payouts : 0;
    f->has_books = true;
    f->life_at = life_at(r, row->newest);
    judge_foreign(r, row);
    return E_OK;
}

/* Said anew whenever their number changes. */
static void judge_full(struct relayer *r, const struct sql_counter_full_row *row, size_t n)
{
    char address[ADDRESS_TEXT_MAX];
    struct address who;

    if (n == 0 || row->counters != r->full)
        alarm_clear(&r->alarms, ALARM_FULL);
    r->full = n > 0 ? row->counters : 0;
    if (n == 0 || row->address.n != sizeof(who.b))
        return;
    memcpy(who.b, row->address.p, sizeof(who.b));
    address_format(who, address);
    alarm_raise(&r->alarms, ALARM_FULL,
                "%s has %.*s all that an entry can hold: %" PRId64
                " payouts of it wait (such counters: %" PRId64 ")",
                address, (int)row->counter.n, row->counter.s, row->entries, row->counters);
}

static enum err_code read_full(struct relayer *r, struct err *err)
{
    const struct sql_counter_full in = {.max = 1};
    const void *rows;
    size_t n;
    enum err_code rc = db_run(r->db, SQL_COUNTER_FULL, &in, 1, r->arena, &rows, &n, err);

    if (rc == E_OK)
        judge_full(r, rows, n);
    return rc;
}

/* Said anew whenever their number changes, naming the oldest. */
static void judge_large(struct relayer *r, const struct sql_payout_large_row *row, size_t n,
                        int64_t units)
{
    char id[ID_TEXT_MAX];
    char address[ADDRESS_TEXT_MAX];
    char wei[WEI_TEXT_MAX];
    struct address who;

    if (n == 0 || row->entries != r->large)
        alarm_clear(&r->alarms, ALARM_LARGE);
    r->large = n > 0 ? row->entries : 0;
    if (n == 0 || row->address.n != sizeof(who.b))
        return;
    memcpy(who.b, row->address.p, sizeof(who.b));
    address_format(who, address);
    wei_format(row->amount, wei);
    id_format(text_is(row->kind, "withdraw") ? ID_WITHDRAWAL : ID_TASK, row->ref, id);
    alarm_raise(&r->alarms, ALARM_LARGE,
                "%s, %s wei for %s, is in no batch until the cap of %" PRId64
                " units is raised (such payouts: %" PRId64 ")",
                id, wei, address, units, row->entries);
}

static enum err_code read_large(struct relayer *r, struct err *err)
{
    int64_t cap = r->facts.day_cap <= INT64_MAX ? (int64_t)r->facts.day_cap : INT64_MAX;
    int64_t own = r->batching.max_units;
    const struct sql_payout_large in = {.units = own > 0 && own < cap ? own : cap, .max = 1};
    const void *rows;
    size_t n;
    enum err_code rc;

    if (r->facts.asked_at == 0)
        return E_OK;
    rc = db_run(r->db, SQL_PAYOUT_LARGE, &in, 1, r->arena, &rows, &n, err);
    if (rc == E_OK)
        judge_large(r, rows, n, in.units);
    return rc;
}

enum err_code figures_books(struct relayer *r, struct figures *f, struct err *err)
{
    struct figures books = *f;
    enum err_code rc = read_books(r, &books, err);

    if (rc == E_OK)
        rc = read_full(r, err);
    if (rc == E_OK)
        rc = read_large(r, err);
    if (rc == E_OK)
        *f = books;
    return rc;
}

enum err_code figures_chain(struct relayer *r, struct figures *f, struct err *err)
{
    uint8_t balance[32];
    uint64_t nonce = 0;
    enum err_code rc = rpc_nonce(r->rpc, r->sender, "latest", &nonce, err);

    if (rc == E_OK)
        rc = rpc_balance(r->rpc, r->sender, "latest", balance, err);
    if (rc != E_OK)
        return rc;
    f->mined_nonce = nonce;
    f->balance = wei_from_be(balance);
    f->runway_s =
        wei_is_zero(f->day_cost) ? -1 : as_double(f->balance) / as_double(f->day_cost) * DAY_S;
    f->has_chain = true;
    return E_OK;
}

static enum err_code put(struct buf *out, const char *name, const char *help, double value,
                         struct err *err)
{
    return buf_printf(out, err,
                      "# HELP ogpu_relayer_%s %s\n# TYPE ogpu_relayer_%s gauge\n"
                      "ogpu_relayer_%s %.17g\n",
                      name, help, name, name, value);
}

static enum err_code put_alarms(const struct relayer *r, struct buf *out, struct err *err)
{
    enum err_code rc = buf_printf(out, err,
                                  "# HELP ogpu_relayer_alarm Whether the alarm goes on.\n"
                                  "# TYPE ogpu_relayer_alarm gauge\n");

    for (int a = 0; a < ALARMS && rc == E_OK; a++)
        rc = buf_printf(out, err, "ogpu_relayer_alarm{name=\"%s\"} %d\n", alarm_name((enum alarm)a),
                        r->alarms.on[a]);
    if (rc == E_OK)
        rc = buf_printf(out, err,
                        "# HELP ogpu_relayer_alarms_total How often it began.\n"
                        "# TYPE ogpu_relayer_alarms_total counter\n");
    for (int a = 0; a < ALARMS && rc == E_OK; a++)
        rc = buf_printf(out, err, "ogpu_relayer_alarms_total{name=\"%s\"} %" PRIu64 "\n",
                        alarm_name((enum alarm)a), r->alarms.times[a]);
    return rc;
}

enum err_code figures_prometheus(const struct relayer *r, const struct figures *f, struct buf *out,
                                 struct err *err)
{
    const struct rpc_health nodes = rpc_health(r->rpc);
    const bool life = f->life_at > 0;
    const bool lane = f->has_books && f->has_chain;
    const struct {
        const char *name;
        const char *help;
        double value;
        bool known;
    } gauges[] = {
        {"last_look_timestamp_seconds", "When a round last went through; 0: none has.",
         (double)f->looked_at, true},
        {"nonce_gap", "Nonces in our record that no block counts yet.",
         (double)f->next_nonce - (double)f->mined_nonce, lane},
        {"unsettled_wei", "Payable and in no batch.", as_double(f->unsettled), f->has_books},
        {"waiting_payouts", "Ledger entries in no batch.", (double)f->waiting, f->has_books},
        {"oldest_payable_age_seconds", "Age of the oldest of them.", (double)f->oldest_age_s,
         f->has_books},
        {"open_batches", "Batches formed and not final.", (double)f->open, f->has_books},
        {"parked_payouts", "Payouts that the contract refuses.", (double)f->parked, f->has_books},
        {"gas_per_payout", "Gas of the last day's transactions over their payouts.",
         (double)f->gas_per_payout, f->has_books},
        {"balance_wei", "What the sender has for gas.", as_double(f->balance), f->has_chain},
        {"balance_runway_seconds", "How long that lasts at the last day's rate; -1: unknown.",
         f->runway_s, lane},
        {"last_batch_age_seconds", "Since a batch last became claimable: the silence so far.",
         (double)figures_life_age(f), life},
        {"silence_seconds", "After so long without a batch anyone may begin the forced exit.",
         (double)r->facts.silence, life},
        {"nodes", "RPC nodes configured.", (double)nodes.nodes, true},
        {"nodes_usable", "Of the right chain, answering, and not behind.", (double)nodes.usable,
         true},
    };
    enum err_code rc = E_OK;

    for (size_t i = 0; i < ARRAY_LEN(gauges) && rc == E_OK; i++)
        if (gauges[i].known)
            rc = put(out, gauges[i].name, gauges[i].help, gauges[i].value, err);
    return rc == E_OK ? put_alarms(r, out, err) : rc;
}
