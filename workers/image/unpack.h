/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_IMAGE_UNPACK_H
#define WORKERS_IMAGE_UNPACK_H

#include <stdint.h>

#include "lib/err.h"
#include "workers/image/image.h"
#include "workers/image/stream.h"

/** What is left of the limits, over all layers. */
struct unpack_budget {
    int64_t bytes;   /**< of files */
    int64_t entries; /**< in one passage through the layers; and folders made on the way to them */
    struct stream_bounds reading;
};

/**
 * Unpack one layer (tar, plain or gzip or zstd) over what lies in a folder, as data nobody trusts:
 * every path is resolved inside the folder (openat2, RESOLVE_IN_ROOT), the last component is never
 * followed; whiteouts take away; device nodes, sockets and pipes are left out; set-id bits,
 * extended attributes and capabilities are dropped; ids above 65535 are refused.
 *
 * @root    the folder
 * @fd      the layer
 * @lower   whether layers lie below this one (then whiteouts are looked for first)
 * @return  E_BAD_MANIFEST with the reason; E_TOO_LARGE; E_TIMEOUT when told to stop; E_IO
 */
MUST_CHECK enum err_code unpack_layer(int root, int fd, bool lower, struct unpack_budget *budget,
                                      struct err *err);

/** Make the folders that a container needs as mount points; refuse an image where one is no folder.
 * @return E_BAD_MANIFEST. */
MUST_CHECK enum err_code unpack_places(int root, struct err *err);

/** Remove a file or a whole tree without following anything; as inside_empty(). @return false with
 * errno. */
bool unpack_remove(int parent, const char *name);

#endif
