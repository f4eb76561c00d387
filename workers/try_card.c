/* SPDX-License-Identifier: MIT */
#include "workers/try_card.h"

#include "workers/device/edits.h"

static enum err_code take(struct try_card *t, const struct options *o, unsigned environments,
                          int64_t memory_mb, struct err *err)
{
    static struct device_list list;
    struct device_book_config config = {
        .work_dir = o->work_dir, .lock_dir = o->device_locks, .scrub = o->scrub};
    struct device_finder finder = {.simulate = o->simulate_gpu, .sys_root = o->sys_root};
    struct edits_config where = {o->driver_root, o->cdi_dirs, o->sys_root};
    struct device_want want = {.environments = environments, .memory_mb = memory_mb};
    enum err_code rc = book_open(&config, &t->book, err);
    if (rc != E_OK)
        return rc;
    device_finder_open(&finder);
    rc = device_finder_scan(&finder, &list, err);
    device_finder_close(&finder);
    if (rc != E_OK)
        return rc;
    book_update(t->book, &list);
    rc = book_lease(t->book, &want, 0, &t->lease, err);
    return rc == E_OK ? device_edits(&where, &t->lease.device, &t->edits, err) : rc;
}

enum err_code try_card_take(struct try_card *t, const struct options *o,
                            const struct manifest *source, struct err *err)
{
    unsigned cards = source->environments & ~ENV_CPU;
    if (!cards)
        return E_OK;
    enum err_code rc = take(t, o, cards, source->limits.card_memory_mb, err);
    return rc == E_NO_SLOT && (source->environments & ENV_CPU) ? E_OK : rc;
}

unsigned try_card_environment(const struct try_card *t)
{
    return t->edits ? t->lease.device.environment : ENV_CPU;
}

void try_card_end(struct try_card *t)
{
    if (t->book)
        book_return(t->book, &t->lease, t->edits != NULL);
    json_decref(t->edits);
    book_close(t->book);
    *t = (struct try_card){.book = NULL};
}
