/* SPDX-License-Identifier: MIT */
#ifndef CORE_YAML_TREE_H
#define CORE_YAML_TREE_H

#include "lib/arena.h"
#include "lib/err.h"

/*
 * A small YAML document as a tree whose nodes know their lines. Read by libyaml; what a stranger's
 * file does not need is refused: anchors and aliases (they multiply), tags, several documents,
 * duplicate or composed keys, and more than fixed numbers of bytes, nodes and levels.
 */

#define YAML_BYTES_MAX 32768
#define YAML_NODES_MAX 2000
#define YAML_DEPTH_MAX 16

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind;
    int line;                /**< from 1 */
    bool plain;              /**< a scalar without quotes: may be null, a boolean, a number */
    struct text text;        /**< scalar: its value, UTF-8, no NUL inside */
    struct text key;         /**< member of a map: its name */
    int key_line;            /**< line of that name */
    struct yaml_node *first; /**< list, map: its members in order */
    struct yaml_node *next;
};

/**
 * Read one document.
 *
 * @yaml  UTF-8 text, YAML_BYTES_MAX at most
 * @out   lives in the arena; borrows nothing
 * @return E_BAD_MANIFEST, the text begins with "line N: "
 */
MUST_CHECK enum err_code yaml_read(struct text yaml, struct arena *a, struct yaml_node **out,
                                   struct err *err);

/** The member of a map by name; NULL when it is missing or `map` is no map. */
const struct yaml_node *yaml_member(const struct yaml_node *map, const char *name);

/** Whether this is null: absent, empty, `~` or `null` without quotes. */
bool yaml_is_null(const struct yaml_node *n);

#endif
