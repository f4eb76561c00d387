/* SPDX-License-Identifier: MIT */
/* `ogpu-relayer deploy`: both contracts onto a chain, once, and the proof that they stand there. */
#include "relayer/deploy.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "eth/address.h"
#include "eth/keccak.h"
#include "lib/config.h"
#include "lib/log.h"
#include "relayer/command.h"
#include "relayer/options.h"

struct options {
    const char *rpc_url;
    const char *contracts;
    const char *record;
    const char *key_file;
    const char *password_file;
    const char *signer_socket;
    const char *finality;
    const char *role[TERM_ROLES];
    int64_t number[TERMS]; /* from TERM_ROLES on; 0: not given */
    int64_t chain_id;
    int64_t wait_s;
    int64_t resend_s;
    int64_t bump_s;
    int64_t max_fee_gwei;
    int64_t max_tip_gwei;
    int64_t rpc_timeout_ms;
    int64_t poll_ms;
    bool dry;
};

#define FOREVER_S 31536000
#define DAY       86400
#define GWEI      1000000000U

#define ROLE(name, term, help)                                          \
    {                                                                   \
        name, CONFIG_TEXT, "", 0, 0, false, CONFIG_AT(role[term]), help \
    }
#define NUMBER(name, term, max, help)                                       \
    {                                                                       \
        name, CONFIG_INT, "0", 0, max, false, CONFIG_AT(number[term]), help \
    }

static const struct config_row rows[] = {
    {"L1_RPC_URL", CONFIG_TEXT, NULL, 0, 0, false, CONFIG_AT(rpc_url),
     "JSON-RPC endpoints of the chain, one or several behind commas"},
    {"L1_CHAIN_ID", CONFIG_INT, NULL, 1, INT64_MAX, false, CONFIG_AT(chain_id),
     "chain id the nodes must have"},
    {"OGPU_CONTRACTS", CONFIG_TEXT, "build/contracts", 0, 0, false, CONFIG_AT(contracts),
     "folder with the compiled contracts (make contracts)"},
    {"OGPU_RECORD", CONFIG_TEXT, NULL, 0, 0, false, CONFIG_AT(record),
     "file of this deployment; when it exists, what it names is finished and checked, never made "
     "again"},
    {"OGPU_DEPLOYER_KEY_FILE", CONFIG_TEXT, "", 0, 0, false, CONFIG_AT(key_file),
     "the key that pays, mode 0600: 64 hex digits, or a keystore V3; it gets no rights"},
    {"OGPU_DEPLOYER_PASSWORD_FILE", CONFIG_TEXT, "", 0, 0, false, CONFIG_AT(password_file),
     "password of a keystore, mode 0600"},
    {"OGPU_SIGNER_SOCKET", CONFIG_TEXT, "", 0, 0, false, CONFIG_AT(signer_socket),
     "unix socket of a signer that has the key, and may `create`; then no key file is read"},
    ROLE("OGPU_SETTLER", TERM_SETTLER, "address that may settle"),
    ROLE("OGPU_SIGNER", TERM_SIGNER, "address whose vouchers count"),
    ROLE("OGPU_GUARDIAN", TERM_GUARDIAN, "address that may void, dismiss and veto"),
    ROLE("OGPU_ADMIN", TERM_ADMIN, "address that proposes to the time lock"),
    NUMBER("OGPU_CLAIM_DELAY_S", TERM_DELAY, FOREVER_S, "delay between a batch and its claims"),
    NUMBER("OGPU_DAILY_CAP", TERM_DAILY_CAP, INT64_MAX,
           "units of 10^-6 that batches may declare in a day, and vouchers once more"),
    NUMBER("OGPU_ADMIN_DELAY_S", TERM_ADMIN_DELAY, FOREVER_S, "wait of the admin; 0: 7 days"),
    NUMBER("OGPU_EXIT_SILENCE_S", TERM_SILENCE, FOREVER_S,
           "silence after which anyone may begin the forced exit; 0: 21 days"),
    NUMBER("OGPU_EXIT_WINDOW_S", TERM_WINDOW, FOREVER_S,
           "window in which entries are shown then; 0: 7 days"),
    NUMBER("OGPU_UNBONDING_S", TERM_UNBONDING, FOREVER_S, "wait of unbonded stake; 0: 21 days"),
    NUMBER("OGPU_APPEAL_S", TERM_APPEAL, FOREVER_S, "appeal against a sanction; 0: 7 days"),
    {"OGPU_FINALITY", CONFIG_TEXT, "tag:finalized", 0, 0, false, CONFIG_AT(finality),
     "tag:finalized, tag:safe or depth:N"},
    {"OGPU_DEPLOY_WAIT_S", CONFIG_INT, "3600", 1, FOREVER_S, false, CONFIG_AT(wait_s),
     "give up waiting after; run again, it goes on"},
    SENDING_ROWS,
    {"OGPU_POLL_MS", CONFIG_INT, "1000", 50, 600000, false, CONFIG_AT(poll_ms),
     "pause between looks"},
};

