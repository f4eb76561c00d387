# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # run and the files it sources set the rest
# SPDX-License-Identifier: MIT
# The first half of the story: from an empty stack to a verified result. One function an act.

REWARD=250000000000000000
DEPOSIT=10

stack_act() {
    act "The stack: private servers on free ports, all under $RUN"
    # All parts but `funds`: the deposit is the story's own.
    local parts="postgres migrate redis anvil contracts gateways haproxy indexer relayer"
    "$stack_root/tools/stack/up" --run "$RUN" --parts "$parts workers client" >"$RUN/up.log" 2>&1 ||
        fail "the stack did not come up: $(tail -n 1 "$RUN/up.log")"
    # shellcheck source=/dev/null
    . "$RUN/env"
    tell "PostgreSQL ${DATABASE_URL##*@}, Redis ${REDIS_URL#redis://}, anvil $L1_RPC_URL"
    tell "vault $L1_VAULT, settlement $L1_SETTLEMENT on chain $L1_CHAIN_ID"
    tell "HAProxy $OGPU_URL → gateways $OGPU_GATEWAY_1 and $OGPU_GATEWAY_2"
    tell "indexer, relayer (settler $OGPU_SETTLER), workers ${workers[*]}"
}

deposit_act() {
    local sent
    act "A client deposits $DEPOSIT OGPU on chain"
    tell "client $OGPU_CLIENT has an API key and $(balance_of)"
    sent=$(chain deposit "$OGPU_CLIENT_KEY_FILE" "$DEPOSIT") || fail "the deposit was refused"
    tell "transaction $(jq -r .tx <<<"$sent") in block $(jq -r .block <<<"$sent")"
    tell "waiting until the chain calls it final …"
    await /v1/account ".balances.available == \"$(jq -r .wei <<<"$sent")\"" ||
        fail "no credit within $wait_s s (log: $RUN/log/indexer.log)"
    tell "GET /v1/account: $(balance_of), account number $(jq .id "$answer_file") on chain"
}

balance_of() { printf '%s available' "$(ogpu "$(api GET /v1/account | jq -r .balances.available)")"; }

source_act() {
    local archive=$BUILD/examples/mandelbrot.oci.tar sum manifest body
    act "The client publishes a source: the Mandelbrot renderer, an OCI image by digest"
    [ -s "$archive" ] || fail "$archive is missing: run make examples"
    sum=$(sha256sum "$archive" | cut -d ' ' -f 1)
    manifest=$BUILD/examples/mandelbrot.manifest.json
    tell "PUT /v1/blobs/${sum:0:16}… ($(stat -c %s "$archive") bytes)"
    api PUT "/v1/blobs/$sum" -H 'Content-Type: application/octet-stream' -T "$archive" >/dev/null ||
        exit 1
    body=$(jq -c '{manifest: .}' "$manifest") || fail "$manifest is no JSON"
    post /v1/sources "$body" >"$facts/source.json" || exit 1
    source_id=$(jq -r .id "$facts/source.json")
    tell "POST /v1/sources → $source_id"
    tell "image $(jq -r .manifest.image.digest "$facts/source.json")"
    tell "manifest hash $(jq -r .manifest_hash "$facts/source.json")"
}

# Each provider serves the source by its own signature; each master signs that it earns for it.
providers_act() {
    local name address id body bodies pairs=() masters=() ids
    act "Workers register for it, their masters counter-sign"
    await "/v1/sources/$source_id/registrations" ".data | length == ${#workers[@]}" ||
        fail "not every worker registered within $wait_s s (logs: $RUN/log/worker-*.log)"
    cp "$answer_file" "$facts/registrations.json"
    for name in "${workers[@]}"; do
        pairs+=("$RUN/keys/$name" "$RUN/keys/master-${name#worker-}")
    done
    bodies=$(chain bind "${pairs[@]}") || fail "no bindings"
    for name in "${workers[@]}"; do
        address=$(address_of "$name")
        id=$(jq -r --arg a "$address" '.data[] | select(.address == $a).provider' \
            "$facts/registrations.json")
        body=$(post "/v1/providers/$id/bind" "$(jq -c ".[${#masters[@]}]" <<<"$bodies")") || exit 1
        [ "$(jq .bound <<<"$body")" = true ] || fail "$name is not bound to its master"
        masters+=("$(jq -r .master <<<"$body")")
        tell "$name $address registered as $id, bound to master ${masters[-1]}"
    done
    tell "anyone may give the masters their numbers on chain: Vault.register by the client"
    ids=$(chain register "$OGPU_CLIENT_KEY_FILE" "${masters[@]}") || fail "register was refused"
    tell "ids $(jq -r 'map("\(.id)") | join(", ")' <<<"$ids")"
}

task_act() {
    local body command
    act "The client submits a task with curl"
    body=$(jq -cn --arg source "$source_id" --arg reward "$REWARD" '{source: $source, reward: $reward,
        racers: 3, input: {x: 0, y: 0, zoom: 0, size: 512, iterations: 1000}}')
    printf '%s\n' "$body" >"$facts/request.json"
    # What is printed is what runs, word for word.
    # shellcheck disable=SC2016
    command='curl -sS -X POST "$OGPU_URL/v1/tasks" -H "Authorization: Bearer $OGPU_API_KEY"'
    command+=" -H 'Content-Type: application/json' -H 'Idempotency-Key: demo-$RANDOM$RANDOM'"
    command+=" -d '$body'"
    tell "$ $command"
    bash -c "$command" >"$facts/task.json" || fail "curl failed"
    task_id=$(jq -er '.id // empty' "$facts/task.json") ||
        fail "the task was refused: $(jq -r '"\(.title): \(.detail)"' "$facts/task.json")"
    tell "$task_id, reward $(ogpu "$REWARD") frozen, $(balance_of)"
}

race_act() {
    local names='' name
    act "The race, as GET /v1/tasks/{task}/events and …/attempts tell it"
    for name in "${workers[@]}"; do
        names+="$(address_of "$name")=$name,"
    done
    NAMES=$names "$NODE" "$demo_dir/race.mjs" "$task_id" "$wait_s" ||
        fail "the task has no result (logs: $RUN/log)"
}

result_act() {
    local name file
    act "The verified result"
    api GET "/v1/tasks/$task_id" >"$facts/task.json" || exit 1
    api GET "/v1/tasks/$task_id/attempts" >"$facts/attempts.json" || exit 1
    provider_id=$(jq -r .result.provider "$facts/task.json")
    api GET "/v1/providers/$provider_id" >"$facts/provider.json" || exit 1
    payee=$(jq -r .master "$facts/provider.json")
    tell "winner $provider_id, $(jq -r .address "$facts/provider.json"), master $payee"
    while read -r name file; do
        api GET "$file" -o "$output/$name" >/dev/null || exit 1
        tell "$output/$name: $(stat -c %s "$output/$name") bytes," \
            "sha256 $(sha256sum "$output/$name" | cut -d ' ' -f 1)"
    done < <(jq -r '.result.outputs[] | "\(.name) \(.url)"' "$facts/task.json")
    tell "signed by the provider: $(jq -r .result.signature "$facts/task.json" | cut -c 1-34)…"
}
