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

#endif
