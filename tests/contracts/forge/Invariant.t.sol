// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, Trees} from "./Base.sol";
import {Player} from "./Player.sol";

/// What holds whatever the settler declares.
abstract contract PoolInvariant is Base {
    Player internal player;

    function honest() internal pure virtual returns (bool);

    function setUp() public override {
        super.setUp();
        player = new Player(settlement, SETTLER, honest());
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(player);
    }

    function invariant_paid_within_committed_within_pool() public view {
        require(settlement.paid() <= settlement.committed(), "paid above committed");
        require(settlement.committed() * UNIT <= vault.totalDeposited(), "committed above pool");
    }

    function invariant_the_vault_holds_deposits_minus_payouts() public view {
        eq(
            address(vault).balance,
            vault.totalDeposited() - settlement.paid() * UNIT,
            "balance to the wei"
        );
        eq(vault.totalDeposited(), player.deposits(), "deposits");
    }

    function invariant_each_payee_holds_exactly_what_it_claimed() public view {
        uint256 sum;
        for (uint32 id = 1; id <= player.PEOPLE(); ++id) {
            uint256 units = settlement.claimed(id);
            eq(vault.accountOf(id).balance, units * UNIT, "never paid twice");
            require(units <= player.highest(id), "paid above every listed counter");
            sum += units;
        }
        eq(sum, settlement.paid(), "sum of claims");
    }

    function invariant_no_counter_ever_fell() public view {
        eq(player.falls(), 0, "falls");
        eq(settlement.lastEpoch(), player.batches(), "one epoch a batch");
    }
}

/// A settler that declares what its counters grew by can always pay all of it.
contract HonestInvariant is PoolInvariant {
    function honest() internal pure override returns (bool) {
        return true;
    }

    function invariant_paid_plus_claimable_within_pool() public view {
        uint256 claimable;
        for (uint32 id = 1; id <= player.PEOPLE(); ++id) {
            claimable += player.highest(id) - settlement.claimed(id);
        }
        eq(settlement.paid() + claimable, settlement.committed(), "paid + claimable");
    }

    /// At the end of each run every payee comes for what it was listed with.
    function afterInvariant() public {
        player.claimAll();
        eq(settlement.paid(), settlement.committed(), "everyone got everything");
    }
}

/// A settler that lies in both directions: the pool beyond its declarations stays untouched.
contract LiarInvariant is PoolInvariant {
    function honest() internal pure override returns (bool) {
        return false;
    }
}
