/* SPDX-License-Identifier: MIT */
#ifndef RELAYER_OPTIONS_H
#define RELAYER_OPTIONS_H

#include "lib/config.h"
#include "relayer/relayer.h"

#define SENDING_ROW(name, fallback, min, max, member, help)                  \
    {                                                                        \
        name, CONFIG_INT, fallback, min, max, false, CONFIG_AT(member), help \
    }

/** Rows of whoever sends transactions, for members of these names in its `struct options`. */
#define SENDING_ROWS                                                             \
    SENDING_ROW("OGPU_RESEND_S", "12", 1, 31536000, resend_s,                    \
                "say an unmined transaction again after"),                       \
        SENDING_ROW("OGPU_BUMP_S", "48", 1, 31536000, bump_s,                    \
                    "raise an unmined transaction's fee after"),                 \
        SENDING_ROW("OGPU_MAX_FEE_GWEI", "500", 1, 1000000000, max_fee_gwei,     \
                    "highest fee per gas"),                                      \
        SENDING_ROW("OGPU_MAX_TIP_GWEI", "20", 0, 1000000000, max_tip_gwei,      \
                    "highest priority fee per gas"),                             \
        SENDING_ROW("OGPU_RPC_TIMEOUT_MS", "10000", 100, 600000, rpc_timeout_ms, \
                    "how long a node may take for an answer")

/** How the process lives. */
struct relayer_life {
    int64_t poll_ms;     /**< pause between rounds */
    const char *metrics; /**< host:port to serve them at; "" for nowhere */
};

/** Open node, key and database and take the lock, as the environment and flags say. @argv after the
 * subcommand */
MUST_CHECK enum err_code relayer_open(struct relayer *r, int argc, char **argv,
                                      struct relayer_life *life, struct err *err);

/** The same to look only: no lock, and no key; the sender is the contract's settler. */
MUST_CHECK enum err_code relayer_open_to_look(struct relayer *r, int argc, char **argv,
                                              struct err *err);
void relayer_close(struct relayer *r);

/** Prints the options. */
void relayer_help(void);

/** The nodes' chain and kind, once one answers. @return E_CONFIG for another chain */
MUST_CHECK enum err_code relayer_meet_chain(struct relayer *r, struct err *err);

/** The same, and what the contract says about itself. @return E_CONFIG for another chain */
MUST_CHECK enum err_code relayer_check_chain(struct relayer *r, struct err *err);

#endif
