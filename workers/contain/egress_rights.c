/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <netdb.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "workers/contain/egress_proxy.h"

/* All that sockets, threads and the C library's resolver need; checked against glibc 2.36. */
static const char *const allowed[] = {
    "accept4",        "brk",
    "clock_gettime",  "clock_nanosleep",
    "close",          "connect",
    "exit",           "exit_group",
    "fcntl",          "fstat",
    "futex",          "getegid",
    "geteuid",        "getgid",
    "getpeername",    "getpid",
    "getrandom",      "getsockname",
    "getsockopt",     "gettid",
    "gettimeofday",   "getuid",
    "lseek",          "madvise",
    "mremap",         "munmap",
    "nanosleep",      "newfstatat",
    "poll",           "ppoll",
    "pread64",        "prlimit64",
    "read",           "recvfrom",
    "recvmsg",        "restart_syscall",
    "rseq",           "rt_sigaction",
    "rt_sigprocmask", "rt_sigreturn",
    "sched_yield",    "sendmmsg",
    "sendmsg",        "sendto",
    "setsockopt",     "set_robust_list",
    "shutdown",       "sched_getaffinity",
    "sigaltstack",    "stat",
    "uname",          "write",
    "writev",
};

static bool allow(scmp_filter_ctx f, const char *name, unsigned n, const struct scmp_arg_cmp *args)
{
    int call = seccomp_syscall_resolve_name(name);
    /* Not a call of this architecture: nobody can make it. */
    return call < 0 || seccomp_rule_add_array(f, SCMP_ACT_ALLOW, call, n, args) == 0;
}

/* Masked compare of one argument. */
static struct scmp_arg_cmp only(unsigned arg, uint64_t mask, uint64_t value)
{
    return (struct scmp_arg_cmp){arg, SCMP_CMP_MASKED_EQ, mask, value};
}

static bool add_rules(scmp_filter_ctx f)
{
    bool ok = true;
    for (size_t i = 0; ok && i < ARRAY_LEN(allowed); i++)
        ok = allow(f, allowed[i], 0, NULL);
    struct scmp_arg_cmp v4 = {0, SCMP_CMP_EQ, AF_INET, 0};
    struct scmp_arg_cmp v6 = {0, SCMP_CMP_EQ, AF_INET6, 0};
    ok = ok && allow(f, "socket", 1, &v4) && allow(f, "socket", 1, &v6);
    struct scmp_arg_cmp reading = only(2, O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, O_RDONLY);
    ok = ok && allow(f, "openat", 1, &reading);
    struct scmp_arg_cmp data = only(2, PROT_EXEC, 0);
    ok = ok && allow(f, "mmap", 1, &data) && allow(f, "mprotect", 1, &data);
    struct scmp_arg_cmp thread = only(0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM);
    ok = ok && allow(f, "clone", 1, &thread);
    struct scmp_arg_cmp waiting = {1, SCMP_CMP_EQ, FIONREAD, 0}; /* the resolver asks how much */
    ok = ok && allow(f, "ioctl", 1, &waiting);
    /* Its arguments lie in memory where no filter sees them; the C library then takes clone(). */
    int call = seccomp_syscall_resolve_name("clone3");
    return ok && (call < 0 || seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), call, 0) == 0);
}

static bool filter(void)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    bool ok = f && add_rules(f) && seccomp_load(f) == 0;
    seccomp_release(f);
    return ok;
}

static bool limit(int what, rlim_t value)
{
    struct rlimit r = {value, value};
    return setrlimit(what, &r) == 0;
}

/* Its parent may be dear to the machine; it is not. */
static bool go_first(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, "1000", 4) == 4;
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool limits(void)
{
    /* Every thread would reserve 64 MiB of addresses for itself. */
    (void)mallopt(M_ARENA_MAX, 1);
    bool ok = limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NOFILE, 256);
#ifndef __SANITIZE_ADDRESS__
    ok = ok && limit(RLIMIT_AS, (rlim_t)512 << 20);
#endif
    return ok;
}

/* The resolver's modules are programs' code: load them while that is allowed. */
static void warm_resolver(void)
{
    struct addrinfo *list = NULL;
    if (getaddrinfo("localhost", NULL, NULL, &list) == 0)
        freeaddrinfo(list);
}

enum err_code egress_drop_rights(uint32_t id, struct err *err)
{
    const char *step = NULL;
    warm_resolver();
    if (!go_first() || !limits())
        step = "limits";
    else if (setgroups(0, NULL) != 0 || setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0)
        step = "another user";
    /* Changing the user forgets this one: so afterwards. */
    else if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
        step = "the parent's death";
    else if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !filter())
        step = "seccomp";
    return step ? err_set(err, E_IO, "the proxy cannot give up its rights: %s: %s", step,
                          strerror(errno))
                : E_OK;
}
