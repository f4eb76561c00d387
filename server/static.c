/* SPDX-License-Identifier: MIT */
#include "server/static.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/hash.h"
#include "lib/hex.h"
#include "lib/log.h"

#define FILES_MAX 64
#define BYTES_MAX ((size_t)16 << 20)

struct statics {
    struct static_file file[FILES_MAX];
    size_t n;
    size_t bytes;
};

static const char *media_type_of(const char *name)
{
    static const struct {
        const char *ending;
        const char *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".png", "image/png"},
        {".svg", "image/svg+xml"},
        {".json", "application/json"},
        {".txt", "text/plain; charset=utf-8"},
        {".yaml", "application/yaml"},
    };
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(dot, types[i].ending) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

static uint8_t *read_whole(int fd, size_t n)
{
    uint8_t *p = malloc(n + 1);
    size_t have = 0;

    while (p && have < n) {
        ssize_t got = read(fd, p + have, n - have);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            free(p);
            return NULL;
        }
        have += (size_t)got;
    }
    return p;
}

static void add_file(struct statics *s, int dir, const char *name)
{
    struct static_file *f = &s->file[s->n];
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    struct digest d;
    uint8_t *p = NULL;

    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (size_t)st.st_size <= BYTES_MAX - s->bytes)
        p = read_whole(fd, (size_t)st.st_size);
    close(fd);
    if (!p)
        return;
    f->name = strdup(name);
    if (!f->name)
        abort();
    f->media_type = media_type_of(name);
    f->bytes = bytes_of(p, (size_t)st.st_size);
    d = sha256(p, f->bytes.n);
    hex_encode(d.b, sizeof(d.b), f->tag);
    s->bytes += f->bytes.n;
    s->n++;
}

struct statics *statics_read(const char *dir)
{
    struct statics *s = calloc(1, sizeof(*s));
    DIR *d = dir && *dir ? opendir(dir) : NULL;
    struct dirent *entry;

    if (!s)
        abort();
    if (!d) {
        log_warn("no_docs", "dir=%s", dir ? dir : "");
        return s;
    }
    /* cppcheck-suppress readdirCalled ; the DIR is this thread's own */
    while (s->n < FILES_MAX && (entry = readdir(d))) {
        if (entry->d_name[0] != '.')
            add_file(s, dirfd(d), entry->d_name);
    }
    closedir(d);
    return s;
}

void statics_free(struct statics *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++) {
        free((void *)(uintptr_t)s->file[i].name);
        free((void *)(uintptr_t)s->file[i].bytes.p);
    }
    free(s);
}

const struct static_file *statics_find(const struct statics *s, struct text name)
{
    for (size_t i = 0; i < s->n; i++) {
        if (text_is(name, s->file[i].name))
            return &s->file[i];
    }
    return NULL;
}
