/* SPDX-License-Identifier: MIT */
#include "workers/preflight.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/openat2.h>
#include <linux/seccomp.h>

#include "lib/log.h"
#include "workers/advisories.h"
#include "workers/contain/cgroup.h"
#include "workers/contain/rootless.h"
#include "workers/contain/runtime.h"

/* Try unshare() in a process that is thrown away. @return 0 or errno. */
static int try_unshare(int flags)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(unshare(flags) == 0 ? 0 : errno);
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return ECHILD;
    return WEXITSTATUS(status);
}

static void check_runtime(const char *runtime, struct preflight_row *r)
{
    char path[256];
    struct err err;
    *r = (struct preflight_row){.what = "OCI runtime",
                                .fix = "apt-get install crun (or runc), or set OGPU_RUNTIME"};
    enum err_code rc = runtime_find(runtime, path, sizeof(path), &err);
    if (rc == E_OK)
        rc = runtime_version(path, r->detail, sizeof(r->detail), &err);
    /* It is called with flags of its own, and told by its name. */
    if (rc == E_OK && (strncmp(r->detail, "runsc ", 6) == 0) != runtime_is_gvisor(path))
        rc = err_set(&err, E_CONFIG,
                     "gVisor's file must be named runsc, and no other may be: %.80s", path);
    if (rc == E_OK && rootless_needed() && runtime_is_gvisor(path))
        rc = err_set(&err, E_CONFIG, "gVisor is for a worker that is root: use crun");
    if (rc != E_OK)
        snprintf(r->detail, sizeof(r->detail), "%.150s", err.text);
    r->ok = rc == E_OK;
}

/* A weakness that our profile feeds ends it here; one that it does not is told, with the reason. */
static void check_advisories(const char *runtime, struct preflight_row *r)
{
    struct advisory list[ADVISORIES_MAX];
    char path[256];
    char version[160] = "";
    char package[80] = "";
    struct err err;
    *r = (struct preflight_row){
        .what = "runtime's weaknesses",
        .ok = true,
        .fix = "upgrade the runtime to a version with the fix, or set OGPU_RUNTIME to another"};
    if (runtime_find(runtime, path, sizeof(path), &err) != E_OK ||
        runtime_version(path, version, sizeof(version), &err) != E_OK) {
        r->skipped = true;
        snprintf(r->detail, sizeof(r->detail), "no runtime to ask");
        return;
    }
    (void)advisories_package(path, ADVISORIES_DPKG, package, sizeof(package));
    size_t n = advisories_of(version, package, list);
    snprintf(r->detail, sizeof(r->detail), "%zu known and not fixed, none that our profile feeds",
             n);
    for (size_t i = 0; i < n; i++) {
        if (list[i].met && r->ok) {
            r->ok = false;
            snprintf(r->detail, sizeof(r->detail), "%.31s: %.100s", list[i].id, list[i].reason);
        } else if (!list[i].met) {
            log_warn("runtime_advisory", "id=%s needs=%s not_met=%s probe=%s", list[i].id,
                     list[i].needs, list[i].reason, list[i].probe);
        }
    }
}

static void check_privilege(struct preflight_row *r)
{
    *r = (struct preflight_row){.what = "privilege",
                                .fix = "run the worker as root (sudo); containers never are"};
    int e = try_unshare(CLONE_NEWNS | CLONE_NEWPID);
    r->ok = e == 0 && geteuid() == 0;
    snprintf(r->detail, sizeof(r->detail), "uid %d, mount and pid namespaces: %s", (int)geteuid(),
             e == 0 ? "yes" : strerror(e));
}

/* What the copy of us that went in found; kept small, for it travels through a pipe. */
struct found {
    enum rootless_lack lack;
    int error; /* of the namespaces, once in */
    char text[sizeof(((struct preflight_row *)0)->detail)];
};

static struct found go_in(uint32_t uid_base)
{
    struct found f = {.lack = ROOTLESS_NOTHING};
    struct err err;
    if (rootless_enter(uid_base, &f.lack, &err) != E_OK) {
        snprintf(f.text, sizeof(f.text), "%.150s", err.text);
        return f;
    }
    f.lack = ROOTLESS_NOTHING;
    f.error = unshare(CLONE_NEWNS | CLONE_NEWPID) == 0 ? 0 : errno;
    return f;
}

