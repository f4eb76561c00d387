/* SPDX-License-Identifier: MIT */
#ifndef RELAYER_ROOTS_H
#define RELAYER_ROOTS_H

#include "relayer/relayer.h"

/**
 * Close a batch's epoch: gather its events, store its score leaves, and give the two roots that
 * settle() carries and the log's leaves. To be called before every sealing and never after: until
 * then running it again may only add events, and the sealed roots stand over the rows that the last
 * run has stored. A batch without events has the score root 0 and the log root SHA-256("").
 *
 * @batch   gets score_root, log_root, log_leaves (in the arena)
 */
MUST_CHECK enum err_code relayer_roots(struct relayer *r, struct batch *batch, struct err *err);

#endif
