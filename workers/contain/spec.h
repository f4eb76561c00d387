/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CONTAIN_SPEC_H
#define WORKERS_CONTAIN_SPEC_H

#include <jansson.h>

#include "lib/err.h"
#include "workers/contain/box.h"

/** The OCI runtime configuration (config.json, runtime-spec 1.0.2) of a run; a new reference.
 * E_INTERNAL without memory. */
MUST_CHECK enum err_code spec_config(const struct box_spec *spec, json_t **out, struct err *err);

/**
 * The `linux.seccomp` section from workers/seccomp.json, which is compiled in; a new reference.
 *
 * @gvisor  for gVisor, which takes the same list with the rows' own exceptions
 */
MUST_CHECK enum err_code spec_seccomp(bool gvisor, json_t **out, struct err *err);

/** Write `<dir>/config.json`. @return E_IO. */
MUST_CHECK enum err_code spec_write(const struct box_spec *spec, const char *dir, struct err *err);

#endif
