/* SPDX-License-Identifier: MIT */
#ifndef TESTS_CONTAINERS_HOSTILE_H
#define TESTS_CONTAINERS_HOSTILE_H

#include <stddef.h>

/*
 * A source that tries everything a source must not be able to do, and tells as JSON what came of
 * it. It holds no secret trick: each attempt is what an attacker would write down first.
 */

/** One JSON member `"name":errno` (0 when the act succeeded) on stdout; the comma comes before all
 * but the first. */
void tell(const char *name, long result);

/** One JSON member with text. */
void tell_text(const char *name, const char *text);

/** What the source sees of itself and of the host: capabilities, ids, mounts, files, limits. */
void look(void);

/** System calls that must be refused. */
void calls(void);

/** What a process may try to become: other ids, other rights, other programs. */
void privileges(void);

/** Files of the kernel and of the host that must not be written; what /dev holds. */
void writes(void);

/** Where the process stands: its folder, what open descriptors and links lead to. */
void stand(void);

/** Signals at everybody. */
void signals(void);

/** Where the supervisor listens for callbacks. */
#define CALLBACK_PORT 20000

/** A TCP connection to a port of the container's own. @return it, or -errno */
int dial(int port);

/** All of it. @return 0 when nobody reads any more */
int say(int fd, const char *text, size_t n);

/** One callback to the supervisor. @path without its slash @return the status that came back, 0 for
 * none */
int call_back(const char *method, const char *path, const char *body);

/** Ways out over the network. */
void network(void);

/** Use and misuse the proxy that is the only way out. @argv what belongs to the act */
void egress(const char *act, int argc, char **argv);

/** Fill /out with one kind of trap. @return the exit status. */
int trap(const char *kind);

/** Keep the http contract in an odd way. @return the exit status, when it ends */
int serve_badly(const char *what);

/** Call back with more than a reader should hold. @task  whose callback it is @return 0 when it is
 * no such act */
int serve_heavily(const char *what, const char *task);

/** Keep the http contract, task after task. @return the exit status, when it ends */
int serve_on(void);

#endif
