/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "hostile.h"

static void tell_open(const char *path, int flags)
{
    int fd = open(path, flags);
    tell(path, fd < 0 ? errno : 0);
    if (fd >= 0)
        close(fd);
}

/* Whether a file of the kernel gives anything away. */
static void tell_length(const char *path)
{
    char text[256];
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    long n = fd < 0 ? -errno : (long)read(fd, text, sizeof(text));
    tell(path, n);
    if (fd >= 0)
        close(fd);
}

static long count(const char *dir, int digits)
{
    long n = 0;
    DIR *d = opendir(dir);
    /* cppcheck-suppress readdirCalled ; the DIR is this thread's own */
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
        n += digits ? e->d_name[0] >= '0' && e->d_name[0] <= '9' : e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static void tell_status(void)
{
    char line[256];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof(line), f)) {
        char *value = strchr(line, ':');
        if (!value || (strncmp(line, "Cap", 3) != 0 && strncmp(line, "NoNewPrivs", 10) != 0 &&
                       strncmp(line, "Seccomp:", 8) != 0 && strncmp(line, "Uid", 3) != 0))
            continue;
        *value++ = '\0';
        value += strspn(value, " \t");
        value[strcspn(value, "\t\n")] = '\0';
        tell_text(line, value);
    }
    if (f)
        fclose(f);
}

static void tell_file(const char *name, const char *path)
{
    char text[256] = "";
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    tell_text(name, text);
}

static void tell_size(const char *path)
{
    char name[64];
    struct statvfs s;
    snprintf(name, sizeof(name), "%s size", path);
    tell(name, statvfs(path, &s) == 0 ? (long)(s.f_blocks * s.f_frsize) : -errno);
    snprintf(name, sizeof(name), "%s noexec", path);
    tell(name, (s.f_flag & ST_NOEXEC) != 0);
}

/* A folder that is hidden is an empty tmpfs; the kernel's own is of the file system of /proc. */
static void tell_mask(const char *path)
{
    struct statfs s;
    tell(path, statfs(path, &s) != 0 ? -errno : s.f_type == TMPFS_MAGIC);
}

void look(void)
{
    static const char *const hidden[] = {"/proc/kcore",     "/proc/keys",      "/proc/kallsyms",
                                         "/proc/config.gz", "/proc/cmdline",   "/proc/timer_list",
                                         "/proc/modules",   "/proc/partitions"};
    static const char *const absent[] = {
        "/etc/shadow", "/root",     "/home",          "/dev/mem", "/dev/vda",
        "/dev/kvm",    "/dev/fuse", "/sys/fs/cgroup", "/run/box", "/proc/1/root/etc/shadow"};
    tell_status();
    tell_file("uid_map", "/proc/self/uid_map");
    tell("pids", count("/proc", 1));
    tell("fds", count("/proc/self/fd", 0));
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
        tell_length(hidden[i]);
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
        tell_open(absent[i], O_RDONLY);
    tell_mask("/proc/driver");
    tell_open("/proc/sysrq-trigger", O_WRONLY);
    tell_open("/proc/sys/kernel/core_pattern", O_WRONLY);
    tell_open("/proc/sys/vm/overcommit_memory", O_WRONLY);
    tell_open("/proc/self/exe", O_WRONLY);
    tell_open("/proc/1/exe", O_WRONLY);
    tell_open("/bin/hostile", O_WRONLY);
    tell_open("/bin/new", O_CREAT | O_WRONLY);
    tell_size("/tmp");
    tell_size("/out");
    tell_size("/dev/shm");
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);
    tell("oom_score_adj", fd >= 0 && write(fd, "-500", 4) == 4 ? 0 : errno);
    struct rlimit more = {4096, 1 << 20};
    tell("setrlimit", setrlimit(RLIMIT_NOFILE, &more) ? errno : 0);
    struct sched_param p = {.sched_priority = 1};
    tell("realtime", sched_setscheduler(0, SCHED_FIFO, &p) ? errno : 0);
    tell("nice", setpriority(PRIO_PROCESS, 0, -10) ? errno : 0);
    tell("kill_all", kill(-1, 0) ? errno : 0);
}

#define TRY(name, call) tell(name, (call) < 0 ? errno : 0)

static void try_connect(const char *name, const char *host, int port, int type)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, type, 0);
    inet_pton(AF_INET, host, &to.sin_addr);
    tell(name, connect(fd, (struct sockaddr *)&to, sizeof(to)) ? errno : 0);
    close(fd);
}

void network(void)
{
    static const struct {
        const char *name;
        int family;
    } families[] = {{"vsock", 40}, {"packet", 17}, {"netlink", 16}, {"alg", 38},       {"xdp", 44},
                    {"tipc", 30},  {"rds", 21},    {"smc", 43},     {"bluetooth", 31}, {"can", 29}};
    const char *port = getenv("HOST_PORT");
    const char *host = getenv("HOST_ADDRESS");
    struct sockaddr_un abstract = {.sun_family = AF_UNIX};
    try_connect("public", "1.1.1.1", 443, SOCK_STREAM);
    try_connect("public_udp", "1.1.1.1", 53, SOCK_DGRAM);
    try_connect("metadata", "169.254.169.254", 80, SOCK_STREAM);
    try_connect("neighbour", "127.0.0.1", 7777, SOCK_STREAM);
    try_connect("gateway", "10.0.2.2", 80, SOCK_STREAM);
    try_connect("host_loopback", "127.0.0.1", port ? atoi(port) : 1, SOCK_STREAM);
    try_connect("host_address", host ? host : "192.0.2.1", port ? atoi(port) : 1, SOCK_STREAM);
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        /* cppcheck-suppress leakReturnValNotUsed ; the process ends soon */
        TRY(families[i].name, socket(families[i].family, SOCK_STREAM, 0));
    /* cppcheck-suppress leakReturnValNotUsed ; the process ends soon */
    TRY("raw", socket(AF_INET, SOCK_RAW, 1));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    memcpy(abstract.sun_path + 1, "ogpu-test-abstract", 18);
    tell("abstract", connect(fd, (struct sockaddr *)&abstract, 3 + 18) ? errno : 0);
    struct sockaddr_un neighbour = {.sun_family = AF_UNIX, .sun_path = "\0ogpu-neighbour"};
    tell("neighbour_unix", connect(fd, (struct sockaddr *)&neighbour, 3 + 14) ? errno : 0);
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    int fd6 = socket(AF_INET6, SOCK_STREAM, 0);
    inet_pton(AF_INET6, "2606:4700:4700::1111", &six.sin6_addr);
    tell("public_v6", fd6 < 0 || connect(fd6, (struct sockaddr *)&six, sizeof(six)) ? errno : 0);
    int pair[2];
    TRY("socketpair_tipc", socketpair(30, SOCK_STREAM, 0, pair));
    char line[512];
    char names[256] = "";
    FILE *f = fopen("/proc/net/dev", "r");
    for (int i = 0; f && fgets(line, sizeof(line), f); i++) {
        char *colon = strchr(line, ':');
        if (i >= 2 && colon) {
            *colon = '\0';
            size_t n = strlen(names);
            snprintf(names + n, sizeof(names) - n, "%s ", line + strspn(line, " "));
        }
    }
    if (f)
        fclose(f);
    tell_text("interfaces", names);
}
