/* SPDX-License-Identifier: MIT */
/*
 * An exec source with bad manners: it tries what a stranger's program would try first on somebody
 * else's machine, and tells as JSON which error each attempt met (0: it succeeded). With the input
 * {"do":"memory"} it takes memory until it is stopped. Publish it to see what a worker is worth.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

#define VSOCK 40

static int told;

static void tell(const char *tried, int failed)
{
    const char *name = failed ? strerrorname_np(failed) : "OK";
    printf("%s{\"tried\":\"%s\",\"errno\":%d,\"error\":\"%s\"}", told++ ? "," : "", tried, failed,
           name ? name : "?");
}

static void try_open(const char *tried, const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    tell(tried, fd < 0 ? errno : 0);
    if (fd >= 0)
        close(fd);
}

static void try_connect(const char *tried, const char *host, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, host, &to.sin_addr);
    tell(tried, connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 ? errno : 0);
    close(fd);
}

static void try_forks(void)
{
    int failed = 0;
    for (int i = 0; i < 1000 && !failed; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            sleep(5);
            _exit(0);
        }
        failed = pid < 0 ? errno : 0;
    }
    tell("start a thousand processes", failed);
}

static void try_disk(void)
{
    static char block[1 << 16];
    int failed = 0;
    int fd = open("/tmp/fill", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (int i = 0; i < 16384 && !failed; i++)
        failed = write(fd, block, sizeof(block)) < 0 ? errno : 0;
    close(fd);
    unlink("/tmp/fill");
    tell("fill the disk with a gigabyte", failed);
}

static void take_memory(void)
{
    for (;;) {
        volatile char *p = malloc(1 << 20);
        for (size_t i = 0; p && i < 1 << 20; i += 4096)
            p[i] = 1;
    }
}

int main(void)
{
    char input[65536];
    size_t n = fread(input, 1, sizeof(input) - 1, stdin);
    input[n] = '\0';
    if (strstr(input, "\"memory\""))
        take_memory();
    fputs("{\"attempts\":[", stdout);
    try_open("read the host's password hashes", "/etc/shadow", O_RDONLY);
    try_open("read the machine's memory", "/dev/mem", O_RDONLY);
    try_open("write into its own image", "/bin/planted", O_WRONLY | O_CREAT);
    try_open("change a kernel setting", "/proc/sys/kernel/core_pattern", O_WRONLY);
    try_connect("reach the internet", "1.1.1.1", 443);
    try_connect("ask the cloud for the host's credentials", "169.254.169.254", 80);
    try_connect("reach the host's PostgreSQL", "127.0.0.1", 5432);
    int fd = socket(VSOCK, SOCK_STREAM, 0);
    tell("talk to the hypervisor (AF_VSOCK)", fd < 0 ? errno : 0);
    tell("mount a file system", mount("none", "/tmp", "tmpfs", 0, NULL) != 0 ? errno : 0);
    tell("become root in a namespace of its own", unshare(CLONE_NEWUSER) != 0 ? errno : 0);
    tell("become root", setuid(0) != 0 ? errno : 0);
    tell("trace its supervisor", ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 ? errno : 0);
    try_disk();
    fflush(stdout);
    try_forks();
    puts("]}");
    fflush(stdout);
    _exit(0);
}
