/* SPDX-License-Identifier: MIT */
#include "relayer/terms.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "eth/address.h"

#define DAY 86400U

static const struct {
    const char *name;
    uint64_t max;
} table[TERMS] = {
    [TERM_SETTLER] = {"settler", 0},
    [TERM_SIGNER] = {"signer", 0},
    [TERM_GUARDIAN] = {"guardian", 0},
    [TERM_ADMIN] = {"admin", 0},
    [TERM_DELAY] = {"delay", (uint64_t)30 * DAY},
    [TERM_ADMIN_DELAY] = {"admin_delay", (uint64_t)365 * DAY},
    [TERM_SILENCE] = {"silence", (uint64_t)365 * DAY},
    [TERM_WINDOW] = {"window", (uint64_t)365 * DAY},
    [TERM_UNBONDING] = {"unbonding", (uint64_t)365 * DAY},
    [TERM_APPEAL] = {"appeal", (uint64_t)365 * DAY},
    [TERM_DAILY_CAP] = {"daily_cap", INT64_MAX},
};

const char *term_name(enum term t)
{
    return table[t].name;
}

/* A number among the terms. */
static uint64_t number_of(const struct terms *t, enum term which)
{
    uint64_t v = 0;

    (void)abi_to_u64(&t->v[which], &v); /* ours: made of one */
    return v;
}

static enum err_code check_roles(const struct terms *t, struct err *err)
{
    for (int i = 0; i < TERM_ROLES; i++) {
        struct address a = abi_to_address(&t->v[i]);

        if (address_is_zero(a))
            return err_set(err, E_CONFIG, "the %s is missing: an address", table[i].name);
        for (int k = 0; k < i; k++)
            if (address_eq(a, abi_to_address(&t->v[k])))
                return err_set(err, E_CONFIG,
                               "%s and %s are the same address: one thief would hold both keys",
                               table[k].name, table[i].name);
    }
    return E_OK;
}

/*
 * A theft of the settler's key, handled as docs/operate.md says, leaves no batch that is not ripe,
 * and the next can be settled only by whom the admin names after its wait. What was ripe is at most
 * one of the relayer's beats old then: a quarter of what the delay leaves of the silence. So twice
 * the wait leaves half a wait in which the admin must announce, and a whole one where the gateway
 * was busy (tests/contracts/forge/Theft.t.sol).
 */
static enum err_code check_silence(const struct terms *t, struct err *err)
{
    uint64_t delay = number_of(t, TERM_DELAY);
    uint64_t wait = number_of(t, TERM_ADMIN_DELAY);
    uint64_t silence = number_of(t, TERM_SILENCE);

    if (delay >= silence)
        return err_set(err, E_CONFIG,
                       "delay must be below silence: a batch counts as a sign of life once it is "
                       "claimable, so anyone could begin the forced exit of a gateway that works");
    if (silence <= 2 * wait + delay)
        return err_set(err, E_CONFIG,
                       "silence is %" PRIu64 ": it must be above 2 * admin_delay + delay, %" PRIu64
                       ", or the forced exit opens before a robbed settler has a successor",
                       silence, 2 * wait + delay);
    return E_OK;
}

enum err_code terms_check(const struct terms *t, struct err *err)
{
    enum err_code rc = check_roles(t, err);

    if (rc != E_OK)
        return rc;
    for (int i = TERM_ROLES; i < TERMS; i++) {
        uint64_t n = number_of(t, (enum term)i);

        if (n < 1 || n > table[i].max)
            return err_set(err, E_CONFIG, "%s is %" PRIu64 ": 1 to %" PRIu64 " make sense",
                           table[i].name, n, table[i].max);
    }
    rc = check_silence(t, err);
    if (rc != E_OK)
        return rc;
    if (number_of(t, TERM_WINDOW) <= number_of(t, TERM_DELAY))
        return err_set(err, E_CONFIG,
                       "window must be above delay: else the last batch cannot be shown in it");
    if (number_of(t, TERM_UNBONDING) <= number_of(t, TERM_ADMIN_DELAY))
        return err_set(err, E_CONFIG,
                       "unbonding must be above admin_delay: else stake leaves while its sanction "
                       "waits");
    return E_OK;
}

enum err_code terms_encode(const struct terms *t, struct buf *out, struct err *err)
{
    /* A struct of static members is its words, one after the other. */
    for (int i = 0; i < TERMS; i++) {
        enum err_code rc = buf_add(out, t->v[i].word, sizeof(t->v[i].word), err);

        if (rc != E_OK)
            return rc;
    }
    return E_OK;
}

json_t *terms_json(const struct terms *t)
{
    json_t *out = json_object();
    char text[ADDRESS_TEXT_MAX];

    for (int i = 0; i < TERMS; i++) {
        json_t *v;

        if (i < TERM_ROLES) {
            address_format(abi_to_address(&t->v[i]), text);
            v = json_string(text);
        } else if (i == TERM_DAILY_CAP) {
            snprintf(text, sizeof(text), "%" PRIu64, number_of(t, (enum term)i));
            v = json_string(text);
        } else {
            v = json_integer((json_int_t)number_of(t, (enum term)i));
        }
        if (json_object_set_new(out, table[i].name, v) != 0)
            abort();
    }
    return out;
}

static bool read_one(const json_t *v, int i, struct abi_value *out)
{
    const char *text = json_string_value(v);
    struct address a;
    char *end;

    if (i < TERM_ROLES) {
        if (!address_parse(text_of(text), &a))
            return false;
        *out = abi_address(a);
        return true;
    }
    if (i == TERM_DAILY_CAP) {
        if (!text || text[0] < '0' || text[0] > '9')
            return false;
        *out = abi_u64(strtoull(text, &end, 10));
        return *end == '\0';
    }
    *out = abi_u64((uint64_t)json_integer_value(v));
    return json_is_integer(v) && json_integer_value(v) >= 0;
}

enum err_code terms_read(const json_t *v, struct terms *out, struct err *err)
{
    struct terms t;

    for (int i = 0; i < TERMS; i++)
        if (!read_one(json_object_get(v, table[i].name), i, &t.v[i]))
            return err_set(err, E_CONFIG, "the record's term '%s' is missing or none",
                           table[i].name);
    *out = t;
    return E_OK;
}
