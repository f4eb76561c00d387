// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, Trees, vm} from "./Base.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {Books} from "contracts/Books.sol";
import {Roles} from "contracts/Roles.sol";
import {Settlement} from "contracts/Settlement.sol";
import {Stake} from "contracts/Stake.sol";
import {Vault} from "contracts/Vault.sol";

/// A staker that tries to be paid twice.
contract Greedy {
    Vault private vault;
    uint256 public tries;

    constructor(Vault vault_) {
        vault = vault_;
    }

    function unbond(uint256 amount) external {
        vault.unbond(amount);
    }

    function claim() external {
        vault.claim();
    }

    receive() external payable {
        ++tries;
        try vault.claim() {} catch {}
    }
}

contract StakeTest is Base {
    bytes32 internal constant PROOF = keccak256("what happened");
    uint256 internal constant UNBONDING = 10 days;
    uint256 internal constant APPEAL = 4 days;
    address internal provider = person(9);

    function setUp() public override {
        super.setUp();
        people(4);
        vault.deposit{value: 1000 ether}(person(1));
        vault.lock{value: 100 ether}(provider);
    }

    function lockOf() internal view returns (address) {
        return address(settlement.admin());
    }

    function sanction(uint256 amount) internal {
        vm.prank(lockOf());
        vault.sanction(provider, amount, PROOF);
    }

    function unbond(uint256 amount) internal {
        vm.prank(provider);
        vault.unbond(amount);
    }

    function claimReverts(bytes memory why) internal {
        vm.prank(provider);
        vm.expectRevert(why);
        vault.claim();
    }

    function standing(uint256 locked, uint256 leaving, uint256 sanctioned) internal view {
        eq(vault.lockupOf(provider), locked, "lockup");
        eq(vault.unbondingOf(provider), leaving, "unbonding");
        eq(vault.sanctionOf(provider), sanctioned, "sanctioned");
        eq(vault.totalStaked(), locked + leaving + sanctioned, "total");
    }

    function test_lock_unbond_wait_claim() public {
        vm.expectEmit(address(vault));
        emit Stake.Locked(provider, 5);
        vault.lock{value: 5}(provider);
        standing(100 ether + 5, 0, 0);
        vm.expectEmit(address(vault));
        emit Stake.Unbonded(provider, 30 ether);
        unbond(30 ether);
        standing(70 ether + 5, 30 ether, 0);
        uint256 until = block.timestamp + UNBONDING;
        vm.warp(until - 1);
        claimReverts(abi.encodeWithSelector(Stake.StillUnbonding.selector, until));
        vm.warp(until);
        vm.expectEmit(address(vault));
        emit Stake.Claimed(provider, 30 ether);
        vm.prank(provider);
        vault.claim();
        eq(provider.balance, 30 ether, "paid out directly");
        standing(70 ether + 5, 0, 0);
        claimReverts(abi.encodeWithSelector(Stake.ZeroStake.selector));
        eq(address(vault).balance, 1070 ether + 5, "the deposits are untouched");
    }

    function test_more_unbonding_waits_anew_and_can_be_cancelled() public {
        unbond(10 ether);
        pass(UNBONDING - 1);
        unbond(1 ether);
        pass(1);
        uint256 until = block.timestamp - 1 + UNBONDING;
        claimReverts(abi.encodeWithSelector(Stake.StillUnbonding.selector, until));
        vm.expectEmit(address(vault));
        emit Stake.UnbondingCanceled(provider, 11 ether);
        vm.prank(provider);
        vault.cancelUnbonding();
        standing(100 ether, 0, 0);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(Stake.ZeroStake.selector));
        vault.cancelUnbonding();
    }

    function test_nobody_takes_out_what_is_not_theirs() public {
        bytes4 why = Stake.TooLittleStake.selector;
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(why, STRANGER, 1, 0));
        vault.unbond(1);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(why, provider, 100 ether + 1, 100 ether));
        vault.unbond(100 ether + 1);
        vm.expectRevert(abi.encodeWithSelector(Stake.ZeroStake.selector));
        vault.unbond(0);
        vm.expectRevert(abi.encodeWithSelector(Stake.ZeroStake.selector));
        vault.lock(provider);
        vm.expectRevert(abi.encodeWithSelector(Stake.ZeroStake.selector));
        vault.lock{value: 1}(address(0));
    }

    function test_a_staker_that_calls_back_is_paid_once() public {
        Greedy greedy = new Greedy(vault);
        vault.lock{value: 3 ether}(address(greedy));
        greedy.unbond(2 ether);
        pass(UNBONDING);
        greedy.claim();
        eq(greedy.tries(), 1, "it did call back");
        eq(address(greedy).balance, 2 ether, "once");
    }

    function test_a_sanction_reaches_what_unbonds_first() public {
        unbond(30 ether);
        vm.expectEmit(address(vault));
        emit Stake.Sanctioned(provider, 50 ether);
        vm.expectEmit(address(vault));
        emit Stake.SanctionEvidence(provider, PROOF, uint64(block.timestamp + APPEAL));
        sanction(50 ether);
        standing(50 ether, 0, 50 ether);
        pass(UNBONDING);
        claimReverts(abi.encodeWithSelector(Stake.ZeroStake.selector));
        vm.prank(lockOf());
        vm.expectRevert(abi.encodeWithSelector(Stake.NoEvidence.selector));
        vault.sanction(provider, 1, 0);
        sanction(51 ether);
        standing(0, 0, 100 ether);
        vm.prank(lockOf());
        vm.expectRevert(
            abi.encodeWithSelector(Stake.TooLittleStake.selector, provider, 1, 0)
        );
        vault.sanction(provider, 1, PROOF);
    }

    function test_the_guardian_waives_within_the_appeal_only() public {
        sanction(50 ether);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(Stake.MayNotWaive.selector, STRANGER));
        vault.waive(provider, 1);
        vm.expectEmit(address(vault));
        emit Stake.Waived(provider, 20 ether);
        vm.prank(GUARDIAN);
        vault.waive(provider, 20 ether);
        standing(70 ether, 0, 30 ether);
        pass(APPEAL);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(Stake.MayNotWaive.selector, GUARDIAN));
        vault.waive(provider, 1);
        vm.prank(lockOf());
        vault.waive(provider, 10 ether);
        standing(80 ether, 0, 20 ether);
        vm.prank(lockOf());
        vm.expectRevert(
            abi.encodeWithSelector(Stake.TooLittleStake.selector, provider, 21 ether, 20 ether)
        );
        vault.waive(provider, 21 ether);
    }

    function test_whoever_was_harmed_is_paid_after_the_appeal() public {
        sanction(50 ether);
        uint256 until = block.timestamp + APPEAL;
        vm.prank(lockOf());
        vm.expectRevert(abi.encodeWithSelector(Stake.AppealOpen.selector, until));
        vault.withdrawSanctionOf(provider, 50 ether, STRANGER);
        vm.warp(until);
        vm.prank(lockOf());
        vault.withdrawSanctionOf(provider, 50 ether, STRANGER);
        eq(STRANGER.balance, 50 ether, "paid");
        standing(50 ether, 0, 0);
    }

    function testFuzz_nobody_else_sanctions_or_takes(address who) public {
        vm.assume(who != lockOf());
        sanction(10 ether);
        pass(APPEAL);
        vm.prank(who);
        vm.expectRevert(abi.encodeWithSelector(Stake.NotStakeAdmin.selector, who));
        vault.sanction(provider, 1, PROOF);
        vm.prank(who);
        vm.expectRevert(abi.encodeWithSelector(Stake.NotStakeAdmin.selector, who));
        vault.withdrawSanctionOf(provider, 1, who);
        vm.prank(who);
        vm.expectRevert(abi.encodeWithSelector(Stake.MayNotWaive.selector, who));
        vault.waive(provider, 1);
    }

    /// The pool's coins are counted, not the vault's balance: stake covers no payout.
    function test_payouts_never_touch_the_stake() public {
        vm.prank(address(settlement));
        vm.expectRevert(
            abi.encodeWithSelector(Vault.PoolExceeded.selector, 1000 ether + 1, 1000 ether)
        );
        vault.payOut(1, 1000 ether + 1);
        vm.prank(address(settlement));
        vault.payOut(1, 1000 ether);
        vm.prank(address(settlement));
        vm.expectRevert(abi.encodeWithSelector(Vault.PoolExceeded.selector, 1, 0));
        vault.payOut(1, 1);
        eq(address(vault).balance, 100 ether, "the stake is left");
    }

    function test_unbonding_must_outlast_the_announcement() public {
        Roles.Config memory c = config();
        c.unbonding = c.adminDelay;
        vm.expectRevert(abi.encodeWithSelector(Books.UnbondingTooShort.selector, c.unbonding));
        new Settlement(c);
    }

    /// A deployment whose unbonding lasts one second longer than an announcement: no less is
    /// allowed. The stake is the provider's 100 ether.
    function tightest() internal returns (TimelockController lock) {
        Roles.Config memory c = config();
        c.unbonding = c.adminDelay + 1;
        settlement = new Settlement(c);
        vault = settlement.vault();
        vault.lock{value: 100 ether}(provider);
        lock = settlement.admin();
    }

    function blame() internal view returns (bytes memory) {
        return abi.encodeCall(Stake.sanction, (provider, 100 ether, PROOF));
    }

    /// The race: the provider sees the announcement in the same block and unbonds at once.
    function test_an_announced_sanction_cannot_be_outrun() public {
        TimelockController lock = tightest();
        vm.prank(ADMIN);
        lock.schedule(address(vault), 0, blame(), 0, 0, 2 days);
        unbond(100 ether);
        uint256 until = block.timestamp + 2 days + 1;
        vm.warp(until - 1);
        claimReverts(abi.encodeWithSelector(Stake.StillUnbonding.selector, until));
        vm.prank(STRANGER);
        lock.execute(address(vault), 0, blame(), 0, 0);
        standing(0, 0, 100 ether);
        vm.warp(until);
        claimReverts(abi.encodeWithSelector(Stake.ZeroStake.selector));
    }

    /// What had unbonded before can still be taken out; that neither saves the rest, which is
    /// unbonded at once, nor makes the sanction fail, which names more than is left.
    function test_what_had_unbonded_can_leave_and_the_rest_cannot() public {
        TimelockController lock = tightest();
        unbond(30 ether);
        pass(2 days + 1);
        vm.prank(ADMIN);
        lock.schedule(address(vault), 0, blame(), 0, 0, 2 days);
        vm.prank(provider);
        vault.claim();
        eq(provider.balance, 30 ether, "it was no longer locked");
        unbond(70 ether);
        pass(2 days);
        vm.expectEmit(address(vault));
        emit Stake.Sanctioned(provider, 70 ether);
        lock.execute(address(vault), 0, blame(), 0, 0);
        standing(0, 0, 70 ether);
    }

    /// Any order of moves: the stake's parts add up and the deposits stay.
    function testFuzz_stake_adds_up(uint8[16] calldata moves, uint64[16] calldata amounts) public {
        for (uint256 i = 0; i < 16; ++i) {
            uint256 move = moves[i] % 7;
            uint256 amount = amounts[i];
            if (move == 0 && amount > 0) {
                vault.lock{value: amount}(provider);
            } else if (move < 4) {
                vm.prank(provider);
                if (move == 1) try vault.unbond(amount) {} catch {}
                else if (move == 2) try vault.claim() {} catch {}
                else try vault.cancelUnbonding() {} catch {}
            } else {
                vm.prank(lockOf());
                if (move == 4) try vault.sanction(provider, amount, PROOF) {} catch {}
                else if (move == 5) try vault.waive(provider, amount) {} catch {}
                else try vault.withdrawSanctionOf(provider, amount, person(8)) {} catch {}
            }
            pass(amounts[i] % 6 days);
        }
        uint256 parts = vault.lockupOf(provider) + vault.unbondingOf(provider)
            + vault.sanctionOf(provider);
        eq(vault.totalStaked(), parts, "parts");
        eq(address(vault).balance, 1000 ether + parts, "the pools do not mix");
    }
}
