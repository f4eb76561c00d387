/* SPDX-License-Identifier: MIT */
#include "eth/abi.h"

#include <stdlib.h>

#include "eth/keccak.h"

#define WORD 32

enum kind { UINT, FIXED, BYTES, WORDS };

struct param {
    enum kind kind;
    unsigned size; /* UINT: bits; FIXED: bytes */
    bool indexed;
};

struct params {
    struct param p[ABI_VALUES_MAX];
    size_t n;
};

struct abi_value abi_u64(uint64_t v)
{
    struct abi_value out = {.word = {0}};

    for (int i = 0; i < 8; i++)
        out.word[WORD - 1 - i] = (uint8_t)(v >> (8 * i));
    return out;
}

struct abi_value abi_address(struct address a)
{
    struct abi_value out = {.word = {0}};

    memcpy(out.word + 12, a.b, sizeof(a.b));
    return out;
}

struct abi_value abi_digest(struct digest d)
{
    struct abi_value out = {.word = {0}};

    memcpy(out.word, d.b, WORD);
    return out;
}

struct abi_value abi_bytes(struct bytes b)
{
    return (struct abi_value){.data = b};
}

bool abi_to_u64(const struct abi_value *v, uint64_t *out)
{
    uint64_t n = 0;

    for (size_t i = 0; i < WORD; i++) {
        if (i < WORD - 8 && v->word[i] != 0) {
            *out = UINT64_MAX;
            return false;
        }
        n = n << 8 | v->word[i];
    }
    *out = n;
    return true;
}

struct address abi_to_address(const struct abi_value *v)
{
    struct address a;

    memcpy(a.b, v->word + 12, sizeof(a.b));
    return a;
}

struct digest abi_to_digest(const struct abi_value *v)
{
    struct digest d;

    memcpy(d.b, v->word, WORD);
    return d;
}

/* ---- types ---- */

static bool word_is(const char *s, size_t n, const char *word)
{
    return strlen(word) == n && memcmp(s, word, n) == 0;
}

static bool type_of(const char *s, size_t n, struct param *out)
{
    *out = (struct param){.kind = UINT};
    if (word_is(s, n, "address"))
        out->size = 160;
    else if (word_is(s, n, "bool"))
        out->size = 1;
    else if (word_is(s, n, "bytes"))
        out->kind = BYTES;
    else if (word_is(s, n, "bytes32[]"))
        out->kind = WORDS;
    else if (n > 4 && memcmp(s, "uint", 4) == 0)
        out->size = (unsigned)strtoul(s + 4, NULL, 10);
    else if (n > 5 && memcmp(s, "bytes", 5) == 0) {
        out->kind = FIXED;
        out->size = (unsigned)strtoul(s + 5, NULL, 10);
    }
    if (out->kind == UINT)
        return out->size > 0 && out->size <= 256;
    return out->kind != FIXED || (out->size > 0 && out->size <= WORD);
}

/* "name(type,type indexed)" */
static enum err_code types_of(const char *text, struct params *out, struct err *err)
{
    static const char mark[] = " indexed";
    const char *s = strchr(text, '(');

    out->n = 0;
    if (!s || text[strlen(text) - 1] != ')')
        return err_set(err, E_INTERNAL, "'%s' is no signature", text);
    for (s++; *s && *s != ')'; s += *s == ',') {
        size_t n = strcspn(s, ",)");
        size_t type = n;
        struct param *p = &out->p[out->n];

        if (out->n == ABI_VALUES_MAX)
            return err_set(err, E_INTERNAL, "'%s' has too many types", text);
        if (n > sizeof(mark) - 1 && memcmp(s + n - (sizeof(mark) - 1), mark, sizeof(mark) - 1) == 0)
            type -= sizeof(mark) - 1;
        if (!type_of(s, type, p))
            return err_set(err, E_INTERNAL, "'%s' has an unknown type", text);
        p->indexed = type != n;
        out->n++;
        s += n;
    }
    return E_OK;
}

static bool is_dynamic(const struct param *p)
{
    return p->kind == BYTES || p->kind == WORDS;
}

