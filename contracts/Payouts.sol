// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Books} from "./Books.sol";
import {Entries} from "./Entries.sol";

/// @title Claims against a batch's root, by anyone, for the payee
abstract contract Payouts is Books {
    /// @notice One claim of many.
    struct Claim {
        bytes chunk;
        bytes32[] proof;
        uint64 epoch;
        uint8 index;
    }

    /// @notice The entry is padding or a spent counter; only an earned one is paid.
    error NotEarned(uint32 id);
    /// @notice The batches listed more than they declared, and the declared units are all paid.
    error Undeclared(uint64 wanted, uint64 left);

    /// @notice Claims for many payees in one transaction. A claim that fails, because it was made
    /// before or its payee refuses the coins, is left out and stays open; the others are paid.
    /// @dev A payee that burns all gas it gets leaves the batch a 64th of it: leave it out and
    /// claim for it alone.
    /// @param claims what claimPayout takes, one by one
    /// @return done how many were paid
    function claimPayouts(Claim[] calldata claims) external returns (uint256 done) {
        for (uint256 i = 0; i < claims.length; ++i) {
            Claim calldata one = claims[i];
            try this.claimPayout(one.epoch, one.chunk, one.index, one.proof) {
                ++done;
            } catch {
                continue;
            }
        }
    }

    /// @notice Pays what an earned entry lists beyond what its id got before. Anyone may call; the
    /// coins go to the id's account whoever calls. Where a voucher paid first, showing the entry
    /// takes back the voucher's declaration, even when there is nothing left to pay.
    /// @param epoch the batch
    /// @param chunk the 160 bytes that hold the entry
    /// @param index the entry's place in the chunk, 0 to 15
    /// @param proof the chunk's siblings, leaf to root
    function claimPayout(uint64 epoch, bytes calldata chunk, uint8 index, bytes32[] calldata proof)
        external
    {
        _requireListed(epoch, chunk, proof);
        (uint32 id, uint48 units) = Entries.read(chunk, index);
        if (id == 0 || id & Entries.SPENT != 0) revert NotEarned(id);
        uint64 released = _release(id, units);
        uint64 before = claimed(id);
        if (units <= before) {
            if (released == 0) revert NothingToClaim(id);
            return;
        }
        uint64 due = units - before;
        uint64 left = committed - paid;
        if (due > left) revert Undeclared(due, left);
        // All is booked before the payee's code can run.
        vault.payOut(id, _book(id, due));
    }
}
