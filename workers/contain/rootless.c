/* SPDX-License-Identifier: MIT */
#include "workers/contain/rootless.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define UID_TOOL "/usr/bin/newuidmap"
#define GID_TOOL "/usr/bin/newgidmap"

bool rootless_needed(void)
{
    return geteuid() != 0;
}

const char *rootless_fix(enum rootless_lack lack)
{
    /* Short: they end the one line with which a worker refuses to start. */
    static const char *const fixes[] = {
        [ROOTLESS_NOTHING] = "nothing",
        [ROOTLESS_TOOLS] = "apt-get install uidmap, or run it as root",
        [ROOTLESS_PRIVILEGES] =
            "start it without NoNewPrivileges (as ogpu-worker-user.service), or as root",
        [ROOTLESS_NAMESPACE] = "sysctl user.max_user_namespaces=15000, or run it as root",
        [ROOTLESS_RANGE] =
            "usermod --add-subuids FIRST-LAST --add-subgids FIRST-LAST USER, or run it as root",
    };
    return fixes[lack];
}

/* One map by the tool that may write it. What it says on failure goes to `out`. */
static bool map_by(const char *tool, pid_t pid, unsigned own, uint32_t base, int out)
{
    char text[6][16];
    snprintf(text[0], sizeof(text[0]), "%d", (int)pid);
    snprintf(text[1], sizeof(text[1]), "%u", own);
    snprintf(text[2], sizeof(text[2]), "%u", base);
    snprintf(text[3], sizeof(text[3]), "%u", (unsigned)ROOTLESS_IDS);
    char *const argv[] = {(char *)tool, text[0], "0",     text[1], "1",
                          text[2],      text[2], text[3], NULL};
    char *const env[] = {NULL};
    pid_t child = fork();
    if (child == 0) {
        if (dup2(out, STDERR_FILENO) >= 0)
            execve(tool, argv, env);
        _exit(127);
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

/* The helper stays outside: it waits for the namespace, then has its maps written. */
static int help(pid_t pid, int go, int out, uint32_t base)
{
    char c;
    if (read(go, &c, 1) != 1)
        return 1;
    return map_by(UID_TOOL, pid, geteuid(), base, out) &&
                   map_by(GID_TOOL, pid, getegid(), base, out)
               ? 0
               : 1;
}

/* Without the last of what the tool said there is only that it refused. */
static enum err_code refused(int said, uint32_t base, uid_t uid, struct err *err)
{
    char text[160];
    ssize_t n = read(said, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return err_set(err, E_CONFIG, "ids %u-%u are not all uid %d's: %.80s", base,
                   base + ROOTLESS_IDS - 1, (int)uid, text[0] ? text : "refused");
}

static enum err_code become_root(struct err *err)
{
    if (setresgid(0, 0, 0) != 0 || setgroups(0, NULL) != 0 || setresuid(0, 0, 0) != 0)
        return err_set(err, E_CONFIG, "no root in the user namespace: %s", strerror(errno));
    return E_OK;
}

/* With the helper at the other end of `go`: the namespace, its maps, root in it. */
static enum err_code enter(pid_t helper, int go, int said, uint32_t base, enum rootless_lack *lack,
                           struct err *err)
{
    int status = 0;
    uid_t uid = geteuid();
    *lack = ROOTLESS_NAMESPACE;
    bool made = unshare(CLONE_NEWUSER) == 0;
    int saved = errno;
    bool told = made && write(go, "m", 1) == 1;
    close(go); /* without a word the helper ends */
    while (waitpid(helper, &status, 0) < 0 && errno == EINTR)
        ;
    if (!told)
        return err_set(err, E_CONFIG, "no user namespace for uid %d: %s", (int)uid,
                       strerror(saved));
    *lack = ROOTLESS_RANGE;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return refused(said, base, uid, err);
    return become_root(err);
}

enum err_code rootless_enter(uint32_t uid_base, enum rootless_lack *lack, struct err *err)
{
    int go[2];
    int said[2];
    *lack = ROOTLESS_TOOLS;
    if (access(UID_TOOL, X_OK) != 0 || access(GID_TOOL, X_OK) != 0)
        return err_set(err, E_CONFIG, "uid %d, and no newuidmap on this machine", (int)geteuid());
    *lack = ROOTLESS_PRIVILEGES;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        return err_set(err, E_CONFIG, "uid %d, and no_new_privs is set", (int)geteuid());
    *lack = ROOTLESS_NAMESPACE;
    if (pipe2(go, O_CLOEXEC) != 0)
        return err_set(err, E_CONFIG, "no pipe: %s", strerror(errno));
    if (pipe2(said, O_CLOEXEC) != 0) {
        close(go[0]);
        close(go[1]);
        return err_set(err, E_CONFIG, "no pipe: %s", strerror(errno));
    }
    pid_t self = getpid();
    pid_t helper = fork();
    if (helper == 0) {
        close(go[1]);
        close(said[0]);
        _exit(help(self, go[0], said[1], uid_base));
    }
    close(go[0]);
    close(said[1]);
    enum err_code rc = helper > 0 ? enter(helper, go[1], said[0], uid_base, lack, err)
                                  : err_set(err, E_CONFIG, "no process: %s", strerror(errno));
    if (helper < 0)
        close(go[1]);
    close(said[0]);
    return rc;
}
