/* SPDX-License-Identifier: MIT */
/*
 * ogpu-auditor: a read-only second opinion on the books. It shares no code with the gateway: its
 * own connection, its own SQL, one REPEATABLE READ snapshot for all of it.
 *
 * usage: ogpu-auditor [--only NAME] [--list] [--quiet]      with DATABASE_URL in the environment
 * exit:  0 nothing found, 1 findings, 2 the audit could not be made
 */
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auditor/invariants.h"

#define FINDINGS_SHOWN 20

struct options {
    const char *only;
    bool quiet;
};

static int usage(void)
{
    fputs("usage: ogpu-auditor [--only NAME] [--list] [--quiet]   (DATABASE_URL says where)\n",
          stderr);
    return 2;
}

static void print_names(void)
{
    for (size_t i = 0; i < invariant_count; i++)
        puts(invariants[i].name);
}

/* One settings statement or BEGIN; false with the reason on stderr. */
static bool command(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;

    if (!ok)
        fprintf(stderr, "ogpu-auditor: %s: %s", sql, PQerrorMessage(conn));
    PQclear(result);
    return ok;
}

/* Findings of one invariant, or -1 when it could not be asked. */
static int check(PGconn *conn, const struct invariant *invariant, bool quiet)
{
    PGresult *result = PQexec(conn, invariant->sql);
    int found;

    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        fprintf(stderr, "ogpu-auditor: %s: %s", invariant->name, PQerrorMessage(conn));
        PQclear(result);
        return -1;
    }
    found = PQntuples(result);
    if (found > 0 || !quiet)
        printf("%-40s %s\n", invariant->name, found == 0 ? "ok" : "WRONG");
    for (int i = 0; i < found && i < FINDINGS_SHOWN; i++)
        printf("    %s: %s\n", PQgetvalue(result, i, 0), PQgetvalue(result, i, 1));
    if (found > FINDINGS_SHOWN)
        printf("    and %d more\n", found - FINDINGS_SHOWN);
    PQclear(result);
    return found;
}

/* All invariants in one snapshot; the process's exit code. */
static int audit(PGconn *conn, const struct options *options)
{
    long total = 0;
    size_t asked = 0;

    if (!command(conn, "SET default_transaction_read_only = on") ||
        !command(conn, "SET jit = off") ||
        !command(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        return 2;
    for (size_t i = 0; i < invariant_count; i++) {
        int found;

        if (options->only && strcmp(options->only, invariants[i].name) != 0)
            continue;
        asked++;
        found = check(conn, &invariants[i], options->quiet);
        if (found < 0)
            return 2;
        total += found;
    }
    if (asked == 0) {
        fprintf(stderr, "ogpu-auditor: no invariant is named '%s' (see --list)\n", options->only);
        return 2;
    }
    printf("audit: %zu invariants, %ld findings\n", asked, total);
    return total == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    const char *url = getenv("DATABASE_URL");
    PGconn *conn;
    int rc;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0) {
            print_names();
            return 0;
        }
        if (strcmp(argv[i], "--quiet") == 0)
            options.quiet = true;
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            options.only = argv[++i];
        else
            return usage();
    }
    if (!url) {
        fputs("ogpu-auditor: DATABASE_URL is not set\n", stderr);
        return 2;
    }
    conn = PQconnectdb(url);
    if (PQstatus(conn) != CONNECTION_OK) {
        fprintf(stderr, "ogpu-auditor: %s", PQerrorMessage(conn));
        rc = 2;
    } else {
        rc = audit(conn, &options);
    }
    PQfinish(conn);
    return rc;
}
