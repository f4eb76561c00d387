// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title The sums that keep the pool whole
/// @notice Pure functions, so that a solver can prove them for every figure; see
/// tests/contracts/smt.
library Sums {
    /// @notice What stays committed when units are given back: never less than was paid.
    /// @param committed units declared in all
    /// @param paid units paid of them, at most committed
    /// @param units to give back
    /// @return What is committed then
    function less(uint64 committed, uint64 paid, uint64 units) internal pure returns (uint64) {
        uint64 left = committed - paid;
        return units > left ? paid : committed - units;
    }

    /// @notice Units that a voucher has declared and a batch lists again.
    /// @dev The voucher's are the last `vouched` of the `claimed`: later claims end above them only
    /// after taking them back.
    /// @param claimed units paid to the id
    /// @param vouched how many of them a voucher declared, at most claimed
    /// @param listed the batch's figure
    /// @return units At most vouched
    function twice(uint64 claimed, uint64 vouched, uint64 listed) internal pure returns (uint64) {
        uint64 from = claimed - vouched;
        if (listed <= from) return 0;
        return (listed < claimed ? listed : claimed) - from;
    }

    /// @notice Units to pay up to an earned figure, within what is declared and not paid.
    function due(uint64 earned, uint64 claimed, uint64 committed, uint64 paid)
        internal
        pure
        returns (uint64)
    {
        if (earned <= claimed) return 0;
        uint64 more = earned - claimed;
        uint64 left = committed - paid;
        return more > left ? left : more;
    }

    /// @notice Wei of a deposit that are left after so much was spent.
    function unspent(uint256 deposited, uint256 spent) internal pure returns (uint256) {
        return deposited > spent ? deposited - spent : 0;
    }
}
