/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hostile.h"

static char bytes[4096];

#define P(x) ((long)(x))

/* Each with arguments that would get past the first checks, where that does no harm. */
static const struct {
    const char *name;
    long number;
    long a, b, c, d, e;
} rows[] = {
    {"mount", SYS_mount, P("none"), P("/tmp"), P("tmpfs"), 0, P("")},
    {"umount", SYS_umount2, P("/tmp"), 0, 0, 0, 0},
    {"pivot_root", SYS_pivot_root, P("/"), P("/tmp"), 0, 0, 0},
    {"chroot", SYS_chroot, P("/tmp"), 0, 0, 0, 0},
    {"fsopen", SYS_fsopen, P("tmpfs"), 0, 0, 0, 0},
    {"fsconfig", SYS_fsconfig, 0, 0, 0, 0, 0},
    {"fsmount", SYS_fsmount, 0, 0, 0, 0, 0},
    {"fspick", SYS_fspick, -100, P("/"), 0, 0, 0},
    {"open_tree", SYS_open_tree, -100, P("/"), 1, 0, 0},
    {"move_mount", SYS_move_mount, -100, P("/tmp"), -100, P("/out"), 0},
    {"mount_setattr", 442, -100, P("/"), 0, P(bytes), 32},
    {"unshare_user", SYS_unshare, CLONE_NEWUSER, 0, 0, 0, 0},
    {"unshare_net", SYS_unshare, CLONE_NEWNET, 0, 0, 0, 0},
    {"unshare_mount", SYS_unshare, CLONE_NEWNS, 0, 0, 0, 0},
    {"setns", SYS_setns, 0, 0, 0, 0, 0},
    {"io_uring", SYS_io_uring_setup, 1, P(bytes), 0, 0, 0},
    {"io_uring_enter", SYS_io_uring_enter, 0, 0, 0, 0, 0},
    {"io_uring_register", SYS_io_uring_register, 0, 0, 0, 0, 0},
    {"keyctl", SYS_keyctl, 0, -3, 0, 0, 0},
    {"add_key", SYS_add_key, P("user"), P("a"), P("b"), 1, -3},
    {"request_key", SYS_request_key, P("user"), P("a"), 0, 0, 0},
    {"bpf", SYS_bpf, 0, P(bytes), 64, 0, 0},
    {"perf", SYS_perf_event_open, P(bytes), 0, -1, -1, 0},
    {"userfaultfd", SYS_userfaultfd, O_CLOEXEC, 0, 0, 0, 0},
    {"fanotify", SYS_fanotify_init, 0, 0, 0, 0, 0},
    {"vmsplice", SYS_vmsplice, 0, 0, 0, 0, 0},
    {"mknod", SYS_mknodat, -100, P("/tmp/n"), 0020666, 0x103, 0},
    {"process_vm_readv", SYS_process_vm_readv, 1, 0, 0, 0, 0},
    {"process_vm_writev", SYS_process_vm_writev, 1, 0, 0, 0, 0},
    {"process_madvise", SYS_process_madvise, 0, 0, 0, 0, 0},
    {"pidfd_getfd", SYS_pidfd_getfd, 1, 0, 0, 0, 0},
    {"kcmp", SYS_kcmp, 1, 1, 0, 0, 0},
    {"kexec", SYS_kexec_load, 0, 0, 0, 0, 0},
    {"kexec_file", SYS_kexec_file_load, -1, -1, 0, 0, 0},
    {"reboot", SYS_reboot, 0xfee1dead, 672274793, 0x89abcdef, 0, 0},
    {"syslog", SYS_syslog, 3, P(bytes), sizeof(bytes), 0, 0},
    {"settime", SYS_clock_settime, 0, P(bytes), 0, 0, 0},
    {"settimeofday", SYS_settimeofday, P(bytes), 0, 0, 0, 0},
    {"adjtimex", SYS_adjtimex, P(bytes), 0, 0, 0, 0},
    {"clock_adjtime", SYS_clock_adjtime, 0, P(bytes), 0, 0, 0},
    {"acct", SYS_acct, P("/tmp/acct"), 0, 0, 0, 0},
    {"quotactl", SYS_quotactl, 0, 0, 0, 0, 0},
    {"open_by_handle", SYS_open_by_handle_at, -100, P(bytes), 0, 0, 0},
    {"name_to_handle", SYS_name_to_handle_at, -100, P("/"), P(bytes), P(bytes), 0},
    {"init_module", SYS_init_module, 0, 0, P(""), 0, 0},
    {"finit_module", SYS_finit_module, 0, P(""), 0, 0, 0},
    {"delete_module", SYS_delete_module, P("x"), 0, 0, 0, 0},
    {"swapon", SYS_swapon, P("/tmp/x"), 0, 0, 0, 0},
    {"swapoff", SYS_swapoff, P("/tmp/x"), 0, 0, 0, 0},
    {"sethostname", SYS_sethostname, P("x"), 1, 0, 0, 0},
    {"setdomainname", SYS_setdomainname, P("x"), 1, 0, 0, 0},
    {"memfd_secret", 447, 0, 0, 0, 0, 0},
    {"mbind", SYS_mbind, 0, 0, 0, 0, 0},
    {"set_mempolicy", SYS_set_mempolicy, 0, 0, 0, 0, 0},
    {"move_pages", SYS_move_pages, 0, 0, 0, 0, 0},
    {"migrate_pages", SYS_migrate_pages, 0, 0, 0, 0, 0},
    {"lookup_dcookie", SYS_lookup_dcookie, 0, P(bytes), 64, 0, 0},
    {"vhangup", SYS_vhangup, 0, 0, 0, 0, 0},
#ifdef __x86_64__
    {"iopl", SYS_iopl, 3, 0, 0, 0, 0},
    {"ioperm", SYS_ioperm, 0x80, 1, 1, 0, 0},
    {"modify_ldt", SYS_modify_ldt, 0, P(bytes), 16, 0, 0},
#endif
    {"personality", SYS_personality, 0x0040000, 0, 0, 0, 0},
    {"unknown", 999, 0, 0, 0, 0, 0},
};

static void forked(const char *name, int request)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(ptrace((enum __ptrace_request)request, 0, NULL, NULL) < 0 ? errno : 0);
    int status = 0;
    syscall(SYS_wait4, pid, &status, 0, NULL);
    tell(name, status >> 8);
}

/* A call that makes a process when it succeeds: the new one leaves at once. */
static void cloned(const char *name, long number, long a, long b)
{
    fflush(stdout);
    long child = syscall(number, a, b, 0, 0, 0);
    if (child == 0)
        _exit(0);
    tell(name, child < 0 ? errno : 0);
}

void calls(void)
{
    forked("ptrace", PTRACE_TRACEME);
    cloned("clone_newuser", SYS_clone, CLONE_NEWUSER | 17, 0);
    cloned("clone_newnet", SYS_clone, CLONE_NEWNET | 17, 0);
    cloned("clone3", SYS_clone3, P(bytes), 64);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        long r = syscall(rows[i].number, rows[i].a, rows[i].b, rows[i].c, rows[i].d, rows[i].e);
        tell(rows[i].name, r < 0 ? errno : 0);
    }
}
