# shellcheck shell=bash
# shellcheck disable=SC2034  # variables are for whoever sources this
# SPDX-License-Identifier: MIT
# Processes in a run folder, without a supervisor. Sourced by up, down, the demo and the tests; any
# number of run folders may live at once. A service NAME of folder RUN leaves
#   RUN/pid/NAME   pid, start time (so that a recycled pid is never signalled), stop signal, and
#                  the word `root` when it runs as root for a user
#   RUN/log/NAME.log
# and is the leader of its own process group, which is what gets stopped.

stack_root=$(dirname "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")")

say() { printf '%s\n' "$*"; }
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Makes RUN the run folder of all later calls. stack_init RUN
stack_init() {
    mkdir -p "$1/pid" "$1/log" "$1/keys" || die "cannot write $1 (no disk? not yours?)"
    RUN=$(readlink -f "$1")
    chmod 700 "$RUN/keys"
}

# Start time of a process in clock ticks since boot; fails when there is none.
start_time() {
    local line
    { line=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    line=${line##*) }
    # Field 22 of proc(5), the 20th behind the command's closing parenthesis; Z is already dead.
    # shellcheck disable=SC2086
    set -- $line
    [ "$1" != Z ] || return 1
    printf '%s\n' "${20}"
}

# True while the recorded process NAME runs. alive NAME
alive() {
    local pid born _
    read -r pid born _ 2>/dev/null <"$RUN/pid/$1" || return 1
    [ "$(start_time "$pid")" = "$born" ]
}

# Starts a service. spawn NAME STOP-SIGNAL COMMAND…
spawn() {
    local name=$1 signal=$2 pid
    shift 2
    setsid "$@" >>"$RUN/log/$name.log" 2>&1 </dev/null 8>&- 9>&- &
    pid=$!
    printf '%s %s %s\n' "$pid" "$(start_time "$pid" || echo 0)" "$signal" >"$RUN/pid/$name"
}

# Runs a command as root; a user needs sudo for it. as_root COMMAND…
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif [ -t 0 ]; then
        sudo -- "$@"
    else
        sudo -n -- "$@"
    fi
}

# Like spawn, but the service is root's: sudo itself is gone by then. spawn_root NAME SIGNAL COMMAND…
spawn_root() {
    local name=$1 signal=$2 log=$RUN/log/$1.log pid
    shift 2
    # shellcheck disable=SC2016
    pid=$(as_root bash -c 'setsid "$@" >>"$0" 2>&1 </dev/null & echo $!' "$log" "$@") ||
        die "$name needs root, and sudo refused: run make as root"
    printf '%s %s %s root\n' "$pid" "$(start_time "$pid" || echo 0)" "$signal" >"$RUN/pid/$name"
}

# Waits until COMMAND succeeds, in steps of 50 ms. wait_until SECONDS COMMAND…
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}

# Waits for a service to answer; says why not with the last line of its log.
# wait_ready NAME SECONDS COMMAND…
wait_ready() {
    local name=$1 deadline=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ! alive "$name"; then
            die "$name did not start: $(tail -n 1 "$RUN/log/$name.log") (log: $RUN/log/$name.log)"
        fi
        [ "$SECONDS" -lt "$deadline" ] || die "$name does not answer (log: $RUN/log/$name.log)"
        sleep 0.05
    done
}

# True when something is recorded and all of it runs.
all_alive() {
    local name some=1
    for name in $(services); do
        alive "$name" || return 1
        some=0
    done
    return "$some"
}

gone() { ! alive "$1"; }
# A zombie counts as gone: in a container nobody may ever reap it.
group_gone() { ! pgrep -g "$1" -r D,R,S,T,t >/dev/null; }

# Stops a service and waits for it: its own signal first, SIGKILL after 15 s. stop NAME
stop() {
    local pid born signal owner end=(kill)
    read -r pid born signal owner 2>/dev/null <"$RUN/pid/$1" || return 0
    [ "$owner" != root ] || end=(as_root kill)
    if [ "$(start_time "$pid")" = "$born" ]; then
        "${end[@]}" "-$signal" "$pid" 2>/dev/null
        wait_until 15 gone "$1" || "${end[@]}" -KILL -- "-$pid" 2>/dev/null
        # What the leader left behind in its group goes too.
        group_gone "$pid" || "${end[@]}" -TERM -- "-$pid" 2>/dev/null
        wait_until 5 group_gone "$pid" || "${end[@]}" -KILL -- "-$pid" 2>/dev/null
    fi
    rm -f "$RUN/pid/$1"
}

# Stops services at the same time and waits for all of them. stop_together NAME…
stop_together() {
    local name stops=()
    for name in "$@"; do
        stop "$name" &
        stops+=("$!")
    done
    # Not for every child: services spawned by this very shell are its children too.
    [ "${#stops[@]}" -eq 0 ] || wait "${stops[@]}"
}

# Stops everything of the run folder, clients before servers. stop_all
stop_all() {
    local name clients=() step
    local steps=("relayer indexer" haproxy "gateway-1 gateway-2" "redis postgres anvil")
    for name in $(services); do
        case " ${steps[*]} " in *" $name "*) ;; *) clients+=("$name") ;; esac
    done
    for step in "${clients[*]}" "${steps[@]}"; do
        # shellcheck disable=SC2086  # names
        stop_together $step
    done
    # Caches of workers; root's where root ran them.
    rm -rf "$RUN"/worker-* 2>/dev/null || as_root rm -rf "$RUN"/worker-*
}

services() { find "$RUN/pid" -type f -printf '%f\n' 2>/dev/null | sort; }

# Different TCP ports of 127.0.0.1 nobody holds, one a line. free_port [HOW MANY]. Taken below the ephemeral range, so that no outgoing
# connection grabs it between this answer and the bind.
free_port() {
    perl -MSocket -e '
        my ($want, @held) = @ARGV;
        for (1 .. 200 * $want) {
            my $port = 15000 + int(rand(17000));
            socket(my $s, PF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
            bind($s, pack_sockaddr_in($port, INADDR_LOOPBACK)) or next;
            push @held, $s;
            print "$port\n";
            exit 0 if @held == $want;
        }
        die "no free TCP port\n"' "${1:-1}"
}

random_hex() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

# Fails early and clearly instead of in the middle of an initdb. need_space FOLDER MEBIBYTES
need_space() {
    local free
    free=$(df -Pm "$1" | awk 'NR == 2 {print $4}')
    [ "$free" -ge "$2" ] || die "only $free MiB free under $1, $2 needed"
}

need_tool() {
    command -v "$1" >/dev/null || die "$1 is missing: run make deps"
}
