/* SPDX-License-Identifier: MIT */
#include "verify/task.h"

#include "eth/address.h"
#include "lib/clock.h"

#define TYPEID_DIGITS 26

/* "tsk_" and 26 base-32 digits of a UUID, most significant first; the first carries 3 bits. */
static bool read_typeid(struct text t, struct uuid *out)
{
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    struct uuid u = {{0}};

    if (!t.s || t.n != 4 + TYPEID_DIGITS || memcmp(t.s, "tsk_", 4) != 0 || t.s[4] > '7')
        return false;
    for (size_t i = 0; i < TYPEID_DIGITS; i++) {
        const char *at = t.s[4 + i] ? strchr(alphabet, t.s[4 + i]) : NULL;
        unsigned carry;

        if (!at)
            return false;
        carry = (unsigned)(at - alphabet);
        for (size_t b = sizeof(u.b); b-- > 0;) {
            carry |= (unsigned)u.b[b] << 5;
            u.b[b] = (uint8_t)carry;
            carry >>= 8;
        }
    }
    *out = u;
    return true;
}

void task_amount(const uint8_t amount[32], char *out)
{
    uint8_t rest[32];
    char digits[AMOUNT_TEXT_MAX];
    size_t n = 0;
    bool more = true;

    memcpy(rest, amount, sizeof(rest));
    while (more) {
        unsigned carry = 0;

        more = false;
        for (size_t i = 0; i < sizeof(rest); i++) {
            carry = carry << 8 | rest[i];
            rest[i] = (uint8_t)(carry / 10);
            carry %= 10;
            more = more || rest[i] != 0;
        }
        digits[n++] = (char)('0' + carry);
    }
    for (size_t i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    out[n] = '\0';
}

/* The types that were signed, word for word: a wallet library believes what stands here. */
static bool types_are_ours(const json_t *types)
{
    static const char *const members[][2] = {{"task", "bytes16"},     {"attempt", "bytes16"},
                                             {"epoch", "uint32"},     {"provider", "address"},
                                             {"manifest", "bytes32"}, {"input", "bytes32"},
                                             {"output", "bytes32"}};
    const json_t *list = json_object_get(types, "Response");

    if (json_object_size(types) != 1 || json_array_size(list) != ARRAY_LEN(members))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const json_t *m = json_array_get(list, i);

        if (json_object_size(m) != 2 || !text_is(document_text(m, "name"), members[i][0]) ||
            !text_is(document_text(m, "type"), members[i][1]))
            return false;
    }
    return true;
}

static enum err_code read_typed(const json_t *typed, struct task *t, struct err *err)
{
    const json_t *domain = json_object_get(typed, "domain");
    const json_t *m = json_object_get(typed, "message");
    struct eip712_response *r = &t->response;
    uint64_t epoch;

    if (!text_is(document_text(typed, "primaryType"), "Response") ||
        !types_are_ours(json_object_get(typed, "types")))
        return err_set(err, E_VALIDATION, "\"typed_data\" is not of our type Response");
    if (!text_is(document_text(domain, "name"), "OpenGPU Gateway") ||
        !text_is(document_text(domain, "version"), "1") ||
        !document_int(domain, "chainId", INT64_MAX, &t->domain.chain_id) ||
        !document_address(domain, "verifyingContract", &t->domain.contract))
        return err_set(err, E_VALIDATION, "\"typed_data.domain\" is not ours");
    if (!document_hex(m, "task", r->task.b, sizeof(r->task.b)) ||
        !document_hex(m, "attempt", r->attempt.b, sizeof(r->attempt.b)) ||
        !document_int(m, "epoch", UINT32_MAX, &epoch) ||
        !document_address(m, "provider", &r->provider) ||
        !document_hex(m, "manifest", r->manifest.b, sizeof(r->manifest.b)) ||
        !document_hex(m, "input", r->input.b, sizeof(r->input.b)) ||
        !document_hex(m, "output", r->output.b, sizeof(r->output.b)))
        return err_set(err, E_VALIDATION, "\"typed_data.message\" is not a Response");
    r->epoch = (uint32_t)epoch;
    return E_OK;
}

static enum err_code read_event(const json_t *event, struct task *t, struct err *err)
{
    uint8_t encoded[EVENT_SIZE];

    if (!document_hex(event, "encoded", encoded, sizeof(encoded)) ||
        !event_decode(encoded, &t->event))
        return err_set(err, E_VALIDATION, "\"event.encoded\" is not an event");
    if (!document_address(event, "payee", &t->payee))
        return err_set(err, E_VALIDATION, "\"event.payee\" is not an address");
    t->amount = document_text(event, "amount");
    t->at = document_text(event, "accepted_at");
    if (!t->amount.s || !t->at.s || !text_is(document_text(event, "kind"), "accepted"))
        return err_set(err, E_VALIDATION, "\"event\" is not an acceptance with amount and time");
    return E_OK;
}

