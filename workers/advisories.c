/* SPDX-License-Identifier: MIT */
#include "workers/advisories.h"

#include <ctype.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Data, as the list of system calls is: nobody forgets to ship it. */
__asm__(".section .rodata\n"
        ".balign 16\n"
        "ogpu_advisories_begin:\n"
        ".incbin \"workers/advisories.json\"\n"
        "ogpu_advisories_end:\n"
        ".balign 8\n"
        "ogpu_advisories_size: .quad ogpu_advisories_end - ogpu_advisories_begin\n"
        ".previous\n");

extern const char ogpu_advisories_begin[];
extern const uint64_t ogpu_advisories_size;

/* ---- versions (deb-version(7), without epochs: no runtime has one) ---- */

static int order(char c)
{
    if (c == '~')
        return -1;
    if (c == '\0' || isdigit((unsigned char)c))
        return 0;
    return isalpha((unsigned char)c) ? c : c + 256;
}

int advisories_compare(const char *a, const char *b)
{
    while (*a || *b) {
        while ((*a && !isdigit((unsigned char)*a)) || (*b && !isdigit((unsigned char)*b))) {
            int difference = order(*a) - order(*b);
            if (difference)
                return difference;
            a += *a != '\0';
            b += *b != '\0';
        }
        a += strspn(a, "0");
        b += strspn(b, "0");
        size_t n = strspn(a, "0123456789");
        size_t m = strspn(b, "0123456789");
        if (n != m)
            return n < m ? -1 : 1;
        int difference = strncmp(a, b, n);
        if (difference)
            return difference;
        a += n;
        b += m;
    }
    return 0;
}

/* "1.2.8" and "1.2.9+ds1" are of one line of releases. */
static bool same_line(const char *a, const char *b)
{
    size_t n = strcspn(a, ".");
    if (a[n] == '.')
        n += 1 + strspn(a + n + 1, "0123456789");
    return strncmp(a, b, n) == 0 && !isdigit((unsigned char)b[n]);
}

/* In the line of a fix at or above it; or above the newest of them. */
static bool fixed_upstream(const json_t *list, const char *version)
{
    size_t i;
    json_t *row;
    bool above_all = json_array_size(list) > 0;
    json_array_foreach(list, i, row)
    {
        bool has = advisories_compare(version, json_string_value(row)) >= 0;
        if (has && same_line(json_string_value(row), version))
            return true;
        above_all = above_all && has;
    }
    return above_all;
}

/* A fix carried to an older number: the same upstream version, this revision or a later one. */
static bool fixed_by_debian(const json_t *list, const char *package)
{
    size_t i;
    json_t *row;
    json_array_foreach(list, i, row)
    {
        const char *s = json_string_value(row);
        const char *dash = strrchr(s, '-');
        size_t n = dash ? (size_t)(dash - s) + 1 : strlen(s);
        if (strncmp(package, s, n) == 0 && advisories_compare(package, s) >= 0)
            return true;
    }
    return false;
}

/* "runc version 1.4.0-rc.3" to "runc" and "1.4.0~rc3"; gVisor numbers by the day: Debian's
 * "0.0~20240729.0" and its own "release-20240729.0" are "20240729.0". */
static bool split(const char *line, char name[16], char version[64])
{
    char raw[64];
    size_t n = 0;
    if (sscanf(line, "%15s version %63s", name, raw) != 2)
        return false;
    const char *s = raw;
    if (strcmp(name, "runsc") == 0)
        s += strncmp(raw, "release-", 8) == 0 ? 8 : strncmp(raw, "0.0~", 4) == 0 ? 4 : 0;
    for (; *s; s++) {
        if (strncmp(s, "-rc", 3) == 0)
            version[n++] = '~';
        else if (!(n >= 2 && *s == '.' && version[n - 1] == 'c' && version[n - 2] == 'r'))
            version[n++] = *s;
    }
    version[n] = '\0';
    return true;
}

static void copy(const json_t *row, const char *member, char *to, size_t size)
{
    const char *s = json_string_value(json_object_get(row, member));
    snprintf(to, size, "%s", s ? s : "");
}

size_t advisories_of(const char *version, const char *package, struct advisory *out)
{
    char name[16];
    char number[64];
    size_t n = 0;
    size_t i;
    json_t *row;
    if (!split(version, name, number))
        return 0;
    json_t *data = json_loadb(ogpu_advisories_begin, (size_t)ogpu_advisories_size,
                              JSON_REJECT_DUPLICATES, NULL);
    json_array_foreach(json_object_get(data, "advisories"), i, row)
    {
        const char *runtime = json_string_value(json_object_get(row, "runtime"));
        if (n >= ADVISORIES_MAX || !runtime || strcmp(runtime, name) != 0 ||
            fixed_upstream(json_object_get(row, "fixed"), number) ||
            fixed_by_debian(json_object_get(row, "debian"), package))
            continue;
        struct advisory *a = &out[n++];
        a->met = json_is_true(json_object_get(row, "met"));
        copy(row, "id", a->id, sizeof(a->id));
        copy(row, "needs", a->needs, sizeof(a->needs));
        copy(row, "reason", a->reason, sizeof(a->reason));
        copy(row, "probe", a->probe, sizeof(a->probe));
    }
    json_decref(data);
    return n;
}

bool advisories_package(const char *path, const char *status, char *out, size_t size)
{
    static const char *const folders[] = {"/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/"};
    const char *name = NULL;
    char line[512];
    bool here = false;
    bool found = false;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        size_t n = strlen(folders[i]);
        if (strncmp(path, folders[i], n) == 0 && !strchr(path + n, '/'))
            name = path + n;
    }
    FILE *f = name ? fopen(status, "re") : NULL;
    while (f && !found && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "Package: ", 9) == 0)
            here = strcmp(line + 9, name) == 0;
        found = here && strncmp(line, "Version: ", 9) == 0;
        if (found)
            snprintf(out, size, "%s", line + 9);
    }
    if (f)
        fclose(f);
    return found;
}
