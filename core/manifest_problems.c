/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "core/compose.h"
#include "core/manifest.h"

static void add(struct violations *bad, const char *pointer, const char *message)
{
    if (bad->n < VIOLATIONS_MAX)
        bad->list[bad->n++] = (struct violation){FIELD_BODY, pointer, message};
}

void manifest_problems(const json_t *v, const char *pointer, const struct err *first,
                       struct arena *a, struct violations *bad)
{
    static const char *const names[] = {"cpu", "nvidia", "amd"}; /* as their bits */
    const json_t *files = json_object_get(v, "compose");

    /* What is not of a compose file ends the reading where it is found. */
    if (strncmp(first->text, "compose.", 8) != 0)
        add(bad, arena_printf(a, "%s", pointer), arena_printf(a, "%s", first->text));
    for (size_t k = 0; k < ARRAY_LEN(names); k++) {
        const json_t *file = json_object_get(files, names[k]);
        struct compose_problems found = {.n = 0};

        if (json_is_string(file) && json_string_length(file) > 0)
            compose_judge((struct text){json_string_value(file), json_string_length(file)}, 1U << k,
                          a, &found);
        for (size_t i = 0; i < found.n; i++)
            add(bad, arena_printf(a, "%s/compose/%s", pointer, names[k]), found.text[i]);
    }
    /* A compose member that is no text at all. */
    if (bad->n == 0)
        add(bad, arena_printf(a, "%s", pointer), arena_printf(a, "%s", first->text));
}
