/* SPDX-License-Identifier: MIT */
#ifndef RELAYER_COMMAND_H
#define RELAYER_COMMAND_H

#include <stdbool.h>

#include "lib/err.h"

/* The subcommands of ogpu-relayer; each gets the arguments behind its name and gives an exit
 * status.
 */
int command_run(int argc, char **argv);
int command_status(int argc, char **argv);
int command_simulate(int argc, char **argv);
int command_voucher(int argc, char **argv);
int command_deploy(int argc, char **argv);
int command_again(int argc, char **argv);
int command_accept(int argc, char **argv);
int command_signer(int argc, char **argv);

/** Whether --help is among the arguments. */
bool command_wants_help(int argc, char **argv);

/** Says what went wrong. @return 1 */
int command_fail(const struct err *err);

/** SIGTERM or SIGINT came. */
bool command_stopping(void);

#endif