/* Whether a word is clean for its type: no bits beyond it. */
static bool fits(const struct param *p, const uint8_t word[WORD])
{
    for (unsigned i = 0; i < WORD; i++) {
        unsigned bit = 8 * (WORD - 1 - i); /* lowest bit of this byte, as a number */

        if (p->kind == FIXED && i >= p->size && word[i] != 0)
            return false;
        if (p->kind == UINT && bit + 8 > p->size) {
            unsigned keep = p->size > bit ? p->size - bit : 0;

            if (word[i] >> keep != 0)
                return false;
        }
    }
    return true;
}

/* ---- encoding ---- */

static enum err_code put_word(struct buf *out, uint64_t v, struct err *err)
{
    struct abi_value word = abi_u64(v);

    return buf_add(out, word.word, WORD, err);
}

static enum err_code put_tail(const struct param *p, struct bytes data, struct buf *out,
                              struct err *err)
{
    static const uint8_t zeros[WORD];
    enum err_code rc = put_word(out, p->kind == WORDS ? data.n / WORD : data.n, err);

    if (rc == E_OK)
        rc = buf_add(out, data.p, data.n, err);
    if (rc == E_OK && data.n % WORD != 0)
        rc = buf_add(out, zeros, WORD - data.n % WORD, err);
    return rc;
}

static enum err_code put_args(const struct params *t, const struct abi_value *args, struct buf *out,
                              struct err *err)
{
    size_t offset = WORD * t->n;
    enum err_code rc = E_OK;

    for (size_t i = 0; i < t->n && rc == E_OK; i++) {
        const struct param *p = &t->p[i];

        if (!is_dynamic(p)) {
            if (!fits(p, args[i].word))
                return err_set(err, E_RANGE, "argument %zu does not fit its type", i);
            rc = buf_add(out, args[i].word, WORD, err);
            continue;
        }
        if (p->kind == WORDS && args[i].data.n % WORD != 0)
            return err_set(err, E_RANGE, "argument %zu is not whole words", i);
        rc = put_word(out, offset, err);
        offset += WORD + (args[i].data.n + WORD - 1) / WORD * WORD;
    }
    for (size_t i = 0; i < t->n && rc == E_OK; i++)
        if (is_dynamic(&t->p[i]))
            rc = put_tail(&t->p[i], args[i].data, out, err);
    return rc;
}

void abi_selector(const char *signature, uint8_t out[4])
{
    struct digest h = keccak256(signature, strlen(signature));

    memcpy(out, h.b, 4);
}

enum err_code abi_call(const char *signature, const struct abi_value *args, size_t n,
                       struct buf *out, struct err *err)
{
    size_t before = out->n;
    uint8_t selector[4];
    struct params t;
    enum err_code rc = types_of(signature, &t, err);

    if (rc != E_OK)
        return rc;
    if (t.n != n)
        return err_set(err, E_INTERNAL, "'%s' takes %zu arguments, not %zu", signature, t.n, n);
    abi_selector(signature, selector);
    rc = buf_add(out, selector, sizeof(selector), err);
    if (rc == E_OK)
        rc = put_args(&t, args, out, err);
    if (rc != E_OK)
        out->n = before;
    return rc;
}

/* ---- decoding ---- */

/* A dynamic value whose tail must start at *at: the order every encoder uses. */
static enum err_code take_tail(const struct param *p, struct bytes data, uint64_t offset,
                               size_t *at, struct bytes *out, struct err *err)
{
    struct abi_value length;
    uint64_t n;
    size_t padded;

    if (offset != *at || data.n - *at < WORD)
        return err_set(err, E_PEER, "ABI: an offset is wrong");
    memcpy(length.word, data.p + *at, WORD);
    if (!abi_to_u64(&length, &n) || n > data.n)
        return err_set(err, E_PEER, "ABI: a length is beyond the data");
    if (p->kind == WORDS)
        n *= WORD;
    padded = (size_t)(n + WORD - 1) / WORD * WORD;
    *at += WORD;
    if (padded > data.n - *at)
        return err_set(err, E_PEER, "ABI: a length is beyond the data");
    for (size_t i = (size_t)n; i < padded; i++)
        if (data.p[*at + i] != 0)
            return err_set(err, E_PEER, "ABI: dirty padding");
    *out = bytes_of(data.p + *at, (size_t)n);
    *at += padded;
    return E_OK;
}

