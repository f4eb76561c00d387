/* SPDX-License-Identifier: MIT */
/*
 * The fault proxy as a program, for tests in other languages.
 *
 * usage: fault_proxy HOST PORT
 *
 * Prints its own port, then obeys lines on stdin, answering each with `ok <cuts so far>`:
 *   none · cut_before N · cut_after N · hang · refuse · delay MS · cut
 */
#include "fault_proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool obey(struct fault_proxy *p, const char *word, int n)
{
    static const struct {
        const char *word;
        enum fault fault;
    } faults[] = {{"none", FAULT_NONE},
                  {"cut_before", FAULT_CUT_BEFORE_COMMIT},
                  {"cut_after", FAULT_CUT_AFTER_COMMIT},
                  {"hang", FAULT_HANG},
                  {"refuse", FAULT_REFUSE}};

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (strcmp(word, faults[i].word) == 0) {
            fault_proxy_set(p, faults[i].fault, n);
            return true;
        }
    }
    if (strcmp(word, "delay") == 0) {
        fault_proxy_delay(p, n);
        return true;
    }
    if (strcmp(word, "cut") == 0) {
        fault_proxy_cut(p);
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct fault_proxy *p;
    char line[128];

    if (argc != 3) {
        fputs("usage: fault_proxy HOST PORT\n", stderr);
        return 2;
    }
    p = fault_proxy_open(argv[1], atoi(argv[2]));
    if (!p) {
        perror("fault_proxy");
        return 1;
    }
    printf("%d\n", fault_proxy_port(p));
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        char word[32] = "";
        int n = 0;

        (void)sscanf(line, "%31s %d", word, &n);
        if (obey(p, word, n)) {
            printf("ok %d\n", fault_proxy_cuts(p));
        } else {
            printf("unknown %s\n", word);
        }
        fflush(stdout);
    }
    fault_proxy_close(p);
    return 0;
}
