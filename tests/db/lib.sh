# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# A private PostgreSQL with the engine's test tables, for the run-* programs here. They print TAP.

set -u
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
cd "$here/../.." || exit 1
. tools/stack/lib.sh
. tools/stack/services.sh

BUILD=${BUILD:-build}
own=$(mktemp -d "${TMPDIR:-/tmp}/ogpu-db.XXXXXX")
chmod 755 "$own"
stack_init "$own"
trap 'stop_all; rm -rf "$own"' EXIT

start_postgres
"$PG_BIN/psql" -qX -v ON_ERROR_STOP=1 -f tests/db/schema.sql "$DATABASE_URL" >&2 || exit 1

# Runs one cmocka program of this folder; what the engine logs goes to stderr. engine_test NAME
engine_test() {
    CMOCKA_MESSAGE_OUTPUT=TAP "$BUILD/tests/db/$1"
}
