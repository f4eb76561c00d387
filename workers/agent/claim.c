/* SPDX-License-Identifier: MIT */
#include "workers/agent/claim.h"

#include <string.h>

#include "lib/hash.h"
#include "lib/hex.h"

static const char *text(const json_t *v, const char *name)
{
    return json_string_value(json_object_get(v, name));
}

static bool id_of(const json_t *v, const char *name, enum id_kind kind, struct uuid *out)
{
    const char *s = text(v, name);
    return s && id_parse(kind, text_of(s), out);
}

static bool same_digest(const json_t *v, const char *name, struct digest d)
{
    uint8_t bytes[32];
    const char *s = text(v, name);
    return s && hex_decode(s, strlen(s), bytes, sizeof(bytes)) &&
           memcmp(bytes, d.b, sizeof(bytes)) == 0;
}

enum err_code claim_read(const json_t *v, struct claim *out, struct arena *a, struct err *err)
{
    const json_t *manifest = json_object_get(v, "manifest");
    const json_t *input = json_object_get(v, "input");
    struct text canonical;
    json_int_t epoch = json_integer_value(json_object_get(v, "epoch"));
    memset(out, 0, sizeof(*out));
    if (!id_of(v, "attempt", ID_ATTEMPT, &out->attempt_id))
        return err_set(err, E_PEER, "the claim has no attempt");
    out->attempt = text(v, "attempt");
    out->task = text(v, "task");
    out->lease_s = json_integer_value(json_object_get(v, "lease_s"));
    if (!id_of(v, "task", ID_TASK, &out->task_id) ||
        !id_of(v, "source", ID_SOURCE, &out->source_id) || !json_is_string(input) || epoch < 1 ||
        epoch > UINT32_MAX || out->lease_s < 1)
        return err_set(err, E_PEER, "the claim is not what the gateway's contract says");
    out->epoch = (uint32_t)epoch;
    out->function = text(v, "function");
    out->input = (struct text){json_string_value(input), json_string_length(input)};
    out->input_blobs = json_object_get(v, "input_blobs");
    out->input_digest = sha256(out->input.s, out->input.n);
    if (!same_digest(v, "input_digest", out->input_digest))
        return err_set(err, E_DIGEST_MISMATCH, "the input has not the digest that the claim says");
    enum err_code rc = manifest_canonical(manifest, a, &canonical, &out->manifest_hash, err);
    if (rc != E_OK)
        return rc;
    if (!same_digest(v, "manifest_hash", out->manifest_hash))
        return err_set(err, E_DIGEST_MISMATCH, "the manifest has not the hash that the claim says");
    return manifest_read(manifest, &out->source, err);
}
