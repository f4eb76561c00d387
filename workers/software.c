/* SPDX-License-Identifier: MIT */
#include "workers/software.h"

#include "lib/hex.h"

static unsigned choose(unsigned both)
{
    static const unsigned order[] = {ENV_NVIDIA, ENV_AMD, ENV_CPU};
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        if (both & order[i])
            return order[i];
    }
    return 0;
}

enum err_code software_choose(const struct manifest *m, unsigned mine,
                              const struct compose_values *values, struct arena *a,
                              struct software *out, struct err *err)
{
    struct software s = {.environment = choose(m->environments & mine)};
    if (!s.environment)
        return err_set(err, E_BAD_MANIFEST, "the source does not run on this machine");
    if (!m->compose) {
        s.digest = arena_text(a, m->image_digest).s;
        if (m->has_blob) {
            char *hex = arena_alloc(a, 65);
            hex_encode(m->blob.b, sizeof(m->blob.b), hex);
            s.blob = hex;
        } else {
            s.reference = arena_text(a, m->reference).s;
        }
        *out = s;
        return E_OK;
    }
    enum err_code rc =
        compose_read(manifest_compose(m, s.environment), s.environment, values, a, &s.service, err);
    if (rc != E_OK)
        return rc;
    if (s.service.gpus > 1)
        return err_set(err, E_BAD_MANIFEST, "the source asks for %d cards: a run gets one",
                       s.service.gpus);
    s.composed = true;
    s.digest = s.service.digest;
    s.reference = s.service.reference;
    *out = s;
    return E_OK;
}

unsigned software_fits(const struct manifest *m)
{
    unsigned mask = m->environments;
    for (unsigned bit = ENV_NVIDIA; m->compose && bit <= ENV_AMD; bit <<= 1) {
        struct compose_service service;
        struct arena *a = arena_new();
        if ((mask & bit) &&
            (compose_read(manifest_compose(m, bit), bit, NULL, a, &service, NULL) != E_OK ||
             service.gpus > 1))
            mask &= ~bit;
        arena_free(a);
    }
    return mask;
}

void software_want(const struct software *s, struct image_want *want)
{
    want->digest = s->digest;
    want->reference = s->reference;
    want->blob = s->blob;
}
