/* SPDX-License-Identifier: MIT */
#ifndef BENCH_WORLD_H
#define BENCH_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eth/eip712.h"
#include "eth/sign.h"

/** A provider: its token and its key. */
struct actor {
    char token[64];
    struct signer *signer;
};

/** A task somebody made, with the index of the API key that may read it. */
struct known_task {
    char id[31];
    uint32_t key;
};

/** Who and what there is to load the gateway with; made by bench/provision.mjs. */
struct world {
    char (*keys)[64];
    size_t n_keys;
    char (*sources)[32];
    size_t n_sources;
    struct actor *providers;
    size_t n_providers;
    struct eip712_domain domain;
    struct known_task *tasks;
    size_t n_tasks;
    size_t cap_tasks;
};

/**
 * Read a world file: lines `key TOKEN`, `source src_…`, `provider TOKEN KEYHEX`,
 * `domain CHAINID ADDRESS`.
 *
 * @return false with a line on stderr
 */
bool world_read(const char *path, struct world *w);

/** Read or write the list of tasks: lines `tsk_… KEYINDEX`. @return false with a line on stderr */
bool world_read_tasks(const char *path, struct world *w);
bool world_write_tasks(const char *path, const struct world *w);

/** Remember a task; `id` is 30 characters. */
void world_add_task(struct world *w, const char *id, uint32_t key);

void world_free(struct world *w);

#endif
