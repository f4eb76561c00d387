// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Other ways to pay many, each as lean as it gets, to compare their gas with Settlement's
/// @notice Entries are 32 bytes: an address and a uint96 amount. None of them checks who calls, what
/// is owed or what the pool holds: they flatter themselves.
contract Push {
    /// @notice Sends each payee its coins.
    function pay(uint256[] calldata entries) external payable {
        for (uint256 i = 0; i < entries.length; ++i) {
            (bool ok,) = address(uint160(entries[i] >> 96)).call{value: uint96(entries[i])}("");
            require(ok, "refused");
        }
    }
}

/// @title A balance a payee, which it withdraws later
contract Credit {
    mapping(address account => uint256) public balanceOf;

    /// @notice Adds to each payee's balance.
    function pay(uint256[] calldata entries) external {
        for (uint256 i = 0; i < entries.length; ++i) {
            balanceOf[address(uint160(entries[i] >> 96))] += uint96(entries[i]);
        }
    }
}

/// @title A root over amounts that whoever posts it keeps to itself
contract RootOnly {
    bytes32 public root;

    /// @notice Replaces the root: with it, every older proof is worthless.
    function post(bytes32 root_) external {
        root = root_;
    }
}

/// @title A root, and the amounts in calldata beside it, which nothing checks
contract Published {
    bytes32 public root;

    /// @notice Keeps the root; the entries are only there to be read from the chain's history.
    function post(bytes32 root_, uint256[] calldata) external {
        root = root_;
    }
}
