# shellcheck shell=bash
# shellcheck source=lib.sh disable=SC2034,SC2154  # lib.sh comes first
# SPDX-License-Identifier: MIT
# The outside parts of a stack: PostgreSQL, Redis, anvil, HAProxy. Each start_… needs stack_init
# first, keeps its data in RUN, and sets the variable named in its comment.

PG_BIN=${PG_BIN:-/usr/lib/postgresql/15/bin}
NODE=$stack_root/tools/bin/node
MODULES=$stack_root/tools/node_modules

# PostgreSQL refuses to run as root: then it runs as an unprivileged user of the machine. A checkout
# under a closed folder (such as /root) cannot be entered by that user: the data then lives in a
# folder of /tmp, remembered in RUN/pg.at for `down`. Sets pg_as (a command prefix) and pg_dir.
place_postgres() {
    local user=postgres
    pg_dir=$RUN/pg
    pg_as=(env)
    if [ "$(id -u)" = 0 ]; then
        id "$user" >/dev/null 2>&1 || user=nobody
        pg_as=(setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups --)
        "${pg_as[@]}" test -x "$RUN" || pg_dir=$(mktemp -d "${TMPDIR:-/tmp}/ogpu-pg.XXXXXX")
    fi
    rm -rf "$pg_dir"
    mkdir -m 700 "$pg_dir"
    [ "$(id -u)" != 0 ] || chown "$user:" "$pg_dir"
    printf '%s\n' "$pg_dir" >"$RUN/pg.at"
}

init_postgres() {
    # A file, because another user may not reopen our pipe through /dev/stdin.
    (umask 077 && printf '%s\n' "$1" >"$pg_dir/secret")
    [ "$(id -u)" != 0 ] || chown --reference="$pg_dir" "$pg_dir/secret"
    "${pg_as[@]}" "$PG_BIN/initdb" -D "$pg_dir/data" -U ogpu -A scram-sha-256 \
        --pwfile="$pg_dir/secret" --encoding=UTF8 --locale=C.UTF-8 --no-sync \
        >"$RUN/log/initdb.log" 2>&1 || die "initdb failed: $(tail -n 1 "$RUN/log/initdb.log")"
}

# A private PostgreSQL with the empty database `ogpu`. Sets DATABASE_URL.
start_postgres() {
    local port secret settings=(listen_addresses=127.0.0.1 unix_socket_directories=
        max_connections=200 shared_buffers=256MB max_wal_size=2GB log_min_messages=warning
        timezone=UTC)
    [ -x "$PG_BIN/initdb" ] || die "PostgreSQL 15 is missing: run make deps"
    need_space "$RUN" 1024
    place_postgres
    secret=$(random_hex 16)
    init_postgres "$secret"
    port=$(free_port)
    spawn postgres INT "${pg_as[@]}" "$PG_BIN/postgres" -D "$pg_dir/data" -p "$port" \
        "${settings[@]/#/-c}"
    export DATABASE_URL="postgres://ogpu:$secret@127.0.0.1:$port/ogpu?sslmode=disable"
    wait_ready postgres 30 "$PG_BIN/pg_isready" -q -h 127.0.0.1 -p "$port"
    PGPASSWORD=$secret "$PG_BIN/createdb" -h 127.0.0.1 -p "$port" -U ogpu ogpu ||
        die "createdb failed (log: $RUN/log/postgres.log)"
}

# Brings the schema of migrations/ into DATABASE_URL.
migrate() {
    "$MODULES/@dbmate/linux-x64/bin/dbmate" --url "$DATABASE_URL" --no-dump-schema \
        --migrations-dir "$stack_root/migrations" up >"$RUN/log/dbmate.log" 2>&1 ||
        die "migration failed: $(tail -n 1 "$RUN/log/dbmate.log")"
}

# A private Redis that never writes to disk: losing it must lose nothing. Sets REDIS_URL.
start_redis() {
    local port
    need_tool redis-server
    port=$(free_port)
    spawn redis TERM redis-server --bind 127.0.0.1 --port "$port" --save '' --appendonly no \
        --dir "$RUN" --daemonize no
    export REDIS_URL="redis://127.0.0.1:$port"
    wait_ready redis 10 redis-cli -p "$port" ping
}

rpc() {
    curl -fsS --max-time 5 -H 'content-type: application/json' \
        -d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":${2:-[]}}" "$L1_RPC_URL"
}

# A dev chain: `finalized` two blocks behind the head, state kept over a restart. How it mines is the
# caller's choice: --block-time 1, --no-mining, or nothing (a block a transaction). Sets L1_RPC_URL and L1_CHAIN_ID. start_anvil [ARG…]
start_anvil() {
    local port
    port=$(free_port)
    spawn anvil TERM "$MODULES/@foundry-rs/anvil-linux-amd64/bin/anvil" --quiet \
        --host 127.0.0.1 --port "$port" --slots-in-an-epoch 1 --enable-tx-gas-limit \
        --gas-limit 60000000 --state "$RUN/chain.json" --state-interval 1 "$@"
    export L1_RPC_URL="http://127.0.0.1:$port" L1_CHAIN_ID=31337
    wait_ready anvil 20 rpc eth_chainId
}

# HAProxy in front of OGPU_GATEWAY_1 and OGPU_GATEWAY_2 (host:port). Sets OGPU_URL.
start_haproxy() {
    local port
    need_tool haproxy
    port=${1:-$(free_port)}
    export OGPU_HAPROXY_BIND=127.0.0.1:$port OGPU_URL=http://127.0.0.1:$port
    # Relative to RUN: the path of a unix socket must not exceed 107 bytes, a checkout's may.
    export OGPU_HAPROXY_STATS=haproxy.sock
    # Not USR1: who stops a stack has no clients left to wait for.
    spawn haproxy TERM env -C "$RUN" haproxy -db -f "$stack_root/deploy/haproxy.cfg"
    wait_ready haproxy 20 curl -fsS --max-time 5 "$OGPU_URL/readyz"
}