static enum err_code read_inclusion(const json_t *inclusion, struct arena *a, struct task *t,
                                    struct err *err)
{
    struct siblings s;

    if (!document_int(inclusion, "index", INT64_MAX, &t->path.index) ||
        !document_int(inclusion, "size", INT64_MAX, &t->path.size))
        return err_set(err, E_VALIDATION, "\"inclusion\" has no index and size");
    if (!document_hex(inclusion, "root", t->root.b, sizeof(t->root.b)))
        return err_set(err, E_VALIDATION, "\"inclusion.root\" is not 32 bytes of hex");
    if (!document_siblings(inclusion, "proof", a, &s))
        return err_set(err, E_VALIDATION, "\"inclusion.proof\" is not a list of 32-byte hashes");
    t->path.siblings = s.list;
    t->path.n = s.n;
    return E_OK;
}

enum err_code task_read(const json_t *document, struct arena *a, struct task *out, struct err *err)
{
    struct task t = {.epoch = 0};
    struct address contract = {{0}};
    uint64_t chain_id = 0;
    enum err_code rc;

    if (!read_typeid(document_text(document, "task"), &t.id))
        return err_set(err, E_VALIDATION, "\"task\" is not a task's id");
    if (!document_int(document, "epoch", INT64_MAX, &t.epoch))
        return err_set(err, E_VALIDATION, "\"epoch\" is not a number");
    if (!document_hex(document, "signature", t.signature.b, sizeof(t.signature.b)))
        return err_set(err, E_VALIDATION, "\"signature\" is not 65 bytes of hex");
    if (!document_hex(document, "tx_hash", t.tx.b, sizeof(t.tx.b)))
        return err_set(err, E_VALIDATION, "\"tx_hash\" is not 32 bytes of hex");
    rc = read_typed(json_object_get(document, "typed_data"), &t, err);
    if (rc == E_OK && (!document_address(document, "contract", &contract) ||
                       !address_eq(contract, t.domain.contract) ||
                       !document_int(document, "chain_id", INT64_MAX, &chain_id) ||
                       chain_id != t.domain.chain_id))
        rc = err_set(err, E_VALIDATION, "\"contract\" and \"chain_id\" are not the domain's");
    if (rc == E_OK)
        rc = read_event(json_object_get(document, "event"), &t, err);
    if (rc == E_OK)
        rc = read_inclusion(json_object_get(document, "inclusion"), a, &t, err);
    if (rc == E_OK)
        *out = t;
    return rc;
}

/* The event's bytes against all that the document says around them. */
static enum err_code check_event(const struct task *t, const struct digest *signed_as,
                                 struct err *err)
{
    const struct event *e = &t->event;
    char amount[AMOUNT_TEXT_MAX];
    char at[RFC3339_MAX] = "";

    if (e->kind != EVENT_ACCEPTED || e->epoch != t->epoch)
        return err_set(err, E_DIGEST_MISMATCH, "the event is no acceptance of epoch %llu",
                       (unsigned long long)t->epoch);
    if (!uuid_eq(e->task, t->response.task) || !uuid_eq(e->attempt, t->response.attempt) ||
        !address_eq(e->provider, t->response.provider) ||
        memcmp(e->response.b, signed_as->b, sizeof(signed_as->b)) != 0)
        return err_set(err, E_DIGEST_MISMATCH, "the event is of another response");
    task_amount(e->amount, amount);
    if (e->at_us <= INT64_MAX)
        rfc3339_format((int64_t)e->at_us, at);
    if (!address_eq(e->payee, t->payee) || !text_is(t->amount, amount) || !text_is(t->at, at))
        return err_set(err, E_DIGEST_MISMATCH,
                       "the event pays another, another amount, or at another time");
    return E_OK;
}

enum err_code task_check(const struct task *t, const struct digest *log_root, struct err *err)
{
    struct digest digest = eip712_response_digest(&t->domain, &t->response);
    struct err why = {0};
    enum err_code rc;

    if (!uuid_eq(t->id, t->response.task))
        return err_set(err, E_DIGEST_MISMATCH, "the response is of another task");
    if (secp_check(digest, bytes_of(t->signature.b, sizeof(t->signature.b)), t->response.provider,
                   &why) != E_OK)
        return err_set(err, E_DIGEST_MISMATCH, "the provider did not sign this: %s", why.text);
    rc = check_event(t, &digest, err);
    if (rc != E_OK)
        return rc;
    if (memcmp(&t->root, log_root, sizeof(t->root)) != 0)
        return err_set(err, E_DIGEST_MISMATCH, "the document is about another log");
    if (!logtree_verify(event_leaf(&t->event), &t->path, *log_root))
        return err_set(err, E_DIGEST_MISMATCH, "the inclusion proof does not lead to the log root");
    return E_OK;
}
