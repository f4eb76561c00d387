# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # lib.sh and services.sh come first
# SPDX-License-Identifier: MIT
# Our own processes in a stack. Settings come from the variables that services.sh has exported.

BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$stack_root/$BUILD ;; esac
export BUILD

# Variables that a user of the stack needs; everything else stays inside the processes.
ENV_NAMES=(OGPU_URL OGPU_API_KEY DATABASE_URL REDIS_URL L1_RPC_URL L1_CHAIN_ID L1_VAULT
    L1_SETTLEMENT OGPU_CLIENT OGPU_CLIENT_KEY_FILE OGPU_SETTLER OGPU_SETTLER_KEY_FILE
    OGPU_SIGNER OGPU_SIGNER_KEY_FILE OGPU_GUARDIAN OGPU_GUARDIAN_KEY_FILE
    OGPU_ADMIN OGPU_ADMIN_KEY_FILE
    OGPU_GATEWAY_1 OGPU_GATEWAY_2 OGPU_BLOB_DIR)

# Key files in RUN/keys, their addresses in RUN/addresses. new_keys NAME…
new_keys() {
    local name address addresses
    addresses=$("$NODE" "$stack_root/tools/stack/keyfile.mjs" "${@/#/$RUN/keys/}") ||
        die "cannot make key files in $RUN/keys"
    mkdir -p "$RUN/addresses"
    for name in "$@"; do
        read -r address
        printf '%s\n' "$address" >"$RUN/addresses/$name"
    done <<<"$addresses"
}

address_of() { printf '%s' "$(<"$RUN/addresses/$1")"; }

# Gives an address of the dev chain 1,000 OGPU to spend. fund ADDRESS
fund() {
    rpc anvil_setBalance "[\"$1\",\"0x3635c9adc5dea00000\"]" >/dev/null ||
        die "the dev chain refused to fund $1"
}

# A step of chain.mjs. chain STEP ARG…
chain() { "$NODE" "$stack_root/tools/stack/chain.mjs" "$@"; }

# Keys for all four roles, and their addresses as OGPU_SETTLER, OGPU_SIGNER and so on.
make_roles() {
    local role
    new_keys settler signer guardian admin
    for role in settler signer guardian admin; do
        export "OGPU_${role^^}=$(address_of "$role")" "OGPU_${role^^}_KEY_FILE=$RUN/keys/$role"
        fund "$(address_of "$role")"
    done
}

# Deploys both contracts with keys of our own; nothing takes blocks back here, so the first is
# final. Sets L1_VAULT and L1_SETTLEMENT.
deploy_contracts() {
    local record=$RUN/deployment.json
    need_binary ogpu-relayer
    make_roles
    new_keys deployer
    fund "$(address_of deployer)"
    # Seconds: long enough to be waits the demo must respect, short enough to watch.
    export OGPU_CLAIM_DELAY_S=${OGPU_CLAIM_DELAY_S:-1}
    export OGPU_ADMIN_DELAY_S=${OGPU_ADMIN_DELAY_S:-2} OGPU_UNBONDING_S=${OGPU_UNBONDING_S:-5}
    export OGPU_APPEAL_S=${OGPU_APPEAL_S:-3} OGPU_EXIT_SILENCE_S=${OGPU_EXIT_SILENCE_S:-20}
    export OGPU_EXIT_WINDOW_S=${OGPU_EXIT_WINDOW_S:-$((OGPU_CLAIM_DELAY_S + 5))}
    # Coins that can be printed need no cap.
    OGPU_DAILY_CAP=${OGPU_DAILY_CAP:-9223372036854775807} OGPU_FINALITY=depth:0 OGPU_POLL_MS=100 \
        OGPU_DEPLOYER_KEY_FILE=$RUN/keys/deployer OGPU_CONTRACTS=$BUILD/contracts \
        "$BUILD/bin/ogpu-relayer" deploy --record "$record" >/dev/null 2>>"$RUN/log/deploy.log" ||
        die "the contracts were not deployed: $(tail -n 1 "$RUN/log/deploy.log")"
    L1_VAULT=$(jq -er .vault "$record") || die "the deployment has no vault"
    L1_SETTLEMENT=$(jq -er .settlement "$record") || die "the deployment has no settlement"
    export L1_VAULT L1_SETTLEMENT
}

need_binary() {
    [ -x "$BUILD/bin/$1" ] || die "$BUILD/bin/$1 is missing: run make"
}

