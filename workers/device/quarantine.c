/* SPDX-License-Identifier: MIT */
#include "workers/device/quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

void quarantine_path(const char *dir, const char *uuid, const char *ending, char *out, size_t size)
{
    char name[DEVICE_UUID_MAX];
    snprintf(name, sizeof(name), "%s", uuid);
    for (char *p = name; *p; p++) {
        if (!strchr(plain, *p) || (*p == '.' && p == name))
            *p = '_';
    }
    snprintf(out, size, "%s/%s%s", dir, name, ending);
}

enum err_code quarantine_put(const char *dir, const char *uuid, const struct device_fault *fault,
                             struct err *err)
{
    char path[512];
    char draft[520];
    quarantine_path(dir, uuid, ".json", path, sizeof(path));
    snprintf(draft, sizeof(draft), "%s.new", path);
    json_t *v = json_pack("{s:s, s:s, s:s, s:I}", "uuid", uuid, "code", fault->code, "text",
                          fault->text, "at_us", (json_int_t)fault->at_us);
    int fd = open(draft, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    bool ok = v && fd >= 0 && json_dumpfd(v, fd, JSON_COMPACT) == 0 && fsync(fd) == 0 &&
              rename(draft, path) == 0;
    enum err_code rc = ok ? E_OK
                          : err_set(err, E_IO, "cannot remember that %.64s is in quarantine: %s",
                                    uuid, strerror(errno));
    if (fd >= 0)
        close(fd);
    json_decref(v);
    return rc;
}

bool quarantine_get(const char *dir, const char *uuid, struct device_fault *out)
{
    char path[512];
    json_error_t why;
    quarantine_path(dir, uuid, ".json", path, sizeof(path));
    if (access(path, F_OK) != 0)
        return false;
    struct device_fault f = {.code = "unknown", .text = "its file cannot be read"};
    json_t *v = json_load_file(path, 0, &why);
    const char *code = json_string_value(json_object_get(v, "code"));
    const char *text = json_string_value(json_object_get(v, "text"));
    if (code && text) {
        snprintf(f.code, sizeof(f.code), "%s", code);
        snprintf(f.text, sizeof(f.text), "%s", text);
        f.at_us = (int64_t)json_integer_value(json_object_get(v, "at_us"));
    }
    json_decref(v);
    if (out)
        *out = f;
    return true;
}

enum err_code quarantine_clear(const char *dir, const char *uuid, struct err *err)
{
    char path[512];
    quarantine_path(dir, uuid, ".json", path, sizeof(path));
    if (unlink(path) == 0)
        return E_OK;
    if (errno == ENOENT)
        return err_set(err, E_NOT_FOUND, "%.64s is not in quarantine", uuid);
    return err_set(err, E_IO, "%.100s: %s", path, strerror(errno));
}
