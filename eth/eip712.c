/* SPDX-License-Identifier: MIT */
#include "eth/eip712.h"

#include "eth/keccak.h"

#define WORD      32
#define WORDS_MAX 12

/* encodeData of EIP-712: words of 32 bytes behind the type's hash. */
struct words {
    uint8_t b[WORDS_MAX][WORD];
    size_t n;
};

static struct words begin(const char *type)
{
    struct words w = {.n = 1};
    struct digest h = keccak256(type, strlen(type));

    memcpy(w.b[0], h.b, WORD);
    return w;
}

/* Numbers and addresses stand at the right end of their word. */
static void right(struct words *w, const uint8_t *p, size_t n)
{
    memcpy(w->b[w->n++] + WORD - n, p, n);
}

/* bytesN stand at the left end. */
static void left(struct words *w, const uint8_t *p, size_t n)
{
    memcpy(w->b[w->n++], p, n);
}

static void number(struct words *w, uint64_t v)
{
    uint8_t be[8];

    for (int i = 0; i < 8; i++)
        be[i] = (uint8_t)(v >> (56 - 8 * i));
    right(w, be, sizeof(be));
}

static struct digest finish(const struct words *w)
{
    return keccak256(w->b, w->n * WORD);
}

/* hashStruct of the domain (EIP-712). */
static struct digest separator_of(const struct eip712_domain *domain)
{
    struct words w = begin("EIP712Domain(string name,string version,uint256 chainId,"
                           "address verifyingContract)");
    struct digest name = keccak256("OpenGPU Gateway", 15);
    struct digest version = keccak256("1", 1);

    left(&w, name.b, WORD);
    left(&w, version.b, WORD);
    number(&w, domain->chain_id);
    right(&w, domain->contract.b, sizeof(domain->contract.b));
    return finish(&w);
}

static struct digest message(const struct eip712_domain *domain, const struct words *w)
{
    struct digest separator = separator_of(domain);
    struct digest body = finish(w);
    struct keccak k;

    keccak_begin(&k);
    keccak_add(&k, "\x19\x01", 2);
    keccak_add(&k, separator.b, sizeof(separator.b));
    keccak_add(&k, body.b, sizeof(body.b));
    return keccak_end(&k);
}

struct digest eip712_binding_digest(const struct eip712_domain *domain,
                                    const struct eip712_binding *m)
{
    struct words w = begin("Binding(address provider,address master,uint64 nonce,uint64 deadline)");

    right(&w, m->provider.b, sizeof(m->provider.b));
    right(&w, m->master.b, sizeof(m->master.b));
    number(&w, m->nonce);
    number(&w, m->deadline);
    return message(domain, &w);
}

struct digest eip712_registration_digest(const struct eip712_domain *domain,
                                         const struct eip712_registration *m)
{
    struct words w = begin("Registration(address provider,bytes32 manifest,uint8 environments,"
                           "uint64 nonce,uint64 deadline)");

    right(&w, m->provider.b, sizeof(m->provider.b));
    left(&w, m->manifest.b, sizeof(m->manifest.b));
    number(&w, m->environments);
    number(&w, m->nonce);
    number(&w, m->deadline);
    return message(domain, &w);
}

struct digest eip712_response_digest(const struct eip712_domain *domain,
                                     const struct eip712_response *m)
{
    struct words w = begin("Response(bytes16 task,bytes16 attempt,uint32 epoch,address provider,"
                           "bytes32 manifest,bytes32 input,bytes32 output)");

    left(&w, m->task.b, sizeof(m->task.b));
    left(&w, m->attempt.b, sizeof(m->attempt.b));
    number(&w, m->epoch);
    right(&w, m->provider.b, sizeof(m->provider.b));
    left(&w, m->manifest.b, sizeof(m->manifest.b));
    left(&w, m->input.b, sizeof(m->input.b));
    left(&w, m->output.b, sizeof(m->output.b));
    return message(domain, &w);
}

struct digest eip712_voucher_digest(const struct eip712_domain *domain,
                                    const struct eip712_voucher *m)
{
    struct words w = begin("Voucher(uint32 id,uint48 earned,uint64 deadline)");

    number(&w, m->id);
    number(&w, m->earned);
    number(&w, m->deadline);
    return message(domain, &w);
}

struct digest eip712_benchmark_digest(const struct eip712_domain *domain,
                                      const struct eip712_benchmark *m)
{
    struct words w = begin("Benchmark(address provider,string device,uint32 version,"
                           "uint64 measuredAt,uint64 int8Gops,uint64 fp16Gflops,uint64 bf16Gflops,"
                           "uint64 fp32Gflops,uint64 copyMbS,uint64 toCardMbS,uint64 fromCardMbS)");
    struct digest device = keccak256(m->device.s, m->device.n);

    right(&w, m->provider.b, sizeof(m->provider.b));
    left(&w, device.b, sizeof(device.b));
    number(&w, m->version);
    number(&w, m->measured_at);
    number(&w, m->int8_gops);
    number(&w, m->fp16_gflops);
    number(&w, m->bf16_gflops);
    number(&w, m->fp32_gflops);
    number(&w, m->copy_mb_s);
    number(&w, m->to_card_mb_s);
    number(&w, m->from_card_mb_s);
    return message(domain, &w);
}
