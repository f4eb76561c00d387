/* SPDX-License-Identifier: MIT */
#include "gateway/key.h"

#include <stddef.h>
#include <stdio.h>

#include "api.h"
#include "core/id.h"
#include "db/conn.h"
#include "eth/address.h"
#include "lib/arena.h"
#include "lib/clock.h"
#include "lib/config.h"
#include "lib/hash.h"
#include "lib/keytext.h"
#include "lib/utf8.h"

struct key_config {
    const char *database_url;
    const char *address;
    const char *scope;
    const char *name;
};

#define AT(member) offsetof(struct key_config, member)

static const struct config_row rows[] = {
    {"DATABASE_URL", CONFIG_TEXT, NULL, 0, 0, true, AT(database_url), "PostgreSQL"},
    {"OGPU_ADDRESS", CONFIG_TEXT, "", 0, 0, false, AT(address), "the account's address"},
    {"OGPU_SCOPE", CONFIG_TEXT, "", 0, 0, false, AT(scope),
     "scopes with commas; all when left out"},
    {"OGPU_NAME", CONFIG_TEXT, "", 0, 0, false, AT(name), "what the key is for"},
};

static const char usage[] =
    "usage: ogpu-gateway key create --address 0x… [--scope tasks:read,tasks:write] [--name text]\n"
    "       ogpu-gateway key list --address 0x…\n"
    "       ogpu-gateway key revoke key_…\n";

static int fail(const char *text)
{
    fprintf(stderr, "ogpu-gateway key: %s\n", text);
    return 1;
}

/* "a,b" as bits; 0 for a name that is none. */
static int32_t scopes_of(const char *list)
{
    int32_t bits = 0;

    if (*list == '\0')
        return SCOPE_ALL;
    while (*list) {
        size_t n = strcspn(list, ",");
        int32_t bit = 0;

        for (int i = 0; i < SCOPE_COUNT; i++)
            if (strlen(api_scope_names[i]) == n && strncmp(list, api_scope_names[i], n) == 0)
                bit = 1 << i;
        if (bit == 0)
            return 0;
        bits |= bit;
        list += n + (list[n] == ',');
    }
    return bits;
}

static void print_scopes(int32_t bits)
{
    const char *comma = "";

    for (int i = 0; i < SCOPE_COUNT; i++) {
        if ((bits & 1 << i) == 0)
            continue;
        printf("%s%s", comma, api_scope_names[i]);
        comma = ",";
    }
}

static enum err_code store_key(struct db_conn *conn, struct arena *arena, struct bytes address,
                               struct sql_api_key_create *key, struct err *err)
{
    struct sql_account_ensure ensure = {.address = address};
    const void *made;
    size_t n;
    enum err_code rc = db_run(conn, SQL_ACCOUNT_ENSURE, &ensure, 1, arena, &made, &n, err);

    if (rc != E_OK)
        return rc;
    key->account = ((const struct sql_account_ensure_row *)made)->id;
    return db_run(conn, SQL_API_KEY_CREATE, key, 1, arena, &made, &n, err);
}

static int create(struct db_conn *conn, struct arena *arena, const struct key_config *c)
{
    char token[KEYTEXT_MAX];
    char id_text[ID_TEXT_MAX];
    uint8_t noise[10];
    struct address address;
    struct digest hash;
    struct err err = {0};
    struct sql_api_key_create key = {.name = text_of(c->name), .scopes = scopes_of(c->scope)};
    enum err_code rc;

    if (!address_parse(text_of(c->address), &address))
        return fail("--address must be 0x and 40 hex digits");
    if (key.scopes == 0)
        return fail("--scope names an unknown scope");
    if (!utf8_line(c->name, strlen(c->name)))
        return fail("--name must be " UTF8_LINE_WHAT);
    random_bytes(noise, sizeof(noise));
    key.id = id_make(clock_wall_us() / 1000, noise);
    keytext_make(KEYTEXT_API, token);
    hash = sha256(token, strlen(token));
    key.hash = bytes_of(hash.b, sizeof(hash.b));
    key.hint = text_of(arena_printf(arena, "%s…%s", KEYTEXT_API, token + strlen(token) - 4));
    rc = store_key(conn, arena, bytes_of(address.b, sizeof(address.b)), &key, &err);
    if (rc == E_OK) {
        id_format(ID_KEY, key.id, id_text);
        printf("%s %s\n", id_text, token);
    }
    wipe(token, sizeof(token));
    return rc == E_OK ? 0 : fail(err.text);
}

static int list(struct db_conn *conn, struct arena *arena, const struct key_config *c)
{
    struct address address;
    struct sql_account_find find;
    struct sql_api_key_list call;
    const struct sql_api_key_list_row *keys;
    const void *out;
    size_t n;
    struct err err = {0};

    if (!address_parse(text_of(c->address), &address))
        return fail("--address must be 0x and 40 hex digits");
    find.address = bytes_of(address.b, sizeof(address.b));
    if (db_run(conn, SQL_ACCOUNT_FIND, &find, 1, arena, &out, &n, &err) != E_OK)
        return fail(err.text);
    if (n == 0)
        return 0;
    call.account = ((const struct sql_account_find_row *)out)->id;
    if (db_run(conn, SQL_API_KEY_LIST, &call, 1, arena, &out, &n, &err) != E_OK)
        return fail(err.text);
    keys = out;
    for (size_t i = 0; i < n; i++) {
        char id_text[ID_TEXT_MAX];
        char made[RFC3339_MAX];

        id_format(ID_KEY, keys[i].id, id_text);
        rfc3339_format(keys[i].created_at, made);
        printf("%s %.*s %s %s ", id_text, (int)keys[i].hint.n, keys[i].hint.s, made,
               keys[i].revoked_at ? "revoked" : "active");
        print_scopes(keys[i].scopes);
        printf(" %.*s\n", (int)keys[i].name.n, keys[i].name.s);
    }
    return 0;
}

static int revoke(struct db_conn *conn, struct arena *arena, const char *id)
{
    struct sql_api_key_revoke call;
    const struct sql_api_key_revoke_row *row;
    const void *out;
    size_t n;
    struct err err = {0};

    if (!id_parse(ID_KEY, text_of(id), &call.id))
        return fail("the key's id looks like key_…");
    if (db_run(conn, SQL_API_KEY_REVOKE, &call, 1, arena, &out, &n, &err) != E_OK)
        return fail(err.text);
    row = out;
    if (!text_is(row->outcome, "ok"))
        return fail("there is no such key");
    printf("%s revoked\n", id);
    return 0;
}

int key_command(int argc, char **argv)
{
    struct key_config config;
    struct db_conn *conn;
    struct arena *arena;
    struct err err = {0};
    const char *verb = argc > 0 ? argv[0] : "";
    bool revokes = strcmp(verb, "revoke") == 0;
    int skip = revokes ? 2 : 1;
    int status;

    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        }
    }
    if ((strcmp(verb, "create") != 0 && strcmp(verb, "list") != 0 && !revokes) || argc < skip) {
        fputs(usage, stderr);
        return 2;
    }
    if (config_load(rows, ARRAY_LEN(rows), argc - skip, argv + skip, &config, &err) != E_OK ||
        db_conn_open(config.database_url, &conn, &err) != E_OK)
        return fail(err.text);
    arena = arena_new();
    if (revokes)
        status = revoke(conn, arena, argv[1]);
    else
        status = *verb == 'c' ? create(conn, arena, &config) : list(conn, arena, &config);
    arena_free(arena);
    db_conn_close(conn);
    return status;
}
