/* SPDX-License-Identifier: MIT */
#ifndef RELAYER_RELAYER_H
#define RELAYER_RELAYER_H

#include "core/money.h"
#include "db/conn.h"
#include "eth/finality.h"
#include "eth/rpc.h"
#include "eth/tx.h"
#include "lib/arena.h"
#include "relayer/alarm.h"
#include "relayer/fees.h"
#include "relayer/key.h"

/** When to batch, and how much. Amounts in units of 10^12 wei; 0 is no limit. */
struct batching {
    int64_t age_s;     /**< settle when the oldest payable is this old */
    int64_t count;     /**< or this many wait */
    int64_t min_units; /**< or they are worth this much */
    int64_t max_count; /**< ledger entries in one batch */
    int64_t max_units; /**< what one batch may declare */
    uint64_t calm_fee; /**< wei per gas: above it the batch waits, until it is wait_s old */
    int64_t wait_s;
    int64_t park_s; /**< how long an entry that the contract refuses is left out */
};

/** What the contract says about itself. */
struct contract_facts {
    uint64_t born; /**< when it was made, Unix seconds */
    uint64_t
        silence;    /**< seconds without a claimable batch after which anyone may begin the exit */
    uint64_t delay; /**< seconds from a batch until it is claimable */
    uint64_t day_cap; /**< units that batches may declare in one day */
    int64_t asked_at; /**< monotonic µs; 0: never */
};

/** Nonces below ours that no block counts, as last seen. */
struct gap {
    uint64_t nonce; /**< the lowest when it was first seen */
    int64_t since;  /**< monotonic µs; 0: there is none */
};

/** The relayer: one key, one nonce lane, the only process that signs for the chain. One thread. */
struct relayer {
    struct rpc *rpc;
    struct db_conn *db;
    struct key *key;
    struct arena *arena; /**< of one step */
    struct address sender;
    struct address settlement;
    uint64_t chain_id;
    bool legacy; /**< the chain has no base fee: EIP-155 transactions */
    struct finality finality;
    struct batching batching;
    int64_t in_flight_max;
    int64_t resend_s; /**< say unmined transactions again after this long */
    int64_t bump_s;   /**< replace them with a higher fee after this long */
    int64_t skip_max; /**< how many transactions outside our record a node's count may tell of */
    int64_t about;    /**< epoch that a command is about; 0: none */
    bool waits;       /**< for what strangers did to be final */
    struct gap gap;
    struct fee_cap cap;
    struct wei budget;   /**< wei of gas a day; zero: none */
    int64_t keepalive_s; /**< the operator's own figure for beat_s; 0: from the contract */
    struct contract_facts facts;
    int64_t beat_s;     /**< settle at least this often, even nothing */
    int64_t form_max;   /**< halved while the contract refuses batches; 0: max_count */
    struct digest head; /**< the block all receipts were last asked at */
    uint64_t head_time; /**< of the newest block, Unix seconds; 0: none was asked for yet */
    uint64_t final_no;  /**< the last block known as final */
    struct alarms alarms;
    int64_t full;  /**< counters that the last alarm about full ones was about */
    int64_t large; /**< payouts that the last alarm about too large ones was about */
};

/** A batch on its way, as the database has it. */
struct batch {
    struct uuid id;
    int64_t epoch;
    int64_t increase_units;
    struct bytes entries;
    struct digest root;
    struct digest score_root;
    struct digest log_root;
    struct bytes log_leaves; /**< only while it is being sealed */
};

/** Advisory lock that admits one relayer. */
#define RELAYER_LOCK 7302

/**
 * One round: take every unsettled batch one step further, in epoch order, and when all of them are
 * mined form the next. Each arrow survives a crash: what is decided is stored before it is acted
 * on, and the round begins from the rows.
 *
 * @return  E_PEER, E_TIMEOUT (node), E_DB_DOWN, E_BUSY: try again; others are alarms, said and
 * tried again
 */
MUST_CHECK enum err_code relayer_step(struct relayer *r, struct err *err);

/** Raise and clear the alarm about nodes, by what the last calls to them told; a round does
 * (relayer/step.c). */
void relayer_judge_nodes(struct relayer *r);

/**
 * Ask the contract about itself, at most once a minute, and choose how often to settle when there
 * is nothing to settle (relayer/facts.c).
 *
 * @return as rpc_read(); E_CONFIG when the operator's figure would let the exit open
 */
MUST_CHECK enum err_code relayer_facts(struct relayer *r, struct err *err);

/** A view of the contract without arguments that answers one number. */
MUST_CHECK enum err_code relayer_ask(struct relayer *r, const char *view, uint64_t *out,
                                     struct err *err);

