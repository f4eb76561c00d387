/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_DEVICE_BOOK_H
#define WORKERS_DEVICE_BOOK_H

#include "lib/err.h"
#include "workers/device/device.h"

/*
 * Who has which card. A card is named by its UUID and nothing else: its index changes with a boot.
 * A lease is a lock on a file, shared by all workers of the machine, that the kernel lets go with
 * the process; the file says "clean" only after a scrub, so that a card whose worker was killed is
 * scrubbed before anybody else gets it. Any thread may call.
 */

enum device_state {
    DEVICE_FREE,
    DEVICE_LEASED,      /**< by this worker */
    DEVICE_BUSY,        /**< by somebody else: another worker, or a process that we did not start */
    DEVICE_QUARANTINED, /**< a fault; until a person clears it */
    DEVICE_LOST,        /**< it was there and answers nothing any more */
    DEVICE_SPLIT        /**< cut into slices, which are what is leased */
};

struct device_book;

/** What to do when a leased card fails; called without any lock held, by the thread of
 * book_update(). */
typedef void (*device_alarm)(void *ctx, unsigned holder, const char *code, const char *text);

struct device_book_config {
    const char *work_dir; /**< quarantined cards are remembered in its folder `devices` */
    const char *lock_dir; /**< locks of all workers of this machine */
    bool scrub;           /**< zero memory between tenants */
    device_alarm alarm;   /**< or NULL */
    void *ctx;
};

/** What a source needs. */
struct device_want {
    unsigned environments; /**< mask; ENV_CPU is ignored */
    int64_t memory_mb;     /**< least memory; 0 when it says nothing */
    const char *uuid;      /**< this card and no other; NULL for any */
    bool in_hand;          /**< a task is there already: it goes before whoever called a card */
};

/** One card for one task. */
struct device_lease {
    bool held;
    struct device device;
    int lock;
};

/** Make the folders. Without a folder for locks no card can be leased, which is logged. @return
 * E_CONFIG */
MUST_CHECK enum err_code book_open(const struct device_book_config *config,
                                   struct device_book **out, struct err *err);
void book_close(struct device_book *b);

/**
 * Take in a look at the machine: new cards, lost ones, faults. A fault quarantines its card; the
 * holder of a card that failed, is lost, or uses more memory than its lease, is told.
 */
void book_update(struct device_book *b, const struct device_list *seen);

/**
 * Lease the smallest free card that does. Scrubs first when nobody knows what is in its memory; one
 * that cannot be scrubbed is quarantined.
 *
 * @holder  given to the alarm
 * @return  E_NO_SLOT when none is free
 */
MUST_CHECK enum err_code book_lease(struct device_book *b, const struct device_want *want,
                                    unsigned holder, struct device_lease *out, struct err *err);

/**
 * Ask for a card that others hold or may take: from now on nobody reserves it who has no task for
 * it, and who holds it without one gives it back (book_is_called). Only a lease by its UUID, or one
 * for a task in hand, gets it.
 *
 * @on  false takes the call back
 */
void book_call(struct device_book *b, const char *uuid, bool on);

/** Whether somebody asks for a leased card. */
bool book_is_called(struct device_book *b, const struct device_lease *lease);

/**
 * A task begins on a leased card: from now on the watchdog looks.
 *
 * @limit_mb  memory that it may use; 0: the card's
 * @return    false when the card has failed since
 */
bool book_begin(struct device_book *b, const struct device_lease *lease, int64_t limit_mb);

/** Whether a leased card is still in order. */
bool book_is_sound(struct device_book *b, const struct device_lease *lease);

/**
 * A leased card must not be given to anybody else: into quarantine, unless it is there already. The
 * lease is due to book_return() all the same, which then touches the card no more.
 *
 * @code  one word
 * @text  one sentence
 */
void book_fail(struct device_book *b, const struct device_lease *lease, const char *code,
               const char *text);

/** A copy of the cards that could be leased, whatever their state. */
void book_cards(struct device_book *b, struct device_list *out);

/** Give a card back; scrubs it when a task had it, and it stays busy while processes are on it.
 * @used whether anything ran on it */
void book_return(struct device_book *b, struct device_lease *lease, bool used);

/** All devices with their states, as the heartbeat carries them; a new reference. */
json_t *book_json(struct device_book *b);

/** Changes whenever a state does: time for a heartbeat. */
unsigned book_changes(struct device_book *b);

/** "free", "leased" and so on; static. */
const char *device_state_word(enum device_state state);

struct device_fault;

/**
 * A card's state as it is seen without a book of one's own: never DEVICE_LEASED.
 *
 * @dir    folder of quarantined cards
 * @fault  filled for a card in quarantine
 */
enum device_state device_state_now(const char *dir, const char *lock_dir, const struct device *d,
                                   struct device_fault *fault);

/** device_json() with state and fault; a new reference. */
json_t *device_state_json(const struct device *d, enum device_state state,
                          const struct device_fault *fault);

#endif
