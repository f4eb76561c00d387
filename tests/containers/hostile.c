/* SPDX-License-Identifier: MIT */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int told;

void tell(const char *name, long result)
{
    printf("%s\"%s\":%ld", told++ ? "," : "", name, result);
}

void tell_text(const char *name, const char *text)
{
    printf("%s\"%s\":\"", told++ ? "," : "", name);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar(*text < ' ' ? ' ' : *text);
    }
    putchar('"');
}

static long bomb_forks(void)
{
    long children = 0;
    for (int i = 0; i < 20000; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            pause();
            _exit(0);
        }
        children += pid > 0;
    }
    return children;
}

static void *idle(void *arg)
{
    pause();
    return arg;
}

static long bomb_threads(void)
{
    long n = 0;
    pthread_attr_t small;
    pthread_t t;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (int i = 0; i < 20000; i++)
        n += pthread_create(&t, &small, idle, NULL) == 0;
    return n;
}

static void bomb_memory(void)
{
    for (;;) {
        char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p != MAP_FAILED)
            memset(p, 1, 1 << 20);
    }
}

/* Write until it is refused. @return bytes written; the refusal in *why */
static long fill(const char *path, int *why)
{
    static char block[65536];
    long n = 0;
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    signal(SIGXFSZ, SIG_IGN);
    if (fd < 0) {
        *why = errno;
        return 0;
    }
    memset(block, 1, sizeof(block));
    for (;;) {
        ssize_t w = write(fd, block, sizeof(block));
        if (w <= 0)
            break;
        n += w;
    }
    *why = errno;
    close(fd);
    return n;
}

static void bomb_disk(void)
{
    static const char *const places[] = {"/tmp/a", "/dev/shm/a", "/out/a", "/a",
                                         "/var/a", "/dev/a",     "/in/a",  "/proc/a"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        int why = 0;
        char name[64];
        long n = fill(places[i], &why);
        snprintf(name, sizeof(name), "%s bytes", places[i]);
        tell(name, n);
        tell(places[i], why);
        unlink(places[i]);
    }
}

static long bomb_inodes(const char *dir)
{
    char path[128];
    long n = 0;
    for (;; n++) {
        snprintf(path, sizeof(path), "%s/i%ld", dir, n);
        int fd = open(path, O_CREAT | O_WRONLY, 0600);
        if (fd < 0)
            return n;
        close(fd);
    }
}

static long bomb_descriptors(void)
{
    long n = 0;
    while (dup(1) >= 0)
        n++;
    return n;
}

static void flood(void)
{
    static char block[65536];
    memset(block, 'x', sizeof(block));
    for (;;) {
        if (write(1, block, sizeof(block)) < 0)
            _exit(3);
    }
}

static void flood_logs(void)
{
    static char block[65536];
    memset(block, 0x1b, sizeof(block));
    while (write(2, block, sizeof(block)) >= 0)
        ;
}

static void drip(void)
{
    for (;;) {
        if (write(2, ".", 1) != 1)
            _exit(3);
        usleep(50000);
    }
}

static void hang(void)
{
    for (int i = 1; i < 65; i++)
        signal(i, SIG_IGN);
    for (;;)
        pause();
}

/* Have a child die of the memory that it takes, and wait for something else. */
static void lose_a_child(void)
{
    pid_t child = fork();
    if (child == 0)
        bomb_memory();
    waitpid(child, NULL, 0);
    hang();
}

/* Leave a grandchild behind that has let go of everything, and end well. */
static void daemonise(void)
{
    if (fork() == 0) {
        setsid();
        if (fork() == 0) {
            for (int fd = 0; fd < 64; fd++)
                close(fd);
            prctl(PR_SET_NAME, "ogpu-stray");
            for (;;)
                pause();
        }
        _exit(0);
    }
    usleep(100000);
}

static long bomb_inotify(void)
{
    long n = 0;
    while (n < 5000 && inotify_init1(0) >= 0)
        n++;
    return n;
}

/* Bytes that are no file anybody sees. @return how many went in before the end */
static long bomb_memfd(void)
{
    static char block[1 << 20];
    long n = 0;
    int fd = memfd_create("bomb", 0);
    signal(SIGXFSZ, SIG_IGN);
    memset(block, 1, sizeof(block));
    while (n < 4096 && write(fd, block, sizeof(block)) > 0)
        n++;
    close(fd);
    return n;
}

