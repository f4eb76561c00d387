/* SPDX-License-Identifier: MIT */
#include "verify/history.h"

#include <stdlib.h>
#include <string.h>

#include "eth/abi.h"

struct history history_new(void)
{
    return (struct history){.settled = abi_topic(ABI_EV_SETTLED),
                            .voided = abi_topic(ABI_EV_VOIDED)};
}

/* Room for one more, by doubling. @list grown in place */
static enum err_code make_room(void **list, size_t n, size_t *room, size_t size, struct err *err)
{
    size_t next = *room ? *room * 2 : 256;
    void *more;

    if (n < *room)
        return E_OK;
    more = reallocarray(*list, next, size);
    if (!more)
        return err_set(err, E_RANGE, "no memory for %zu events", next);
    *list = more;
    *room = next;
    return E_OK;
}

static enum err_code add_settled(struct history *h, const struct rpc_log *log, struct err *err)
{
    struct said s = {.tx = log->tx_hash};
    struct abi_value v[6];
    void *list = h->batches;
    enum err_code rc = abi_event(ABI_EV_SETTLED, &log->abi, v, ARRAY_LEN(v), err);

    if (rc != E_OK)
        return rc;
    if (!abi_to_u64(&v[0], &s.epoch) || !abi_to_u64(&v[2], &s.increase))
        return err_set(err, E_PEER, "a batch's numbers do not fit");
    s.root = abi_to_digest(&v[1]);
    rc = make_room(&list, h->n, &h->room, sizeof(s), err);
    if (rc != E_OK)
        return rc;
    h->batches = list;
    h->batches[h->n++] = s;
    return E_OK;
}

static enum err_code add_voided(struct history *h, const struct rpc_log *log, struct err *err)
{
    struct abi_value v[2];
    uint64_t epoch;
    void *list = h->voids;
    enum err_code rc = abi_event(ABI_EV_VOIDED, &log->abi, v, ARRAY_LEN(v), err);

    if (rc != E_OK)
        return rc;
    if (!abi_to_u64(&v[0], &epoch))
        return err_set(err, E_PEER, "a voided batch's epoch does not fit");
    rc = make_room(&list, h->n_voids, &h->room_voids, sizeof(epoch), err);
    if (rc != E_OK)
        return rc;
    h->voids = list;
    h->voids[h->n_voids++] = epoch;
    return E_OK;
}

enum err_code history_add(struct history *h, const struct rpc_log *logs, size_t n, struct err *err)
{
    enum err_code rc = E_OK;

    for (size_t i = 0; i < n && rc == E_OK; i++) {
        const struct abi_log *log = &logs[i].abi;

        if (log->n_topics == 0)
            continue;
        if (memcmp(&log->topics[0], &h->settled, sizeof(h->settled)) == 0)
            rc = add_settled(h, &logs[i], err);
        else if (memcmp(&log->topics[0], &h->voided, sizeof(h->voided)) == 0)
            rc = add_voided(h, &logs[i], err);
    }
    return rc;
}

static int by_epoch(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

void history_sort(struct history *h)
{
    if (h->n_voids > 0)
        qsort(h->voids, h->n_voids, sizeof(*h->voids), by_epoch);
}

bool history_is_voided(const struct history *h, uint64_t epoch)
{
    return h->n_voids > 0 &&
           bsearch(&epoch, h->voids, h->n_voids, sizeof(*h->voids), by_epoch) != NULL;
}

void history_done(struct history *h)
{
    free(h->batches);
    free(h->voids);
    *h = (struct history){.n = 0};
}
