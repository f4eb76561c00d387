/* SPDX-License-Identifier: MIT */
#include "core/verify.h"

#include "core/manifest.h"
#include "eth/secp.h"
#include "lib/hash.h"

struct digest verify_digest(const struct verify_in *in)
{
    struct eip712_response m = {.task = in->task,
                                .attempt = in->attempt,
                                .epoch = in->epoch,
                                .provider = in->provider,
                                .manifest = in->manifest_hash,
                                .input = in->input_digest,
                                .output = in->output_digest};

    return eip712_response_digest(&in->domain, &m);
}

static bool same(struct digest a, struct digest b)
{
    return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

/* The source's limits, out of the manifest we stored; a fault here is ours. */
static enum err_code limits_of(const struct verify_in *in, struct manifest_limits *out,
                               struct err *err)
{
    struct manifest m = {.has_blob = false};
    json_t *v = NULL;
    enum err_code rc;

    if (!same(sha256(in->manifest.s, in->manifest.n), in->manifest_hash))
        return err_set(err, E_INTERNAL, "the stored manifest does not have its hash");
    rc = json_parse(in->manifest.s, in->manifest.n, &v, err);
    if (rc == E_OK)
        rc = manifest_read(v, &m, err);
    json_decref(v);
    if (rc != E_OK)
        return err_set(err, E_INTERNAL, "the stored manifest is not valid");
    *out = m.limits;
    return E_OK;
}

/* The texts of `out` live in the JSON that is freed here: give them to the arena. */
static void keep(struct outputs *o, struct arena *a)
{
    for (size_t i = 0; i < o->n; i++) {
        o->items[i].name = arena_text(a, o->items[i].name);
        o->items[i].media_type = arena_text(a, o->items[i].media_type);
    }
}

static enum err_code check_outputs(const struct verify_in *in, const struct manifest_limits *limits,
                                   struct arena *a, struct outputs *out, struct err *err)
{
    struct digest digest = {{0}};
    struct outputs o;
    struct text text;
    json_t *v = NULL;
    enum err_code rc = json_parse(in->outputs.s, in->outputs.n, &v, err);

    if (rc != E_OK)
        return err_set(err, E_INTERNAL, "the stored outputs are no JSON");
    rc = outputs_read(v, limits->output_files, limits->output_bytes, &o, err);
    if (rc == E_OK)
        rc = outputs_canonical(&o, a, &text, &digest, err);
    if (rc == E_OK && !same(digest, in->output_digest))
        rc = err_set(err, E_DIGEST_MISMATCH, "the outputs do not have the digest they claim");
    if (rc == E_OK) {
        keep(&o, a);
        if (out)
            *out = o;
    }
    json_decref(v);
    return rc;
}

enum err_code verify_response(const struct verify_in *in, struct arena *a, struct outputs *out,
                              struct err *err)
{
    struct manifest_limits limits = {.memory_mb = 0};
    enum err_code rc = limits_of(in, &limits, err);

    if (rc == E_OK)
        rc = secp_check(verify_digest(in), in->signature, in->provider, err);
    return rc == E_OK ? check_outputs(in, &limits, a, out, err) : rc;
}
