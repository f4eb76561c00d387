/* SPDX-License-Identifier: MIT */
#ifndef CORE_COMPOSE_PARTS_H
#define CORE_COMPOSE_PARTS_H

#include "core/compose.h"
#include "core/yaml_tree.h"

/* What the parts of the compose reader share; nobody else includes this. */

/** One reading. */
struct compose {
    const struct compose_values *values;
    unsigned environment;
    struct arena *arena;
    const struct yaml_node *volumes; /**< the file's own list of volumes, or NULL */
    struct compose_service *out;
    struct compose_problems *all; /**< gets every refusal, and the reading goes on; or NULL */
    struct err *err;
};

/** Whether the members behind a refused one are read too, so that all refusals are known. */
bool compose_goes_on(const struct compose *c, enum err_code rc);

/** Of two, the one that came first. */
static inline enum err_code compose_first(enum err_code before, enum err_code now)
{
    return before != E_OK ? before : now;
}

/** Refuse at a line: "line N: " and the sentence. @return E_BAD_MANIFEST. */
enum err_code compose_refuse(const struct compose *c, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/** A scalar with its variables filled in. @return E_BAD_MANIFEST: not a scalar, an unknown
 * variable, too long. */
MUST_CHECK enum err_code compose_text(struct compose *c, const struct yaml_node *n,
                                      struct text *out);

/** What stands for a variable of the contract; NULL when it is none of them. */
const char *compose_variable(const struct compose *c, struct text name);

/** A list of words, or one text that is split as a shell would. @return E_BAD_MANIFEST. */
MUST_CHECK enum err_code compose_words(struct compose *c, const struct yaml_node *n,
                                       const char **out, size_t *count);

/** Readers of single members of a service. */
enum err_code compose_environment(struct compose *c, const struct yaml_node *n);
enum err_code compose_ports(struct compose *c, const struct yaml_node *n);
enum err_code compose_extra_hosts(struct compose *c, const struct yaml_node *n);
enum err_code compose_volumes(struct compose *c, const struct yaml_node *n);
enum err_code compose_deploy(struct compose *c, const struct yaml_node *n);
enum err_code compose_devices(struct compose *c, const struct yaml_node *n);
enum err_code compose_user(struct compose *c, const struct yaml_node *n);
enum err_code compose_working_dir(struct compose *c, const struct yaml_node *n);

/** Whether a path is absolute and plain: no empty part, no . and .. */
bool compose_path_ok(const char *path);

#endif
