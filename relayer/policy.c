/* SPDX-License-Identifier: MIT */
#include "relayer/policy.h"

#include <string.h>

#include "eth/address.h"
#include "relayer/fees.h"

#define HOUR_US 3600000000

enum err_code policy_allow(struct policy *p, const char *list, struct err *err)
{
    while (*list) {
        size_t n = strcspn(list, ", ");

        if (n == 6 && memcmp(list, "create", n) == 0) {
            p->create = true;
        } else if (n == 7 && memcmp(list, "voucher", n) == 0) {
            p->voucher = true;
        } else if (n > 0) {
            if (p->n_allow == POLICY_ALLOW_MAX)
                return err_set(err, E_CONFIG, "more than %d destinations", POLICY_ALLOW_MAX);
            if (!address_parse((struct text){list, n}, &p->allow[p->n_allow]))
                return err_set(err, E_CONFIG, "'%.*s' is no address", (int)n, list);
            p->n_allow++;
        }
        list += n + strspn(list + n, ", ");
    }
    if (p->n_allow == 0 && !p->create)
        return err_set(err, E_CONFIG, "a signer needs at least one destination");
    return E_OK;
}

static bool is_allowed(const struct policy *p, struct address to)
{
    for (size_t i = 0; i < p->n_allow; i++)
        if (address_eq(p->allow[i], to))
            return true;
    return false;
}

/* One more within the hour. */
static enum err_code count(struct policy *p, int64_t now, struct err *err)
{
    int64_t *oldest = &p->signed_at[p->n_signed % p->rate];

    if (p->n_signed >= p->rate && now - *oldest < HOUR_US)
        return err_set(err, E_SCOPE_DENIED, "%u signatures an hour are used up", p->rate);
    *oldest = now;
    p->n_signed++;
    return E_OK;
}

static enum err_code check_chain(const struct policy *p, uint64_t chain_id, struct err *err)
{
    return chain_id == p->chain_id ? E_OK
                                   : err_set(err, E_SCOPE_DENIED, "chain %llu is not the signer's",
                                             (unsigned long long)chain_id);
}

enum err_code policy_admit(struct policy *p, const struct tx *tx, int64_t now, struct err *err)
{
    const struct fees fees = {.max_fee = tx->max_fee, .tip = tx->priority_fee};
    struct wei cost = {{0}};
    enum err_code rc = check_chain(p, tx->chain_id, err);

    if (rc != E_OK)
        return rc;
    if (tx->create ? !p->create : !is_allowed(p, tx->to))
        return err_set(err, E_SCOPE_DENIED, "the destination is not allowed");
    if (wei_cmp(wei_from_be(tx->value), p->value_max) > 0)
        return err_set(err, E_SCOPE_DENIED, "it carries more than the value cap");
    if (!wei_is_zero(p->cost_max) &&
        (fees_cost(&fees, tx->gas, &cost, err) != E_OK || wei_cmp(cost, p->cost_max) > 0))
        return err_set(err, E_SCOPE_DENIED, "its gas may cost more than the cap");
    return count(p, now, err);
}

enum err_code policy_admit_voucher(struct policy *p, const struct eip712_domain *domain,
                                   int64_t now, struct err *err)
{
    enum err_code rc = check_chain(p, domain->chain_id, err);

    if (rc == E_OK && !(p->voucher && is_allowed(p, domain->contract)))
        rc = err_set(err, E_SCOPE_DENIED, "vouchers of this contract are not allowed");
    return rc == E_OK ? count(p, now, err) : rc;
}