# Chooses both addresses before either starts: HAProxy and the public URL need them.
place_gateways() {
    local ports
    mapfile -t ports < <(free_port 3)
    [ ${#ports[@]} = 3 ] || die "no free TCP port"
    export OGPU_GATEWAY_1=127.0.0.1:${ports[0]} OGPU_GATEWAY_2=127.0.0.1:${ports[1]}
    export OGPU_PUBLIC_URL=http://127.0.0.1:${ports[2]}
    export OGPU_BLOB_DIR=$RUN/blobs OGPU_DOCS_DIR=${OGPU_DOCS_DIR:-$BUILD/docs}
    mkdir -p "$OGPU_BLOB_DIR"
}

# start_gateway 1|2
start_gateway() {
    local at=OGPU_GATEWAY_$1
    need_binary ogpu-gateway
    spawn "gateway-$1" TERM env OGPU_LISTEN="${!at}" "$BUILD/bin/ogpu-gateway"
    wait_ready "gateway-$1" 20 curl -fsS --max-time 5 "http://${!at}/readyz"
}

start_indexer() {
    need_binary ogpu-indexer
    spawn indexer TERM env OGPU_FINALITY="${OGPU_FINALITY:-tag:finalized}" "$BUILD/bin/ogpu-indexer"
}

start_relayer() {
    need_binary ogpu-relayer
    spawn relayer TERM env OGPU_FINALITY="${OGPU_FINALITY:-tag:finalized}" \
        OGPU_BATCH_AGE_S="${OGPU_BATCH_AGE_S:-2}" OGPU_BATCH_COUNT="${OGPU_BATCH_COUNT:-1000}" \
        "$BUILD/bin/ogpu-relayer"
}

# First host id of worker N's containers: workers share the machine, and each takes 65,536 ids for
# each of its 128 berths (workers/contain/rootless.h). uid_base N
uid_base() {
    echo $((200000 + 128 * 65536 * ($1 - 1)))
}

# Containers with limits need root, or cgroups and host ids that were given to the user. A user
# without them starts workers through sudo. Sets worker_spawn. choose_worker_spawn N…
choose_worker_spawn() {
    local n
    worker_spawn=spawn
    [ "$(id -u)" != 0 ] || return
    for n in "$@"; do
        OGPU_UID_BASE=$(uid_base "$n") "$BUILD/bin/ogpu-worker" doctor >"$RUN/log/doctor.log" 2>&1 ||
            worker_spawn=spawn_root
    done
}

# Worker N with a key of its own, earning for the master key N. start_worker N
start_worker() {
    local name=worker-$1 settings=() setting key=$RUN/keys/worker-$1
    mkdir -p "$RUN/$name"
    settings=(OGPU_MASTER="$(address_of "master-$1")" OGPU_UID_BASE="$(uid_base "$1")"
        OGPU_WORK_DIR="$RUN/$name")
    if [ "$worker_spawn" = spawn_root ]; then
        # A key must be its reader's own; the user's copy signs what the user is asked for.
        as_root install -o root -m 600 "$key" "$RUN/$name/key" || die "sudo refused: run as root"
        key=$RUN/$name/key
    fi
    # A machine that watches for sources all day need not hurry; who tries things out must not wait.
    settings+=(OGPU_SOURCES_S="${OGPU_SOURCES_S:-2}")
    # By name: sudo does not hand an environment on.
    for setting in OGPU_URL L1_CHAIN_ID L1_SETTLEMENT OGPU_RUNTIME OGPU_SLOTS OGPU_SOURCES \
        OGPU_TEST_TMP; do
        [ -z "${!setting:-}" ] || settings+=("$setting=${!setting}")
    done
    "$worker_spawn" "$name" TERM env OGPU_PROVIDER_KEY_FILE="$key" "${settings[@]}" \
        "$BUILD/bin/ogpu-worker"
}

# All of them, and until the gateways know each. start_workers N…
start_workers() {
    local n
    need_binary ogpu-worker
    choose_worker_spawn "$@"
    new_keys "${@/#/worker-}" "${@/#/master-}"
    for n in "$@"; do
        start_worker "$n"
    done
    for n in "$@"; do
        wait_ready "worker-$n" 20 knows_provider "$(address_of "worker-$n")"
    done
}

# True when the gateways list a provider. knows_provider ADDRESS
knows_provider() {
    curl -fsS --max-time 5 "$OGPU_URL/v1/providers?limit=100" |
        jq -e --arg a "$1" 'any(.data[]; .address == $a)'
}

# A client account on the chain with an API key of all scopes. Sets OGPU_API_KEY.
make_client() {
    new_keys client
    OGPU_CLIENT=$(address_of client)
    export OGPU_CLIENT OGPU_CLIENT_KEY_FILE=$RUN/keys/client
    fund "$OGPU_CLIENT"
    OGPU_API_KEY=$("$BUILD/bin/ogpu-gateway" key create --address "$OGPU_CLIENT" --name stack \
        2>>"$RUN/log/key.log" | grep -m 1 -o 'ogpu_sk_live_[0-9A-Za-z]*') ||
        die "no API key was made: $(tail -n 1 "$RUN/log/key.log")"
    export OGPU_API_KEY
}

# What a first task needs on the chain: the client's deposit, final, and numbers for those who earn.
give_funds() {
    local file masters=()
    chain deposit "$OGPU_CLIENT_KEY_FILE" 100 >"$RUN/log/funds.log" 2>&1 ||
        die "the deposit failed: $(tail -n 1 "$RUN/log/funds.log")"
    for file in "$RUN"/addresses/master-*; do
        [ ! -e "$file" ] || masters+=("$(<"$file")")
    done
    chain register "$OGPU_CLIENT_KEY_FILE" "${masters[@]}" >>"$RUN/log/funds.log" 2>&1 ||
        die "the masters got no numbers: $(tail -n 1 "$RUN/log/funds.log")"
    wait_until 30 credited || die "no credit after 30 s (log: $RUN/log/indexer.log)"
}

credited() {
    curl -fsS --max-time 5 -H "Authorization: Bearer $OGPU_API_KEY" "$OGPU_URL/v1/account" |
        jq -e '.balances.available != "0"'
}

# Writes RUN/env, sourceable by any shell; last, so that its presence means the stack is up.
write_env() {
    local name
    (
        umask 077
        for name in "${ENV_NAMES[@]}"; do
            [ -z "${!name:-}" ] || printf "export %s='%s'\n" "$name" "${!name}"
        done >"$RUN/env.new"
    )
    mv "$RUN/env.new" "$RUN/env"
}
