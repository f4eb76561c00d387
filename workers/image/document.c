/* SPDX-License-Identifier: MIT */
#include "workers/image/document.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "workers/image/blobs.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define DEFAULT_USER 1000

static const char *const manifest_types[] = {
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json"};

static const char *const index_types[] = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json"};

static const char *const layer_types[] = {
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
};

static bool one_of(const char *s, const char *const *list, size_t n)
{
    for (size_t i = 0; s && i < n; i++) {
        if (strcmp(s, list[i]) == 0)
            return true;
    }
    return false;
}

static const char *text(const json_t *v, const char *name)
{
    return json_string_value(json_object_get(v, name));
}

bool document_is_index(const json_t *v)
{
    const char *type = text(v, "mediaType");
    return type ? one_of(type, index_types, ARRAY_LEN(index_types))
                : json_is_array(json_object_get(v, "manifests"));
}

const char *document_choose(const json_t *index)
{
    struct utsname u;
    const char *arch = uname(&u) == 0 && strcmp(u.machine, "aarch64") == 0 ? "arm64" : "amd64";
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(index, "manifests"), i, row)
    {
        const json_t *platform = json_object_get(row, "platform");
        const char *os = text(platform, "os");
        const char *has = text(platform, "architecture");
        if (os && has && strcmp(os, "linux") == 0 && strcmp(has, arch) == 0)
            return text(row, "digest");
    }
    return NULL;
}

/* For progress alone: nothing is refused for a size that is not true, the digest decides. */
static int64_t size_of(const json_t *row)
{
    int64_t size = json_integer_value(json_object_get(row, "size"));
    return size > 0 && size < (int64_t)1 << 46 ? size : 0;
}

enum err_code document_read(const json_t *v, struct document *out, struct err *err)
{
    struct document m = {.config = text(json_object_get(v, "config"), "digest")};
    const char *type = text(v, "mediaType");
    if (json_integer_value(json_object_get(v, "schemaVersion")) != 2 ||
        (type && !one_of(type, manifest_types, ARRAY_LEN(manifest_types))) ||
        !blobs_digest_ok(m.config))
        return err_set(err, E_BAD_MANIFEST, "the digest is not that of an image manifest");
    const json_t *layers = json_object_get(v, "layers");
    size_t n = json_array_size(layers);
    m.bytes = size_of(json_object_get(v, "config"));
    if (n == 0 || n > DOCUMENT_LAYERS_MAX)
        return err_set(err, E_BAD_MANIFEST, "image has %zu layers; 1 to %d are carried", n,
                       DOCUMENT_LAYERS_MAX);
    for (size_t i = 0; i < n; i++) {
        const json_t *row = json_array_get(layers, i);
        m.layers[i] = text(row, "digest");
        m.bytes += size_of(row);
        if (!blobs_digest_ok(m.layers[i]) ||
            !one_of(text(row, "mediaType"), layer_types, ARRAY_LEN(layer_types)))
            return err_set(err, E_BAD_MANIFEST, "image layer %zu is of a kind we do not unpack",
                           i + 1);
    }
    m.layer_count = n;
    *out = m;
    return E_OK;
}

/* Append the strings of a JSON array. @return false when they do not fit or are no strings. */
static bool words(const json_t *a, const char **list, size_t *n, struct arena *arena)
{
    size_t i;
    json_t *row;
    json_array_foreach(a, i, row)
    {
        const char *s = json_string_value(row);
        if (!s || *n >= IMAGE_WORDS_MAX)
            return false;
        list[(*n)++] = arena_copy(arena, s, strlen(s));
    }
    return true;
}

/* "1000", "1000:1000". Names would need the image's passwd file, root gets what everybody gets. */
static void user_of(const char *user, struct image *out)
{
    char *end;
    out->uid = out->gid = DEFAULT_USER;
    unsigned long uid = user ? strtoul(user, &end, 10) : 0;
    if (uid == 0 || uid > 65534 || (*end != '\0' && *end != ':'))
        return;
    out->uid = out->gid = (uint32_t)uid;
    if (*end == ':') {
        unsigned long gid = strtoul(end + 1, &end, 10);
        if (gid > 0 && gid <= 65534 && *end == '\0')
            out->gid = (uint32_t)gid;
    }
}

static bool has_path(const struct image *img)
{
    for (size_t i = 0; i < img->env_count; i++) {
        if (strncmp(img->env[i], "PATH=", 5) == 0)
            return true;
    }
    return false;
}

enum err_code document_config(const json_t *v, struct image *out, struct arena *arena,
                              struct err *err)
{
    const json_t *c = json_object_get(v, "config");
    out->arg_count = out->env_count = 0;
    bool ok = words(json_object_get(c, "Entrypoint"), out->args, &out->arg_count, arena);
    out->entry_count = out->arg_count;
    if (!ok || !words(json_object_get(c, "Cmd"), out->args, &out->arg_count, arena))
        return err_set(err, E_BAD_MANIFEST, "image has more than %d words of command",
                       IMAGE_WORDS_MAX);
    if (!words(json_object_get(c, "Env"), out->env, &out->env_count, arena))
        return err_set(err, E_BAD_MANIFEST, "image has more than %d environment variables",
                       IMAGE_WORDS_MAX);
    if (!has_path(out) && out->env_count < IMAGE_WORDS_MAX)
        out->env[out->env_count++] = DEFAULT_PATH;
    const char *cwd = text(c, "WorkingDir");
    out->cwd = cwd && cwd[0] == '/' ? arena_copy(arena, cwd, strlen(cwd)) : "/";
    user_of(text(c, "User"), out);
    return E_OK;
}
