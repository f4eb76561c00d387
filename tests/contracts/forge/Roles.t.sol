// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, Trees, vm} from "./Base.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {Books} from "contracts/Books.sol";
import {Roles} from "contracts/Roles.sol";
import {Settlement} from "contracts/Settlement.sol";

contract RolesTest is Base {
    TimelockController internal lock;

    function setUp() public override {
        super.setUp();
        lock = settlement.admin();
        people(4);
        vault.deposit{value: 1000 * UNIT}(person(1));
    }

    /// Announces a call on the settlement; its operation's id.
    function announce(bytes memory call) internal returns (bytes32 id) {
        vm.prank(ADMIN);
        lock.schedule(address(settlement), 0, call, 0, 0, 2 days);
        return lock.hashOperation(address(settlement), 0, call, 0, 0);
    }

    function carryOut(bytes memory call) internal {
        vm.prank(STRANGER);
        lock.execute(address(settlement), 0, call, 0, 0);
    }

    function change(bytes memory call) internal {
        announce(call);
        pass(2 days);
        carryOut(call);
    }

    function fails(address who, address target, bytes memory call) internal {
        vm.prank(who);
        (bool ok,) = target.call(call);
        eq(ok ? 1 : 0, 0, "must be refused");
    }

    function notCarriedOut(bytes memory call) internal {
        address target = address(settlement);
        fails(STRANGER, address(lock), abi.encodeCall(lock.execute, (target, 0, call, 0, 0)));
    }

    function test_deployment_names_every_key() public {
        eq(settlement.guardian(), GUARDIAN, "guardian");
        eq(settlement.signer(), signer(), "signer");
        eq(lock.getMinDelay(), 2 days, "the lock's delay");
        Roles.Config memory c = config();
        c.settler = address(0);
        vm.expectRevert(abi.encodeWithSelector(Roles.ZeroSettler.selector));
        new Settlement(c);
        c = config();
        c.guardian = address(0);
        vm.expectRevert(abi.encodeWithSelector(Roles.ZeroGuardian.selector));
        new Settlement(c);
        c = config();
        c.admin = address(0);
        vm.expectRevert(abi.encodeWithSelector(Roles.ZeroAdmin.selector));
        new Settlement(c);
        c = config();
        c.delay = 30 days + 1;
        vm.expectRevert(abi.encodeWithSelector(Roles.DelayTooLong.selector, 30 days + 1));
        new Settlement(c);
        c = config();
        c.adminDelay = 365 days + 1;
        vm.expectRevert(abi.encodeWithSelector(Roles.DelayTooLong.selector, 365 days + 1));
        new Settlement(c);
    }

    function test_a_change_waits_and_is_public() public {
        bytes memory call = abi.encodeCall(Roles.setSettler, (STRANGER));
        announce(call);
        pass(2 days - 1);
        notCarriedOut(call);
        eq(settlement.settler(), SETTLER, "not before the delay");
        pass(1);
        carryOut(call);
        eq(settlement.settler(), STRANGER, "then by anyone");
        vm.prank(SETTLER, SETTLER);
        vm.expectRevert(abi.encodeWithSelector(Roles.NotSettler.selector, SETTLER));
        settlement.settle(1, 1, SCORES, LOG, Trees.entry(1, 1));
    }

    function test_each_role_and_the_cap_can_change() public {
        change(abi.encodeCall(Roles.setSigner, (person(2))));
        change(abi.encodeCall(Roles.setGuardian, (person(3))));
        change(abi.encodeCall(Roles.setDailyCap, (7)));
        eq(settlement.signer(), person(2), "signer");
        eq(settlement.guardian(), person(3), "guardian");
        eq(settlement.dailyCap(), 7, "cap");
        bytes memory none = abi.encodeCall(Roles.setGuardian, (address(0)));
        announce(none);
        pass(2 days);
        notCarriedOut(none);
    }

    /// Nobody but the lock changes anything, not even the admin's key itself.
    function testFuzz_nobody_else_changes_anything(address who) public {
        vm.assume(who != address(lock));
        fails(who, address(settlement), abi.encodeCall(Roles.setSettler, (who)));
        fails(who, address(settlement), abi.encodeCall(Roles.setSigner, (who)));
        fails(who, address(settlement), abi.encodeCall(Roles.setGuardian, (who)));
        fails(who, address(settlement), abi.encodeCall(Roles.setDailyCap, (0)));
        if (who == GUARDIAN) return;
        fails(who, address(settlement), abi.encodeCall(Roles.dismiss, (SETTLER)));
        fails(who, address(settlement), abi.encodeCall(Roles.veto, (bytes32(0))));
        fails(who, address(settlement), abi.encodeCall(Books.voidRoot, (1)));
    }

    function test_nobody_holds_rights_over_the_lock_but_the_lock() public view {
        bytes32 root = lock.DEFAULT_ADMIN_ROLE();
        require(lock.hasRole(root, address(lock)), "the lock rules itself");
        require(!lock.hasRole(root, address(settlement)), "the settlement gave it up");
        require(!lock.hasRole(root, ADMIN), "the admin never had it");
        require(!lock.hasRole(lock.PROPOSER_ROLE(), address(settlement)), "no proposals from here");
    }

    function test_the_guardian_vetoes_what_was_announced() public {
        bytes memory call = abi.encodeCall(Roles.setGuardian, (STRANGER));
        bytes32 id = announce(call);
        pass(2 days - 1);
        vm.prank(GUARDIAN);
        settlement.veto(id);
        pass(10 days);
        notCarriedOut(call);
        eq(settlement.guardian(), GUARDIAN, "still the guardian");
    }

    function test_a_successor_inherits_the_veto() public {
        change(abi.encodeCall(Roles.setGuardian, (STRANGER)));
        bytes32 id = announce(abi.encodeCall(Roles.setDailyCap, (1)));
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(Roles.NotGuardian.selector, GUARDIAN));
        settlement.veto(id);
        vm.prank(STRANGER);
        settlement.veto(id);
    }

    function test_the_guardian_dismisses_hot_keys_only() public {
        vm.prank(GUARDIAN);
        settlement.dismiss(SETTLER);
        eq(settlement.settler(), address(0), "no settler");
        vm.prank(SETTLER, SETTLER);
        vm.expectRevert(abi.encodeWithSelector(Roles.NotSettler.selector, SETTLER));
        settlement.settle(1, 1, SCORES, LOG, Trees.entry(1, 1));
        vm.prank(GUARDIAN);
        settlement.dismiss(signer());
        eq(settlement.signer(), address(0), "no signer");
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(Roles.NotHot.selector, address(0)));
        settlement.dismiss(address(0));
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(Roles.NotHot.selector, GUARDIAN));
        settlement.dismiss(GUARDIAN);
        change(abi.encodeCall(Roles.setSettler, (SETTLER)));
        settle(1, 1, Trees.entry(1, 1));
    }

    function test_the_daily_cap_ends_with_its_day() public {
        change(abi.encodeCall(Roles.setDailyCap, (100)));
        vm.warp(20_000 days);
        settle(1, 60, Trees.entry(1, 60));
        vm.prank(SETTLER, SETTLER);
        vm.expectRevert(abi.encodeWithSelector(Roles.OverDailyCap.selector, 101, 100));
        settlement.settle(2, 41, SCORES, LOG, Trees.entry(1, 101));
        settle(2, 40, Trees.entry(1, 100));
        vm.warp(20_001 days - 1);
        vm.prank(SETTLER, SETTLER);
        vm.expectRevert(abi.encodeWithSelector(Roles.OverDailyCap.selector, 101, 100));
        settlement.settle(3, 1, SCORES, LOG, Trees.entry(1, 101));
        settle(3, 0, Trees.entry(1, 100));
        vm.warp(20_001 days);
        settle(4, 100, Trees.entry(1, 200));
        eq(settlement.committed(), 200, "committed");
    }

    /// Whatever is asked for and whenever, no day's accepted increases exceed the cap.
    function testFuzz_daily_cap(uint16[12] calldata asked, uint32[12] calldata later) public {
        change(abi.encodeCall(Roles.setDailyCap, (100)));
        uint256 day;
        uint256 used;
        uint64 epoch;
        for (uint256 i = 0; i < 12; ++i) {
            pass(later[i] % 1 days);
            if (block.timestamp / 1 days != day) used = 0;
            day = block.timestamp / 1 days;
            uint64 increase = asked[i] % 101;
            bool fits = used + increase <= 100 && settlement.committed() + increase <= 1000;
            bytes memory call = abi.encodeCall(
                Settlement.settle, (epoch + 1, increase, SCORES, LOG, Trees.entry(1, 1))
            );
            vm.prank(SETTLER, SETTLER);
            (bool ok,) = address(settlement).call(call);
            eq(ok ? 1 : 0, fits ? 1 : 0, "accepted exactly within the cap");
            if (!ok) continue;
            ++epoch;
            used += increase;
        }
    }
}