/* Where nothing was said. What a day may cost and how long a thief has are nobody's to guess. */
static const uint64_t usual[TERMS] = {
    [TERM_ADMIN_DELAY] = 7ULL * DAY, [TERM_SILENCE] = 21ULL * DAY, [TERM_WINDOW] = 7ULL * DAY,
    [TERM_UNBONDING] = 21ULL * DAY,  [TERM_APPEAL] = 7ULL * DAY,
};

/* What was asked for. @given  which of it was said */
static enum err_code read_terms(const struct options *o, struct terms *out, bool given[TERMS],
                                struct err *err)
{
    for (int i = 0; i < TERM_ROLES; i++) {
        struct address a = {{0}};

        given[i] = o->role[i][0] != '\0';
        if (given[i] && !address_parse(text_of(o->role[i]), &a))
            return err_set(err, E_CONFIG, "the %s must be an address", term_name((enum term)i));
        out->v[i] = abi_address(a);
    }
    for (int i = TERM_ROLES; i < TERMS; i++) {
        given[i] = o->number[i] > 0;
        out->v[i] = abi_u64(given[i] ? (uint64_t)o->number[i] : usual[i]);
    }
    return E_OK;
}

/* A record speaks for itself, but not against what was said. */
static enum err_code agree(const struct deploy *d, const struct terms *said,
                           const bool given[TERMS], struct err *err)
{
    for (int i = 0; i < TERMS; i++)
        if (given[i] && memcmp(said->v[i].word, d->rec.terms.v[i].word, 32) != 0)
            return err_set(err, E_CONFIG, "'%s' was made with another %s", d->path,
                           term_name((enum term)i));
    return d->rec.chain_id == d->r.chain_id ? E_OK
                                            : err_set(err, E_CONFIG, "'%s' is of chain %llu",
                                                      d->path, (unsigned long long)d->rec.chain_id);
}

static enum err_code open_node(const struct options *o, struct deploy *d, struct err *err)
{
    enum err_code rc;

    d->r = (struct relayer){
        .chain_id = (uint64_t)o->chain_id,
        .resend_s = o->resend_s,
        .bump_s = o->bump_s,
        .cap = {(uint64_t)o->max_fee_gwei * GWEI, (uint64_t)o->max_tip_gwei * GWEI}};
    d->path = o->record;
    d->poll_ms = o->poll_ms;
    d->wait_s = o->wait_s;
    d->r.arena = arena_new();
    rc = finality_parse(o->finality, &d->r.finality, err);
    if (rc == E_OK)
        rc = artifact_read(o->contracts, "Settlement", d->r.arena, &d->settlement, err);
    if (rc == E_OK)
        rc = artifact_read(o->contracts, "Vault", d->r.arena, &d->vault, err);
    if (rc == E_OK)
        rc = artifact_read(o->contracts, "TimelockController", d->r.arena, &d->lock, err);
    if (rc != E_OK)
        return rc;
    d->r.rpc = rpc_new(o->rpc_url, o->rpc_timeout_ms);
    return relayer_meet_chain(&d->r, err);
}

static enum err_code open_key(const struct options *o, struct deploy *d, struct err *err)
{
    enum err_code rc;

    if (o->signer_socket[0])
        rc = key_open_socket(o->signer_socket, &d->r.key, err);
    else if (o->key_file[0])
        rc = key_open_file(o->key_file, o->password_file, &d->r.key, err);
    else
        rc = err_set(err, E_CONFIG, "OGPU_DEPLOYER_KEY_FILE or OGPU_SIGNER_SOCKET is required");
    if (rc == E_OK)
        d->r.sender = key_address(d->r.key);
    return rc;
}

/* The creation code with its argument. */
static enum err_code make_init(struct deploy *d, struct err *err)
{
    enum err_code rc = buf_add(&d->init, d->settlement.init.p, d->settlement.init.n, err);

    return rc == E_OK ? terms_encode(&d->rec.terms, &d->init, err) : rc;
}

/* Prints the record with one more member, which is taken over. */
static enum err_code print(const struct deploy *d, const char *name, json_t *more)
{
    json_t *v = record_json(&d->rec, false);
    char *text;

    if (json_object_set_new(v, name, more) != 0)
        abort();
    text = json_dumps(v, JSON_INDENT(2));
    if (!text)
        abort();
    puts(text);
    free(text);
    json_decref(v);
    return E_OK;
}

/* What it would be and cost. */
static enum err_code print_plan(const struct deploy *d, struct wei cost, struct wei balance)
{
    char cost_text[WEI_TEXT_MAX];
    char balance_text[WEI_TEXT_MAX];

    wei_format(cost, cost_text);
    wei_format(balance, balance_text);
    return print(d, "dry_run",
                 json_pack("{s:s, s:s}", "cost_max_wei", cost_text, "balance_wei", balance_text));
}

/* The contract takes no batch from an account with code: what that hides, nobody could rebuild. */
static enum err_code check_settler(struct deploy *d, struct err *err)
{
    struct address settler = abi_to_address(&d->rec.terms.v[TERM_SETTLER]);
    struct bytes code;
    enum err_code rc = rpc_code(d->r.rpc, settler, "latest", d->r.arena, &code, err);

