/* SPDX-License-Identifier: MIT */
#ifndef RELAYER_ALARM_H
#define RELAYER_ALARM_H

#include <stdbool.h>
#include <stdint.h>

/** What an operator must know. An alarm is said when it begins and when it ends, and is a metric in
 * between. */
enum alarm {
    ALARM_REVERTED, /**< settle() reverted on chain: settlement stands still */
    ALARM_EVENT,    /**< settle() is mined without its event: settlement stands still */
    ALARM_REFUSED,  /**< the contract refuses even an empty batch: settlement stands still */
    ALARM_BUDGET,   /**< the day's gas budget is used: nothing is sent until the next day */
    ALARM_DAY_CAP,  /**< the contract's daily cap is used: what is left waits for the next day */
    ALARM_PARKED,   /**< an entry that the contract refuses was left out */
    ALARM_STRANGER, /**< somebody else uses the key */
    ALARM_FEE_CAP,  /**< the market asks for more than the operator's cap */
    ALARM_NODES,    /**< a node is down, lags, disagrees, or is of another chain */
    ALARM_SIGNER,   /**< the signer refuses or is away */
    ALARM_GAP,      /**< the chain counts less than we signed: the places between are used up */
    ALARM_SILENCE,  /**< the next sign of life is late: the forced exit may open */
    ALARM_FULL,     /**< an account earned or spent all that an entry can hold: its payouts wait */
    ALARM_LARGE,    /**< a payout is larger than any batch may be: it waits for a higher cap */
    ALARM_FOREIGN,  /**< a batch on chain is not ours: settlement stands still */
    ALARMS
};

struct alarms {
    bool on[ALARMS];
    uint64_t times[ALARMS]; /**< how often each began */
};

/** The alarm's name in logs and metrics. */
const char *alarm_name(enum alarm a);

/** Say that it began, unless it goes on already. */
__attribute__((format(printf, 3, 4))) void alarm_raise(struct alarms *s, enum alarm a,
                                                       const char *fmt, ...);

/** It is over, when it was on. */
void alarm_clear(struct alarms *s, enum alarm a);

#endif
