/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostile.h"

#define TRY(name, call) tell(name, (call) < 0 ? errno : 0)

/* What a program of the image that claims to be root's gets. */
static long euid_of(const char *program)
{
    int p[2];
    char text[64] = "";
    if (pipe(p) != 0)
        return -1;
    fflush(stdout);
    if (fork() == 0) {
        dup2(p[1], 1);
        execl(program, program, "euid", NULL);
        _exit(1);
    }
    close(p[1]);
    ssize_t n = read(p[0], text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    wait(NULL);
    const char *colon = strchr(text, ':');
    return colon ? atol(colon + 1) : -2;
}

#define NO_SUCH_ACT 7

/* 0 when a script runs this program once more, which then knows no such act; else the errno. */
static long exec_of(const char *script)
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(1); /* what it says is not ours */
        execl(script, "x", NULL);
        _exit(errno);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status) == NO_SUCH_ACT ? 0 : WEXITSTATUS(status);
}

void privileges(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct all[2] = {{~0U, ~0U, ~0U}, {~0U, ~0U, ~0U}};
    struct rlimit much = {1 << 20, 1 << 20};
    struct rlimit core = {1 << 20, 1 << 20};
    gid_t zero = 0;
    int fd = open("/tmp/own", O_CREAT | O_WRONLY, 0600);
    TRY("setuid", syscall(SYS_setuid, 0));
    TRY("setgid", syscall(SYS_setgid, 0));
    TRY("setresuid", syscall(SYS_setresuid, 0, 0, 0));
    TRY("setgroups", syscall(SYS_setgroups, 1, &zero));
    TRY("capset", syscall(SYS_capset, &head, all));
    TRY("ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0));
    TRY("securebits", prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS));
    TRY("new_privs", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    TRY("chown_root", fchown(fd, 0, 0));
    close(fd);
    TRY("files_limit", setrlimit(RLIMIT_NOFILE, &much));
    TRY("core_limit", setrlimit(RLIMIT_CORE, &core));
    TRY("dumpable_prlimit", syscall(SYS_prlimit64, 1, RLIMIT_MEMLOCK, &much, NULL));
    tell("setuid_program", euid_of("/bin/root"));
    tell("sysv_shm", syscall(SYS_shmget, 0x6f677075, 4096, 0) < 0 ? errno : 0);
    fd = open("/tmp/program", O_CREAT | O_WRONLY, 0755);
    if (write(fd, "#!/bin/hostile\n", 15) != 15)
        _exit(3);
    close(fd);
    tell("exec_tmp", exec_of("/tmp/program"));
}

static void try_write(const char *path)
{
    struct stat st;
    int fd = open(path, O_WRONLY | O_NONBLOCK);
    long n = fd < 0 ? -1 : (long)write(fd, "1", 1);
    /* a masked file is the null device: nothing of the kernel's is there to be written */
    bool nothing = n > 0 && fstat(fd, &st) == 0 && st.st_rdev == makedev(1, 3);
    tell(path, nothing ? ENXIO : fd < 0 || n < 0 ? errno : 0);
    if (fd >= 0)
        close(fd);
}

void writes(void)
{
    static const char *const files[] = {
        "/proc/sysrq-trigger",
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/kernel/hostname",
        "/proc/sys/kernel/panic",
        "/proc/sys/vm/drop_caches",
        "/proc/sys/vm/overcommit_memory",
        "/proc/sys/net/ipv4/ip_forward",
        "/proc/sys/fs/file-max",
        "/proc/sys/fs/binfmt_misc/register",
        "/proc/irq/default_smp_affinity",
        "/proc/kcore",
        "/proc/self/uid_map",
        "/proc/self/gid_map",
        "/proc/self/setgroups",
        "/proc/1/mem",
        "/proc/self/mem-of-host",
        "/proc/bus/pci/00/00.0",
        "/proc/acpi/wakeup",
        "/sys/kernel/uevent_helper",
        "/sys/power/state",
        "/sys/fs/cgroup/cgroup.procs",
        "/sys/fs/cgroup/memory/release_agent",
        "/sys/module/kernel/parameters/panic",
        "/dev/mem",
        "/dev/kmsg",
        "/dev/port",
        "/etc/hosts",
        "/etc/passwd",
        "/bin/hostile",
        "/proc/1/exe",
        "/proc/1/oom_score_adj",
    };
    char names[512] = "";
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        try_write(files[i]);
    DIR *d = opendir("/dev");
    /* cppcheck-suppress readdirCalled ; the DIR is this thread's own */
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        size_t n = strlen(names);
        if (e->d_name[0] != '.')
            snprintf(names + n, sizeof(names) - n, "%s ", e->d_name);
    }
    if (d)
        closedir(d);
    tell_text("dev", names);
}

static void try_open_at(const char *name, const char *path)
{
    int fd = open(path, O_RDONLY);
    tell(name, fd < 0 ? errno : 0);
    if (fd >= 0)
        close(fd);
}

void stand(void)
{
    char text[256] = "";
    char path[300];
    if (!getcwd(text, sizeof(text)))
        snprintf(text, sizeof(text), "none: %d", errno);
    tell_text("cwd", text);
    try_open_at("up", "../../../../../../../etc/shadow");
    try_open_at("below", "etc/shadow");
    long leaked = 0;
    for (int fd = 3; fd < 64; fd++) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        leaked += readlink(path, text, sizeof(text)) >= 0;
    }
    tell("leaked", leaked);
    for (int pid = 1; pid < 32; pid++) {
        snprintf(path, sizeof(path), "/proc/%d/root/etc/shadow", pid);
        int fd = open(path, O_RDONLY);
        if (fd >= 0)
            tell(path, 0);
    }
    snprintf(text, sizeof(text), "%s", getenv("LD_PRELOAD") ? getenv("LD_PRELOAD") : "");
    tell_text("preload", text);
    tell("ppid", getppid());
}

void signals(void)
{
    long reached = 0;
    siginfo_t info = {.si_code = SI_QUEUE};
    signal(SIGTERM, SIG_IGN);
    for (pid_t pid = 2; pid < 5000; pid++)
        reached += kill(pid, SIGKILL) == 0;
    tell("reached", reached);
    tell("all", kill(-1, SIGTERM) ? errno : 0);
    tell("parent", getppid() > 0 && kill(getppid(), SIGKILL) == 0);
    tell("tgkill", syscall(SYS_tgkill, 2, 2, SIGKILL) < 0 ? errno : 0);
    tell("queue", syscall(SYS_rt_sigqueueinfo, 2, SIGTERM, &info) < 0 ? errno : 0);
    tell("pidfd", syscall(SYS_pidfd_open, 2, 0) < 0 ? errno : 0);
    tell("priority", setpriority(PRIO_PROCESS, 2, 19) < 0 ? errno : 0);
}
