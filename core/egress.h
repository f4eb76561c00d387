/* SPDX-License-Identifier: MIT */
#ifndef CORE_EGRESS_H
#define CORE_EGRESS_H

#include <jansson.h>

#include "lib/bytes.h"
#include "lib/err.h"

/*
 * The hosts that a source may reach through its provider's proxy: names, never addresses.
 * A rule is "models.example.org", "*.example.org" or either with ":port".
 */

#define EGRESS_HOSTS_MAX 32
#define EGRESS_NAME_MAX  253
#define EGRESS_BYTES_MAX ((int64_t)1 << 40)

/** One rule, in lower case. */
struct egress_host {
    char name[EGRESS_NAME_MAX + 1]; /**< without "*." and without a dot at the end */
    bool below;                     /**< "*.": what is below the name, at any depth, not itself */
    uint16_t port;                  /**< 0: 80 and 443 */
};

/**
 * A DNS name as it is compared: ASCII lower case, without a dot at the end. Two labels or more, of
 * letters, digits and hyphens (RFC 1123), the last one beginning with a letter: so it is no IPv4
 * address in any of the forms that resolvers take. Internationalised names ("xn--", bytes above
 * 127) are refused: what they look like is not what they are.
 *
 * @out     EGRESS_NAME_MAX + 1 bytes
 * @return  NULL, or what is wrong with it; static
 */
const char *egress_name(struct text name, char *out);

/** Read one rule. `*.` needs two labels behind it. @return NULL, or what is wrong with it; static
 */
const char *egress_host_read(struct text rule, struct egress_host *out);

/** Whether a rule allows this host (in the form of egress_name()) and port. */
bool egress_host_allows(const struct egress_host *rule, const char *name, uint16_t port);

/** Whether all that `asked` allows is allowed by `rule` too. */
bool egress_host_covers(const struct egress_host *rule, const struct egress_host *asked);

/** What a manifest asks for. */
struct egress {
    struct egress_host hosts[EGRESS_HOSTS_MAX];
    size_t count;
    int64_t max_bytes; /**< both directions and all connections of one run together */
};

/**
 * Read the member `egress` of a manifest: {"hosts": [rule, …], "max_bytes": n}.
 *
 * @return E_BAD_MANIFEST with a sentence that names the member
 */
MUST_CHECK enum err_code egress_read(const json_t *v, struct egress *out, struct err *err);

#endif
