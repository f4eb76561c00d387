/* SPDX-License-Identifier: MIT */
#ifndef RELAYER_OPTIONS_H
#define RELAYER_OPTIONS_H

#include "relayer/relayer.h"

/** How the process lives. */
struct relayer_life {
    int64_t poll_ms;     /**< pause between rounds */
    const char *metrics; /**< host:port to serve them at; "" for nowhere */
};

/** Open node, key and database and take the lock, as the environment and flags say. @argv after the
 * subcommand */
MUST_CHECK enum err_code relayer_open(struct relayer *r, int argc, char **argv,
                                      struct relayer_life *life, struct err *err);

/** The same to look only: no lock, and no key; the sender is the contract's settler. */
MUST_CHECK enum err_code relayer_open_to_look(struct relayer *r, int argc, char **argv,
                                              struct err *err);
void relayer_close(struct relayer *r);

/** Prints the options. */
void relayer_help(void);

/** The nodes' chain and kind, once one answers. @return E_CONFIG for another chain */
MUST_CHECK enum err_code relayer_meet_chain(struct relayer *r, struct err *err);

/** The same, and what the contract says about itself. @return E_CONFIG for another chain */
MUST_CHECK enum err_code relayer_check_chain(struct relayer *r, struct err *err);

#endif