    if (rc == E_OK && code.n > 0)
        rc = err_set(err, E_CONFIG, "the settler has code: it must be an account with a key alone");
    return rc;
}

/* A new one. @dry  only what it would be */
static enum err_code begin(const struct options *o, struct deploy *d, struct err *err)
{
    struct wei cost;
    struct wei balance;
    enum err_code rc = terms_check(&d->rec.terms, err);

    if (rc == E_OK)
        rc = check_settler(d, err);
    if (rc == E_OK)
        rc = make_init(d, err);
    if (rc == E_OK)
        rc = open_key(o, d, err);
    if (rc == E_OK)
        rc = deploy_plan(d, &cost, &balance, err);
    if (rc != E_OK)
        return rc;
    if (o->dry)
        return print_plan(d, cost, balance);
    if (wei_cmp(balance, cost) < 0)
        return err_set(err, E_CONFIG, "the deployer has too little for the gas; see --dry-run");
    return deploy_begin(d, err);
}

/* One that was begun, perhaps finished. */
static enum err_code resume(const struct options *o, struct deploy *d, struct err *err)
{
    struct digest init;
    enum err_code rc = make_init(d, err);

    if (rc != E_OK)
        return rc;
    init = keccak256(d->init.p, d->init.n);
    if (memcmp(&init, &d->rec.init, sizeof(init)) != 0)
        return err_set(err, E_CONFIG, "'%s' was made from other contracts than those in '%s'",
                       d->path, o->contracts);
    if (d->rec.final || o->dry)
        return E_OK;
    rc = open_key(o, d, err);
    if (rc == E_OK && !address_eq(d->r.sender, d->rec.deployer))
        rc = err_set(err, E_CONFIG, "'%s' was begun with another key", d->path);
    return rc;
}

/* Waits, checks, writes it down, prints it. */
static enum err_code finish(struct deploy *d, struct err *err)
{
    bool fresh = !d->rec.final;
    json_t *changed = json_array();
    enum err_code rc = fresh ? deploy_wait(d, err) : E_OK;

    if (rc == E_OK)
        rc = deploy_check(d, changed, err);
    if (rc == E_OK && fresh && json_array_size(changed) > 0)
        rc = err_set(err, E_CONFIG, "the new contract has another %s than it was given",
                     json_string_value(json_array_get(changed, 0)));
    if (rc == E_OK && fresh) {
        d->rec.final = true;
        rc = record_write(d->path, &d->rec, err);
    }
    if (rc == E_OK)
        rc = print(d, "changed_since", json_incref(changed));
    json_decref(changed);
    return rc;
}

static enum err_code run(const struct options *o, struct deploy *d, struct err *err)
{
    bool given[TERMS] = {false};
    struct terms said = {0};
    enum err_code rc = read_terms(o, &said, given, err);

    if (rc == E_OK)
        rc = open_node(o, d, err);
    if (rc != E_OK)
        return rc;
    rc = record_read(o->record, d->r.arena, &d->rec, err);
    if (rc == E_NOT_FOUND) {
        d->rec.terms = said;
        rc = begin(o, d, err);
        return rc == E_OK && !o->dry ? finish(d, err) : rc;
    }
    if (rc == E_OK)
        rc = agree(d, &said, given, err);
    if (rc == E_OK)
        rc = resume(o, d, err);
    if (rc == E_OK && o->dry && !d->rec.final)
        return print(d, "dry_run", json_true());
    return rc == E_OK ? finish(d, err) : rc;
}

static void done(struct deploy *d)
{
    artifact_done(&d->settlement);
    artifact_done(&d->vault);
    artifact_done(&d->lock);
    buf_done(&d->init);
    relayer_close(&d->r);
    free(d);
}

/* The one option without a value. @return the arguments that are left */
static int take_dry(int argc, char **argv, bool *dry)
{
    int n = 0;

    *dry = false;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--dry-run") == 0)
            *dry = true;
        else
            argv[n++] = argv[i];
    }
    return n;
}

int command_deploy(int argc, char **argv)
{
    struct deploy *d = calloc(1, sizeof(*d));
    struct err err = {0};
    struct options o;
    enum err_code rc;
    bool dry;
    int status;

    if (!d)
        abort();
    if (command_wants_help(argc, argv)) {
        puts("usage: ogpu-relayer deploy --record FILE [--dry-run] [--option value]...\n");
        config_help(rows, ARRAY_LEN(rows));
        free(d);
        return 0;
    }
    log_open("ogpu-relayer", LOG_LEVEL_INFO);
    argc = take_dry(argc, argv, &dry);
    rc = config_load(rows, ARRAY_LEN(rows), argc, argv, &o, &err);
    o.dry = dry;
    if (rc == E_OK)
        rc = run(&o, d, &err);
    status = rc == E_OK ? 0 : command_fail(&err);
    done(d);
    return status;
}
