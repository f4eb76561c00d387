// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base} from "./Base.sol";
import {World} from "./World.sol";

/// What holds whatever anyone does, with every way to pay, to void and to leave open at once.
contract WorldInvariant is Base {
    World internal world;

    function setUp() public override {
        super.setUp();
        world = new World(settlement, SETTLER, GUARDIAN);
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(world);
    }

    function invariant_paid_within_committed_within_pool() public view {
        require(settlement.paid() <= settlement.committed(), "paid above committed");
        require(settlement.committed() * UNIT <= vault.totalDeposited(), "committed above pool");
        eq(vault.totalDeposited(), world.deposits(), "deposits");
    }

    function invariant_every_coin_has_one_place() public view {
        uint256 refunds;
        uint256 units;
        for (uint32 id = 1; id <= world.PEOPLE(); ++id) {
            uint256 refund = settlement.refunded(id);
            uint256 claimed = settlement.claimed(id);
            eq(vault.accountOf(id).balance, claimed * UNIT + refund, "never paid twice");
            require(claimed <= world.highest(id), "paid above every figure listed or signed");
            require(refund <= vault.deposited(id), "more back than was deposited");
            refunds += refund;
            units += claimed;
        }
        eq(units, settlement.paid(), "sum of claims");
        eq(settlement.paid() * UNIT + refunds, vault.totalPaid(), "sum of payments");
        require(
            refunds <= vault.totalDeposited() - settlement.committed() * UNIT,
            "refunds reached what was earned"
        );
    }

    function invariant_stake_is_a_pool_of_its_own() public view {
        eq(
            address(vault).balance,
            vault.totalDeposited() - vault.totalPaid() + vault.totalStaked(),
            "balance to the wei"
        );
        uint256 stake;
        for (uint256 i = 1; i <= world.PEOPLE(); ++i) {
            address account = address(uint160(0xace0000 + i));
            stake += vault.lockupOf(account) + vault.unbondingOf(account)
                + vault.sanctionOf(account);
        }
        eq(stake, vault.totalStaked(), "sum of stakes");
    }

    function invariant_no_counter_ever_fell() public view {
        eq(world.falls(), 0, "falls");
        require(world.exits() <= 1, "one exit at most");
    }
}
