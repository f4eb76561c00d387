/* SPDX-License-Identifier: MIT */
#include "core/row_tree.h"

#include <string.h>

#include "lib/hash.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "rows are hashed as they lie in memory: a little-endian machine is assumed"
#endif

struct digest row_tree_leaf(uint32_t row, const int32_t *values, size_t n)
{
    struct sha256_stream *h = sha256_begin();

    sha256_add(h, "row", 4);
    sha256_add(h, &row, sizeof(row));
    sha256_add(h, values, n * sizeof(*values));
    return sha256_end(h);
}

struct digest row_tree_node(const struct digest *left, const struct digest *right)
{
    uint8_t text[4 + 32 + 32] = "node";

    memcpy(text + 4, left->b, 32);
    memcpy(text + 36, right->b, 32);
    return sha256(text, sizeof(text));
}

size_t row_tree_size(size_t n)
{
    size_t size = n;

    while (n > 1) {
        n = (n + 1) / 2;
        size += n;
    }
    return size;
}

void row_tree_build(struct digest *nodes, size_t n)
{
    struct digest *below = nodes;

    while (n > 1) {
        struct digest *level = below + n;

        for (size_t i = 0; i + 1 < n; i += 2)
            level[i / 2] = row_tree_node(&below[i], &below[i + 1]);
        if (n % 2)
            level[n / 2] = below[n - 1];
        below = level;
        n = (n + 1) / 2;
    }
}

struct digest row_tree_root(const struct digest *nodes, size_t n)
{
    return nodes[row_tree_size(n) - 1];
}

size_t row_tree_path(const struct digest *nodes, size_t n, size_t at, struct digest *path)
{
    size_t length = 0;

    for (; n > 1; nodes += n, n = (n + 1) / 2, at /= 2)
        if ((at ^ 1) < n)
            path[length++] = nodes[at ^ 1];
    return length;
}

size_t row_tree_path_length(size_t n, size_t at)
{
    size_t length = 0;

    for (; n > 1; n = (n + 1) / 2, at /= 2)
        length += (at ^ 1) < n;
    return length;
}

bool row_tree_holds(const struct digest *root, size_t n, size_t at, const struct digest *leaf,
                    const struct digest *path, size_t path_n)
{
    struct digest d = *leaf;
    size_t used = 0;

    if (at >= n || path_n != row_tree_path_length(n, at))
        return false;
    for (; n > 1; n = (n + 1) / 2, at /= 2) {
        if ((at ^ 1) >= n)
            continue;
        d = at % 2 ? row_tree_node(&path[used], &d) : row_tree_node(&d, &path[used]);
        used++;
    }
    return bytes_equal_ct(d.b, root->b, sizeof(d.b));
}
