/* SPDX-License-Identifier: MIT */
#include "relayer/alarm.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/log.h"

const char *alarm_name(enum alarm a)
{
    static const char *const names[ALARMS] = {
        [ALARM_REVERTED] = "reverted", [ALARM_EVENT] = "missing_event",
        [ALARM_REFUSED] = "refused",   [ALARM_BUDGET] = "gas_budget",
        [ALARM_DAY_CAP] = "daily_cap", [ALARM_PARKED] = "parked",
        [ALARM_STRANGER] = "stranger", [ALARM_FEE_CAP] = "fee_cap",
        [ALARM_NODES] = "nodes",       [ALARM_SIGNER] = "signer",
        [ALARM_SILENCE] = "silence",   [ALARM_FULL] = "full",
        [ALARM_GAP] = "nonce_gap",     [ALARM_LARGE] = "too_large",
        [ALARM_FOREIGN] = "foreign"};

    return names[a];
}

void alarm_raise(struct alarms *s, enum alarm a, const char *fmt, ...)
{
    char text[200];
    va_list list;

    if (s->on[a])
        return;
    s->on[a] = true;
    s->times[a]++;
    va_start(list, fmt);
    vsnprintf(text, sizeof(text), fmt, list);
    va_end(list);
    log_error("alarm", "name=%s text=%s", alarm_name(a), text);
}

void alarm_clear(struct alarms *s, enum alarm a)
{
    if (!s->on[a])
        return;
    s->on[a] = false;
    log_info("alarm_over", "name=%s", alarm_name(a));
}
