# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # run and the files it sources set the rest
# SPDX-License-Identifier: MIT
# The second half of the story: the money, from the ledger to the payee's own address. Nothing here
# ends the demo when it does not come: what is missing is the verdict's to say.

ledger_act() {
    act "The ledger of the client"
    print_ledger
}

print_ledger() {
    api GET /v1/account/ledger | jq -r '.data | reverse | .[] |
        "\(.kind)\t\(.from.balance) → \(.to.balance)\t\(.amount)\t\(.task // .withdrawal // "")"' |
        while IFS=$'\t' read -r kind way wei cause; do
            tell "$(printf '%-8s %-22s %16s  %s' "$kind" "$way" "$(ogpu "$wei")" "$cause")"
        done
}

batch_act() {
    local batch
    act "The relayer settles the batch on chain, the indexer sees it final"
    if ! await "/v1/tasks/$task_id" '.settlement.status == "confirmed"'; then
        tell "no batch was confirmed within $wait_s s (log: $RUN/log/relayer.log)"
        return
    fi
    cp "$answer_file" "$facts/task.json"
    batch=$(jq -r .settlement.batch "$answer_file")
    api GET "/v1/settlements/$batch" >"$facts/batch.json" || exit 1
    tell "$(jq -r '"\(.id): epoch \(.epoch), \(.entries) entries, \(.increase) units declared"' \
        "$facts/batch.json")"
    tell "$(jq -r '"transaction \(.tx_hash) in block \(.block_number)"' "$facts/batch.json")"
    tell "root $(jq -r .root "$facts/batch.json")"
}

proof_act() {
    local words
    act "Anyone fetches the payout proof of the winner's master"
    if ! api_maybe "/v1/proofs/$payee" >"$facts/proof.json"; then
        rm -f "$facts/proof.json"
        tell "there is none"
        return
    fi
    words=$(chain check "$facts/proof.json" 2>&1) || { tell "$words"; return; }
    tell "GET /v1/proofs/$payee"
    tell "$words"
    tell "verified with OpenZeppelin's library; claimable at $(jq -r .claimable_at "$facts/proof.json")"
}

# The stranger's key is made here and now: it has coins for gas and no part in anything before.
claim_act() {
    local sent
    act "A stranger claims it on chain, for the payee"
    new_keys stranger
    stranger=$(address_of stranger)
    fund "$stranger"
    tell "stranger $stranger, a key made just now"
    before=$(chain balances "$payee" "$L1_VAULT" "$stranger")
    if [ ! -s "$facts/proof.json" ]; then
        tell "nothing to claim"
        return
    fi
    if [ "$break" = claim ]; then
        tell "sabotage: nobody claims"
        return
    fi
    if ! sent=$(chain claim "$RUN/keys/stranger" "$facts/proof.json" 2>"$RUN/log/claim.log"); then
        tell "$(<"$RUN/log/claim.log")"
        return
    fi
    claim_tx=$(jq -r .tx <<<"$sent")
    tell "transaction $claim_tx in block $(jq -r .block <<<"$sent")"
}

books_act() {
    local after words
    act "Balances before and after the claim, and the books"
    after=$(chain balances "$payee" "$L1_VAULT" "$stranger")
    print_balances "payee $payee" "$payee" "$after"
    print_balances "vault $L1_VAULT" "$L1_VAULT" "$after"
    print_balances "stranger $stranger (gas)" "$stranger" "$after"
    if [ -n "$claim_tx" ]; then
        await "/v1/proofs/$payee" '.claimed_units == .units' ||
            tell "the claim was not booked within $wait_s s (log: $RUN/log/indexer.log)"
    fi
    if ! words=$("$BUILD/bin/ogpu-auditor" --quiet 2>&1); then
        quote <<<"$words"
        audit=failed
        return
    fi
    tell "ogpu-auditor, its own SQL over all rows: $(tail -n 1 <<<"$words")"
}

# print_balances WORDS ADDRESS AFTER
print_balances() {
    tell "$1: $(ogpu "$(jq -r --arg a "$2" '.[$a]' <<<"$before")") →" \
        "$(ogpu "$(jq -r --arg a "$2" '.[$a]' <<<"$3")")"
}

# All that the verdict may know, from HTTP answers and saved files.
write_facts() {
    local addresses=() masters=() name
    for name in "${workers[@]}"; do
        addresses+=("$(address_of "$name")")
        masters+=("$(address_of "master-${name#worker-}")")
    done
    for name in proof score exit; do
        [ -s "$facts/$name.json" ] || printf 'null\n' >"$facts/$name.json"
    done
    jq -n --arg rpc "$L1_RPC_URL" --argjson chain_id "$L1_CHAIN_ID" --arg vault "$L1_VAULT" \
        --arg settlement "$L1_SETTLEMENT" --arg claim_tx "$claim_tx" --arg output "$output" \
        --arg client "$OGPU_CLIENT" \
        --arg roles "$OGPU_SETTLER $OGPU_SIGNER $OGPU_GUARDIAN $OGPU_ADMIN" \
        --arg providers "${addresses[*]}" --arg masters "${masters[*]}" \
        --slurpfile request "$facts/request.json" --slurpfile source "$facts/source.json" \
        --slurpfile task "$facts/task.json" --slurpfile attempts "$facts/attempts.json" \
        --slurpfile provider "$facts/provider.json" --slurpfile proof "$facts/proof.json" \
        --slurpfile score "$facts/score.json" --slurpfile exit "$facts/exit.json" \
        '{$rpc, $chain_id, $vault, $settlement, request: $request[0], source: $source[0],
          task: $task[0], attempts: $attempts[0].data, provider: $provider[0], proof: $proof[0],
          score: $score[0], exit: $exit[0],
          claim_tx: (if $claim_tx == "" then null else $claim_tx end),
          files: ($task[0].result.outputs | map({key: .name, value: "\($output)/\(.name)"}) | from_entries),
          parties: {$client, roles: ($roles / " "), providers: ($providers / " "),
                    masters: ($masters / " ")}}' \
        >"$facts/facts.json" || fail "the facts could not be written down"
}

verdict_act() {
    act "The verdict: viem and OpenZeppelin, none of our code"
    write_facts
    "$NODE" "$demo_dir/verdict.mjs" "$facts/facts.json" | quote
    return "${PIPESTATUS[0]}"
}
