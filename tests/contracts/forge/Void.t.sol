// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, Trees, vm} from "./Base.sol";
import {Books} from "contracts/Books.sol";
import {Roles} from "contracts/Roles.sol";

contract VoidTest is Base {
    function setUp() public override {
        super.setUp();
        people(4);
        vault.deposit{value: 1000 * UNIT}(person(1));
    }

    function voidRoot(uint64 epoch) internal {
        vm.prank(GUARDIAN);
        settlement.voidRoot(epoch);
    }

    function test_a_voided_root_pays_nothing_and_frees_its_increase() public {
        bytes memory entries = Trees.entry(2, 900);
        settle(1, 900, entries);
        vm.expectEmit(address(settlement));
        emit Books.Voided(1, 900);
        voidRoot(1);
        eq(settlement.committed(), 0, "uncommitted again");
        (bytes32 root, uint64 time) = settlement.rootOf(1);
        eq(root, bytes32(0), "no root");
        eq(time, block.timestamp, "but its time");
        pass(DELAY);
        claimReverts(abi.encodeWithSelector(Books.UnknownEpoch.selector, 1), 1, entries, 0);
        settle(2, 1000, Trees.entry(3, 1000));
        eq(settlement.committed(), 1000, "the whole pool can be listed");
    }

    function test_the_neighbours_of_a_voided_root_stand() public {
        bytes memory a = Trees.entry(2, 10);
        bytes memory b = Trees.entry(3, 500);
        bytes memory c = Trees.entry(2, 15);
        settle(1, 10, a);
        settle(2, 500, b);
        settle(3, 5, c);
        voidRoot(2);
        eq(settlement.committed(), 15, "15 of 515");
        pass(DELAY);
        claim(3, c, 0);
        eq(person(2).balance, 15 * UNIT, "paid");
        claimReverts(abi.encodeWithSelector(Books.NothingToClaim.selector, 2), 1, a, 0);
    }

    function test_only_inside_the_delay_only_once_only_what_is_there() public {
        settle(1, 10, Trees.entry(2, 10));
        uint256 ripe = block.timestamp + DELAY;
        vm.warp(ripe);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(Books.TooLate.selector, ripe));
        settlement.voidRoot(1);
        vm.warp(ripe - 1);
        vm.expectRevert(abi.encodeWithSelector(Roles.NotGuardian.selector, address(this)));
        settlement.voidRoot(1);
        voidRoot(1);
        for (uint64 epoch = 0; epoch < 3; ++epoch) {
            vm.prank(GUARDIAN);
            vm.expectRevert(abi.encodeWithSelector(Books.UnknownEpoch.selector, epoch));
            settlement.voidRoot(epoch);
        }
    }

    /// Batch 1 lists what batch 2 declares. Once it was paid, voiding 2 cannot take it back.
    function test_units_already_paid_stay_committed() public {
        bytes memory entries = Trees.entry(2, 400);
        settle(1, 0, entries);
        pass(DELAY);
        settle(2, 500, Trees.entry(3, 500));
        claim(1, entries, 0);
        voidRoot(2);
        eq(settlement.committed(), 400, "never below paid");
        eq(settlement.paid(), 400, "paid");
        vm.prank(SETTLER, SETTLER);
        vm.expectRevert(abi.encodeWithSelector(Books.Insolvent.selector, 1001, 1000 * UNIT));
        settlement.settle(3, 601, SCORES, LOG, Trees.entry(3, 601));
        settle(3, 600, Trees.entry(3, 600));
    }
}
