// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Settlement} from "contracts/Settlement.sol";
import {Vault} from "contracts/Vault.sol";

/// A payee that refuses coins.
contract Refuser {
    error NoThanks();

    receive() external payable {
        revert NoThanks();
    }
}

/// A payee that tries everything open to it again while it is being paid.
contract Reenterer {
    Settlement private settlement;
    bytes private again;
    uint256 public tries;
    uint256 public successes;
    bytes public lastError;

    function arm(Settlement settlement_, bytes calldata again_) external {
        settlement = settlement_;
        again = again_;
    }

    receive() external payable {
        if (tries != 0) return;
        tries = 1;
        (bool ok, bytes memory why) = address(settlement).call(again);
        if (ok) ++successes;
        lastError = why;
        (ok,) = address(settlement.vault()).call(abi.encodeCall(Vault.payOut, (1, 1)));
        if (ok) ++successes;
    }
}