/** The same at a block. @tag "latest" or rpc_tag() */
MUST_CHECK enum err_code relayer_ask_at(struct relayer *r, const char *view, const char *tag,
                                        uint64_t *out, struct err *err);

/** Who may settle. */
MUST_CHECK enum err_code relayer_ask_settler(struct relayer *r, struct address *out,
                                             struct err *err);

/** Gather payable entries into the next epoch when it is time (relayer/form.c). */
MUST_CHECK enum err_code relayer_form(struct relayer *r, bool *formed, struct err *err);

/** Fix a batch's calldata entries and roots, once (relayer/form.c). @batch gets them */
MUST_CHECK enum err_code relayer_seal(struct relayer *r, struct batch *batch, struct err *err);

/**
 * Have the chain judge a sealed batch without sending it (relayer/judge.c). When it is refused for
 * its entries' sake it is dissolved, and the next is half as long; an entry refused alone is
 * parked.
 *
 * @good   whether it may be sent
 * @return E_PEER when the chain is not where this batch follows; E_INTERNAL when it refuses even an
 * empty batch: settlement stops with an alarm
 */
MUST_CHECK enum err_code relayer_judge(struct relayer *r, const struct batch *batch, bool *good,
                                       struct err *err);

/** The calldata of settle(). @out appended to */
MUST_CHECK enum err_code relayer_call_data(const struct batch *batch, struct buf *out,
                                           struct err *err);

/** Reserve a nonce, sign, store, send a sealed batch for the first time (relayer/lane.c). */
MUST_CHECK enum err_code relayer_offer(struct relayer *r, const struct batch *batch,
                                       struct err *err);

/**
 * How many transactions of a sender a block counts.
 *
 * @tag    "latest" or rpc_tag()
 * @return as rpc_nonce(); E_PEER too for a figure that no chain can have
 */
MUST_CHECK enum err_code relayer_count(struct relayer *r, struct address sender, const char *tag,
                                       uint64_t *out, struct err *err);

/** The same at the last final block. @return E_NOT_FOUND while there is none */
MUST_CHECK enum err_code relayer_count_final(struct relayer *r, struct address sender,
                                             uint64_t *out, struct err *err);

/**
 * Sign and store, within the day's budget.
 *
 * @batch  NULL: what only uses up the nonce, a call that reads
 * @in     has the nonce, gets the rest; hash and raw in the arena of this step
 * @return E_QUOTA when the budget is used; E_NONCE_USED when the nonce is another's
 */
MUST_CHECK enum err_code relayer_put(struct relayer *r, const struct batch *batch,
                                     const struct fees *fees, struct sql_chain_tx_store *in,
                                     struct err *err);

/**
 * Use up nonces that nothing will use and that hold up one of ours (relayer/fill.c). Only once the
 * chain's count has stayed below ours for resend_s.
 *
 * @ours   the newest of our own transactions of a batch that is not mined
 * @count  how many the newest block counts for its sender
 */
MUST_CHECK enum err_code relayer_mend(struct relayer *r, const struct sql_chain_tx_list_row *ours,
                                      uint64_t count, struct err *err);

/** Sign again with a higher fee at the same nonce, store, send. */
MUST_CHECK enum err_code relayer_replace(struct relayer *r, const struct batch *batch,
                                         const struct sql_chain_tx_list_row *last,
                                         const struct fees *fees, struct err *err);

/** Hand stored bytes to the nodes. Their refusal decides nothing; receipts will tell. */
MUST_CHECK enum err_code relayer_broadcast(struct relayer *r, struct bytes hash, struct bytes raw,
                                           struct err *err);

/** What happened to a transaction, for its row. */
struct sighting {
    const char *state; /**< "sent" or "mined" */
    const struct rpc_receipt *receipt;
};
MUST_CHECK enum err_code relayer_seen(struct relayer *r, struct bytes hash,
                                      const struct sighting *what, struct err *err);

/** Fees of a first offer made now (relayer/lane.c). */
MUST_CHECK enum err_code relayer_fees_now(struct relayer *r, struct fees *out, struct err *err);

/** Where a batch is after a look at all its transactions. */
enum place { PLACE_UNSIGNED, PLACE_PENDING, PLACE_MINED };

/**
 * Look at every hash of a batch, and push what is not mined: say it again, or replace it
 * (relayer/watch.c).
 *
 * @look   false: no block came since the last look, so receipts are as they were
 * @return E_INTERNAL when it reverted or its event is missing: settlement stops with an alarm,
 * until an operator says `again`
 */
MUST_CHECK enum err_code relayer_watch(struct relayer *r, const struct batch *batch, bool look,
                                       enum place *where, struct err *err);

#endif
