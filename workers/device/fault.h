/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_DEVICE_FAULT_H
#define WORKERS_DEVICE_FAULT_H

#include <stdbool.h>
#include <stddef.h>

/** What an error event of the NVIDIA driver (XID) means for the card. */
struct fault_kind {
    int xid;
    bool program; /**< a program can cause it alone: its run fails, the card stays in service */
    const char *text;
};

/**
 * By number (NVIDIA's XID catalogue). One that is not known counts against the card.
 *
 * @return never NULL; static
 */
const struct fault_kind *fault_of_xid(int xid);

/**
 * Which of two error events of one look to keep: a card's own fault stops the programs on it, whose
 * events follow; so what tells of the card stays, and of two of a kind the first is the cause.
 *
 * @kept  what was kept so far; 0 for none
 * @next  what happened after it
 */
int fault_graver(int kept, int next);

#endif
