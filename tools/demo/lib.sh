# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # tools/stack/lib.sh comes first, run reads demo_dir
# SPDX-License-Identifier: MIT
# How the demo speaks, asks the gateway and waits. Sourced by run.

demo_dir=$stack_root/tools/demo
demo_begin=$EPOCHREALTIME
act_number=0

# Seconds since the demo began, one digit behind the point.
elapsed() {
    local us=$((${EPOCHREALTIME/./} - ${demo_begin/./}))
    printf '%d.%d' $((us / 1000000)) $((us / 100000 % 10))
}

# act TITLE: a new chapter, with the time it begins at.
act() {
    act_number=$((act_number + 1))
    printf '\n%5s s  %d. %s\n' "$(elapsed)" "$act_number" "$*"
}

tell() { printf '         %s\n' "$*"; }
# Indents what another program says.
quote() { sed 's/^/         /'; }

# A reason the demo cannot go on; the trap of run cleans up.
fail() {
    printf '\ndemo: failed: %s\n' "$*" >&2
    exit 1
}

# A request with the client's key; prints the body, fails with the problem's own words.
# api METHOD PATH [curl argument…]
api() {
    local method=$1 path=$2 answer status
    shift 2
    answer=$(curl -sS --max-time 60 -X "$method" -w '\n%{http_code}' \
        -H "Authorization: Bearer $OGPU_API_KEY" "$@" "$OGPU_URL$path") ||
        fail "$method $path: the gateway does not answer"
    status=${answer##*$'\n'}
    answer=${answer%$'\n'*}
    case $status in
    2??) printf '%s\n' "$answer" ;;
    *) fail "$method $path: $status $(jq -r '"\(.title): \(.detail)"' <<<"$answer" 2>/dev/null)" ;;
    esac
}

# The same, but a reason to wait rather than to stop. api_maybe PATH
api_maybe() {
    curl -fsS --max-time 10 -H "Authorization: Bearer $OGPU_API_KEY" "$OGPU_URL$1" 2>/dev/null
}

post() { api POST "$1" -H 'Content-Type: application/json' --data-binary "$2"; }

# True when the answer to GET PATH fulfils the jq condition; keeps it in $answer_file.
# holds PATH CONDITION
holds() { api_maybe "$1" >"$answer_file" && jq -e "$2" "$answer_file" >/dev/null; }

# Waits for that, DEMO_WAIT_S at most; the answer is in $answer_file. await PATH CONDITION
await() { wait_until "$wait_s" holds "$1" "$2"; }

# Wei as OGPU, without trailing zeros.
ogpu() {
    local wei=$1 whole rest
    wei=$(printf '%19s' "$wei" | tr ' ' 0)
    whole=${wei:0:-18}
    whole=${whole##+(0)}
    rest=${wei: -18}
    rest=${rest%%+(0)}
    printf '%s%s OGPU' "${whole:-0}" "${rest:+.$rest}"
}
