/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_WARM_H
#define WORKERS_AGENT_WARM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/id.h"
#include "workers/agent/warm_value.h"
#include "workers/contain/box.h"

#define WARM_MAX         16  /**< frozen containers at most */
#define WARM_SOURCES_MAX 128 /**< sources whose history is kept */
#define WARM_BERTHS_MAX  BOX_BERTHS_MAX

/*
 * Frozen containers of http sources that wait for their source's next task. One belongs to one
 * source for good; it is used again only after a run without any fault, and thrown away after a
 * number of tasks or minutes, or when a worthier one needs its memory (warm_value.h).
 */

/** How much is kept; see OGPU_WARM_*. */
struct warm_config {
    int64_t budget_bytes; /**< of all frozen containers together; 0: nothing is kept */
    int64_t tasks_max;    /**< a container's tasks */
    int64_t life_us;      /**< a container's age */
};

/** A container at rest. */
struct warm_entry {
    struct box *box;
    struct uuid source;
    unsigned berth;
    int hold; /**< keeps its image in the cache; -1 */
    int64_t tasks;
    int64_t born_us;
    int64_t held_bytes;
};

/** What a slot has while it runs one task: host ids of its own, and maybe a kept container. */
struct warm_seat {
    struct uuid source;
    unsigned berth;  /**< chooses the host ids: no two live containers share one */
    struct box *box; /**< NULL: make a container */
    bool keep;       /**< the container may be kept when the task is done */
    bool hit;        /**< it was a kept container */
    int64_t tasks;
    int64_t born_us;
    int hold; /**< keeps its image in the cache while the container is kept; -1 */
};

/** Counted since the start; for metrics. */
struct warm_counts {
    uint64_t hits;
    uint64_t misses;
    uint64_t kept;
    uint64_t recycled; /**< age, number of tasks */
    uint64_t faulted;  /**< a fault of the run */
    uint64_t evicted;  /**< memory was needed for a worthier one */
};

struct warm {
    pthread_mutex_t mutex;
    struct warm_config config;
    struct warm_entry at_rest[WARM_MAX];
    size_t count;
    struct {
        struct uuid source;
        struct warm_history h;
    } known[WARM_SOURCES_MAX];
    size_t known_count;
    bool berths[WARM_BERTHS_MAX];
    struct warm_counts counts;
};

void warm_open(struct warm *w, const struct warm_config *config);

/** Kill all that is at rest. No seat may be out. */
void warm_close(struct warm *w);

/**
 * A seat for a task.
 *
 * @may_keep  an http source whose task suits a kept container
 */
void warm_take(struct warm *w, struct uuid source, bool may_keep, struct warm_seat *out);

/** The kept container failed before it took the task: kill it, and let the seat make a fresh one.
 */
void warm_replace(struct warm *w, struct warm_seat *seat);

/**
 * Give a seat back; its outputs have been read. A container in it is kept if the run was without
 * fault and it is worth its memory; else it is killed.
 */
void warm_give_back(struct warm *w, struct warm_seat *seat, const struct box_result *r);

/** Kill what is too old. Now and then, from any thread. */
void warm_tidy(struct warm *w);

/** The counters, and what is at rest now. */
struct warm_counts warm_count(struct warm *w, size_t *at_rest, int64_t *held_bytes);

#endif
