/* SPDX-License-Identifier: MIT */
/* ogpu-relayer: settles the books on the chain. One per key; serves nobody. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "eth/address.h"
#include "lib/config.h"
#include "lib/log.h"
#include "relayer/relayer.h"

struct options {
    const char *database_url;
    const char *rpc_url;
    const char *settlement;
    const char *key_file;
    int64_t chain_id;
    int64_t batch_age_s;
    int64_t batch_count;
    int64_t batch_max;
    int64_t in_flight_max;
    int64_t resend_s;
    int64_t bump_s;
    int64_t max_fee_gwei;
    int64_t max_tip_gwei;
    int64_t keepalive_s;
    int64_t poll_ms;
};

#define AT(member) offsetof(struct options, member)
#define FOREVER_S  31536000

static const struct config_row rows[] = {
    {"DATABASE_URL", CONFIG_TEXT, NULL, 0, 0, true, AT(database_url), "PostgreSQL"},
    {"L1_RPC_URL", CONFIG_TEXT, NULL, 0, 0, false, AT(rpc_url), "JSON-RPC endpoint of the chain"},
    {"L1_CHAIN_ID", CONFIG_INT, NULL, 1, INT64_MAX, false, AT(chain_id),
     "chain id the node must have"},
    {"L1_SETTLEMENT", CONFIG_TEXT, NULL, 0, 0, false, AT(settlement),
     "address of the Settlement contract"},
    {"OGPU_SETTLER_KEY_FILE", CONFIG_TEXT, NULL, 0, 0, false, AT(key_file),
     "the settler's key, mode 0600"},
    {"OGPU_BATCH_AGE_S", CONFIG_INT, "60", 0, FOREVER_S, false, AT(batch_age_s),
     "settle when the oldest payable is this old"},
    {"OGPU_BATCH_COUNT", CONFIG_INT, "1000", 1, 4000, false, AT(batch_count),
     "settle when this many payables wait"},
    {"OGPU_BATCH_MAX", CONFIG_INT, "2000", 1, 4000, false, AT(batch_max),
     "ledger entries in one batch"},
    {"OGPU_IN_FLIGHT_MAX", CONFIG_INT, "4", 1, 16, false, AT(in_flight_max),
     "batches on their way at once"},
    {"OGPU_RESEND_S", CONFIG_INT, "12", 1, FOREVER_S, false, AT(resend_s),
     "say an unmined transaction again after"},
    {"OGPU_BUMP_S", CONFIG_INT, "48", 1, FOREVER_S, false, AT(bump_s),
     "raise an unmined transaction's fee after"},
    {"OGPU_MAX_FEE_GWEI", CONFIG_INT, "500", 1, 1000000000, false, AT(max_fee_gwei),
     "highest fee per gas"},
    {"OGPU_MAX_TIP_GWEI", CONFIG_INT, "20", 0, 1000000000, false, AT(max_tip_gwei),
     "highest priority fee per gas"},
    {"OGPU_KEEPALIVE_S", CONFIG_INT, "0", 0, FOREVER_S, false, AT(keepalive_s),
     "settle at least this often, else anyone may begin the forced exit; 0: as the contract needs"},
    {"OGPU_POLL_MS", CONFIG_INT, "1000", 50, 600000, false, AT(poll_ms), "pause between rounds"},
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

static int fail(const struct err *err)
{
    fprintf(stderr, "ogpu-relayer: %s\n", err->text);
    return 1;
}

static enum err_code open_all(const struct options *o, struct relayer *r, struct err *err)
{
    enum err_code rc;

    *r = (struct relayer){
        .chain_id = (uint64_t)o->chain_id,
        .batch_age_s = o->batch_age_s,
        .batch_count = o->batch_count,
        .batch_max = o->batch_max,
        .in_flight_max = o->in_flight_max,
        .resend_s = o->resend_s,
        .bump_s = o->bump_s,
        .keepalive_s = o->keepalive_s,
        .cap = {(uint64_t)o->max_fee_gwei * 1000000000U, (uint64_t)o->max_tip_gwei * 1000000000U}};
    if (!address_parse(text_of(o->settlement), &r->settlement))
        return err_set(err, E_CONFIG, "L1_SETTLEMENT must be an address");
    rc = signer_load(o->key_file, &r->signer, err);
    if (rc != E_OK)
        return rc;
    r->sender = signer_address(r->signer);
    r->arena = arena_new();
    r->rpc = rpc_new(o->rpc_url, 10000);
    rc = db_conn_open(o->database_url, &r->db, err);
    if (rc == E_OK && !db_try_lock(r->db, RELAYER_LOCK))
        return err_set(err, E_BUSY, "another relayer holds the lock: one per key");
    return rc;
}

/* The chain's id and kind, once the node answers. */
static enum err_code check_chain(struct relayer *r, struct err *err)
{
    struct rpc_block head;
    uint64_t id;
    enum err_code rc = rpc_chain_id(r->rpc, &id, err);

    if (rc == E_OK && id != r->chain_id)
        return err_set(err, E_CONFIG, "the node is of chain %llu, not %llu", (unsigned long long)id,
                       (unsigned long long)r->chain_id);
    if (rc == E_OK)
        rc = rpc_block(r->rpc, "latest", &head, err);
    if (rc == E_OK)
        r->legacy = head.base_fee == 0;
    return rc == E_OK ? relayer_life(r, err) : rc;
}

static int loop(struct relayer *r, int64_t poll_ms)
{
    struct timespec pause = {.tv_sec = poll_ms / 1000, .tv_nsec = (poll_ms % 1000) * 1000000};
    bool checked = false;

    while (!stopping) {
        struct err err = {0};
        enum err_code rc = checked ? E_OK : check_chain(r, &err);

        if (rc == E_CONFIG)
            return fail(&err);
        if (rc == E_OK) {
            checked = true;
            rc = relayer_step(r, &err);
        }
        if (rc == E_BUSY && !db_lock_held(r->db, RELAYER_LOCK) && !db_try_lock(r->db, RELAYER_LOCK))
            return fail(&err);
        if (rc != E_OK && err_info(rc)->blame == BLAME_PEER)
            log_warn("retry", "code=%s text=%s", err_info(rc)->word, err.text);
        else if (rc != E_OK)
            log_error("halted", "code=%s text=%s", err_info(rc)->word, err.text);
        nanosleep(&pause, NULL); /* a signal ends it early */
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct relayer r = {0};
    struct options o;
    struct err err = {0};
    char sender[ADDRESS_TEXT_MAX];
    int rc;

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        puts("usage: ogpu-relayer [--option value]...\n");
        config_help(rows, ARRAY_LEN(rows));
        return 0;
    }
    log_open("ogpu-relayer", LOG_LEVEL_INFO);
    /* The key must not reach a core file or a debugger of the same user. */
    prctl(PR_SET_DUMPABLE, 0);
    if (config_load(rows, ARRAY_LEN(rows), argc - 1, argv + 1, &o, &err) != E_OK)
        return fail(&err);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (open_all(&o, &r, &err) != E_OK)
        return fail(&err);
    address_format(r.sender, sender);
    log_info("started", "sender=%s", sender);
    rc = loop(&r, o.poll_ms);
    db_conn_close(r.db);
    rpc_free(r.rpc);
    signer_free(r.signer);
    arena_free(r.arena);
    log_info("stopped", NULL);
    return rc;
}
