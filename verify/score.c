/* SPDX-License-Identifier: MIT */
#include "verify/score.h"

enum err_code score_read(const json_t *document, struct arena *a, struct score *out,
                         struct err *err)
{
    const json_t *leaf = json_object_get(document, "leaf");
    struct score s = {.proof = {.n = 0}};
    uint64_t epoch;
    uint64_t figure;

    if (!json_is_object(leaf))
        return err_set(err, E_VALIDATION, "\"leaf\" is not an object");
    if (!document_address(leaf, "provider", &s.leaf.provider))
        return err_set(err, E_VALIDATION, "\"leaf.provider\" is not an address");
    if (!document_int(leaf, "accepted", INT64_MAX, &s.leaf.accepted) ||
        !document_int(leaf, "rejected", INT64_MAX, &s.leaf.rejected) ||
        !document_int(leaf, "expired", INT64_MAX, &s.leaf.expired))
        return err_set(err, E_VALIDATION, "the leaf's counts are not numbers");
    if (!document_int(leaf, "score", UINT32_MAX, &figure))
        return err_set(err, E_VALIDATION, "\"leaf.score\" is not a number");
    if (!document_int(leaf, "epoch", INT64_MAX, &s.leaf.epoch))
        return err_set(err, E_VALIDATION, "\"leaf.epoch\" is not a number");
    if (!document_hex(leaf, "events_root", s.leaf.events_root.b, sizeof(s.leaf.events_root.b)))
        return err_set(err, E_VALIDATION, "\"leaf.events_root\" is not 32 bytes of hex");
    if (!document_int(document, "epoch", INT64_MAX, &epoch) || epoch != s.leaf.epoch)
        return err_set(err, E_VALIDATION, "\"epoch\" is not the leaf's");
    if (!document_hex(document, "root", s.root.b, sizeof(s.root.b)))
        return err_set(err, E_VALIDATION, "\"root\" is not 32 bytes of hex");
    if (!document_siblings(document, "proof", a, &s.proof))
        return err_set(err, E_VALIDATION, "\"proof\" is not a list of 32-byte hashes");
    s.leaf.score = (uint32_t)figure;
    *out = s;
    return E_OK;
}

enum err_code score_check(const struct score *s, const uint8_t *root, size_t n, struct err *err)
{
    static const uint8_t none[sizeof(struct digest)];
    struct digest led = merkle_climb(score_hash(&s->leaf), s->proof.list, s->proof.n);

    if (memcmp(root, none, n) == 0)
        return err_set(err, E_DIGEST_MISMATCH, "epoch %llu has no scores",
                       (unsigned long long)s->leaf.epoch);
    if (memcmp(s->root.b, root, n) != 0)
        return err_set(err, E_DIGEST_MISMATCH, "the document is about another root");
    if (memcmp(led.b, s->root.b, sizeof(led.b)) != 0)
        return err_set(err, E_DIGEST_MISMATCH, "the proof does not lead to the score root");
    return E_OK;
}