/* Leave a process that swaps an output for a link to the host, as fast as it can. */
static void race(void)
{
    if (fork() != 0)
        return;
    setsid();
    for (;;) {
        unlink("/out/result");
        if (symlink("/etc/shadow", "/out/result") == 0)
            unlink("/out/result");
        int fd = open("/out/result", O_CREAT | O_WRONLY, 0644);
        if (fd >= 0)
            close(fd);
    }
}

/* A port and a name that a neighbour might look for. */
static void sit_and_listen(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(7777)};
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0ogpu-neighbour"};
    int tcp = socket(AF_INET, SOCK_STREAM, 0);
    int un = socket(AF_UNIX, SOCK_STREAM, 0);
    tell("bound", bind(tcp, (struct sockaddr *)&any, sizeof(any)) ||
                      bind(un, (struct sockaddr *)&name, 3 + 14) || listen(tcp, 1) ||
                      listen(un, 1));
    sleep(2);
    close(tcp);
    close(un);
}

static int bombs(const char *act)
{
    if (strcmp(act, "forks") == 0)
        tell("children", bomb_forks());
    else if (strcmp(act, "threads") == 0)
        tell("threads", bomb_threads());
    else if (strcmp(act, "disk") == 0)
        bomb_disk();
    else if (strcmp(act, "inodes") == 0)
        tell("files", bomb_inodes("/tmp"));
    else if (strcmp(act, "descriptors") == 0)
        tell("descriptors", bomb_descriptors());
    else if (strcmp(act, "inotify") == 0)
        tell("instances", bomb_inotify());
    else if (strcmp(act, "memfd") == 0)
        tell("memfd", bomb_memfd());
    else if (strcmp(act, "race") == 0)
        race();
    else if (strcmp(act, "listen") == 0)
        sit_and_listen();
    else
        return 0;
    return 1;
}

static int ends(const char *act)
{
    if (strcmp(act, "memory") == 0)
        bomb_memory();
    else if (strcmp(act, "flood") == 0)
        flood();
    else if (strcmp(act, "logs") == 0)
        flood_logs();
    else if (strcmp(act, "drip") == 0)
        drip();
    else if (strcmp(act, "hang") == 0)
        hang();
    else if (strcmp(act, "bereft") == 0)
        lose_a_child();
    else if (strcmp(act, "busy") == 0)
        for (volatile long i = 0;; i++)
            ;
    else if (strcmp(act, "abort") == 0)
        abort();
#ifdef __x86_64__
    else if (strcmp(act, "int80") == 0)
        __asm__ volatile("int $0x80" : : "a"(20) : "memory");
    else if (strcmp(act, "x32") == 0)
        syscall(0x40000000 + 39);
#endif
    else if (strcmp(act, "words") == 0)
        fprintf(stderr, "first line\nlast words \x1b[31m of mine\n");
    return 7;
}

int main(int argc, char **argv)
{
    const char *act = argc > 1 ? argv[1] : "";
    if (strncmp(act, "trap-", 5) == 0) {
        puts("{}");
        return trap(act + 5);
    }
    if (strcmp(act, "http-on") == 0)
        return serve_on();
    if (strncmp(act, "http-", 5) == 0)
        return serve_badly(act + 5);
    putchar('{');
    if (strcmp(act, "look") == 0)
        look();
    else if (strcmp(act, "calls") == 0)
        calls();
    else if (strcmp(act, "network") == 0)
        network();
    else if (strncmp(act, "egress-", 7) == 0)
        egress(act + 7, argc - 2, argv + 2);
    else if (strcmp(act, "privileges") == 0)
        privileges();
    else if (strcmp(act, "writes") == 0)
        writes();
    else if (strcmp(act, "stand") == 0)
        stand();
    else if (strcmp(act, "signals") == 0)
        signals();
    else if (strcmp(act, "euid") == 0)
        tell("euid", geteuid());
    else if (strcmp(act, "nap") == 0)
        sleep(3);
    else if (strcmp(act, "daemon") == 0)
        daemonise();
    else if (!bombs(act))
        return ends(act);
    puts("}");
    fflush(stdout);
    _exit(0);
}
