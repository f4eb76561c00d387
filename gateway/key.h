/* SPDX-License-Identifier: MIT */
#ifndef GATEWAY_KEY_H
#define GATEWAY_KEY_H

/**
 * `ogpu-gateway key create|list|revoke …`: the operator's commands on API keys.
 *
 * @argv  `argc` arguments behind "key"
 * @return the process's exit status; what went wrong is on stderr
 */
int key_command(int argc, char **argv);

#endif