/* The parameters that are (or are not) indexed, out of words and tails. */
static enum err_code take_data(const struct params *t, struct bytes data, struct abi_value *out,
                               struct err *err)
{
    size_t head = 0;
    size_t heads = 0;

    for (size_t i = 0; i < t->n; i++)
        heads += t->p[i].indexed ? 0 : WORD;
    if (data.n < heads)
        return err_set(err, E_PEER, "ABI: %zu bytes are too few", data.n);
    for (size_t i = 0; i < t->n; i++) {
        const struct param *p = &t->p[i];
        struct abi_value v = {.word = {0}};
        uint64_t offset;
        enum err_code rc;

        if (p->indexed)
            continue;
        memcpy(v.word, data.p + head, WORD);
        head += WORD;
        if (is_dynamic(p)) {
            (void)abi_to_u64(&v, &offset); /* too large reads as UINT64_MAX: no tail is there */
            memset(v.word, 0, WORD);
            rc = take_tail(p, data, offset, &heads, &v.data, err);
            if (rc != E_OK)
                return rc;
        } else if (!fits(p, v.word)) {
            return err_set(err, E_PEER, "ABI: value %zu does not fit its type", i);
        }
        out[i] = v;
    }
    if (heads != data.n)
        return err_set(err, E_PEER, "ABI: %zu bytes left over", data.n - heads);
    return E_OK;
}

enum err_code abi_decode(const char *types, struct bytes data, struct abi_value *out, size_t n,
                         struct err *err)
{
    struct abi_value values[ABI_VALUES_MAX];
    struct params t;
    enum err_code rc = types_of(types, &t, err);

    if (rc != E_OK)
        return rc;
    if (t.n != n)
        return err_set(err, E_INTERNAL, "'%s' has %zu values, not %zu", types, t.n, n);
    rc = take_data(&t, data, values, err);
    if (rc == E_OK && n > 0)
        memcpy(out, values, n * sizeof(*out));
    return rc;
}

struct digest abi_topic(const char *event)
{
    static const char mark[] = " indexed";
    const char *found;
    struct keccak k;

    keccak_begin(&k);
    while ((found = strstr(event, mark))) {
        keccak_add(&k, event, (size_t)(found - event));
        event = found + sizeof(mark) - 1;
    }
    keccak_add(&k, event, strlen(event));
    return keccak_end(&k);
}

enum err_code abi_event(const char *event, const struct abi_log *log, struct abi_value *out,
                        size_t n, struct err *err)
{
    struct abi_value values[ABI_VALUES_MAX];
    struct digest want = abi_topic(event);
    size_t used = 1;
    struct params t;
    enum err_code rc = types_of(event, &t, err);

    if (rc != E_OK)
        return rc;
    if (t.n != n)
        return err_set(err, E_INTERNAL, "'%s' has %zu values, not %zu", event, t.n, n);
    if (log->n_topics == 0 || memcmp(log->topics[0].b, want.b, WORD) != 0)
        return err_set(err, E_PEER, "ABI: the log is another event");
    for (size_t i = 0; i < t.n; i++) {
        if (!t.p[i].indexed)
            continue;
        if (used >= log->n_topics || is_dynamic(&t.p[i]))
            return err_set(err, E_PEER, "ABI: the log lacks a topic");
        values[i] = abi_digest(log->topics[used++]);
        if (!fits(&t.p[i], values[i].word))
            return err_set(err, E_PEER, "ABI: topic %zu does not fit its type", used - 1);
    }
    if (used != log->n_topics)
        return err_set(err, E_PEER, "ABI: the log has a topic too many");
    rc = take_data(&t, log->data, values, err);
    if (rc == E_OK)
        memcpy(out, values, n * sizeof(*out));
    return rc;
}
