// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, Trees, vm} from "./Base.sol";
import {Refuser} from "./Payees.sol";
import {Books} from "contracts/Books.sol";
import {Exit} from "contracts/Exit.sol";
import {Roles} from "contracts/Roles.sol";
import {Settlement} from "contracts/Settlement.sol";
import {Vault} from "contracts/Vault.sol";
import {Vouchers} from "contracts/Vouchers.sol";

/// Ids 1 to 3 are clients, 4 to 6 providers.
contract ExitTest is Base {
    uint64 internal constant SILENCE = 7 days;
    uint64 internal constant WINDOW = 3 days;

    function setUp() public override {
        super.setUp();
        people(6);
        vault.deposit{value: 1000 * UNIT}(person(1));
        vault.deposit{value: 500 * UNIT}(person(2));
    }

    function show(uint64 epoch, bytes memory entries, uint256 chunk) internal {
        bytes memory bytes_ = Trees.chunk(entries, chunk);
        bytes32[] memory proof = Trees.proof(entries, chunk);
        vm.prank(STRANGER);
        settlement.show(epoch, bytes_, proof);
    }

    function begin() internal {
        pass(DELAY + SILENCE);
        vm.prank(STRANGER);
        settlement.beginExit();
    }

    function out(uint32 id, uint256 want) internal {
        uint256 before = person(id).balance;
        vm.prank(STRANGER);
        settlement.exit(id);
        eq(person(id).balance - before, want, "what is theirs");
    }

    function outReverts(bytes memory why, uint32 id) internal {
        vm.expectRevert(why);
        settlement.exit(id);
    }

    function nothing(uint32 id) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(Books.NothingToClaim.selector, id);
    }

    function test_only_after_the_silence() public {
        settle(1, 10, bytes.concat(Trees.spent(1, 10), Trees.entry(4, 10)));
        uint256 until = block.timestamp + DELAY + SILENCE;
        vm.warp(until - 1);
        bytes memory why = abi.encodeWithSelector(Exit.NotSilent.selector, until);
        vm.expectRevert(why);
        settlement.beginExit();
        vm.warp(until);
        vm.expectEmit(address(settlement));
        emit Exit.ExitBegun(uint64(until) + WINDOW);
        settlement.beginExit();
        eq(settlement.exitAt(), until + WINDOW, "exitAt");
        vm.expectRevert(abi.encodeWithSelector(Exit.AlreadyBegun.selector, until + WINDOW));
        settlement.beginExit();
    }

    function test_a_gateway_that_never_settled_can_be_left() public {
        pass(SILENCE - 1);
        vm.expectRevert(
            abi.encodeWithSelector(Exit.NotSilent.selector, block.timestamp + 1)
        );
        settlement.beginExit();
        pass(1);
        settlement.beginExit();
        pass(WINDOW);
        out(1, 1000 * UNIT);
        out(2, 500 * UNIT);
        outReverts(nothing(3), 3);
    }

    function test_a_batch_in_time_is_a_sign_of_life() public {
        settle(1, 0, Trees.entry(4, 0));
        pass(SILENCE);
        settle(2, 0, Trees.entry(4, 0));
        pass(DELAY);
        uint256 until = block.timestamp + SILENCE;
        vm.expectRevert(abi.encodeWithSelector(Exit.NotSilent.selector, until));
        settlement.beginExit();
    }

    function test_nothing_new_counts_once_it_has_begun() public {
        settle(1, 10, Trees.entry(4, 10));
        begin();
        vm.prank(SETTLER, SETTLER);
        vm.expectRevert(abi.encodeWithSelector(Books.ExitHasBegun.selector));
        settlement.settle(2, 10, SCORES, LOG, Trees.entry(4, 20));
        vm.expectRevert(abi.encodeWithSelector(Vault.Closed.selector));
        vault.deposit{value: 1}(person(1));
        vm.expectRevert(abi.encodeWithSelector(Books.ExitHasBegun.selector));
        settlement.postVoucher(4, 20, type(uint64).max, new bytes(65));
        vm.expectRevert(abi.encodeWithSelector(Vault.NotSettlement.selector, address(this)));
        vault.close();
    }

    function test_showing_and_leaving_have_their_times() public {
        bytes memory entries = Trees.spent(1, 10);
        settle(1, 10, entries);
        bytes memory chunk = Trees.chunk(entries, 0);
        bytes32[] memory none = new bytes32[](0);
        vm.expectRevert(abi.encodeWithSelector(Exit.NotInWindow.selector, 0));
        settlement.show(1, chunk, none);
        outReverts(abi.encodeWithSelector(Exit.WindowOpen.selector, 0), 1);
        begin();
        uint256 end = block.timestamp + WINDOW;
        vm.warp(end - 1);
        outReverts(abi.encodeWithSelector(Exit.WindowOpen.selector, end), 1);
        show(1, entries, 0);
        vm.warp(end);
        vm.expectRevert(abi.encodeWithSelector(Exit.NotInWindow.selector, end));
        settlement.show(1, chunk, none);
        out(1, 990 * UNIT);
        outReverts(nothing(1), 1);
    }

    /// The gateway is gone for good: two epochs of work, one claim made, one not.
    function test_everyone_gets_out_what_is_theirs() public {
        bytes memory first = bytes.concat(
            Trees.spent(1, 300), Trees.entry(4, 200), Trees.entry(5, 100)
        );
        bytes memory second = bytes.concat(
            Trees.spent(1, 450), Trees.spent(2, 50), Trees.entry(4, 250), Trees.entry(6, 150)
        );
        settle(1, 300, first);
        pass(DELAY);
        claim(1, first, 1);
        settle(2, 200, second);
        begin();
        show(1, first, 0);
        show(2, second, 0);
        show(1, first, 0);
        pass(WINDOW);
        out(1, 550 * UNIT);
        out(4, 50 * UNIT);
        out(6, 150 * UNIT);
        out(2, 450 * UNIT);
        out(5, 100 * UNIT);
        eq(person(4).balance, 250 * UNIT, "claim and exit together");
        eq(address(vault).balance, 0, "the pool is empty to the wei");
        for (uint32 id = 1; id <= 6; ++id) outReverts(nothing(id), id);
    }

    function test_a_stale_leaf_is_beaten_by_a_later_one() public {
        bytes memory first = bytes.concat(Trees.spent(1, 10), Trees.entry(4, 10));
        bytes memory second = bytes.concat(Trees.spent(1, 900), Trees.entry(4, 900));
        settle(1, 10, first);
        settle(2, 890, second);
        begin();
        show(1, first, 0);
        eq(settlement.refundOf(1) > 100 * UNIT ? 1 : 0, 1, "the client's figure stands");
        show(2, second, 0);
        show(1, first, 0);
        (, uint48 spent) = settlement.shownOf(1);
        eq(spent, 900, "the provider's is higher");
        pass(WINDOW);
        out(1, 100 * UNIT);
        out(4, 900 * UNIT);
        out(2, 500 * UNIT);
    }

    /// Nobody beats it: then clients share what is left, and the provider loses nothing.
    function test_a_stale_leaf_never_reaches_what_providers_earned() public {
        bytes memory first = bytes.concat(Trees.spent(1, 10), Trees.entry(4, 10));
        bytes memory second = bytes.concat(Trees.spent(1, 900), Trees.entry(4, 900));
        settle(1, 10, first);
        settle(2, 890, second);
        begin();
        show(1, first, 0);
        pass(WINDOW);
        // 1490 asked for, 600 free: the same share for both, whoever comes first.
        out(1, 990 * UNIT * 600 / 1490);
        out(2, 500 * UNIT * 600 / 1490);
        claim(2, second, 1);
        eq(person(4).balance, 900 * UNIT, "the provider needs no exit");
        require(address(vault).balance < 2, "at most a wei of rounding stays");
    }

    function test_a_claim_after_the_exit_pays_only_what_is_new() public {
        bytes memory first = Trees.entry(4, 10);
        bytes memory second = Trees.entry(4, 30);
        settle(1, 10, first);
        settle(2, 20, second);
        begin();
        show(1, first, 0);
        pass(WINDOW);
        out(4, 10 * UNIT);
        claim(2, second, 0);
        eq(person(4).balance, 30 * UNIT, "the root is kept");
        claimReverts(nothing(4), 2, second, 0);
        outReverts(nothing(4), 4);
    }

    function test_voided_batches_show_nothing_and_are_no_sign_of_life() public {
        bytes memory entries = bytes.concat(Trees.spent(1, 1000), Trees.entry(6, 1000));
        bytes memory honest = bytes.concat(Trees.spent(1, 10), Trees.entry(4, 10));
        settle(1, 10, honest);
        uint256 first = block.timestamp;
        for (uint64 epoch = 2; epoch < 10; ++epoch) {
            vm.warp(first + (epoch - 1) * 1 days);
            settle(epoch, 1000, entries);
            pass(DELAY - 1);
            vm.prank(GUARDIAN);
            settlement.voidRoot(epoch);
        }
        settlement.beginExit();
        vm.expectRevert(abi.encodeWithSelector(Books.UnknownEpoch.selector, 9));
        settlement.show(9, Trees.chunk(entries, 0), new bytes32[](0));
        show(1, honest, 0);
        pass(WINDOW);
        out(1, 990 * UNIT);
    }

    function test_figures_need_a_proof() public {
        bytes memory entries = Trees.spent(1, 10);
        settle(1, 10, entries);
        begin();
        bytes memory forged = Trees.chunk(Trees.spent(1, 11), 0);
        vm.expectRevert(abi.encodeWithSelector(Books.BadProof.selector));
        settlement.show(1, forged, new bytes32[](0));
    }

    function test_a_lie_about_what_was_spent_takes_no_earnings() public {
        bytes memory entries = bytes.concat(Trees.spent(1, 5000), Trees.entry(1, 40));
        settle(1, 40, entries);
        begin();
        show(1, entries, 0);
        pass(WINDOW);
        out(1, 40 * UNIT);
        out(2, 500 * UNIT);
    }

    function test_an_account_that_refuses_harms_only_itself() public {
        uint32 id = vault.register(address(new Refuser()));
        vault.deposit{value: 100 * UNIT}(vault.accountOf(id));
        settle(1, 0, Trees.entry(4, 0));
        begin();
        pass(WINDOW);
        outReverts(abi.encodeWithSelector(Refuser.NoThanks.selector), id);
        out(1, 1000 * UNIT);
        out(2, 500 * UNIT);
        eq(address(vault).balance, 100 * UNIT, "it waits there");
    }

    function test_a_posted_voucher_is_still_paid_in_the_window() public {
        uint64 never = type(uint64).max;
        settle(1, 0, Trees.entry(4, 0));
        pass(DELAY + SILENCE);
        for (uint48 earned = 60; earned <= 70; earned += 10) {
            bytes32 digest = settlement.voucherDigest(4, earned, never);
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(SIGNER_KEY, digest);
            settlement.postVoucher(4, earned, never, abi.encodePacked(r, s, v));
        }
        settlement.beginExit();
        pass(WINDOW - 1);
        settlement.claimVoucher(4, 60);
        pass(1);
        vm.expectRevert(abi.encodeWithSelector(Books.ExitHasBegun.selector));
        settlement.claimVoucher(4, 70);
        out(1, 1000 * UNIT * 1440 / 1500);
        eq(person(4).balance, 60 * UNIT, "paid");
    }

    function test_waits_that_cannot_work_are_refused() public {
        Roles.Config memory c = config();
        c.window = c.delay;
        vm.expectRevert(abi.encodeWithSelector(Exit.WindowTooShort.selector, c.delay));
        new Settlement(c);
        c = config();
        c.silence = 0;
        vm.expectRevert(abi.encodeWithSelector(Exit.ZeroSilence.selector));
        new Settlement(c);
        c = config();
        c.window = 366 days;
        vm.expectRevert(abi.encodeWithSelector(Roles.DelayTooLong.selector, 366 days));
        new Settlement(c);
        c = config();
        c.silence = 366 days;
        vm.expectRevert(abi.encodeWithSelector(Roles.DelayTooLong.selector, 366 days));
        new Settlement(c);
    }

    /// Any batches, true or false, any of them shown: nobody takes more than the pool, no client
    /// more than its deposit less what was shown, and showing everything pays everyone.
    function testFuzz_exit(uint16[12] calldata figures, uint8 shown, uint16 declared) public {
        bytes[3] memory batches;
        uint64 sum;
        for (uint64 e = 0; e < 3; ++e) {
            for (uint32 k = 0; k < 4; ++k) {
                uint48 units = figures[e * 4 + k] % 700;
                uint32 id = k < 2 ? k + 1 : k + 2;
                batches[e] = bytes.concat(
                    batches[e], k < 2 ? Trees.spent(id, units) : Trees.entry(id, units)
                );
            }
            uint64 increase = uint64(uint256(declared) * (e + 1) % 500);
            settle(e + 1, increase, batches[e]);
            sum += increase;
        }
        begin();
        for (uint64 e = 0; e < 3; ++e) if (shown & (1 << e) != 0) show(e + 1, batches[e], 0);
        pass(WINDOW);
        uint256 clients;
        for (uint32 round = 0; round < 2; ++round) {
            for (uint32 id = 1; id <= 6; ++id) try settlement.exit(id) {} catch {}
        }
        for (uint32 id = 1; id <= 2; ++id) {
            (uint48 earned, uint48 spent) = settlement.shownOf(id);
            eq(earned, 0, "nobody earned as a client");
            uint256 most = vault.deposited(id) > spent * UNIT
                ? vault.deposited(id) - spent * UNIT : 0;
            require(person(id).balance <= most, "more than its own");
            clients += person(id).balance;
        }
        require(clients <= (1500 - sum) * UNIT, "deposits reached the earned part");
        require(settlement.paid() <= sum, "more than declared");
        eq(vault.totalPaid() + address(vault).balance, 1500 * UNIT, "to the wei");
    }
}
