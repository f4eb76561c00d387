/* SPDX-License-Identifier: MIT */
#include "verify/payout.h"

#include "eth/address.h"
#include "eth/entries.h"
#include "eth/keccak.h"
#include "eth/merkle.h"

/* Units travel as a decimal string: they do not fit every JSON reader's numbers. */
static bool units(const json_t *document, const char *name, uint64_t *out)
{
    struct text t = document_text(document, name);
    uint64_t v = 0;

    if (!t.s || t.n == 0 || t.n > 15)
        return false;
    for (size_t i = 0; i < t.n; i++) {
        if (t.s[i] < '0' || t.s[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(t.s[i] - '0');
    }
    *out = v;
    return true;
}

enum err_code payout_read(const json_t *document, struct arena *a, struct payout *out,
                          struct err *err)
{
    struct payout p = {0};
    uint8_t *chunk = arena_alloc(a, CHUNK_SIZE);
    uint64_t id;
    uint64_t index;

    if (!document_address(document, "address", &p.address))
        return err_set(err, E_VALIDATION, "\"address\" is not an address");
    if (!document_int(document, "id", ENTRY_ID_MAX, &id) || id == 0)
        return err_set(err, E_VALIDATION, "\"id\" is not an account id");
    if (!document_int(document, "epoch", INT64_MAX, &p.epoch))
        return err_set(err, E_VALIDATION, "\"epoch\" is not a number");
    if (!document_int(document, "index", ENTRIES_A_CHUNK - 1, &index))
        return err_set(err, E_VALIDATION, "\"index\" is not 0 to 15");
    if (!units(document, "units", &p.units))
        return err_set(err, E_VALIDATION, "\"units\" is not a decimal string");
    if (!document_hex(document, "chunk", chunk, CHUNK_SIZE))
        return err_set(err, E_VALIDATION, "\"chunk\" is not 160 bytes of hex");
    if (!document_hex(document, "root", p.root.b, sizeof(p.root.b)))
        return err_set(err, E_VALIDATION, "\"root\" is not 32 bytes of hex");
    if (!document_siblings(document, "proof", a, &p.proof))
        return err_set(err, E_VALIDATION, "\"proof\" is not a list of 32-byte hashes");
    p.id = (uint32_t)id;
    p.index = (uint8_t)index;
    p.chunk = bytes_of(chunk, CHUNK_SIZE);
    *out = p;
    return E_OK;
}

enum err_code payout_check(const struct payout *p, const struct digest *root, struct err *err)
{
    struct entry e = entry_decode(p->chunk.p + (size_t)p->index * ENTRY_SIZE);

    if (e.spent || e.id != p->id)
        return err_set(err, E_DIGEST_MISMATCH,
                       "entry %u of the chunk is the %s counter of id %u, not what id %u earned",
                       p->index, e.spent ? "spent" : "earned", e.id, p->id);
    if (e.units != p->units)
        return err_set(err, E_DIGEST_MISMATCH, "the entry says %llu units, the document %llu",
                       (unsigned long long)e.units, (unsigned long long)p->units);
    if (memcmp(&p->root, root, sizeof(*root)) != 0)
        return err_set(err, E_DIGEST_MISMATCH, "the document is about another root");
    if (!merkle_verify(keccak256(p->chunk.p, p->chunk.n), p->proof.list, p->proof.n, *root))
        return err_set(err, E_DIGEST_MISMATCH, "the proof does not lead to the root");
    return E_OK;
}
