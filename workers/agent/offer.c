/* SPDX-License-Identifier: MIT */
#include "workers/agent/offer.h"

#include <errno.h>
#include <string.h>

#include "core/manifest.h"
#include "lib/log.h"
#include "workers/contain/runtime.h"
#include "workers/device/lock.h"

struct edits_config offer_edits(const struct options *o)
{
    return (struct edits_config){o->driver_root, o->cdi_dirs, o->sys_root};
}

bool offer_cards(const struct options *o, bool rootless)
{
    return !rootless && !runtime_is_gvisor(o->runtime);
}

static bool is_usable(const struct options *o, const struct device *d, bool tell)
{
    struct edits_config where = offer_edits(o);
    struct err err;
    json_t *edits = NULL;
    enum err_code rc = device_edits(&where, d, &edits, &err);
    if (rc != E_OK && tell)
        log_warn("card_unusable", "uuid=%s why=%s", d->uuid, err.text);
    json_decref(edits);
    return rc == E_OK;
}

unsigned offer_environments(const struct options *o, bool rootless, const struct device_list *list,
                            bool tell)
{
    unsigned mask = ENV_CPU;
    bool locks = false;
    for (size_t i = 0; i < list->n; i++) {
        const struct device *d = &list->row[i];
        if (!device_is_card(d) || !offer_cards(o, rootless))
            continue;
        if (!locks && !lock_folder(o->device_locks)) {
            if (tell)
                log_warn("cards_unusable", "locks=%s why=%s", o->device_locks, strerror(errno));
            return mask;
        }
        locks = true;
        if (is_usable(o, d, tell))
            mask |= d->environment;
    }
    return mask;
}
