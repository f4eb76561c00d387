/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_COMMANDS_H
#define WORKERS_COMMANDS_H

/** The subcommands; each gets the arguments behind its word and returns the exit status. */

/** `try`: run a source from a local archive, once, as a task would run it; prints how it ended as
 * JSON. */
int command_try(int argc, char **argv);

/** `doctor`: what a worker needs and whether it is here, as text or JSON. Exit 1 when something is
 * missing. */
int command_doctor(int argc, char **argv);

/** `key FILE`: make a provider key (when there is none) and print its address. */
int command_key(int argc, char **argv);

/** `earn`: what each source of the gateway may be expected to bring on this machine. */
int command_earn(int argc, char **argv);

/** `signer`: hold a key and sign for a worker over a unix socket, until told to end. */
int command_signer(int argc, char **argv);

/** `devices [--json]`: every device, its state and figures; `devices clear UUID`: out of
 * quarantine. */
int command_devices(int argc, char **argv);

/** The agent: claim, run, sign, respond until told to end. */
int command_agent(int argc, char **argv);

#endif
