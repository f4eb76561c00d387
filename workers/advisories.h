/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_ADVISORIES_H
#define WORKERS_ADVISORIES_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Published weaknesses of OCI runtimes (workers/advisories.json, compiled in): which versions have
 * the fix, Debian's revisions included, and whether our way of using a runtime gives a weakness
 * what it needs.
 */

#define ADVISORIES_MAX 32

/** A weakness that this runtime still has. */
struct advisory {
    char id[32];
    bool met;         /**< our profile offers what it needs: do not use this runtime */
    char needs[128];  /**< what it takes */
    char reason[160]; /**< why our profile offers it, or why not */
    char probe[160];  /**< the test that shows the reason to hold */
};

/**
 * What a runtime has that is published and not fixed in it.
 *
 * @version  the first line of its --version: "runc version 1.1.5+ds1"
 * @package  version of the Debian package it is from, "" when it is from none
 * @out      ADVISORIES_MAX
 * @return   how many
 */
size_t advisories_of(const char *version, const char *package, struct advisory *out);

/** Compare two versions as Debian does (`~` before everything). @return below, at, above 0. */
int advisories_compare(const char *a, const char *b);

/**
 * The version of the Debian package that a program is from.
 *
 * @path    absolute
 * @status  dpkg's list of packages, /var/lib/dpkg/status
 * @return  false when the program is not in /usr/bin, /usr/sbin, /bin, /sbin or has no package of
 * its name
 */
bool advisories_package(const char *path, const char *status, char *out, size_t size);

#define ADVISORIES_DPKG "/var/lib/dpkg/status"

#endif
