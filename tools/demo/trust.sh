# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # run and the files it sources set the rest
# SPDX-License-Identifier: MIT
# The last part of the story: what is left to trust when the gateway is wrong, or gone.

# verify KIND FILE: what ogpu-verify says of it, asking the chain.
verify() {
    "$BUILD/bin/ogpu-verify" "$1" "$2" --rpc "$L1_RPC_URL" --contract "$L1_SETTLEMENT" 2>&1 | quote
}

score_act() {
    local path=/v1/providers/$provider_id/reputation/proof
    act "The winner's reputation, and the task itself, proved to anyone"
    if ! api_maybe "$path" >"$facts/score.json"; then
        rm -f "$facts/score.json"
        tell "there is no proof: no epoch was settled"
        return
    fi
    tell "score root $(jq -r .root "$facts/score.json") in batch $(jq -r .batch "$facts/score.json")"
    tell "GET $path"
    verify score "$facts/score.json"
    api_maybe "/v1/tasks/$task_id/proof" >"$facts/task-proof.json" &&
        verify task "$facts/task-proof.json"
    if [ "$break" = score ]; then
        jq -c '.leaf.score += 1' "$facts/score.json" >"$facts/score.new" &&
            mv "$facts/score.new" "$facts/score.json" && tell "sabotage: the score is altered"
    fi
}

# Something that is owed when the gateway dies: a settled payout that nobody claims.
second_act() {
    local second
    act "A second task is won and settled; nobody claims it"
    if [ ! -s "$facts/proof.json" ]; then
        tell "nothing is settled here"
        return
    fi
    second=$(post /v1/tasks "$(jq -c '.reward = "130000000000000000" | .racers = 1 | .input.iterations = 500' \
        "$facts/request.json")" | jq -r .id) || exit 1
    await "/v1/tasks/$second" '.settlement.status == "confirmed"' ||
        fail "the second task was not settled within $wait_s s (logs: $RUN/log)"
    tell "$second, $(jq -r '"\(.reward) wei, batch \(.settlement.batch)"' "$answer_file")"
}

# Everything of ours but the chain ends here; what follows knows the chain alone.
exit_act() {
    local name
    act "The gateway is gone for good; a stranger gets everyone out"
    if [ ! -s "$facts/proof.json" ]; then
        tell "nothing was ever settled"
        return
    fi
    stop_together gateway-1 gateway-2 relayer indexer "${workers[@]}"
    tell "gateways, relayer, indexer and workers are stopped"
    if ! "$NODE" "$demo_dir/exit.mjs" "$RUN/keys/stranger" >"$facts/exit.json" 2>"$RUN/log/exit.log"; then
        quote <"$RUN/log/exit.log"
        rm -f "$facts/exit.json"
        return
    fi
    quote <"$RUN/log/exit.log"
    jq -r '.exits[] | "exit(\(.id)) → \(.account), transaction \(.tx)"' "$facts/exit.json" | quote
}
