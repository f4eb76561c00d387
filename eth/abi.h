/* SPDX-License-Identifier: MIT */
#ifndef ETH_ABI_H
#define ETH_ABI_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/bytes.h"
#include "lib/err.h"

/*
 * The part of the contract ABI that our contracts need: uintN, address, bool, bytesN, bytes and
 * bytes32[]. Types come from the signature's own text, so that text is the only table.
 */
#define ABI_VAULT_ACCOUNT_OF "accountOf(uint32)"
#define ABI_VAULT_DEPOSITED  "deposited(uint32)"
#define ABI_VAULT_TOTAL      "totalDeposited()"
#define ABI_SETTLE           "settle(uint64,uint64,bytes32,bytes32,bytes)"
#define ABI_CLAIMED          "claimed(uint32)"
#define ABI_ROOT_OF          "rootOf(uint64)"
#define ABI_DELAY            "delay()"
#define ABI_LAST_EPOCH       "lastEpoch()"
#define ABI_SILENCE          "silence()"
#define ABI_BORN             "born()"
#define ABI_DAILY_CAP        "dailyCap()"
#define ABI_SETTLER          "settler()"

#define ABI_EV_REGISTERED "Registered(uint32 indexed,address indexed)"
#define ABI_EV_DEPOSITED  "Deposited(uint32 indexed,address indexed,uint256)"
#define ABI_EV_SETTLED    "Settled(uint64 indexed,bytes32,uint64,bytes32,bytes32,uint256)"
#define ABI_EV_CLAIMED    "Claimed(uint32 indexed,address indexed,uint64,uint256)"
#define ABI_EV_VOIDED     "Voided(uint64 indexed,uint64)"
#define ABI_EV_RELEASED   "Released(uint32 indexed,uint64)"
#define ABI_EV_EXIT_BEGUN "ExitBegun(uint64)"
#define ABI_EV_SHOWN      "Shown(uint32 indexed,uint48)"
#define ABI_EV_EXITED     "Exited(uint32 indexed,address indexed,uint256)"

#define ABI_EV_VOUCHER_POSTED "VoucherPosted(uint32 indexed,uint48,uint64)"
#define ABI_EV_VOUCHER_VOIDED "VoucherVoided(uint32 indexed,uint48)"

#define ABI_EV_SETTLER_SET   "SettlerSet(address)"
#define ABI_EV_SIGNER_SET    "SignerSet(address)"
#define ABI_EV_GUARDIAN_SET  "GuardianSet(address)"
#define ABI_EV_DAILY_CAP_SET "DailyCapSet(uint64)"

#define ABI_EV_STAKE_LOCKED         "Locked(address,uint256)"
#define ABI_EV_STAKE_UNBONDED       "Unbonded(address,uint256)"
#define ABI_EV_STAKE_UNBOND_OFF     "UnbondingCanceled(address,uint256)"
#define ABI_EV_STAKE_CLAIMED        "Claimed(address,uint256)"
#define ABI_EV_STAKE_SANCTIONED     "Sanctioned(address,uint256)"
#define ABI_EV_STAKE_EVIDENCE       "SanctionEvidence(address indexed,bytes32 indexed,uint64)"
#define ABI_EV_STAKE_WAIVED         "Waived(address,uint256)"
#define ABI_EV_STAKE_SANCTION_TAKEN "SanctionWithdrawn(address indexed,address indexed,uint256)"

#define ABI_VALUES_MAX 8

/** One argument or result. Dynamic types (bytes, bytes32[]) use `data`, all others `word`. */
struct abi_value {
    uint8_t word[32];  /**< as the chain carries it: numbers right-aligned, bytesN left-aligned */
    struct bytes data; /**< bytes; for bytes32[] its n × 32 bytes */
};

struct abi_value abi_u64(uint64_t v);
struct abi_value abi_address(struct address a);
struct abi_value abi_digest(struct digest d);
struct abi_value abi_bytes(struct bytes b);

/** The number, when it fits 64 bits; UINT64_MAX and false otherwise. */
bool abi_to_u64(const struct abi_value *v, uint64_t *out);
struct address abi_to_address(const struct abi_value *v);
struct digest abi_to_digest(const struct abi_value *v);

/**
 * Encode a call: selector and arguments.
 *
 * @signature  e.g. ABI_SETTLE
 * @args       one value per type
 * @n          must be the number of types
 * @out        appended to
 * @return     E_RANGE when a value does not fit its type; E_INTERNAL for a signature or count that
 * is wrong in our own code
 */
MUST_CHECK enum err_code abi_call(const char *signature, const struct abi_value *args, size_t n,
                                  struct buf *out, struct err *err);

/**
 * Decode a returned tuple, or a call's arguments behind its selector. Strict: dirty padding,
 * offsets out of order and trailing bytes are refused.
 *
 * @types  e.g. "(bytes32,uint64)"; a name before the bracket is ignored
 * @out    n values; `data` points into `data`
 * @return E_PEER
 */
MUST_CHECK enum err_code abi_decode(const char *types, struct bytes data, struct abi_value *out,
                                    size_t n, struct err *err);

/** topic0 of an event, e.g. of ABI_EV_SETTLED (" indexed" is not part of it). */
struct digest abi_topic(const char *event);

/** The first four bytes of the signature's Keccak-256. */
void abi_selector(const char *signature, uint8_t out[4]);

/** What a log carries. */
struct abi_log {
    const struct digest *topics; /**< topic0 first */
    size_t n_topics;
    struct bytes data;
};

/**
 * Decode a log into its arguments in declared order.
 *
 * @return  E_PEER when it is not this event or malformed
 */
MUST_CHECK enum err_code abi_event(const char *event, const struct abi_log *log,
                                   struct abi_value *out, size_t n, struct err *err);

#endif
