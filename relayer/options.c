/* SPDX-License-Identifier: MIT */
#include "relayer/options.h"

#include <stddef.h>
#include <time.h>

#include "eth/address.h"
#include "lib/config.h"

struct options {
    const char *database_url;
    const char *rpc_url;
    const char *settlement;
    const char *key_file;
    const char *password_file;
    const char *signer_socket;
    const char *finality;
    const char *budget;
    const char *metrics;
    int64_t chain_id;
    int64_t batch_age_s;
    int64_t batch_count;
    int64_t batch_max;
    int64_t batch_min_units;
    int64_t batch_max_units;
    int64_t calm_gwei;
    int64_t batch_wait_s;
    int64_t park_s;
    int64_t in_flight_max;
    int64_t resend_s;
    int64_t bump_s;
    int64_t max_fee_gwei;
    int64_t max_tip_gwei;
    int64_t skip_max;
    int64_t keepalive_s;
    int64_t rpc_timeout_ms;
    int64_t poll_ms;
    int64_t epoch;
};

#define FOREVER_S 31536000
#define GWEI      1000000000U

static const struct config_row rows[] = {
    {"DATABASE_URL", CONFIG_TEXT, NULL, 0, 0, true, CONFIG_AT(database_url), "PostgreSQL"},
    {"L1_RPC_URL", CONFIG_TEXT, NULL, 0, 0, false, CONFIG_AT(rpc_url),
     "JSON-RPC endpoints of the chain, one or several behind commas"},
    {"L1_CHAIN_ID", CONFIG_INT, NULL, 1, INT64_MAX, false, CONFIG_AT(chain_id),
     "chain id the nodes must have"},
    {"L1_SETTLEMENT", CONFIG_TEXT, NULL, 0, 0, false, CONFIG_AT(settlement),
     "address of the Settlement contract"},
    {"OGPU_SIGNER_SOCKET", CONFIG_TEXT, "", 0, 0, false, CONFIG_AT(signer_socket),
     "unix socket of a signer that has the key; then no key file is read"},
    {"OGPU_SETTLER_KEY_FILE", CONFIG_TEXT, "", 0, 0, false, CONFIG_AT(key_file),
     "the settler's key, mode 0600: 64 hex digits, or a keystore V3"},
    {"OGPU_SETTLER_PASSWORD_FILE", CONFIG_TEXT, "", 0, 0, false, CONFIG_AT(password_file),
     "password of a keystore, mode 0600"},
    {"OGPU_FINALITY", CONFIG_TEXT, "tag:finalized", 0, 0, false, CONFIG_AT(finality),
     "tag:finalized, tag:safe or depth:N"},
    {"OGPU_BATCH_AGE_S", CONFIG_INT, "60", 0, FOREVER_S, false, CONFIG_AT(batch_age_s),
     "settle when the oldest payable is this old"},
    {"OGPU_BATCH_COUNT", CONFIG_INT, "1000", 1, 4000, false, CONFIG_AT(batch_count),
     "settle when this many payables wait"},
    {"OGPU_BATCH_UNITS", CONFIG_INT, "0", 0, INT64_MAX, false, CONFIG_AT(batch_min_units),
     "settle when they are worth this many units of 10^-6; 0: no such rule"},
    {"OGPU_BATCH_MAX", CONFIG_INT, "2000", 1, 4000, false, CONFIG_AT(batch_max),
     "ledger entries in one batch"},
    {"OGPU_BATCH_MAX_UNITS", CONFIG_INT, "0", 0, INT64_MAX, false, CONFIG_AT(batch_max_units),
     "units that one batch declares at most; 0: no limit of ours"},
    {"OGPU_CALM_GWEI", CONFIG_INT, "0", 0, 1000000000, false, CONFIG_AT(calm_gwei),
     "above this base fee batches wait; 0: never"},
    {"OGPU_BATCH_WAIT_S", CONFIG_INT, "3600", 0, FOREVER_S, false, CONFIG_AT(batch_wait_s),
     "but no longer than this"},
    {"OGPU_PARK_S", CONFIG_INT, "86400", 1, FOREVER_S, false, CONFIG_AT(park_s),
     "a payout that the contract refuses is tried again after"},
    {"OGPU_IN_FLIGHT_MAX", CONFIG_INT, "64", 1, 256, false, CONFIG_AT(in_flight_max),
     "batches signed and not yet final at once"},
    SENDING_ROWS,
    {"OGPU_NONCE_SKIP_MAX", CONFIG_INT, "1000", 0, 100000, false, CONFIG_AT(skip_max),
     "transactions of the key outside our record that are believed and gone past"},
    {"OGPU_GAS_BUDGET_WEI", CONFIG_TEXT, "0", 0, 0, false, CONFIG_AT(budget),
     "wei of gas a day (UTC); nothing is signed beyond it; 0: no limit"},
    {"OGPU_KEEPALIVE_S", CONFIG_INT, "0", 0, FOREVER_S, false, CONFIG_AT(keepalive_s),
     "settle at least this often, else anyone may begin the forced exit; 0: as the contract needs"},
    {"OGPU_METRICS_LISTEN", CONFIG_TEXT, "", 0, 0, false, CONFIG_AT(metrics),
     "host:port for Prometheus metrics; empty: none"},
    {"OGPU_POLL_MS", CONFIG_INT, "1000", 50, 600000, false, CONFIG_AT(poll_ms),
     "pause between rounds"},
    {"OGPU_EPOCH", CONFIG_INT, "0", 0, INT64_MAX, false, CONFIG_AT(epoch),
     "the batch that `again` or `accept` is about"},
};

