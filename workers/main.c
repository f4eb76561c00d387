/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "workers/commands.h"
#include "workers/contain/box.h"
#include "workers/contain/egress.h"
#include "workers/device/scrub.h"
#include "workers/kernels/helper.h"
#include "workers/options.h"

static int help(void)
{
    puts("usage: ogpu-worker [options]           claim, run, sign, respond until told to end\n"
         "       ogpu-worker try ...             run a source once from a local archive\n"
         "       ogpu-worker doctor [--json] [options]\n"
         "                                       what a worker needs, and whether it is here\n"
         "       ogpu-worker devices [--json]    CPU and cards, their state; devices clear UUID\n"
         "       ogpu-worker key FILE            make a provider key, print its address\n"
         "       ogpu-worker earn [--json] [options]\n"
         "                                       what each source may bring on this machine\n"
         "       ogpu-worker signer [options]    hold the key, sign for a worker over a socket\n"
         "       ogpu-worker config show [--origin] [options]\n"
         "                                       the options in force, and where they come from\n\n"
         "options, each also from the environment or from the file that OGPU_CONFIG names:");
    config_help(options_agent, options_agent_count);
    return 0;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, BOX_SUPERVISOR_WORD) == 0)
        return box_supervisor_main(3, argc > 2 && strcmp(argv[2], EGRESS_WORD) == 0);
    log_open("ogpu-worker", LOG_LEVEL_INFO);
    if (strcmp(word, SCRUB_WORD) == 0 && argc == 3)
        return device_scrub_main(argv[2]);
    signal(SIGPIPE, SIG_IGN);
    if (strcmp(word, HELPER_WORD) == 0 && argc == 5)
        return helper_main(argv[2], argv[3], argv[4]);
    if (strcmp(word, "--help") == 0 || strcmp(word, "help") == 0)
        return help();
    if (strcmp(word, "try") == 0)
        return command_try(argc - 2, argv + 2);
    if (strcmp(word, "doctor") == 0)
        return command_doctor(argc - 2, argv + 2);
    if (strcmp(word, "devices") == 0)
        return command_devices(argc - 2, argv + 2);
    if (strcmp(word, "key") == 0)
        return command_key(argc - 2, argv + 2);
    if (strcmp(word, "earn") == 0)
        return command_earn(argc - 2, argv + 2);
    if (strcmp(word, "signer") == 0)
        return command_signer(argc - 2, argv + 2);
    if (strcmp(word, "config") == 0)
        return options_show(argc - 2, argv + 2);
    return command_agent(argc - 1, argv + 1);
}
