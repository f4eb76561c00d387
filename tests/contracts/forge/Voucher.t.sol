// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, Trees, vm} from "./Base.sol";
import {Reenterer} from "./Payees.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Books} from "contracts/Books.sol";
import {Payouts} from "contracts/Payouts.sol";
import {Roles} from "contracts/Roles.sol";
import {Settlement} from "contracts/Settlement.sol";
import {Vouchers} from "contracts/Vouchers.sol";

contract VoucherTest is Base {
    uint64 internal constant NEVER = type(uint64).max;

    function setUp() public override {
        super.setUp();
        people(4);
        vault.deposit{value: 1000 * UNIT}(person(1));
    }

    function config() internal view override returns (Roles.Config memory c) {
        c = super.config();
        c.dailyCap = 500;
    }

    function signed(uint256 key, uint32 id, uint48 earned, uint64 deadline)
        internal
        view
        returns (bytes memory)
    {
        bytes32 digest = settlement.voucherDigest(id, earned, deadline);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function post(uint32 id, uint48 earned) internal {
        bytes memory signature = signed(SIGNER_KEY, id, earned, NEVER);
        vm.prank(STRANGER);
        settlement.postVoucher(id, earned, NEVER, signature);
    }

    function postReverts(
        bytes memory why,
        uint32 id,
        uint48 earned,
        uint64 deadline,
        bytes memory by
    ) internal {
        vm.expectRevert(why);
        settlement.postVoucher(id, earned, deadline, by);
    }

    function test_post_wait_claim() public {
        vm.expectEmit(address(settlement));
        emit Vouchers.VoucherPosted(2, 70, uint64(block.timestamp + DELAY));
        post(2, 70);
        uint256 ripe = block.timestamp + DELAY;
        vm.warp(ripe - 1);
        vm.expectRevert(abi.encodeWithSelector(Books.TooEarly.selector, ripe));
        settlement.claimVoucher(2, 70);
        vm.warp(ripe);
        vm.prank(STRANGER);
        settlement.claimVoucher(2, 70);
        eq(person(2).balance, 70 * UNIT, "paid to the payee");
        eq(settlement.committed(), 70, "it declares itself");
        vm.expectRevert(abi.encodeWithSelector(Books.NothingToClaim.selector, 2));
        settlement.claimVoucher(2, 70);
    }

    function test_what_is_signed_is_eip_712_of_the_design() public view {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,"
                    "address verifyingContract)"
                ),
                keccak256("OpenGPU Gateway"), keccak256("1"), block.chainid, address(settlement)
            )
        );
        bytes32 content = keccak256(
            abi.encode(keccak256("Voucher(uint32 id,uint48 earned,uint64 deadline)"), 2, 70, 9)
        );
        bytes32 digest = keccak256(abi.encodePacked("\x19\x01", domain, content));
        eq(settlement.voucherDigest(2, 70, 9), digest, "digest");
    }

    function test_vouchers_are_cumulative_and_independent() public {
        post(2, 70);
        pass(DELAY / 2);
        post(2, 90);
        pass(DELAY / 2);
        settlement.claimVoucher(2, 70);
        pass(DELAY / 2);
        settlement.claimVoucher(2, 90);
        eq(person(2).balance, 90 * UNIT, "90 in all");
        bytes memory lower = signed(SIGNER_KEY, 2, 80, NEVER);
        postReverts(abi.encodeWithSelector(Books.NothingToClaim.selector, 2), 2, 80, NEVER, lower);
    }

    function test_what_is_refused() public {
        bytes memory good = signed(SIGNER_KEY, 2, 70, NEVER);
        bytes memory other = signed(0xbad, 2, 70, NEVER);
        bytes4 not = Vouchers.NotSigner.selector;
        postReverts(abi.encodeWithSelector(not, vm.addr(0xbad)), 2, 70, NEVER, other);
        bytes memory late = signed(SIGNER_KEY, 2, 70, uint64(block.timestamp - 1));
        uint64 before = uint64(block.timestamp - 1);
        postReverts(abi.encodeWithSelector(Vouchers.Expired.selector, before), 2, 70, before, late);
        for (uint256 i = 0; i < 2; ++i) {
            uint32 id = i == 0 ? 0 : 5;
            bytes memory by = signed(SIGNER_KEY, id, 70, NEVER);
            bytes memory why = abi.encodeWithSelector(Vouchers.UnknownVoucherId.selector, id);
            postReverts(why, id, 70, NEVER, by);
        }
        bytes memory cut = new bytes(64);
        bytes4 length = ECDSA.ECDSAInvalidSignatureLength.selector;
        postReverts(abi.encodeWithSelector(length, 64), 2, 70, NEVER, cut);
        bytes memory wrong = abi.encodeWithSelector(ECDSA.ECDSAInvalidSignature.selector);
        postReverts(wrong, 2, 70, NEVER, new bytes(65));
        (bool ok,) = address(settlement).call(
            abi.encodeCall(Vouchers.postVoucher, (2, 71, NEVER, good))
        );
        eq(ok ? 1 : 0, 0, "another amount");
        (ok,) = address(settlement).call(
            abi.encodeCall(Vouchers.postVoucher, (3, 70, NEVER, good))
        );
        eq(ok ? 1 : 0, 0, "another id");
        post(2, 70);
        bytes memory again = abi.encodeWithSelector(Vouchers.AlreadyPosted.selector, 2, 70);
        postReverts(again, 2, 70, NEVER, good);
        vm.expectRevert(abi.encodeWithSelector(Vouchers.NotPosted.selector, 2, 71));
        settlement.claimVoucher(2, 71);
    }

    function test_a_voucher_of_another_deployment_is_worth_nothing() public {
        Settlement twin = new Settlement(config());
        twin.vault().register(person(1));
        twin.vault().register(person(2));
        bytes memory by = signed(SIGNER_KEY, 2, 70, NEVER);
        (bool ok,) = address(twin).call(abi.encodeCall(Vouchers.postVoucher, (2, 70, NEVER, by)));
        eq(ok ? 1 : 0, 0, "another contract");
    }

    function test_the_guardian_voids_inside_the_delay() public {
        post(2, 70);
        post(3, 10);
        vm.prank(GUARDIAN);
        settlement.voidVoucher(2, 70);
        pass(DELAY);
        vm.expectRevert(abi.encodeWithSelector(Vouchers.NotPosted.selector, 2, 70));
        settlement.claimVoucher(2, 70);
        bytes memory by = signed(SIGNER_KEY, 2, 70, NEVER);
        bytes memory again = abi.encodeWithSelector(Vouchers.AlreadyPosted.selector, 2, 70);
        postReverts(again, 2, 70, NEVER, by);
        uint256 ripe = block.timestamp;
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(Books.TooLate.selector, ripe));
        settlement.voidVoucher(3, 10);
        vm.expectRevert(abi.encodeWithSelector(Roles.NotGuardian.selector, address(this)));
        settlement.voidVoucher(3, 10);
        settlement.claimVoucher(3, 10);
    }

    function test_a_dismissed_signer_signs_in_vain() public {
        vm.prank(GUARDIAN);
        settlement.dismiss(signer());
        bytes memory by = signed(SIGNER_KEY, 2, 70, NEVER);
        bytes memory why = abi.encodeWithSelector(Vouchers.NotSigner.selector, signer());
        postReverts(why, 2, 70, NEVER, by);
    }

    function test_vouchers_stay_within_pool_and_daily_cap() public {
        vm.warp(20_000 days);
        post(2, 400);
        post(3, 200);
        vm.warp(20_001 days);
        settlement.claimVoucher(2, 400);
        settlement.claimVoucher(3, 200);
        eq(person(3).balance, 100 * UNIT, "what is left of the day");
        vm.expectRevert(abi.encodeWithSelector(Roles.OverDailyCap.selector, 600, 500));
        settlement.claimVoucher(3, 200);
        settle(1, 450, Trees.entry(1, 450));
        vm.warp(20_002 days);
        vm.expectRevert(abi.encodeWithSelector(Books.Insolvent.selector, 1050, 1000 * UNIT));
        settlement.claimVoucher(3, 200);
        vault.deposit{value: 50 * UNIT}(person(1));
        settlement.claimVoucher(3, 200);
        eq(person(3).balance, 200 * UNIT, "the rest");
        eq(settlement.committed(), 1050, "to the last unit");
    }

    /// Left out of every batch for long: the newest voucher alone names more than two days' caps.
    function test_a_voucher_above_the_daily_cap_is_paid_day_by_day() public {
        vault.deposit{value: 1000 * UNIT}(person(1));
        vm.warp(20_000 days);
        post(2, 1200);
        for (uint64 day = 1; day <= 3; ++day) {
            vm.warp((20_000 + day) * 1 days);
            uint64 part = day < 3 ? 500 : 200;
            uint64 sum = day < 3 ? 500 * day : 1200;
            vm.expectEmit(address(settlement));
            emit Books.Claimed(2, person(2), part, part * UNIT);
            settlement.claimVoucher(2, 1200);
            eq(settlement.claimed(2), sum, "claimed");
            eq(settlement.committed(), sum, "declared as far as it is paid");
            vm.expectRevert(
                day < 3
                    ? abi.encodeWithSelector(Roles.OverDailyCap.selector, 1700 - sum, 500)
                    : abi.encodeWithSelector(Books.NothingToClaim.selector, 2)
            );
            settlement.claimVoucher(2, 1200);
        }
        eq(person(2).balance, 1200 * UNIT, "all of it");
        bytes memory entries = Trees.entry(2, 1200);
        vm.warp(20_004 days);
        settle(1, 500, entries);
        pass(DELAY);
        vm.expectEmit(address(settlement));
        emit Books.Released(2, 500);
        claim(1, entries, 0);
        eq(settlement.committed(), 1200, "declared once, as far as the batch declared it");
    }

    /// The cap is one for all vouchers: a payee that takes its day by day holds others up, and no
    /// more than that. A cap lowered under what was used leaves nothing of that day.
    function test_others_use_of_the_cap_delays_and_takes_nothing() public {
        vm.warp(20_000 days);
        post(2, 450);
        post(3, 100);
        vm.warp(20_001 days);
        settlement.claimVoucher(2, 450);
        settlement.claimVoucher(3, 100);
        eq(person(3).balance, 50 * UNIT, "a part");
        post(2, 550);
        vm.prank(address(settlement.admin()));
        settlement.setDailyCap(40);
        vm.warp(20_002 days - 1);
        vm.expectRevert(abi.encodeWithSelector(Roles.OverDailyCap.selector, 550, 40));
        settlement.claimVoucher(3, 100);
        vm.warp(20_002 days);
        settlement.claimVoucher(2, 550);
        vm.warp(20_003 days);
        settlement.claimVoucher(3, 100);
        vm.warp(20_004 days);
        settlement.claimVoucher(3, 100);
        eq(person(3).balance, 100 * UNIT, "two days later all of it");
    }

    /// The same 100 units listed by a batch and signed: paid once, declared once in the end.
    function test_batch_first_then_voucher() public {
        bytes memory entries = bytes.concat(Trees.entry(2, 100), Trees.entry(3, 50));
        settle(1, 150, entries);
        post(2, 100);
        pass(DELAY);
        settlement.claimVoucher(2, 100);
        eq(settlement.committed(), 250, "declared by both");
        vm.expectEmit(address(settlement));
        emit Books.Released(2, 100);
        claim(1, entries, 0);
        eq(person(2).balance, 100 * UNIT, "paid once");
        eq(settlement.committed(), 150, "declared once");
        claimReverts(abi.encodeWithSelector(Books.NothingToClaim.selector, 2), 1, entries, 0);
        claim(1, entries, 1);
        eq(settlement.paid(), 150, "nobody is short");
    }

    function test_voucher_first_then_a_higher_batch() public {
        post(2, 60);
        pass(DELAY);
        settlement.claimVoucher(2, 60);
        bytes memory entries = bytes.concat(Trees.entry(2, 40), Trees.entry(2, 100));
        settle(1, 100, entries);
        pass(DELAY);
        claim(1, entries, 0);
        eq(settlement.committed(), 120, "40 of the voucher's 60 were listed");
        claim(1, entries, 1);
        eq(settlement.committed(), 100, "then the other 20");
        eq(settlement.paid(), 100, "paid");
        eq(person(2).balance, 100 * UNIT, "and no more");
    }

    /// A batch that lists a voucher's units without declaring them frees nothing that was paid.
    function test_a_release_never_undercuts_what_was_paid() public {
        post(2, 60);
        pass(DELAY);
        settlement.claimVoucher(2, 60);
        bytes memory entries = Trees.entry(2, 60);
        settle(1, 0, entries);
        pass(DELAY);
        claimReverts(abi.encodeWithSelector(Books.NothingToClaim.selector, 2), 1, entries, 0);
        eq(settlement.committed(), 60, "committed");
        eq(settlement.paid(), 60, "paid");
    }

    function test_a_payee_that_calls_back_gets_nothing_more() public {
        Reenterer thief = new Reenterer();
        uint32 id = vault.register(address(thief));
        bytes memory entries = Trees.entry(id, 10);
        settle(1, 100, entries);
        post(id, 10);
        pass(DELAY);
        bytes memory chunk = Trees.chunk(entries, 0);
        thief.arm(
            settlement, abi.encodeCall(Payouts.claimPayout, (1, chunk, 0, new bytes32[](0)))
        );
        settlement.claimVoucher(id, 10);
        eq(thief.tries(), 1, "it did call back");
        eq(address(thief).balance, 10 * UNIT, "paid once");
    }

    /// Two ways, any figures, any order: each id gets the highest figure once.
    function testFuzz_two_ways_never_pay_twice(uint8[6] calldata figures, uint8 order) public {
        uint48 most;
        uint64 listed;
        uint64 epoch;
        bytes[7] memory batches;
        for (uint256 i = 0; i < 6; ++i) {
            uint48 units = uint48(figures[i]) + 1;
            if (units > most) most = units;
            if (order & (1 << i) != 0) {
                (bool ok,) = address(settlement).call(
                    abi.encodeCall(
                        Vouchers.postVoucher, (2, units, NEVER, signed(SIGNER_KEY, 2, units, NEVER))
                    )
                );
                ok;
            } else {
                batches[++epoch] = Trees.entry(2, units);
                uint64 more = units > listed ? units - listed : 0;
                settle(epoch, more, batches[epoch]);
                listed += more;
            }
        }
        pass(1 days);
        for (uint256 k = 0; k < 12; ++k) {
            uint256 i = (k + order) % 6;
            if (order & (1 << i) != 0) {
                try settlement.claimVoucher(2, uint48(figures[i]) + 1) {} catch {}
            } else {
                uint64 e = uint64(1 + i % epoch);
                try this.outside(e, batches[e]) {} catch {}
            }
        }
        for (uint64 e = 1; e <= epoch; ++e) try this.outside(e, batches[e]) {} catch {}
        eq(person(2).balance, uint256(most) * UNIT, "the highest figure, once");
        eq(settlement.paid(), most, "paid");
        require(settlement.committed() >= most, "committed");
        if (listed == most) eq(settlement.committed(), most, "declared once in the end");
    }

    function outside(uint64 epoch, bytes calldata entries) external {
        claim(epoch, entries, 0);
    }
}
