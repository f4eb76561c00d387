// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, Trees, vm} from "./Base.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {Books} from "contracts/Books.sol";
import {Roles} from "contracts/Roles.sol";
import {Stake} from "contracts/Stake.sol";
import {Vault} from "contracts/Vault.sol";
import {Vouchers} from "contracts/Vouchers.sol";

/// Each key is stolen once and does its worst; docs/settlement.md names the loss found here. The
/// pool holds 1,000,000 units of clients, 100,000 of them earned by providers; the daily cap is
/// 50,000. The thief's account is id 9; the stake of others is 70 ether.
contract KeysTest is Base {
    uint48 internal constant EARNED = 100_000;
    uint48 internal constant CAP = 50_000;
    uint32 internal constant THIEF = 9;
    TimelockController internal lock;
    bytes internal listed;

    function config() internal view override returns (Roles.Config memory c) {
        c = super.config();
        c.dailyCap = CAP;
        c.delay = 1 days;
    }

    function setUp() public override {
        super.setUp();
        vm.warp(20_000 days);
        lock = settlement.admin();
        people(THIEF);
        vault.deposit{value: 1_000_000 * UNIT}(person(1));
        vault.lock{value: 70 ether}(person(2));
        listed = bytes.concat(Trees.entry(2, EARNED), Trees.spent(1, EARNED));
        settle(1, CAP, Trees.entry(2, EARNED / 2));
        pass(1 days);
        settle(2, CAP, listed);
        pass(1 days);
    }

    function stolen() internal view returns (uint256) {
        return person(THIEF).balance / UNIT;
    }

    /// What the victims have after the theft: the stake, the provider's claim.
    function othersAreWhole() internal {
        eq(vault.totalStaked(), 70 ether, "the stake");
        claim(2, listed, 0);
        eq(person(2).balance, uint256(EARNED) * UNIT, "what providers earned before");
        require(address(vault).balance >= 70 ether, "the stake is there");
    }

    /// A day of the settler's thief: lists itself up to the cap, claims all that is ripe.
    function robDay(uint64 epoch, uint48 units) internal {
        vm.prank(SETTLER, SETTLER);
        settlement.settle(epoch, CAP, 0, 0, Trees.entry(THIEF, units));
        vm.prank(SETTLER, SETTLER);
        try settlement.settle(epoch + 1, 1, 0, 0, Trees.entry(THIEF, units + 1)) {
            revert("over the cap");
        } catch {}
    }

    function test_settler_stolen_and_the_guardian_awake_loses_nothing() public {
        robDay(3, CAP);
        pass(1 days - 1);
        vm.prank(GUARDIAN);
        settlement.voidRoot(3);
        vm.prank(GUARDIAN);
        settlement.dismiss(SETTLER);
        pass(30 days);
        claimReverts(
            abi.encodeWithSelector(Books.UnknownEpoch.selector, 3), 3,
            Trees.entry(THIEF, CAP), 0
        );
        vm.prank(SETTLER, SETTLER);
        vm.expectRevert(abi.encodeWithSelector(Roles.NotSettler.selector, SETTLER));
        settlement.settle(4, 1, 0, 0, Trees.entry(THIEF, 1));
        eq(stolen(), 0, "loss");
        othersAreWhole();
    }

    /// One forgery that is left would take all that lies unclaimed. Fifty of them, one of which is
    /// void already, are one transaction of the guardian.
    function test_settler_stolen_fifty_forgeries_are_voided_at_once() public {
        vm.prank(GUARDIAN);
        settlement.voidRoots(1, 2);
        eq(settlement.committed(), EARNED, "what has ripened stands");
        for (uint64 i = 0; i < 50; ++i) {
            vm.prank(SETTLER, SETTLER);
            settlement.settle(3 + i, i == 9 ? CAP : 0, 0, 0, Trees.entry(THIEF, EARNED));
        }
        pass(1 days - 1);
        vm.prank(GUARDIAN);
        settlement.dismiss(SETTLER);
        vm.prank(GUARDIAN);
        settlement.voidRoot(7);
        vm.prank(SETTLER, SETTLER);
        vm.expectRevert(abi.encodeWithSelector(Roles.NotGuardian.selector, SETTLER));
        settlement.voidRoots(1, type(uint64).max);
        vm.expectEmit(address(settlement));
        emit Books.Voided(12, CAP);
        vm.prank(GUARDIAN);
        eq(settlement.voidRoots(1, type(uint64).max), 49, "all but the one that was void");
        vm.prank(GUARDIAN);
        eq(settlement.voidRoots(0, 52), 0, "nothing is left to void");
        eq(settlement.committed(), EARNED, "nothing is declared any more");
        pass(30 days);
        for (uint64 i = 0; i < 50; ++i) {
            bytes memory why = abi.encodeWithSelector(Books.UnknownEpoch.selector, 3 + i);
            claimReverts(why, 3 + i, Trees.entry(THIEF, EARNED), 0);
        }
        eq(stolen(), 0, "loss");
        othersAreWhole();
    }

    /// Only the range: its neighbours stand, on both sides.
    function test_a_range_of_batches_is_voided_and_no_other() public {
        for (uint64 epoch = 3; epoch < 9; ++epoch) settle(epoch, 0, Trees.entry(2, EARNED));
        vm.prank(GUARDIAN);
        eq(settlement.voidRoots(4, 6), 3, "three");
        for (uint64 epoch = 1; epoch < 9; ++epoch) {
            (bytes32 root,) = settlement.rootOf(epoch);
            require((root == 0) == (epoch >= 4 && epoch <= 6), "the range");
        }
        vm.prank(GUARDIAN);
        eq(settlement.voidRoots(8, 7), 0, "an empty range");
    }

    /// The guardian asleep for five days: five caps, and never what others have earned.
    function test_settler_stolen_and_the_guardian_asleep_loses_a_cap_a_day() public {
        for (uint64 day = 1; day <= 5; ++day) {
            robDay(2 + day, uint48(CAP * day));
            pass(1 days);
        }
        claim(7, Trees.entry(THIEF, CAP * 5), 0);
        eq(stolen(), 5 * CAP, "a cap a day");
        othersAreWhole();
    }

    /// Nor does the whole pool, listed without being declared, bring more.
    function test_settler_stolen_gains_nothing_by_declaring_less() public {
        vm.prank(SETTLER, SETTLER);
        settlement.settle(3, CAP, 0, 0, Trees.entry(THIEF, 900_000));
        pass(1 days);
        vm.prank(STRANGER);
        (bool ok,) = address(settlement).call(
            abi.encodeCall(
                settlement.claimPayout,
                (3, Trees.chunk(Trees.entry(THIEF, 900_000), 0), 0, new bytes32[](0))
            )
        );
        eq(ok ? 1 : 0, 0, "more than is declared in all");
        eq(stolen(), 0, "loss");
    }

    /// What providers had not claimed yet can be taken by listing as much and declaring nothing:
    /// the loss of a sleeping guardian is a cap a day plus the unclaimed.
    function test_settler_stolen_can_take_what_lies_unclaimed() public {
        vm.prank(SETTLER, SETTLER);
        settlement.settle(3, CAP, 0, 0, Trees.entry(THIEF, EARNED + CAP));
        pass(1 days);
        claim(3, Trees.entry(THIEF, EARNED + CAP), 0);
        eq(stolen(), EARNED + CAP, "the unclaimed and a cap");
        eq(vault.totalStaked(), 70 ether, "the stake");
    }

    function sign(uint48 units) internal {
        sign(THIEF, units);
    }

    function sign(uint32 id, uint48 units) internal {
        uint64 never = type(uint64).max;
        bytes32 digest = settlement.voucherDigest(id, units, never);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(SIGNER_KEY, digest);
        settlement.postVoucher(id, units, never, abi.encodePacked(r, s, v));
    }

    function test_signer_stolen_and_the_guardian_awake_loses_nothing() public {
        sign(CAP);
        pass(1 days - 1);
        vm.prank(GUARDIAN);
        settlement.voidVoucher(THIEF, CAP);
        vm.prank(GUARDIAN);
        settlement.dismiss(signer());
        pass(30 days);
        vm.expectRevert(abi.encodeWithSelector(Vouchers.NotPosted.selector, THIEF, CAP));
        settlement.claimVoucher(THIEF, CAP);
        eq(stolen(), 0, "loss");
        othersAreWhole();
    }

    /// The thief posts a voucher more each second; the guardian voids all in one transaction, what
    /// was never posted, is void already or has ripened among them, and those two change nothing.
    function test_signer_stolen_fifty_forgeries_are_voided_at_once() public {
        sign(2, EARNED);
        pass(1 days);
        Vouchers.Posted[] memory list = new Vouchers.Posted[](52);
        for (uint48 i = 0; i < 50; ++i) {
            list[i] = Vouchers.Posted(THIEF, CAP - i);
            sign(CAP - i);
            pass(1);
        }
        list[50] = Vouchers.Posted(THIEF, 1);
        list[51] = Vouchers.Posted(2, EARNED);
        vm.prank(GUARDIAN);
        settlement.dismiss(signer());
        vm.prank(GUARDIAN);
        settlement.voidVoucher(THIEF, CAP - 7);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(Roles.NotGuardian.selector, STRANGER));
        settlement.voidVouchers(list);
        vm.expectEmit(address(settlement));
        emit Vouchers.VoucherVoided(THIEF, CAP);
        vm.prank(GUARDIAN);
        eq(settlement.voidVouchers(list), 49, "all but those");
        vm.prank(GUARDIAN);
        eq(settlement.voidVouchers(list), 0, "nothing is left to void");
        eq(settlement.postedAt(THIEF, 1), 0, "not posted");
        require(settlement.postedAt(2, EARNED) < block.timestamp, "too late for this one");
        pass(30 days);
        for (uint48 i = 0; i < 50; ++i) {
            bytes memory why = abi.encodeWithSelector(Vouchers.NotPosted.selector, THIEF, CAP - i);
            vm.expectRevert(why);
            settlement.claimVoucher(THIEF, CAP - i);
        }
        eq(stolen(), 0, "loss");
        othersAreWhole();
    }

    function test_signer_stolen_and_the_guardian_asleep_loses_a_cap_a_day() public {
        for (uint48 day = 1; day <= 5; ++day) sign(CAP * day);
        for (uint48 day = 1; day <= 5; ++day) {
            pass(1 days);
            settlement.claimVoucher(THIEF, CAP * day);
            if (day == 5) break;
            vm.expectRevert(
                abi.encodeWithSelector(Roles.OverDailyCap.selector, uint256(CAP) * 2, CAP)
            );
            settlement.claimVoucher(THIEF, CAP * (day + 1));
        }
        eq(stolen(), 5 * CAP, "a cap a day");
        othersAreWhole();
    }

    /// Everything a guardian can call, and none of it moves a coin.
    function test_guardian_stolen_takes_nothing() public {
        settle(3, 10, Trees.entry(3, 10));
        vm.prank(GUARDIAN);
        settlement.voidRoot(3);
        vm.prank(GUARDIAN);
        settlement.dismiss(SETTLER);
        vm.prank(GUARDIAN);
        settlement.dismiss(signer());
        bytes[4] memory wishes = [
            abi.encodeCall(Roles.setSettler, (GUARDIAN)),
            abi.encodeCall(Roles.setGuardian, (GUARDIAN)),
            abi.encodeCall(Roles.setSigner, (GUARDIAN)),
            abi.encodeCall(Roles.setDailyCap, (NO_CAP))
        ];
        for (uint256 i = 0; i < 4; ++i) {
            vm.prank(GUARDIAN);
            (bool ok,) = address(settlement).call(wishes[i]);
            eq(ok ? 1 : 0, 0, "not the guardian's");
        }
        othersAreWhole();
        // It can stop everything for good; then everyone leaves with what is theirs.
        pass(8 days);
        settlement.beginExit();
        settlement.show(2, Trees.chunk(listed, 0), new bytes32[](0));
        pass(3 days);
        settlement.exit(1);
        eq(person(1).balance, uint256(1_000_000 - EARNED) * UNIT, "the client's deposit");
        eq(GUARDIAN.balance, 0, "loss");
    }

    function announce(address target, bytes memory call) internal returns (bytes32) {
        vm.prank(ADMIN);
        lock.schedule(target, 0, call, 0, 0, 2 days);
        return lock.hashOperation(target, 0, call, 0, 0);
    }

    function test_admin_stolen_and_the_guardian_awake_loses_nothing() public {
        bytes32[3] memory ids = [
            announce(address(settlement), abi.encodeCall(Roles.setSettler, (person(THIEF)))),
            announce(address(settlement), abi.encodeCall(Roles.setGuardian, (person(THIEF)))),
            announce(address(vault), abi.encodeCall(Stake.sanction, (person(2), 1 ether, "x")))
        ];
        pass(2 days - 1);
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(GUARDIAN);
            settlement.veto(ids[i]);
        }
        pass(30 days);
        eq(settlement.settler(), SETTLER, "the settler");
        eq(vault.sanctionOf(person(2)), 0, "the stake");
        othersAreWhole();
    }

    /// The guardian asleep: the pool goes, but not before the announced wait and the claim's delay,
    /// in which whoever asks to be paid is paid.
    function test_admin_stolen_and_the_guardian_asleep_takes_what_stays_after_the_notice() public {
        bytes[3] memory wishes = [
            abi.encodeCall(Roles.setSettler, (person(THIEF))),
            abi.encodeCall(Roles.setGuardian, (person(THIEF))),
            abi.encodeCall(Roles.setDailyCap, (NO_CAP))
        ];
        for (uint256 i = 0; i < 3; ++i) announce(address(settlement), wishes[i]);
        // The honest settler pays out the client who leaves: spent and earned rise together.
        bytes memory leaving = bytes.concat(Trees.spent(1, EARNED + CAP), Trees.entry(1, CAP));
        settle(3, CAP, leaving);
        pass(2 days);
        for (uint256 i = 0; i < 3; ++i) lock.execute(address(settlement), 0, wishes[i], 0, 0);
        claim(3, leaving, 1);
        othersAreWhole();
        uint48 rest = 1_000_000 - EARNED - CAP;
        bytes memory all = Trees.entry(THIEF, rest);
        vm.prank(person(THIEF), person(THIEF));
        settlement.settle(4, rest, 0, 0, all);
        claimReverts(
            abi.encodeWithSelector(Books.TooEarly.selector, block.timestamp + 1 days), 4, all, 0
        );
        pass(1 days);
        claim(4, all, 0);
        eq(stolen(), rest, "what stayed");
        eq(vault.totalStaked(), 70 ether, "the stake needs another announcement");
    }

    /// Stake goes the same way: announced, then under appeal, then taken; and all that in public.
    function test_admin_stolen_and_the_guardian_asleep_takes_the_stake_after_the_appeal() public {
        bytes memory blame = abi.encodeCall(Stake.sanction, (person(2), 70 ether, "x"));
        bytes memory take =
            abi.encodeCall(Stake.withdrawSanctionOf, (person(2), 70 ether, person(THIEF)));
        announce(address(vault), blame);
        announce(address(vault), take);
        pass(2 days);
        lock.execute(address(vault), 0, blame, 0, 0);
        pass(4 days - 1);
        (bool ok,) = address(lock).call(
            abi.encodeCall(lock.execute, (address(vault), 0, take, 0, 0))
        );
        eq(ok ? 1 : 0, 0, "not while it can be appealed against");
        pass(1);
        lock.execute(address(vault), 0, take, 0, 0);
        eq(person(THIEF).balance, 70 ether, "the stake");
        claim(2, listed, 0);
        eq(person(2).balance, uint256(EARNED) * UNIT, "the pool is untouched");
    }

    /// In an exit, what a thief declared and never listed stays in the vault; it gains nothing.
    function test_settler_stolen_can_lock_up_a_cap_a_day_in_an_exit() public {
        vm.prank(SETTLER, SETTLER);
        settlement.settle(3, CAP, 0, 0, Trees.entry(THIEF, 0));
        pass(8 days);
        settlement.beginExit();
        settlement.show(2, Trees.chunk(listed, 0), new bytes32[](0));
        pass(3 days);
        settlement.exit(1);
        uint256 free = uint256(1_000_000 - EARNED - CAP) * UNIT;
        eq(person(1).balance, free, "a cap less than its own");
        eq(stolen(), 0, "and nobody has it");
    }

    /// The key that deployed has no right left.
    function test_deployer_stolen_takes_nothing() public {
        vm.prank(address(this));
        (bool ok,) = address(settlement).call(abi.encodeCall(Roles.setSettler, (STRANGER)));
        eq(ok ? 1 : 0, 0, "settler");
        (ok,) = address(vault).call(abi.encodeCall(Vault.payOut, (THIEF, 1)));
        eq(ok ? 1 : 0, 0, "pool");
        require(!lock.hasRole(lock.PROPOSER_ROLE(), address(this)), "no proposals");
        require(!lock.hasRole(lock.CANCELLER_ROLE(), address(this)), "no vetoes");
    }
}
