/* SPDX-License-Identifier: MIT */
/*
 * A source that tells what it can see of cards and of its input files: one JSON object. `probe
 * wait` then lives on until it is ended, `probe nap` for a second; `probe brief` ends at once.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LIBRARIES "/usr/local/nvidia/lib64"

static const char *word(int failed)
{
    return failed ? strerrorname_np(errno) : "ok";
}

static void open_node(const char *path, int *first)
{
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISCHR(st.st_mode))
        return;
    int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    printf("%s\"%s\":\"%s %u:%u\"", *first ? "" : ",", path, word(fd < 0), major(st.st_rdev),
           minor(st.st_rdev));
    *first = 0;
    if (fd >= 0)
        close(fd);
}

/* Every character device below a folder. */
static void nodes(const char *dir, int depth, int *first)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    /* cppcheck-suppress readdirCalled ; one thread */
    while (d && (e = readdir(d))) {
        char path[512];
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%.200s/%.200s", dir, e->d_name);
        if (e->d_type == DT_DIR && depth < 3)
            nodes(path, depth + 1, first);
        else
            open_node(path, first);
    }
    if (d)
        closedir(d);
}

static void libraries(void)
{
    DIR *d = opendir(LIBRARIES);
    const struct dirent *e;
    int first = 1;
    /* cppcheck-suppress readdirCalled ; one thread */
    while (d && (e = readdir(d))) {
        char path[512];
        char target[256] = "";
        char head[5] = "";
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), LIBRARIES "/%.200s", e->d_name);
        if (readlink(path, target, sizeof(target) - 1) < 0)
            target[0] = '\0';
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        const char *seen = word(fd < 0);
        if (fd >= 0 && (read(fd, head, 4) != 4 || close(fd) != 0))
            head[0] = '\0';
        if (memcmp(head + 1, "ELF", 3) == 0)
            seen = "ELF";
        int w = open(path, O_WRONLY | O_CLOEXEC);
        printf("%s\"%s\":{\"target\":\"%s\",\"read\":\"%s\",\"write\":\"%s\"}", first ? "" : ",",
               e->d_name, target, seen, word(w < 0));
        first = 0;
    }
    if (d)
        closedir(d);
}

static void variables(void)
{
    static const char *const asked[] = {"LD_LIBRARY_PATH", "NVIDIA_VISIBLE_DEVICES",
                                        "CUDA_VISIBLE_DEVICES", "NVIDIA_EXTRA"};
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        const char *v = getenv(asked[i]);
        printf("%s\"%s\":\"%s\"", i ? "," : "", asked[i], v ? v : "");
    }
}

static void inputs(void)
{
    DIR *d = opendir("/in");
    const struct dirent *e;
    int first = 1;
    /* cppcheck-suppress readdirCalled ; one thread */
    while (d && (e = readdir(d))) {
        char path[512];
        char text[64] = "";
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/in/%.200s", e->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && (read(fd, text, sizeof(text) - 1) < 0 || close(fd) != 0))
            text[0] = '\0';
        int w = open(path, O_WRONLY | O_CLOEXEC);
        printf("%s\"%s\":{\"text\":\"%s\",\"write\":\"%s\"}", first ? "" : ",", e->d_name, text,
               word(w < 0));
        first = 0;
    }
    if (d)
        closedir(d);
}

int main(int argc, char **argv)
{
    int first = 1;
    printf("{\"nodes\":{");
    nodes("/dev", 0, &first);
    printf("},\"libraries\":{");
    libraries();
    printf("},\"in\":{");
    inputs();
    printf("},\"env\":{");
    variables();
    int made = open(LIBRARIES "/new", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    printf("},\"create\":\"%s\"", word(made < 0));
    if (made >= 0)
        close(made);
    printf(",\"mknod\":\"%s\"", word(mknod("/tmp/node", S_IFCHR | 0666, makedev(10, 200)) != 0));
    printf(",\"sysfs\":\"%s\"}\n", word(access("/sys/class", R_OK) != 0));
    fflush(stdout);
    if (argc > 1 && strcmp(argv[1], "wait") == 0)
        sleep(60);
    if (argc > 1 && strcmp(argv[1], "nap") == 0)
        sleep(1);
    return 0;
}
