// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Sums} from "contracts/Sums.sol";

/// What must hold for every figure there is: a solver tries to break each assertion, and each
/// subtraction that could fall below zero.
contract Proofs {
    function less(uint64 committed, uint64 paid, uint64 units) external pure {
        require(paid <= committed);
        uint64 rest = Sums.less(committed, paid, units);
        assert(rest >= paid);
        assert(rest <= committed);
        assert(committed - rest <= units);
        assert(rest == paid || committed - rest == units);
    }

    function twice(uint64 claimed, uint64 vouched, uint64 listed) external pure {
        require(vouched <= claimed);
        uint64 units = Sums.twice(claimed, vouched, listed);
        assert(units <= vouched);
        assert(units <= listed);
        // Once the whole of what was paid is listed, nothing stays declared twice.
        assert(listed < claimed || units == vouched);
        assert(listed > claimed - vouched || units == 0);
    }

    function due(uint64 earned, uint64 claimed, uint64 committed, uint64 paid) external pure {
        require(paid <= committed);
        uint64 units = Sums.due(earned, claimed, committed, paid);
        assert(paid + units <= committed);
        assert(units == 0 || claimed + units <= earned);
    }

    function unspent(uint256 deposited, uint256 spent, uint256 more) external pure {
        require(more >= spent);
        uint256 before = Sums.unspent(deposited, spent);
        uint256 later = Sums.unspent(deposited, more);
        assert(before <= deposited);
        // A higher figure never raises what is left, so `owed` never falls below zero.
        assert(later <= before);
    }
}

/// The pool's books as one machine: any calls in any order, and still nothing is overdrawn.
contract Machine {
    uint64 private committed;
    uint64 private paid;
    uint64 private pool;

    function deposit(uint64 units) external {
        require(units <= type(uint64).max - pool);
        pool += units;
    }

    function settle(uint64 increase) external {
        require(increase <= pool - committed);
        committed += increase;
    }

    function voidRoot(uint64 increase) external {
        committed = Sums.less(committed, paid, increase);
    }

    function claim(uint64 earned, uint64 claimed) external {
        paid += Sums.due(earned, claimed, committed, paid);
    }

    function check() external view {
        assert(paid <= committed);
        assert(committed <= pool);
    }
}
