/* SPDX-License-Identifier: MIT */
/* `ogpu-relayer voucher`: the second way to be paid, for whoever a batch has left out. */
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "db/conn.h"
#include "eth/address.h"
#include "eth/eip712.h"
#include "lib/clock.h"
#include "lib/config.h"
#include "lib/hex.h"
#include "lib/log.h"
#include "relayer/command.h"
#include "relayer/key.h"

struct options {
    const char *database_url;
    const char *settlement;
    const char *key_file;
    const char *password_file;
    const char *socket;
    const char *account;
    int64_t chain_id;
    int64_t valid_s;
};

static const struct config_row rows[] = {
    {"DATABASE_URL", CONFIG_TEXT, NULL, 0, 0, true, CONFIG_AT(database_url), "PostgreSQL"},
    {"L1_CHAIN_ID", CONFIG_INT, NULL, 1, INT64_MAX, false, CONFIG_AT(chain_id),
     "the contract's chain"},
    {"L1_SETTLEMENT", CONFIG_TEXT, NULL, 0, 0, false, CONFIG_AT(settlement),
     "address of the Settlement contract"},
    {"OGPU_SIGNER_KEY_FILE", CONFIG_TEXT, "", 0, 0, false, CONFIG_AT(key_file),
     "the voucher signer's key, mode 0600: 64 hex digits, or a keystore V3"},
    {"OGPU_SIGNER_PASSWORD_FILE", CONFIG_TEXT, "", 0, 0, false, CONFIG_AT(password_file),
     "password of a keystore, mode 0600"},
    {"OGPU_SIGNER_SOCKET", CONFIG_TEXT, "", 0, 0, false, CONFIG_AT(socket),
     "where no key file is named: unix socket of a signer that has the key and may sign vouchers"},
    {"OGPU_ACCOUNT", CONFIG_TEXT, NULL, 0, 0, false, CONFIG_AT(account), "whose earnings"},
    {"OGPU_VALID_S", CONFIG_INT, "604800", 60, 31536000, false, CONFIG_AT(valid_s),
     "seconds until which it may be posted"},
};

/* All that the books say it has earned: the database answers, not the caller. */
static enum err_code read_figure(const struct options *o, struct address who,
                                 struct eip712_voucher *out, struct err *err)
{
    struct sql_earned_figure in = {.address = bytes_of(who.b, sizeof(who.b))};
    const struct sql_earned_figure_row *row;
    struct arena *a = arena_new();
    struct db_conn *db = NULL;
    const void *rows_found;
    size_t n;
    enum err_code rc = db_conn_open(o->database_url, &db, err);

    if (rc == E_OK)
        rc = db_run(db, SQL_EARNED_FIGURE, &in, 1, a, &rows_found, &n, err);
    if (rc == E_OK && n == 0)
        rc = err_set(err, E_NOT_FOUND, "%s has no account here", o->account);
    if (rc == E_OK) {
        row = rows_found;
        if (!row->has_chain_id)
            rc = err_set(err, E_NOT_FOUND, "%s has no final registration on the chain", o->account);
        else
            *out = (struct eip712_voucher){.id = (uint32_t)row->chain_id,
                                           .earned = (uint64_t)row->units,
                                           .deadline =
                                               (uint64_t)(clock_wall_us() / 1000000 + o->valid_s)};
    }
    db_conn_close(db);
    arena_free(a);
    return rc;
}

/* One claim may bring less than what is signed here, and its bearer should know why. */
#define PAYS                                                                                      \
    "a day's vouchers together are paid up to the contract's dailyCap; what is left of this one " \
    "is claimed on later days"

static int print(const struct options *o, const struct eip712_voucher *v, struct signature sig)
{
    char hex[2 * SIGNATURE_SIZE + 1];
    char earned[24];
    json_t *out;
    char *text;

    hex_encode(sig.b, sizeof(sig.b), hex);
    snprintf(earned, sizeof(earned), "%llu", (unsigned long long)v->earned);
    out = json_pack("{s:s, s:I, s:I, s:s, s:I, s:s+, s:s}", "settlement", o->settlement, "chain_id",
                    (json_int_t)o->chain_id, "id", (json_int_t)v->id, "earned", earned, "deadline",
                    (json_int_t)v->deadline, "signature", "0x", hex, "pays", PAYS);
    text = out ? json_dumps(out, JSON_INDENT(2)) : NULL;
    if (!text)
        abort();
    puts(text);
    free(text);
    json_decref(out);
    return 0;
}

static enum err_code open_key(const struct options *o, struct key **out, struct err *err)
{
    if (o->key_file[0])
        return key_open_file(o->key_file, o->password_file, out, err);
    if (o->socket[0])
        return key_open_socket(o->socket, out, err);
    return err_set(err, E_CONFIG, "OGPU_SIGNER_KEY_FILE or OGPU_SIGNER_SOCKET is required");
}

int command_voucher(int argc, char **argv)
{
    struct eip712_voucher voucher = {.id = 0};
    struct eip712_domain domain;
    struct signature sig = {{0}};
    struct key *key = NULL;
    struct address who;
    struct options o;
    struct err err = {0};
    enum err_code rc;
    int status;

    if (command_wants_help(argc, argv)) {
        puts("usage: ogpu-relayer voucher --account 0x… [--option value]...\n");
        config_help(rows, ARRAY_LEN(rows));
        return 0;
    }
    log_open("ogpu-relayer", LOG_LEVEL_ERROR);
    rc = config_load(rows, ARRAY_LEN(rows), argc, argv, &o, &err);
    if (rc == E_OK && (!address_parse(text_of(o.settlement), &domain.contract) ||
                       !address_parse(text_of(o.account), &who)))
        rc = err_set(&err, E_CONFIG, "L1_SETTLEMENT and --account must be addresses");
    if (rc == E_OK)
        rc = open_key(&o, &key, &err);
    if (rc == E_OK)
        rc = read_figure(&o, who, &voucher, &err);
    domain.chain_id = (uint64_t)o.chain_id;
    if (rc == E_OK)
        rc = key_sign_voucher(key, &domain, &voucher, &sig, &err);
    status = rc == E_OK ? print(&o, &voucher, sig) : command_fail(&err);
    key_free(key);
    return status;
}
