/* SPDX-License-Identifier: MIT */
#include "workers/commands.h"
int command_agent(int argc, char **argv)
{
    (void)argc, (void)argv;
    return 2;
}
