// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// Wrong on purpose: a solver that finds nothing here proves nothing elsewhere.
contract Broken {
    function less(uint64 committed, uint64 paid, uint64 units) external pure {
        require(paid <= committed && units <= committed);
        assert(committed - units >= paid);
    }
}
