/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_DEVICE_BOOK_ROWS_H
#define WORKERS_DEVICE_BOOK_ROWS_H

#include <pthread.h>

#include "workers/device/book.h"
#include "workers/device/quarantine.h"

/* The book's inside, shared by the files that keep it. */

struct book_row {
    struct device device;
    enum device_state state;
    unsigned holder;
    int64_t limit_mb; /**< more than this and the watchdog ends the run */
    bool watched;     /**< a task has it: while it is scrubbed its memory is full, and rightly so */
    bool called;      /**< somebody waits for it who has no task: see book_call() */
    struct device_fault fault; /**< of a card in quarantine */
};

struct device_book {
    struct device_book_config config;
    char dir[320];
    pthread_mutex_t mutex; /**< guards what follows */
    struct book_row row[DEVICES_MAX];
    size_t n;
    unsigned changes;
};

/** With the mutex held: change a state, and tell of it. */
void book_set_state(struct device_book *b, struct book_row *r, enum device_state state);

/** With the mutex held: into quarantine, with the reason. */
void book_condemn(struct device_book *b, struct book_row *r, const char *code, const char *text);

#endif
