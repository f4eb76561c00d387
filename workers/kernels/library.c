/* SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

#include "workers/kernels/kernels.h"

#define LIBRARY "ogpu-cuda.so"

/* Beside the program: nobody's search path decides what code runs here. */
static enum err_code beside(char *out, size_t n, struct err *err)
{
    const ssize_t got = readlink("/proc/self/exe", out, n - sizeof(LIBRARY) - 1);
    char *slash;

    if (got <= 0)
        return err_set(err, E_IO, "the program's own place is unknown");
    out[got] = 0;
    slash = strrchr(out, '/');
    if (slash == NULL)
        return err_set(err, E_IO, "the program's own place has no folder");
    memcpy(slash + 1, LIBRARY, sizeof(LIBRARY));
    return E_OK;
}

enum err_code kernels_cuda(const char *path, const struct kernels **out, struct err *err)
{
    const struct kernels *k;
    kernels_export get;
    char own[4096];
    void *lib;

    if (path[0] == '\0') {
        enum err_code rc = beside(own, sizeof(own), err);

        if (rc != E_OK)
            return rc;
        path = own;
    }
    lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (lib == NULL)
        return err_set(err, E_IO, "no CUDA kernels: %s", dlerror());
    /* POSIX lets a function's address come through a pointer to an object; ISO C does not. */
    *(void **)&get = dlsym(lib, "ogpu_kernels");
    k = get ? get() : NULL;
    if (k == NULL || k->version != KERNELS_VERSION) {
        dlclose(lib);
        return err_set(err, E_IO, "%s is no library of this version's kernels", path);
    }
    *out = k;
    /* cppcheck-suppress resourceLeak ; its table is used until the process ends */
    return E_OK;
}
