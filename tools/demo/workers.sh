# shellcheck shell=bash
# shellcheck disable=SC2154  # run and the files it sources set the rest
# SPDX-License-Identifier: MIT
# Two scenes at the workers: a hostile source being contained, and a service that is kept warm. They
# come before the gateway is stopped for good.

# publish_example NAME: the source's id, once a worker serves it.
publish_example() {
    local archive=$BUILD/examples/$1.oci.tar sum id
    [ -s "$archive" ] || fail "$archive is missing: run make examples"
    sum=$(sha256sum "$archive" | cut -d ' ' -f 1)
    api PUT "/v1/blobs/$sum" -H 'Content-Type: application/octet-stream' -T "$archive" >/dev/null || exit 1
    id=$(post /v1/sources "$(jq -c '{manifest: .}' "$BUILD/examples/$1.manifest.json")" | jq -er .id) ||
        fail "$1 was not published"
    await "/v1/sources/$id/registrations" '.data | length >= 1' || fail "no worker serves $1"
    printf '%s' "$id"
}

# submit_small SOURCE INPUT: a task of the least reward; prints its id.
submit_small() {
    post /v1/tasks "$(jq -cn --arg source "$1" --argjson input "$2" \
        '{source: $source, reward: "1000000000000", racers: 1, input: $input}')" | jq -er .id ||
        fail "the task was refused"
}

# run_task SOURCE INPUT: submits, waits for the end; the task is in $answer_file.
run_task() {
    local id
    id=$(submit_small "$1" "$2") || exit 1
    await "/v1/tasks/$id?wait=10" '.finished_at != null' || fail "the task has no end"
}

# What stops each attempt of examples/intruder, by its own words for it.
protections='{
    "read the host'"'"'s password hashes": "a root of its own: the file is not there",
    "read the machine'"'"'s memory": "no devices but a few harmless ones",
    "write into its own image": "the image is mounted read only",
    "change a kernel setting": "no capabilities, /proc/sys read only",
    "reach the internet": "a network namespace with lo alone",
    "ask the cloud for the host'"'"'s credentials": "a network namespace with lo alone",
    "reach the host'"'"'s PostgreSQL": "its 127.0.0.1 is not the host'"'"'s",
    "talk to the hypervisor (AF_VSOCK)": "seccomp: no such socket family",
    "mount a file system": "seccomp and no capabilities",
    "become root in a namespace of its own": "seccomp",
    "become root": "no_new_privs, no capabilities",
    "trace its supervisor": "seccomp",
    "fill the disk with a gigabyte": "file size limit, /tmp is a tmpfs of 8 MiB",
    "start a thousand processes": "pids limit of 16"
}'

hostile_act() {
    local source task attempts message
    act "A hostile source: what it tries on a worker's machine, and what stops it"
    source=$(publish_example intruder) || exit 1
    run_task "$source" '{}'
    task=$(jq -r .id "$answer_file")
    [ "$(jq -r .status "$answer_file")" = succeeded ] || fail "the intruder did not report: $task"
    api GET "$(jq -r '.result.outputs[] | select(.name == "output.json").url' "$answer_file")" \
        -o "$output/intruder.json" >/dev/null || exit 1
    jq -r --argjson why "$protections" '.attempts[] | "\(.tried)|\(.error)|\($why[.tried] // "?")"' \
        "$output/intruder.json" | while IFS='|' read -r tried error why; do
        tell "$(printf '%-42s %-13s %s' "$tried" "$error" "$why")"
    done
    attempts=$(jq '.attempts | length' "$output/intruder.json")
    [ "$(jq '[.attempts[] | select(.errno == 0)] | length' "$output/intruder.json")" = 0 ] ||
        fail "the intruder got through: $output/intruder.json"
    task=$(submit_small "$source" '{"do": "memory"}') || exit 1
    await "/v1/tasks/$task/attempts" '[.data[] | select(.error.code == "out_of_memory")] | length >= 1' ||
        fail "nobody killed the memory bomb"
    message=$(jq -r '[.data[].error | select(.code == "out_of_memory")][0].message' "$answer_file")
    tell "$(printf '%-42s %-13s %s' 'take all memory' killed "$message")"
    wait_until "$wait_s" cancel_quietly "$task" || fail "$task cannot be canceled"
    tell "$attempts attempts refused, the memory bomb killed; its task is canceled, the reward goes back"
    wait_until "$wait_s" nobody_runs || fail "a container was left running"
    tell "left on the machine: no container, no supervisor"
}

# Others may try the task at the moment: then it cannot be canceled yet.
cancel_quietly() {
    curl -fsS --max-time 10 -X POST -H "Authorization: Bearer $OGPU_API_KEY" \
        "$OGPU_URL/v1/tasks/$1/cancel" >/dev/null 2>&1
}

# True when no worker has a container (each has a supervisor, a child of the worker).
nobody_runs() {
    local name pid
    for name in "${workers[@]}"; do
        read -r pid _ <"$RUN/pid/$name"
        ! pgrep -P "$pid" >/dev/null || return 1
    done
}

# run_facts ATTEMPT: warm, start and ready milliseconds, and the worker's name, from the workers' logs.
run_facts() {
    local name
    for name in "${workers[@]}"; do
        jq -rRs --arg attempt "$1" --arg name "$name" '
            [split("\n")[] | fromjson? | select(.attempt == $attempt)] |
            (map(select(.event == "run_begins"))[0].warm) as $warm |
            map(select(.event == "run_ended"))[0] // empty |
            "\($warm) \(.start_ms) \(.ready_ms) \($name)"' "$RUN/log/$name.log"
    done | head -n 1
}

warm_act() {
    local source attempt warm start ready name cold_ms='' warm_ms='' n
    act "A service that is kept warm: OpenGPU's container contract, task after task"
    source=$(publish_example echo-http) || exit 1
    for n in 1 2 3 4 5 6 7 8; do
        run_task "$source" "{\"hello\": $n}"
        attempt=$(jq -r .result.attempt "$answer_file")
        read -r warm start ready name <<<"$(run_facts "$attempt")"
        [ -n "$name" ] || fail "no worker tells of $attempt"
        if [ "$warm" = 1 ]; then
            warm_ms=$((start + ready))
            tell "task $n on $name: warm, thawed and taken at once"
            break
        fi
        cold_ms=$((start + ready))
        tell "task $n on $name: cold, container made and service ready in $cold_ms ms"
    done
    [ "${warm_ms:-1}" != 0 ] || warm_ms='less than 1'
    [ -n "$warm_ms" ] || fail "no task found a warm service"
    tell "between tasks the container is frozen; any fault, and it is thrown away"
    tell "cold $cold_ms ms, warm $warm_ms ms"
}
