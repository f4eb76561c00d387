/* SPDX-License-Identifier: MIT */
#ifndef RELAYER_OPTIONS_H
#define RELAYER_OPTIONS_H

#include "relayer/relayer.h"

/** Open node, key and database and take the lock, as the environment and flags say. @argv after the
 * subcommand. @poll_ms pause between rounds */
MUST_CHECK enum err_code relayer_open(struct relayer *r, int argc, char **argv, int64_t *poll_ms,
                                      struct err *err);
void relayer_close(struct relayer *r);

/** Prints the options. */
void relayer_help(void);

/** The nodes' chain and kind, once one answers. @return E_CONFIG for another chain */
MUST_CHECK enum err_code relayer_check_chain(struct relayer *r, struct err *err);

#endif
