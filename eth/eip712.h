/* SPDX-License-Identifier: MIT */
#ifndef ETH_EIP712_H
#define ETH_EIP712_H

#include "lib/bytes.h"

/** The domain {"OpenGPU Gateway", "1", chainId, verifyingContract}. */
struct eip712_domain {
    uint64_t chain_id;
    struct address contract; /**< the Settlement contract */
};

/** Binding(address provider,address master,uint64 nonce,uint64 deadline); signed by both. */
struct eip712_binding {
    struct address provider;
    struct address master;
    uint64_t nonce;
    uint64_t deadline; /**< Unix seconds */
};

/** Registration(address provider,bytes32 manifest,uint8 environments,uint64 nonce,uint64 deadline)
 */
struct eip712_registration {
    struct address provider;
    struct digest manifest; /**< SHA-256 of the manifest's RFC 8785 text */
    uint8_t environments;   /**< 1 CPU, 2 NVIDIA, 4 AMD */
    uint64_t nonce;
    uint64_t deadline; /**< Unix seconds */
};

/** Response(bytes16 task,bytes16 attempt,uint32 epoch,address provider,bytes32 manifest,bytes32
 * input,bytes32 output) */
struct eip712_response {
    struct uuid task;
    struct uuid attempt;
    uint32_t epoch;
    struct address provider;
    struct digest manifest;
    struct digest input;  /**< SHA-256 of the input text */
    struct digest output; /**< SHA-256 of the output list's RFC 8785 text */
};

/** Voucher(uint32 id,uint48 earned,uint64 deadline); signed by the Settlement's signer. */
struct eip712_voucher {
    uint32_t id;       /**< the payee's, on chain */
    uint64_t earned;   /**< all it has earned, in units; below 2^48 */
    uint64_t deadline; /**< Unix seconds until which it may be posted */
};

/** Benchmark(address provider,string device,uint32 version,uint64 measuredAt,uint64 int8Gops,uint64
 * fp16Gflops,uint64 bf16Gflops,uint64 fp32Gflops,uint64 copyMbS,uint64 toCardMbS,uint64
 * fromCardMbS); signed by the provider. */
struct eip712_benchmark {
    struct address provider;
    struct text device;   /**< the device's UUID, as its driver gives it */
    uint32_t version;     /**< of the kernels */
    uint64_t measured_at; /**< Unix seconds */
    uint64_t int8_gops;   /**< 10^9 operations a second, as the next three */
    uint64_t fp16_gflops;
    uint64_t bf16_gflops;
    uint64_t fp32_gflops;
    uint64_t copy_mb_s; /**< 10^6 bytes a second, as the next two */
    uint64_t to_card_mb_s;
    uint64_t from_card_mb_s;
};

/** What a wallet signs: keccak256(0x1901 ‖ separator ‖ hashStruct(message)). */
struct digest eip712_binding_digest(const struct eip712_domain *domain,
                                    const struct eip712_binding *m);
struct digest eip712_registration_digest(const struct eip712_domain *domain,
                                         const struct eip712_registration *m);
struct digest eip712_response_digest(const struct eip712_domain *domain,
                                     const struct eip712_response *m);
struct digest eip712_voucher_digest(const struct eip712_domain *domain,
                                    const struct eip712_voucher *m);
struct digest eip712_benchmark_digest(const struct eip712_domain *domain,
                                      const struct eip712_benchmark *m);

#endif
