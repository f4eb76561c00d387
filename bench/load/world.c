/* SPDX-License-Identifier: MIT */
#include "bench/load/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eth/address.h"
#include "lib/hex.h"

/* One more member in an array that grows by doubling. */
static void *grown(void *p, size_t n, size_t size)
{
    if ((n & (n - 1)) == 0)
        p = realloc(p, (n ? 2 * n : 1) * size);
    if (!p)
        abort();
    return p;
}

static bool read_provider(struct world *w, const char *token, const char *hex)
{
    uint8_t key[32];
    struct actor *a;
    struct err err = {0};

    if (!hex_decode(hex, strlen(hex), key, sizeof(key)))
        return false;
    w->providers = grown(w->providers, w->n_providers, sizeof(*w->providers));
    a = &w->providers[w->n_providers];
    memcpy(a->token, token, strlen(token) + 1); /* read_line() has measured it */
    if (signer_from_bytes(key, &a->signer, &err) != E_OK)
        return false;
    w->n_providers++;
    return true;
}

static bool read_line(struct world *w, char *line)
{
    char word[16];
    char a[80];
    char b[80];
    int n = sscanf(line, "%15s %79s %79s", word, a, b);

    if (n == 2 && strcmp(word, "key") == 0 && strlen(a) < sizeof(*w->keys)) {
        w->keys = grown(w->keys, w->n_keys, sizeof(*w->keys));
        memcpy(w->keys[w->n_keys++], a, strlen(a) + 1);
        return true;
    }
    if (n == 2 && strcmp(word, "source") == 0 && strlen(a) < sizeof(*w->sources)) {
        w->sources = grown(w->sources, w->n_sources, sizeof(*w->sources));
        memcpy(w->sources[w->n_sources++], a, strlen(a) + 1);
        return true;
    }
    if (n == 3 && strcmp(word, "provider") == 0 && strlen(a) < sizeof(w->providers->token))
        return read_provider(w, a, b);
    if (n == 3 && strcmp(word, "domain") == 0) {
        w->domain.chain_id = strtoull(a, NULL, 10);
        return address_parse(text_of(b), &w->domain.contract);
    }
    return false;
}

bool world_read(const char *path, struct world *w)
{
    FILE *f = fopen(path, "r");
    char line[256];
    bool ok = f != NULL;

    while (ok && fgets(line, sizeof(line), f))
        ok = read_line(w, line);
    if (f)
        fclose(f);
    if (!ok || w->n_keys == 0 || w->n_sources == 0) {
        fprintf(stderr, "load: %s is not a world file\n", path);
        return false;
    }
    return true;
}

void world_add_task(struct world *w, const char *id, uint32_t key)
{
    struct known_task *t;

    if (w->n_tasks == w->cap_tasks) {
        w->cap_tasks = w->cap_tasks ? 2 * w->cap_tasks : 1 << 16;
        w->tasks = realloc(w->tasks, w->cap_tasks * sizeof(*w->tasks));
        if (!w->tasks)
            abort();
    }
    t = &w->tasks[w->n_tasks++];
    memcpy(t->id, id, 30);
    t->id[30] = '\0';
    t->key = key;
}

bool world_read_tasks(const char *path, struct world *w)
{
    FILE *f = fopen(path, "r");
    char id[32];
    unsigned key;
    int n = 0;

    while (f && (n = fscanf(f, "%30s %u", id, &key)) == 2 && key < w->n_keys)
        world_add_task(w, id, key);
    if (f)
        fclose(f);
    if (!f || n != EOF || w->n_tasks == 0) {
        fprintf(stderr, "load: %s is not a list of tasks\n", path);
        return false;
    }
    return true;
}

bool world_write_tasks(const char *path, const struct world *w)
{
    FILE *f = fopen(path, "w");

    if (!f) {
        fprintf(stderr, "load: cannot write %s\n", path);
        return false;
    }
    for (size_t i = 0; i < w->n_tasks; i++)
        fprintf(f, "%s %u\n", w->tasks[i].id, w->tasks[i].key);
    if (fclose(f) != 0) {
        fprintf(stderr, "load: cannot write %s\n", path);
        return false;
    }
    return true;
}

void world_free(struct world *w)
{
    for (size_t i = 0; i < w->n_providers; i++)
        signer_free(w->providers[i].signer);
    free(w->providers);
    free(w->keys);
    free(w->sources);
    free(w->tasks);
}
