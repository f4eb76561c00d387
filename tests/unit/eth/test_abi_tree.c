/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "eth/upstream.h"
#include "lib/hex.h"

/* A copy of exactly n bytes on the heap, so that a checker sees every read beyond it. */
static uint8_t *exact(const void *p, size_t n)
{
    uint8_t *copy = malloc(n > 0 ? n : 1);

    assert_non_null(copy);
    if (n > 0)
        memcpy(copy, p, n);
    return copy;
}

/* Words by their low byte: "20 01 00" is 0x…20 0x…01 0x…00. */
static size_t words(const uint8_t *low, size_t n, uint8_t *out)
{
    memset(out, 0, n * 32);
    for (size_t i = 0; i < n; i++)
        out[i * 32 + 31] = low[i];
    return n * 32;
}

static void test_types_know_their_shape(void **state)
{
    struct abi_types t;
    struct buf out = {.cap = 0};

    (void)state;
    assert_int_equal(
        abi_types_parse("(address a,(string b,uint8[] c)[] d,bytes4 indexed e)", &t, NULL), E_OK);
    assert_int_equal(t.t[0].children, 3);
    assert_int_equal(t.t[0].span, 8);
    assert_true(t.t[0].dynamic);
    assert_int_equal(t.t[2].kind, ABI_ARRAY);
    assert_true(text_is(t.t[2].name, "d"));
    assert_int_equal(t.t[2].span, 5);
    assert_true(t.t[7].indexed);
    assert_int_equal(abi_types_canonical(&t, &out, NULL), E_OK);
    assert_true(
        text_is((struct text){(const char *)out.p, out.n}, "(address,(string,uint8[])[],bytes4)"));
    buf_done(&out);
    assert_int_equal(abi_types_parse("((uint8 a,uint8 b) c,bool d)", &t, NULL), E_OK);
    assert_false(t.t[0].dynamic);
    assert_int_equal(t.t[1].head, 64);
}

static void test_enums_have_words(void **state)
{
    (void)state;
    assert_string_equal(upstream_enum_word(UPSTREAM_TASK_STATUS, 5), "finalized");
    assert_string_equal(upstream_enum_word(UPSTREAM_TASK_STATUS, 0), "new");
    assert_string_equal(upstream_enum_word(UPSTREAM_SOURCE_STATUS, 1), "inactive");
    assert_string_equal(upstream_enum_word(UPSTREAM_DELIVERY_METHOD, 1), "first_response");
    assert_null(upstream_enum_word(UPSTREAM_RESPONSE_STATUS, 2));
    assert_null(upstream_enum_word(UPSTREAM_TASK_STATUS, 6));
    assert_null(upstream_enum_word(UPSTREAM_TASK_STATUS, UINT64_MAX));
}

/* Figures of the deployed contracts. */
static void test_rows_are_found(void **state)
{
    static const uint8_t attempt[] = {0x84, 0x89, 0x5f, 0x34};
    const struct upstream_entry *e = upstream_by_selector(UPSTREAM_NEXUS, attempt);
    struct digest hash;
    char text[2 * sizeof(hash.b) + 1];

    (void)state;
    assert_non_null(e);
    assert_string_equal(e->name, "attempt");
    assert_null(upstream_by_selector(UPSTREAM_VAULT, attempt));
    e = upstream_find(UPSTREAM_NEXUS, UPSTREAM_EVENT, "TaskPublished");
    assert_non_null(e);
    hash = upstream_hash(e);
    hex_encode(hash.b, sizeof(hash.b), text);
    assert_string_equal(text, "3bf5b04cf8ed447db6fda0a63a96369fd5dde6b366b6b480e784be44b26a6c22");
    assert_ptr_equal(upstream_by_topic(UPSTREAM_NEXUS, &hash), e);
    assert_null(upstream_by_topic(UPSTREAM_VAULT, &hash));
    assert_null(upstream_find(UPSTREAM_NEXUS, UPSTREAM_FUNCTION, "TaskPublished"));
}

static void refused(const char *types, const void *p, size_t n)
{
    struct arena *a = arena_new();
    uint8_t *data = exact(p, n);
    struct abi_node out;
    struct abi_types t;

    assert_int_equal(abi_types_parse(types, &t, NULL), E_OK);
    assert_int_equal(abi_tree_decode(&t, bytes_of(data, n), a, &out, NULL), E_PEER);
    free(data);
    arena_free(a);
}

static void test_hostile_data_is_refused(void **state)
{
    static const uint8_t loop[] = {0x20, 1, 0};
    static const uint8_t twice[] = {0x40, 0x40, 0};
    uint8_t data[32 * 4];
    size_t n;

    (void)state;
    n = words(loop, 3, data);
    refused("(uint256[][])", data, n);
    refused("((string,string)[])", data, n);
    n = words(twice, 3, data);
    refused("(string,string)", data, n);
    memset(data, 0xff, sizeof(data));
    refused("(string)", data, sizeof(data));
    data[0] = 0;
    memset(data, 0, 31);
    data[31] = 0x20;
    refused("(bytes)", data, sizeof(data)); /* a length of 2^256 - 1 */
    refused("(bytes[])", data, sizeof(data));
    memset(data + 32, 0, 24);
    refused("(uint256[])", data, sizeof(data)); /* of 2^64 - 1 */
    for (size_t cut = 0; cut < 96; cut++)
        refused("(string,address,bool[])", data, cut);
}

/* Every change of a good encoding is refused or is another value's one encoding. */
static void test_mutations_never_read_beyond(void **state)
{
    const struct upstream_entry *e =
        upstream_find(UPSTREAM_NEXUS, UPSTREAM_FUNCTION, "publishSource");
    struct abi_node fields[10] = {{.n = 0}};
    struct abi_node params = {.items = fields, .n = 10};
    struct abi_node args = {.items = &params, .n = 1};
    struct buf good = {.cap = 0};
    unsigned seed = 7;

    (void)state;
    fields[1].data = bytes_of("https://example/ipfs/Qm0123456789abcdef", 39);
    assert_int_equal(upstream_call_encode(e, &args, &good, NULL), E_OK);
    for (int i = 0; i < 20000; i++) {
        size_t n = good.n - (size_t)(i % 3 ? 0 : rand_r(&seed)) % good.n;
        uint8_t *data = exact(good.p, n);
        struct arena *a = arena_new();
        struct abi_node out;

        for (int k = 0; k <= i % 4; k++)
            data[(size_t)rand_r(&seed) % n] = (uint8_t)rand_r(&seed);
        if (upstream_call_decode(e, bytes_of(data, n), a, &out, NULL) == E_OK) {
            struct buf again = {.cap = 0};

            assert_int_equal(upstream_call_encode(e, &out, &again, NULL), E_OK);
            assert_int_equal(again.n, n);
            assert_memory_equal(again.p, data, n);
            buf_done(&again);
        }
        free(data);
        arena_free(a);
    }
    buf_done(&good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_know_their_shape),
        cmocka_unit_test(test_enums_have_words),
        cmocka_unit_test(test_rows_are_found),
        cmocka_unit_test(test_hostile_data_is_refused),
        cmocka_unit_test(test_mutations_never_read_beyond),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
