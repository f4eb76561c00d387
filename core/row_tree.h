/* SPDX-License-Identifier: MIT */
#ifndef CORE_ROW_TREE_H
#define CORE_ROW_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/bytes.h"

/*
 * A Merkle tree over the rows of a matrix, in the shape of RFC 9162, 2.1: neighbours are paired
 * level by level, and the last of an odd level rises unpaired.
 *
 *   leaf = SHA-256("row\0" || row number, 4 bytes little-endian || values, little-endian)
 *   node = SHA-256("node" || left || right)
 */

#define ROW_TREE_DEPTH_MAX 32

/** A row's leaf. @values int32 in memory order of this (little-endian) machine */
struct digest row_tree_leaf(uint32_t row, const int32_t *values, size_t n);

/** Two children's parent. */
struct digest row_tree_node(const struct digest *left, const struct digest *right);

/** All nodes of a tree over `n` leaves, at least 1: leaves first, then level by level. */
size_t row_tree_size(size_t n);

/** Fill the levels above the leaves. @nodes row_tree_size(n) digests, the first `n` set */
void row_tree_build(struct digest *nodes, size_t n);

/** The root of a built tree. */
struct digest row_tree_root(const struct digest *nodes, size_t n);

/**
 * The siblings of leaf `at`, from below.
 *
 * @path   room for ROW_TREE_DEPTH_MAX
 * @return how many: between 0 and the depth, fewer where the leaf's ancestors rise unpaired
 */
size_t row_tree_path(const struct digest *nodes, size_t n, size_t at, struct digest *path);

/** How many siblings leaf `at` of `n` has. */
size_t row_tree_path_length(size_t n, size_t at);

/** Whether `leaf` is number `at` of the `n` leaves under `root`; `path_n` must be exact. */
bool row_tree_holds(const struct digest *root, size_t n, size_t at, const struct digest *leaf,
                    const struct digest *path, size_t path_n);

#endif
