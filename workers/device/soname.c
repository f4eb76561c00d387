/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workers/device/edits.h"

/* A file in memory; every look at it is checked against its size. */
struct elf {
    const unsigned char *p;
    size_t n;
};

static bool take(const struct elf *e, uint64_t at, void *out, size_t size)
{
    if (at > e->n || size > e->n - at)
        return false;
    memcpy(out, e->p + at, size);
    return true;
}

/* Where an address of the loaded library lies in the file. */
static bool place_of(const struct elf *e, const Elf64_Ehdr *h, uint64_t address, uint64_t *out)
{
    for (unsigned i = 0; i < h->e_phnum; i++) {
        Elf64_Phdr ph;
        if (!take(e, h->e_phoff + (uint64_t)i * sizeof(ph), &ph, sizeof(ph)))
            return false;
        if (ph.p_type == PT_LOAD && address >= ph.p_vaddr && address - ph.p_vaddr < ph.p_filesz) {
            *out = ph.p_offset + (address - ph.p_vaddr);
            return true;
        }
    }
    return false;
}

/* The dynamic section's rows: where the strings are, and which of them is the name. */
static bool name_place(const struct elf *e, const Elf64_Ehdr *h, const Elf64_Phdr *dynamic,
                       uint64_t *out)
{
    uint64_t strings = 0;
    uint64_t name = 0;
    for (uint64_t i = 0; i < dynamic->p_filesz / sizeof(Elf64_Dyn); i++) {
        Elf64_Dyn row;
        if (!take(e, dynamic->p_offset + i * sizeof(row), &row, sizeof(row)) ||
            row.d_tag == DT_NULL)
            break;
        if (row.d_tag == DT_STRTAB)
            strings = row.d_un.d_ptr;
        if (row.d_tag == DT_SONAME)
            name = row.d_un.d_val;
    }
    if (strings == 0 || name == 0 || !place_of(e, h, strings, out) || name > e->n)
        return false;
    *out += name;
    return true;
}

static bool read_soname(const struct elf *e, char *out, size_t size)
{
    Elf64_Ehdr h;
    uint64_t at;
    if (!take(e, 0, &h, sizeof(h)) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
        h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_phentsize != sizeof(Elf64_Phdr))
        return false;
    for (unsigned i = 0; i < h.e_phnum; i++) {
        Elf64_Phdr ph;
        if (!take(e, h.e_phoff + (uint64_t)i * sizeof(ph), &ph, sizeof(ph)))
            return false;
        if (ph.p_type != PT_DYNAMIC)
            continue;
        if (!name_place(e, &h, &ph, &at) || at >= e->n)
            return false;
        size_t n = strnlen((const char *)e->p + at, e->n - at);
        if (n == 0 || n == e->n - at || n >= size || memchr(e->p + at, '/', n))
            return false;
        memcpy(out, e->p + at, n + 1);
        return true;
    }
    return false;
}

bool soname_of(const char *path, char *out, size_t size)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
    void *p = ok ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (p == MAP_FAILED)
        return false;
    struct elf e = {p, (size_t)st.st_size};
    ok = read_soname(&e, out, size);
    munmap(p, (size_t)st.st_size);
    return ok;
}