/* Tried in a process that is thrown away: there is no way back out. */
static struct found try_rootless(uint32_t uid_base)
{
    struct found f = {.lack = ROOTLESS_NAMESPACE, .text = "it could not be tried"};
    int p[2];
    if (pipe2(p, O_CLOEXEC) != 0)
        return f;
    pid_t pid = fork();
    if (pid == 0) {
        f = go_in(uid_base);
        _exit(write(p[1], &f, sizeof(f)) == sizeof(f) ? 0 : 1);
    }
    close(p[1]);
    struct found told;
    if (pid > 0 && read(p[0], &told, sizeof(told)) == sizeof(told))
        f = told;
    close(p[0]);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return f;
}

/* A worker that is not root needs ids for its containers, and then is root where they are. @return
 * how many rows */
static size_t check_rootless(uint32_t uid_base, struct preflight_row *r)
{
    struct found f = try_rootless(uid_base);
    bool in = f.lack == ROOTLESS_NOTHING;
    int uid = (int)geteuid();
    r[0] = (struct preflight_row){.what = "subordinate ids", .ok = in, .fix = rootless_fix(f.lack)};
    r[1] = (struct preflight_row){
        .what = "privilege",
        .ok = in && f.error == 0,
        .fix = "run the worker as root (sudo), or give its user ids in /etc/subuid and /etc/subgid "
               "and a cgroup (v2) with Delegate=yes; containers never are root"};
    if (in)
        snprintf(r[0].detail, sizeof(r[0].detail), "%u-%u are uid %d's", uid_base,
                 uid_base + ROOTLESS_IDS - 1, uid);
    else
        snprintf(r[0].detail, sizeof(r[0].detail), "%.150s", f.text);
    snprintf(r[1].detail, sizeof(r[1].detail), "uid %d, mount and pid namespaces: %s", uid,
             !in            ? "not without subordinate ids"
             : f.error == 0 ? "yes, in a user namespace"
                            : strerror(f.error));
    return 2;
}

static void check_user_namespaces(struct preflight_row *r)
{
    *r = (struct preflight_row){.what = "user namespaces",
                                .fix = "allow them: sysctl user.max_user_namespaces=15000 (and "
                                       "kernel.unprivileged_userns_clone=1, where it exists)"};
    int e = try_unshare(CLONE_NEWUSER);
    r->ok = e == 0;
    snprintf(r->detail, sizeof(r->detail), "%s", e == 0 ? "yes" : strerror(e));
}

static void check_cgroup(struct preflight_row *r)
{
    struct cgroup cg;
    struct err err;
    *r = (struct preflight_row){
        .what = "cgroup controllers",
        .fix = "mount cgroups with memory, pids and cpu; under systemd set Delegate=yes"};
    if (rootless_needed())
        r->fix = "boot with cgroup v2 and set Delegate=yes in its unit, or run it as root";
    r->ok = cgroup_find(&cg, &err) == E_OK;
    if (r->ok)
        snprintf(r->detail, sizeof(r->detail), "%s, below %.100s",
                 cg.kind == CGROUP_V2 ? "v2" : "v1", cg.parent[0] ? cg.parent : "/");
    else
        snprintf(r->detail, sizeof(r->detail), "%.150s", err.text);
}

static void check_seccomp(struct preflight_row *r)
{
    *r =
        (struct preflight_row){.what = "seccomp", .fix = "use a kernel with CONFIG_SECCOMP_FILTER"};
    unsigned action = SECCOMP_RET_ERRNO;
    r->ok = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
    snprintf(r->detail, sizeof(r->detail), "%s", r->ok ? "yes" : strerror(errno));
}

static void check_openat2(struct preflight_row *r)
{
    *r = (struct preflight_row){.what = "openat2", .fix = "use Linux 5.12 or later"};
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_BENEATH};
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof(how));
    r->ok = fd >= 0;
    snprintf(r->detail, sizeof(r->detail), "%s", r->ok ? "yes" : strerror(errno));
    if (fd >= 0)
        close(fd);
}

size_t preflight(const char *runtime, uint32_t uid_base, struct preflight_row *rows)
{
    size_t n = 0;
    check_runtime(runtime, &rows[n++]);
    check_advisories(runtime, &rows[n++]);
    check_user_namespaces(&rows[n++]);
    check_cgroup(&rows[n++]);
    if (rootless_needed())
        n += check_rootless(uid_base, &rows[n]);
    else
        check_privilege(&rows[n++]);
    check_seccomp(&rows[n++]);
    check_openat2(&rows[n++]);
    return n;
}
