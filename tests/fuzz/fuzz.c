/* SPDX-License-Identifier: MIT */
/*
 * fuzz SEEDS SECONDS [CRASHES]: for each target a share of the time, changing its seeds at random.
 * Each input lies in memory shared with the parent, which keeps the one that ended a child. SECONDS
 * 0 only runs the seeds, those of old crashes among them.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/hash.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX 16384
#define SEEDS_MAX 256
#define HANG_S    20

struct input {
    size_t n;
    uint8_t p[INPUT_MAX];
};

struct seeds {
    struct input *in[SEEDS_MAX];
    size_t n;
};

static unsigned seed_state;

static size_t pick(size_t n)
{
    return n == 0 ? 0 : (size_t)rand_r(&seed_state) % n;
}

static void add_file(struct seeds *s, const char *dir, const char *name)
{
    char path[4096];
    struct input *in = calloc(1, sizeof(*in));
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "rb");
    if (!f || !in || s->n == SEEDS_MAX) {
        fprintf(stderr, "fuzz: cannot take %s\n", path);
        exit(2);
    }
    in->n = fread(in->p, 1, sizeof(in->p), f);
    fclose(f);
    s->in[s->n++] = in;
}

static void read_seeds(struct seeds *s, const char *root, const char *target)
{
    char dir[2048];
    struct dirent *entry;
    DIR *d;

    snprintf(dir, sizeof(dir), "%s/%s", root, target);
    d = opendir(dir);
    /* cppcheck-suppress readdirCalled ; the DIR is this thread's own */
    while (d && (entry = readdir(d)))
        if (entry->d_name[0] != '.')
            add_file(s, dir, entry->d_name);
    if (d)
        closedir(d);
    if (s->n == 0) {
        fprintf(stderr, "fuzz: no seeds in %s\n", dir);
        exit(2);
    }
}

/* Moves everything behind `at` by `by` bytes, cutting what no longer fits. */
static void shift(struct input *in, size_t at, size_t by)
{
    size_t n = in->n + by > INPUT_MAX ? INPUT_MAX : in->n + by;

    if (at + by < n)
        memmove(in->p + at + by, in->p + at, n - at - by);
    in->n = n;
}

static void change(struct input *in, const struct seeds *s)
{
    static const uint8_t edges[] = {0,    1,    0x1f, 0x20, 0x7f, 0x80,
                                    0xb8, 0xc0, 0xf8, 0xff, '"',  '\\'};
    const struct input *other = s->in[pick(s->n)];
    size_t at = pick(in->n + 1);
    size_t run = 1 + pick(64);

    switch (pick(7)) {
    case 0: /* a bit */
        if (at < in->n)
            in->p[at] ^= (uint8_t)(1U << pick(8));
        break;
    case 1: /* an edge value */
        if (at < in->n)
            in->p[at] = edges[pick(sizeof(edges))];
        break;
    case 2: /* the same byte many times */
        shift(in, at, run);
        for (size_t i = at; i < at + run && i < in->n; i++)
            in->p[i] = at > 0 ? in->p[at - 1] : 0xff;
        break;
    case 3: /* a piece less */
        run = run > in->n - at ? in->n - at : run;
        memmove(in->p + at, in->p + at + run, in->n - at - run);
        in->n -= run;
        break;
    case 4: /* a piece of another seed */
        run = run > other->n ? other->n : run;
        shift(in, at, run);
        if (at + run <= in->n)
            memcpy(in->p + at, other->p + pick(other->n - run + 1), run);
        break;
    case 5: /* a whole word of one kind */
        for (size_t i = at / 32 * 32; i < at / 32 * 32 + 32 && i < in->n; i++)
            in->p[i] = run % 2 ? 0xff : 0;
        break;
    default:
        in->n = at;
    }
}

/* On the heap at its exact size, so that the checker sees every read beyond it. */
static void run_exact(const struct fuzz_target *t, const struct input *in)
{
    uint8_t *p = malloc(in->n > 0 ? in->n : 1);

    if (!p)
        abort();
    memcpy(p, in->p, in->n);
    t->run(p, in->n);
    free(p);
}

static void child(const struct fuzz_target *t, const struct seeds *s, struct input *now, time_t end)
{
    unsigned long runs = 0;

    for (size_t i = 0; i < s->n; i++) {
        alarm(HANG_S);
        *now = *s->in[i];
        run_exact(t, now);
    }
    while (time(NULL) < end) {
        alarm(HANG_S);
        for (int k = 0; k < 256; k++, runs++) {
            *now = *s->in[pick(s->n)];
            for (size_t c = pick(8); c-- > 0;)
                change(now, s);
            run_exact(t, now);
        }
    }
    printf("%-10s %zu seeds, %lu changed inputs\n", t->name, s->n, runs);
    fflush(stdout);
    _exit(0);
}

static void keep(const struct fuzz_target *t, const struct input *in, const char *dir)
{
    struct digest d = sha256(in->p, in->n);
    char path[2048];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s-%02x%02x%02x%02x", dir, t->name, d.b[0], d.b[1], d.b[2],
             d.b[3]);
    f = fopen(path, "wb");
    if (f && fwrite(in->p, 1, in->n, f) == in->n && fclose(f) == 0)
        printf("%s: the input is kept in %s; as a seed it is never forgotten\n", t->name, path);
}

int main(int argc, char **argv)
{
    struct input *now =
        mmap(NULL, sizeof(*now), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int bad = 0;

    if (argc < 3 || now == MAP_FAILED) {
        fputs("usage: fuzz SEEDS SECONDS [CRASHES]\n", stderr);
        return 2;
    }
    seed_state = (unsigned)time(NULL) ^ (unsigned)getpid();
    for (size_t i = 0; i < fuzz_targets_n; i++) {
        time_t share = strtol(argv[2], NULL, 10) / (time_t)fuzz_targets_n;
        struct seeds s = {.n = 0};
        int status = 0;
        pid_t pid;

        read_seeds(&s, argv[1], fuzz_targets[i].name);
        seed_state++;
        fflush(stdout);
        pid = fork();
        if (pid == 0)
            child(&fuzz_targets[i], &s, now, time(NULL) + share);
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
            bad = 1;
            printf("%s: ended with status %d\n", fuzz_targets[i].name, status);
            keep(&fuzz_targets[i], now, argc > 3 ? argv[3] : ".");
        }
        for (size_t k = 0; k < s.n; k++)
            free(s.in[k]);
    }
    munmap(now, sizeof(*now));
    return bad;
}
