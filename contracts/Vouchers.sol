// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Books} from "./Books.sol";

/// @title The second way to be paid
/// @notice A batch can leave a payee out or list too little. A voucher is the gateway's signature
/// under all that an id has earned up to now; whoever holds it posts it, waits `delay` like for a
/// batch, and has it paid. Vouchers and batches name the same counter, so units paid by one way
/// are paid for both.
/// @dev A paid voucher declares its own units, since no batch may have. A batch that lists them
/// too declares them again; claimPayout with that entry, by anyone, takes the double one back.
abstract contract Vouchers is Books {
    /// @notice What a posted voucher goes by.
    struct Posted {
        uint32 id;
        uint48 earned;
    }

    /// @notice EIP-712's hash of the voucher's type.
    bytes32 public constant VOUCHER_TYPE =
        keccak256("Voucher(uint32 id,uint48 earned,uint64 deadline)");

    bytes32 private constant DOMAIN_TYPE = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    );
    bytes32 private constant NAME = keccak256("OpenGPU Gateway");
    bytes32 private constant VERSION = keccak256("1");

    /// @dev Stands for the time of a voucher that was voided: never over.
    uint64 private constant VOID = type(uint64).max;

    /// @notice When a voucher was posted, in seconds; 2^64 - 1 when it was voided.
    mapping(uint32 id => mapping(uint48 earned => uint64 time)) public postedAt;

    /// @notice A voucher waits for its delay.
    event VoucherPosted(uint32 indexed id, uint48 earned, uint64 claimableAt);

    /// @notice The guardian voided a voucher.
    event VoucherVoided(uint32 indexed id, uint48 earned);

    /// @notice A voucher's last moment to be posted has passed.
    error Expired(uint64 deadline);
    /// @notice The signature is not the signer's.
    error NotSigner(address recovered);
    /// @notice No account has this id, so nobody could own the voucher.
    error UnknownVoucherId(uint32 id);
    /// @notice The voucher was posted before, or voided.
    error AlreadyPosted(uint32 id, uint48 earned);
    /// @notice No such voucher was posted, or it was voided.
    error NotPosted(uint32 id, uint48 earned);

    /// @notice Posts a voucher; anyone may.
    /// @param id whose earnings
    /// @param earned all it has earned up to now, in units
    /// @param deadline the last second at which the voucher may be posted
    /// @param signature 65 bytes of the signer, low s
    function postVoucher(uint32 id, uint48 earned, uint64 deadline, bytes calldata signature)
        external
    {
        if (exitAt != 0) revert ExitHasBegun();
        if (block.timestamp > deadline) revert Expired(deadline);
        if (id == 0 || id > vault.lastId()) revert UnknownVoucherId(id);
        if (earned <= claimed(id)) revert NothingToClaim(id);
        if (postedAt[id][earned] != 0) revert AlreadyPosted(id, earned);
        address recovered = ECDSA.recover(voucherDigest(id, earned, deadline), signature);
        // A dismissed signer is the zero address, and recover() never returns that.
        if (recovered != signer) revert NotSigner(recovered);
        uint64 time = uint64(block.timestamp);
        postedAt[id][earned] = time;
        emit VoucherPosted(id, earned, time + delay);
    }

    /// @notice Pays what a voucher names beyond what its id got before, as far as the day's cap
    /// goes; the rest stays to be claimed another day. Anyone may call.
    /// @dev In parts, since all vouchers share the cap: one that had to fit whole could never be
    /// paid when it names more than a day's cap, nor while others use up a part of each day's.
    function claimVoucher(uint32 id, uint48 earned) external {
        _requireRipe(_posted(id, earned));
        if (exitAt != 0 && block.timestamp >= exitAt) revert ExitHasBegun();
        uint64 before = claimed(id);
        if (earned <= before) revert NothingToClaim(id);
        uint64 due = _useSignerCap(earned - before);
        _commit(due);
        _counters[id].vouched += due;
        vault.payOut(id, _book(id, due));
    }

    /// @notice Voids a voucher before anyone can claim it; it cannot be posted again.
    function voidVoucher(uint32 id, uint48 earned) external onlyGuardian {
        uint64 claimableAt = _posted(id, earned) + delay;
        if (block.timestamp >= claimableAt) revert TooLate(claimableAt);
        _voidVoucher(id, earned);
    }

    /// @notice Voids many vouchers in one transaction: a thief with the signer's key posts one
    /// after another, and one that is left is enough for it. What was not posted, is void or has
    /// ripened meanwhile is passed over and saves none of the others.
    /// @param vouchers any of them, of any ids
    /// @return done how many were voided
    function voidVouchers(Posted[] calldata vouchers)
        external
        onlyGuardian
        returns (uint256 done)
    {
        for (uint256 i = 0; i < vouchers.length; ++i) {
            Posted calldata one = vouchers[i];
            uint64 time = postedAt[one.id][one.earned];
            if (time == 0 || time == VOID || block.timestamp >= time + delay) continue;
            _voidVoucher(one.id, one.earned);
            ++done;
        }
    }

    /// @notice What the signer signs, by EIP-712.
    function voucherDigest(uint32 id, uint48 earned, uint64 deadline)
        public
        view
        returns (bytes32)
    {
        bytes32 content = keccak256(abi.encode(VOUCHER_TYPE, id, earned, deadline));
        return keccak256(abi.encodePacked("\x19\x01", domainSeparator(), content));
    }

    /// @notice EIP-712's domain of this contract on this chain, also after a split of the chain.
    function domainSeparator() public view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPE, NAME, VERSION, block.chainid, address(this)));
    }

    function _voidVoucher(uint32 id, uint48 earned) private {
        postedAt[id][earned] = VOID;
        emit VoucherVoided(id, earned);
    }

    function _posted(uint32 id, uint48 earned) private view returns (uint64 time) {
        time = postedAt[id][earned];
        if (time == 0 || time == VOID) revert NotPosted(id, earned);
    }
}
