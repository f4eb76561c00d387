/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "lib/hash.h"
#include "workers/agent/sources.h"

unsigned sources_environments(const struct sources *s)
{
    unsigned mask = 0;
    for (size_t i = 0; i < s->known_count; i++)
        mask |= s->known[i].environments;
    return mask;
}

bool sources_named(const struct sources *s, struct uuid id)
{
    char text[ID_TEXT_MAX];
    id_format(ID_SOURCE, id, text);
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->ids[i], text) == 0)
            return true;
    }
    return s->count == 0;
}

static bool is_in(const json_t *list, const char *id)
{
    size_t i;
    json_t *v;
    json_array_foreach((json_t *)(uintptr_t)list, i, v)
    {
        if (strcmp(json_string_value(v), id) == 0)
            return true;
    }
    return false;
}

bool sources_card_need(const struct sources *s, unsigned environments, struct device_want *out)
{
    size_t n = s->known_count;
    uint32_t start = 0;
    random_bytes(&start, sizeof(start));
    for (size_t i = 0; i < n; i++) {
        const struct source_known *k = &s->known[(start + i) % n];
        if (k->environments & environments & ~ENV_CPU) {
            *out = (struct device_want){.environments = k->environments & environments & ~ENV_CPU,
                                        .memory_mb = k->card_memory_mb};
            return true;
        }
    }
    return false;
}

static bool fits_card(const struct source_known *k, const struct device *card)
{
    return (k->environments & ENV_CPU) ||
           (card && (k->environments & card->environment) && k->card_memory_mb <= card->memory_mb);
}

json_t *sources_fitting(const struct sources *s, const struct device *card, json_t *list,
                        bool *none)
{
    size_t n = s->known_count;
    uint32_t start = 0;
    bool all = true;
    json_t *fitting = json_array();
    random_bytes(&start, sizeof(start));
    for (size_t i = 0; i < n; i++) {
        const struct source_known *k = &s->known[(start + i) % n];
        char id[ID_TEXT_MAX];
        id_format(ID_SOURCE, k->id, id);
        if (list && !is_in(list, id))
            continue;
        bool fits = fits_card(k, card);
        all = all && fits;
        if (fits && json_array_size(fitting) < SOURCES_MAX)
            json_array_append_new(fitting, json_string(id));
    }
    if (all) { /* the list as it is, with what we do not know of */
        json_decref(fitting);
        return list;
    }
    json_decref(list);
    *none = json_array_size(fitting) == 0;
    return fitting;
}
