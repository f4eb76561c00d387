/* SPDX-License-Identifier: MIT */
/* ogpu-relayer: settles the books on the chain. One per key; serves nobody. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "eth/address.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/metrics_text.h"
#include "relayer/command.h"
#include "relayer/figures.h"
#include "relayer/options.h"

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

bool command_stopping(void)
{
    return stopping;
}

bool command_wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0)
            return true;
    return false;
}

int command_fail(const struct err *err)
{
    fprintf(stderr, "ogpu-relayer: %s\n", err->text);
    return 1;
}

/* What was told last, and when. */
struct teller {
    struct metrics_text *m; /* NULL: nobody asked for metrics */
    struct figures f;
    int64_t told; /* monotonic µs; 0: never */
};

/* Every five seconds: an operator's eyes are no faster. What database or node do not tell now is
 * left as it was or left out, and the alarms are judged by the rest: a text that only a healthy
 * relayer renews would show a healthy one for ever. The round that follows says what is wrong. */
static void tell(struct relayer *r, struct teller *t)
{
    struct buf text = {0};
    struct err err = {0};

    if (t->told != 0 && clock_mono_us() - t->told < 5000000)
        return;
    t->told = clock_mono_us();
    arena_reset(r->arena);
    if (figures_books(r, &t->f, &err) != E_OK)
        log_debug("figures", "text=%s", err.text);
    if (figures_chain(r, &t->f, &err) != E_OK)
        t->f.has_chain = false;
    figures_judge(r, &t->f);
    if (t->m && figures_prometheus(r, &t->f, &text, &err) == E_OK)
        metrics_text_set(t->m, &text);
    buf_done(&text);
}

/* What a round, or the look at the chain before the first one, came to. */
static void note(struct relayer *r, enum err_code rc, const struct err *err, struct teller *t)
{
    if (rc == E_OK)
        t->f.looked_at = clock_wall_us() / 1000000;
    else if (err_info(rc)->blame == BLAME_PEER)
        log_warn("retry", "code=%s text=%s", err_info(rc)->word, err->text);
    else
        log_error("halted", "code=%s text=%s", err_info(rc)->word, err->text);
    tell(r, t);
}

static int loop(struct relayer *r, int64_t poll_ms, struct teller *t)
{
    struct timespec pause = {.tv_sec = poll_ms / 1000, .tv_nsec = (poll_ms % 1000) * 1000000};
    bool checked = false;

    while (!stopping) {
        struct err err = {0};
        enum err_code rc = checked ? E_OK : relayer_check_chain(r, &err);

        if (rc == E_CONFIG)
            return command_fail(&err);
        if (rc == E_OK) {
            checked = true;
            rc = relayer_step(r, &err);
        } else {
            relayer_judge_nodes(r);
        }
        if (rc == E_BUSY && !db_lock_held(r->db, RELAYER_LOCK) && !db_try_lock(r->db, RELAYER_LOCK))
            return command_fail(&err);
        note(r, rc, &err, t);
        nanosleep(&pause, NULL); /* a signal ends it early */
    }
    return 0;
}

int command_run(int argc, char **argv)
{
    char sender[ADDRESS_TEXT_MAX];
    struct relayer r = {0};
    struct err err = {0};
    struct relayer_life life;
    struct teller t = {0};
    int rc;

    if (command_wants_help(argc, argv)) {
        puts("usage: ogpu-relayer [run] [--option value]...\n");
        relayer_help();
        return 0;
    }
    log_open("ogpu-relayer", LOG_LEVEL_INFO);
    if (relayer_open(&r, argc, argv, &life, &err) != E_OK ||
        (life.metrics[0] && metrics_text_start(life.metrics, &t.m, &err) != E_OK)) {
        relayer_close(&r);
        return command_fail(&err);
    }
    address_format(r.sender, sender);
    log_info("started", "sender=%s", sender);
    rc = loop(&r, life.poll_ms, &t);
    metrics_text_stop(t.m);
    relayer_close(&r);
    log_info("stopped", NULL);
    return rc;
}

/* The key must not reach a core file, swap of a dump, or a debugger of the same user. */
static void keep_secrets(void)
{
    const struct rlimit none = {0, 0};

    prctl(PR_SET_DUMPABLE, 0);
    setrlimit(RLIMIT_CORE, &none);
}

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} commands[] = {
    {"run", command_run, "settle the books on the chain; the default"},
    {"status", command_status, "one JSON document: lane, batches, fees, balance, alarms to be"},
    {"simulate", command_simulate,
     "what would be settled now, tried on the chain; changes nothing"},
    {"again", command_again, "have a batch signed anew whose transactions did nothing"},
    {"accept", command_accept, "settle on although a batch stands on chain that is not ours"},
    {"voucher", command_voucher, "sign all that an address has earned, as a second way to be paid"},
    {"deploy", command_deploy, "put the contracts on a chain, or check that they stand there"},
    {"signer", command_signer, "hold the key and sign over a socket what a policy admits"},
};

static int help(void)
{
    puts("usage: ogpu-relayer [command] [--option value]...\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].what);
    puts("\nogpu-relayer COMMAND --help lists its options. Those of run:\n");
    relayer_help();
    return 0;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};

    keep_secrets();
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return help();
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 2, argv + 2);
    if (argc > 1 && argv[1][0] != '-') {
        fprintf(stderr, "ogpu-relayer: no command is called '%s'; --help lists them\n", argv[1]);
        return 1;
    }
    return command_run(argc - 1, argv + 1);
}