void relayer_help(void)
{
    config_help(rows, ARRAY_LEN(rows));
}

static void fill(const struct options *o, struct relayer *r)
{
    *r = (struct relayer){
        .chain_id = (uint64_t)o->chain_id,
        .in_flight_max = o->in_flight_max,
        .resend_s = o->resend_s,
        .bump_s = o->bump_s,
        .keepalive_s = o->keepalive_s,
        .skip_max = o->skip_max,
        .about = o->epoch,
        .cap = {(uint64_t)o->max_fee_gwei * GWEI, (uint64_t)o->max_tip_gwei * GWEI}};
    r->batching = (struct batching){.age_s = o->batch_age_s,
                                    .count = o->batch_count,
                                    .min_units = o->batch_min_units,
                                    .max_count = o->batch_max,
                                    .max_units = o->batch_max_units,
                                    .calm_fee = (uint64_t)o->calm_gwei * GWEI,
                                    .wait_s = o->batch_wait_s,
                                    .park_s = o->park_s};
}

/* A while longer than the database takes to notice that the one before us was killed. */
static enum err_code take_lock(struct relayer *r, struct err *err)
{
    const struct timespec pause = {.tv_nsec = 200000000};

    for (int i = 0; i < 10; i++) {
        if (db_try_lock(r->db, RELAYER_LOCK))
            return E_OK;
        nanosleep(&pause, NULL);
    }
    return err_set(err, E_BUSY, "another relayer holds the lock: one per key");
}

static enum err_code open_key(const struct options *o, struct key **out, struct err *err)
{
    if (o->signer_socket[0])
        return key_open_socket(o->signer_socket, out, err);
    if (!o->key_file[0])
        return err_set(err, E_CONFIG, "OGPU_SETTLER_KEY_FILE or OGPU_SIGNER_SOCKET is required");
    return key_open_file(o->key_file, o->password_file, out, err);
}

/* Everything that both ways of opening have. */
static enum err_code open_common(struct relayer *r, const struct options *o, struct err *err)
{
    enum err_code rc;

    fill(o, r);
    if (!address_parse(text_of(o->settlement), &r->settlement))
        return err_set(err, E_CONFIG, "L1_SETTLEMENT must be an address");
    if (!wei_parse(text_of(o->budget), &r->budget))
        return err_set(err, E_CONFIG, "OGPU_GAS_BUDGET_WEI must be a number of wei");
    rc = finality_parse(o->finality, &r->finality, err);
    if (rc != E_OK)
        return rc;
    r->arena = arena_new();
    r->rpc = rpc_new(o->rpc_url, o->rpc_timeout_ms);
    return db_conn_open(o->database_url, &r->db, err);
}

enum err_code relayer_open(struct relayer *r, int argc, char **argv, struct relayer_life *life,
                           struct err *err)
{
    struct key *key = NULL;
    struct options o;
    enum err_code rc = config_load(rows, ARRAY_LEN(rows), argc, argv, &o, err);

    if (rc != E_OK)
        return rc;
    *life = (struct relayer_life){o.poll_ms, o.metrics};
    rc = open_key(&o, &key, err);
    if (rc != E_OK)
        return rc;
    rc = open_common(r, &o, err);
    r->key = key;
    r->sender = key_address(key);
    return rc == E_OK ? take_lock(r, err) : rc;
}

enum err_code relayer_open_to_look(struct relayer *r, int argc, char **argv, struct err *err)
{
    struct options o;
    enum err_code rc = config_load(rows, ARRAY_LEN(rows), argc, argv, &o, err);

    if (rc == E_OK)
        rc = open_common(r, &o, err);
    if (rc == E_OK)
        rc = relayer_check_chain(r, err);
    return rc == E_OK ? relayer_ask_settler(r, &r->sender, err) : rc;
}

void relayer_close(struct relayer *r)
{
    db_conn_close(r->db);
    rpc_free(r->rpc);
    key_free(r->key);
    arena_free(r->arena);
}

enum err_code relayer_meet_chain(struct relayer *r, struct err *err)
{
    struct rpc_block head;
    enum err_code rc = rpc_meet_chain(r->rpc, r->chain_id, err);

    if (rc == E_OK)
        rc = rpc_block(r->rpc, "latest", &head, err);
    if (rc == E_OK)
        r->legacy = head.base_fee == 0;
    return rc;
}

enum err_code relayer_check_chain(struct relayer *r, struct err *err)
{
    enum err_code rc = relayer_meet_chain(r, err);

    return rc == E_OK ? relayer_facts(r, err) : rc;
}
