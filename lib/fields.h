/* SPDX-License-Identifier: MIT */
#ifndef LIB_FIELDS_H
#define LIB_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/err.h"
#include "lib/pattern.h"

/*
 * Field tables: JSON objects, query strings and path segments into C structs, with every bound of
 * the contract checked. Tables are generated from openapi/ by tools/gen_api.mjs; nothing here knows
 * an operation.
 */

/** What a value may be, and the C type of a top-level member that holds it. */
enum shape_kind {
    SHAPE_BOOL,   /**< bool */
    SHAPE_INT,    /**< int64_t */
    SHAPE_TEXT,   /**< struct text, borrowed from the JSON */
    SHAPE_ENUM,   /**< int32_t, index into words */
    SHAPE_PARSED, /**< whatever parse() writes: struct uuid, struct wei, struct address, … */
    SHAPE_ARRAY,  /**< json_t *, borrowed, every item checked */
    SHAPE_OBJECT, /**< json_t *, borrowed, checked against members */
    SHAPE_MAP,    /**< json_t *, borrowed, every name and value checked */
    SHAPE_ANY     /**< json_t *, borrowed: any object */
};

struct fields;

/** The rules for one value. Unused members are zero. */
struct shape {
    enum shape_kind kind;
    bool unique; /**< SHAPE_ARRAY of strings: no two alike */
    bool line;   /**< SHAPE_TEXT: one readable line, utf8_line() */
    int64_t
        min; /**< SHAPE_INT: value. TEXT: code points. ARRAY: items. OBJECT, MAP, ANY: members */
    int64_t max;                   /**< as min */
    size_t size;                   /**< SHAPE_PARSED: bytes that parse() writes */
    const struct pattern *pattern; /**< TEXT: NULL or what it must match */
    const char *const *words;      /**< ENUM */
    size_t n_words;
    /** PARSED: read `s` into `out`; may keep memory in `a`. @return false when it does not fit,
     * `out` untouched */
    bool (*parse)(struct text s, struct arena *a, void *out);
    const char *what;             /**< PARSED: "a task id (tsk_…)", to follow "must be" */
    const struct shape *item;     /**< ARRAY: each item. MAP: each value */
    const struct shape *name;     /**< MAP: each name; NULL: any */
    const struct fields *members; /**< OBJECT */
};

/** No has_ flag, no offset. */
#define FIELD_NONE SIZE_MAX

/** One named member. */
struct field {
    const char *name;
    const struct shape *shape;
    bool required;
    bool has_fallback;
    int64_t fallback; /**< BOOL, INT, ENUM (index): the contract's default */
    size_t offset;    /**< of the C member; FIELD_NONE inside nested objects, which stay JSON */
    size_t has;       /**< of the bool has_<name>; FIELD_NONE when required or with a default */
};

/** The members of one object, or the parameters of one place. */
struct fields {
    const struct field *field;
    size_t n;
};

/** Where a violation was found. */
enum field_place { FIELD_BODY, FIELD_QUERY, FIELD_PATH };

#define VIOLATIONS_MAX   16
#define FIELDS_DEPTH_MAX 16
#define FIELDS_NODES_MAX 200000

/** One value that does not fit; both texts live in the arena. */
struct violation {
    enum field_place place;
    const char *pointer; /**< RFC 6901 into the body; "/name" for a parameter; at most 255 bytes,
                            valid UTF-8 */
    const char *message; /**< a sentence without its subject: "must be at most 8" */
};

/** What was found; zero-initialise. One list may be passed to several calls. */
struct violations {
    struct violation list[VIOLATIONS_MAX];
    size_t n;
};

/** One parameter as it was sent, percent-decoded. */
struct field_pair {
    struct text name;
    struct text value;
};

/** The parameters of one place of a request. */
struct field_pairs {
    enum field_place place; /**< FIELD_QUERY or FIELD_PATH */
    const struct field_pair *pair;
    size_t n;
};

/**
 * Check a JSON body and fill the struct.
 *
 * @f      members; all of the struct's body members are written, absent ones with zero or their
 * default
 * @body   any JSON value; must outlive `out`, which borrows from it
 * @a      memory for messages and for what parsers keep
 * @out    the operation's struct; holds nothing useful on failure
 * @bad    gets up to VIOLATIONS_MAX entries; the search stops there
 * @return E_VALIDATION when anything does not fit: wrong type, unknown or missing member, out of
 * bounds, nested deeper than FIELDS_DEPTH_MAX, more values than FIELDS_NODES_MAX
 */
MUST_CHECK enum err_code fields_json(const struct fields *f, json_t *body, struct arena *a,
                                     void *out, struct violations *bad, struct err *err);

/**
 * Check query or path parameters and fill the struct; as fields_json(), from text.
 *
 * @sent   text members of `out` borrow from its pairs
 * @return E_VALIDATION also for an unknown parameter and for one given twice
 */
MUST_CHECK enum err_code fields_pairs(const struct fields *f, const struct field_pairs *sent,
                                      struct arena *a, void *out, struct violations *bad,
                                      struct err *err);

#endif
