/* SPDX-License-Identifier: MIT */
#include "workers/contain/outputs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#define JSON_BYTES_MAX (16 << 20)

static const struct {
    const char *ending;
    const char *type;
} media_types[] = {
    {".json", "application/json"}, {".png", "image/png"},           {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},       {".webp", "image/webp"},         {".gif", "image/gif"},
    {".svg", "image/svg+xml"},     {".txt", "text/plain"},          {".csv", "text/csv"},
    {".mp4", "video/mp4"},         {".webm", "video/webm"},         {".wav", "audio/wav"},
    {".mp3", "audio/mpeg"},        {".flac", "audio/flac"},         {".zip", "application/zip"},
    {".pdf", "application/pdf"},   {".jsonl", "application/jsonl"},
};

const char *outputs_media_type(const char *name)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < ARRAY_LEN(media_types); i++) {
        if (strcmp(dot, media_types[i].ending) == 0)
            return media_types[i].type;
    }
    return "application/octet-stream";
}

int64_t outputs_json_max(const struct box_limits *limits)
{
    return limits->output_bytes < JSON_BYTES_MAX ? limits->output_bytes : JSON_BYTES_MAX;
}

/* A name of the source's making, safe to print. */
static const char *shown(const char *name, char out[64])
{
    size_t n = strnlen(name, 60);
    for (size_t i = 0; i < n; i++)
        out[i] = name[i] > ' ' && name[i] <= '~' ? name[i] : '?';
    out[n] = '\0';
    return out;
}

static void refuse(struct box_result *r, enum box_end end, const char *name, const char *why)
{
    char safe[64];
    r->end = end;
    snprintf(r->reason, sizeof(r->reason), "output '%s' %s", shown(name, safe), why);
}

static int open_beneath(int dir, const char *name)
{
    struct open_how how = {
        .flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

/* One name of the folder. @return false when the run is spoiled; `r` says why. */
static bool take(int dir, const char *name, const struct box_limits *limits, int64_t *total,
                 struct box_result *r)
{
    if (!output_name_ok(text_of(name))) {
        refuse(r, BOX_BAD_OUTPUT, name, "has a name that cannot be carried");
        return false;
    }
    if ((int64_t)r->output_count >= limits->output_files ||
        r->output_count >= BOX_OUTPUTS_MAX - 1) {
        refuse(r, BOX_OUTPUT_LIMIT, name, "is one file more than the manifest allows");
        return false;
    }
    int fd = open_beneath(dir, name);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        if (fd >= 0)
            close(fd);
        refuse(r, BOX_BAD_OUTPUT, name, errno == ELOOP ? "is a symbolic link" : "cannot be opened");
        return false;
    }
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1) {
        close(fd);
        refuse(r, BOX_BAD_OUTPUT, name,
               S_ISREG(st.st_mode) ? "has a second name" : "is not a regular file");
        return false;
    }
    *total += st.st_size;
    if (st.st_size > limits->output_bytes || *total > limits->output_bytes) {
        close(fd);
        refuse(r, BOX_OUTPUT_LIMIT, name, "is more bytes than the manifest allows");
        return false;
    }
    struct box_output *o = &r->outputs[r->output_count++];
    memcpy(o->name, name, strlen(name) + 1); /* output_name_ok() measured it */
    o->fd = fd;
    o->size = st.st_size;
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct box_output *)a)->name, ((const struct box_output *)b)->name);
}

enum err_code outputs_collect(int dir_fd, const struct box_limits *limits, struct box_result *r,
                              struct err *err)
{
    int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    if (!d) {
        if (copy >= 0)
            close(copy);
        return err_set(err, E_IO, "the output folder cannot be read: %s", strerror(errno));
    }
    int64_t total = 0;
    for (size_t i = 0; i < r->output_count; i++)
        total += r->outputs[i].size;
    /* cppcheck-suppress readdirCalled ; the DIR is this thread's own */
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (strcmp(e->d_name, OUTPUT_JSON) == 0 && r->output_count > 0 &&
            strcmp(r->outputs[0].name, OUTPUT_JSON) == 0) {
            refuse(r, BOX_BAD_OUTPUT, e->d_name, "exists on stdout and in /out");
            break;
        }
        if (!take(dir_fd, e->d_name, limits, &total, r))
            break;
    }
    closedir(d);
    /* The list is signed and hashed: its order may not depend on the file system. */
    qsort(r->outputs, r->output_count, sizeof(r->outputs[0]), by_name);
    return E_OK;
}
