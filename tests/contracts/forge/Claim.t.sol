// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, Trees, vm} from "./Base.sol";
import {Reenterer, Refuser} from "./Payees.sol";
import {Books} from "contracts/Books.sol";
import {Entries} from "contracts/Entries.sol";
import {Payouts} from "contracts/Payouts.sol";

contract ClaimTest is Base {
    function setUp() public override {
        super.setUp();
        people(40);
        vault.deposit{value: 1e9 * UNIT}(person(1));
    }

    function nothing(uint32 id) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(Books.NothingToClaim.selector, id);
    }

    function test_a_stranger_claims_for_the_payee() public {
        bytes memory entries = Trees.entry(5, 123);
        settle(1, 123, entries);
        pass(DELAY);
        vm.expectEmit(address(settlement));
        emit Books.Claimed(5, person(5), 123, 123 * UNIT);
        claim(1, entries, 0);
        eq(person(5).balance, 123 * UNIT, "the payee is paid");
        eq(STRANGER.balance, 0, "the caller is not");
        eq(settlement.claimed(5), 123, "claimed");
        eq(settlement.paid(), 123, "paid");
        eq(address(vault).balance, (1e9 - 123) * UNIT, "the pool pays");
    }

    function test_not_a_second_early() public {
        bytes memory entries = Trees.entry(5, 1);
        settle(1, 1, entries);
        uint256 ripe = block.timestamp + DELAY;
        bytes memory why = abi.encodeWithSelector(Books.TooEarly.selector, ripe);
        claimReverts(why, 1, entries, 0);
        vm.warp(ripe - 1);
        claimReverts(why, 1, entries, 0);
        vm.warp(ripe);
        claim(1, entries, 0);
    }

    function test_a_second_claim_pays_nothing() public {
        bytes memory entries = Trees.entry(5, 10);
        settle(1, 10, entries);
        pass(DELAY);
        claim(1, entries, 0);
        claimReverts(nothing(5), 1, entries, 0);
        eq(person(5).balance, 10 * UNIT, "paid once");
    }

    function test_counters_are_cumulative_over_epochs() public {
        bytes memory first = Trees.entry(5, 10);
        bytes memory second = Trees.entry(5, 25);
        bytes memory third = Trees.entry(6, 1);
        settle(1, 10, first);
        settle(2, 15, second);
        settle(3, 1, third);
        pass(DELAY);
        claim(2, second, 0);
        eq(person(5).balance, 25 * UNIT, "the later root pays all");
        claimReverts(nothing(5), 1, first, 0);
        claim(3, third, 0);
    }

    function test_every_root_is_kept() public {
        bytes memory first = Trees.entry(5, 10);
        settle(1, 10, first);
        for (uint64 epoch = 2; epoch <= 50; ++epoch) {
            settle(epoch, 1, Trees.entry(6, uint48(epoch)));
        }
        pass(DELAY);
        claim(1, first, 0);
        eq(person(5).balance, 10 * UNIT, "root 1 after root 50");
    }

    function test_a_counter_that_falls_pays_nothing() public {
        bytes memory first = Trees.entry(5, 10);
        bytes memory lower = Trees.entry(5, 9);
        settle(1, 10, first);
        settle(2, 0, lower);
        pass(DELAY);
        claim(1, first, 0);
        claimReverts(nothing(5), 2, lower, 0);
        eq(settlement.claimed(5), 10, "claimed never falls");
    }

    function test_spent_entries_and_padding_pay_nothing() public {
        bytes memory entries = bytes.concat(Trees.spent(5, 10), Trees.entry(6, 1));
        settle(1, 1, entries);
        pass(DELAY);
        bytes4 why = Payouts.NotEarned.selector;
        claimReverts(abi.encodeWithSelector(why, 0x80000005), 1, entries, 0);
        claimReverts(abi.encodeWithSelector(why, 0), 1, entries, 2);
        claimReverts(abi.encodeWithSelector(why, 0), 1, entries, 15);
        eq(settlement.paid(), 0, "nothing was paid");
    }

    function test_spent_and_earned_of_one_id_do_not_mix() public {
        bytes memory entries = bytes.concat(Trees.entry(5, 4), Trees.spent(5, 1000));
        settle(1, 4, entries);
        pass(DELAY);
        claim(1, entries, 0);
        eq(person(5).balance, 4 * UNIT, "only what was earned");
    }

    function test_wrong_epoch_index_chunk_and_proof() public {
        bytes memory entries;
        for (uint32 i = 1; i <= 40; ++i) entries = bytes.concat(entries, Trees.entry(i, i));
        settle(1, 820, entries);
        pass(DELAY);
        bytes memory chunk = Trees.chunk(entries, 1);
        bytes32[] memory proof = Trees.proof(entries, 1);
        vm.expectRevert(abi.encodeWithSelector(Books.UnknownEpoch.selector, 0));
        settlement.claimPayout(0, chunk, 0, proof);
        vm.expectRevert(abi.encodeWithSelector(Books.UnknownEpoch.selector, 2));
        settlement.claimPayout(2, chunk, 0, proof);
        vm.expectRevert(abi.encodeWithSelector(Entries.BadIndex.selector, 16));
        settlement.claimPayout(1, chunk, 16, proof);
        vm.expectRevert(abi.encodeWithSelector(Entries.BadIndex.selector, 255));
        settlement.claimPayout(1, chunk, 255, proof);
        bytes32[] memory other = Trees.proof(entries, 2);
        vm.expectRevert(abi.encodeWithSelector(Books.BadProof.selector));
        settlement.claimPayout(1, chunk, 0, other);
        vm.expectRevert(abi.encodeWithSelector(Books.BadProof.selector));
        settlement.claimPayout(1, chunk, 0, new bytes32[](0));
        chunk[9] = 0xff;
        vm.expectRevert(abi.encodeWithSelector(Books.BadProof.selector));
        settlement.claimPayout(1, chunk, 0, proof);
        eq(settlement.paid(), 0, "nothing was paid");
    }

    /// Two leaves' hashes in order are an inner node's preimage: 64 bytes that hash to the root.
    function test_an_inner_node_is_no_chunk() public {
        bytes memory entries;
        for (uint32 i = 1; i <= 32; ++i) entries = bytes.concat(entries, Trees.entry(i, 1));
        settle(1, 32, entries);
        pass(DELAY);
        bytes32[] memory tree = Trees.heap(entries);
        (bytes32 a, bytes32 b) = tree[1] < tree[2] ? (tree[1], tree[2]) : (tree[2], tree[1]);
        eq(keccak256(abi.encode(a, b)), tree[0], "it does hash to the root");
        vm.expectRevert(abi.encodeWithSelector(Entries.BadChunk.selector, 64));
        settlement.claimPayout(1, abi.encode(a, b), 0, new bytes32[](0));
        vm.expectRevert(abi.encodeWithSelector(Entries.BadChunk.selector, 0));
        settlement.claimPayout(1, "", 0, new bytes32[](0));
    }

    function test_the_largest_counter_is_paid_to_the_wei() public {
        uint48 most = type(uint48).max;
        vault.deposit{value: uint256(most) * UNIT}(person(2));
        bytes memory entries = bytes.concat(Trees.entry(5, most - 1), Trees.entry(5, most));
        settle(1, most, entries);
        pass(DELAY);
        claim(1, entries, 0);
        claim(1, entries, 1);
        eq(person(5).balance, uint256(most) * UNIT, "2^48 - 1 units");
        claimReverts(nothing(5), 1, entries, 1);
    }

    function test_a_payee_that_reverts_harms_only_itself() public {
        uint32 id = vault.register(address(new Refuser()));
        bytes memory entries = bytes.concat(Trees.entry(id, 10), Trees.entry(5, 10));
        settle(1, 20, entries);
        pass(DELAY);
        claimReverts(abi.encodeWithSelector(Refuser.NoThanks.selector), 1, entries, 0);
        eq(settlement.claimed(id), 0, "its claim stays open");
        claim(1, entries, 1);
        eq(person(5).balance, 10 * UNIT, "the neighbour is paid");
        settle(2, 1, Trees.entry(5, 11));
    }

    function test_a_payee_that_calls_back_gets_nothing_more() public {
        Reenterer thief = new Reenterer();
        uint32 id = vault.register(address(thief));
        bytes memory entries = Trees.entry(id, 10);
        settle(1, 100, entries);
        pass(DELAY);
        bytes memory chunk = Trees.chunk(entries, 0);
        thief.arm(
            settlement,
            abi.encodeCall(Payouts.claimPayout, (1, chunk, 0, new bytes32[](0)))
        );
        claim(1, entries, 0);
        eq(thief.tries(), 1, "it did call back");
        eq(thief.successes(), 0, "in vain");
        eq(keccak256(thief.lastError()), keccak256(nothing(id)), "for the right reason");
        eq(address(thief).balance, 10 * UNIT, "paid once");
    }

    function one(uint64 epoch, bytes memory entries, uint256 position)
        internal
        pure
        returns (Payouts.Claim memory)
    {
        bytes32[] memory proof = Trees.proof(entries, position / 16);
        bytes memory chunk = Trees.chunk(entries, position / 16);
        return Payouts.Claim(chunk, proof, epoch, uint8(position % 16));
    }

    function test_many_claims_at_once_and_bad_ones_harm_nobody() public {
        uint32 id = vault.register(address(new Refuser()));
        bytes memory entries = bytes.concat(Trees.entry(id, 10), Trees.spent(5, 9));
        for (uint32 i = 1; i <= 30; ++i) entries = bytes.concat(entries, Trees.entry(i, i));
        settle(1, 475, entries);
        Payouts.Claim[] memory claims = new Payouts.Claim[](34);
        for (uint256 i = 0; i < 32; ++i) claims[i] = one(1, entries, i);
        claims[32] = one(2, entries, 2);
        claims[33] = one(1, entries, 3);
        eq(settlement.claimPayouts(claims), 0, "not before the delay");
        pass(DELAY);
        vm.prank(STRANGER);
        eq(settlement.claimPayouts(claims), 30, "all but the bad ones");
        for (uint32 i = 1; i <= 30; ++i) eq(person(i).balance, i * UNIT, "each its own");
        eq(settlement.paid(), 465, "and no more");
        eq(settlement.claimed(id), 0, "the refuser's claim stays open");
        eq(settlement.claimPayouts(claims), 0, "once");
    }

    function test_payouts_end_where_the_declarations_end() public {
        bytes memory entries = bytes.concat(Trees.entry(5, 60), Trees.entry(6, 60));
        settle(1, 100, entries);
        pass(DELAY);
        claim(1, entries, 0);
        claimReverts(
            abi.encodeWithSelector(Payouts.Undeclared.selector, 60, 40), 1, entries, 1
        );
        eq(settlement.paid(), 60, "a false declaration opens no more of the pool");
        settle(2, 20, Trees.entry(1, 0));
        claim(1, entries, 1);
    }

    /// Any batch: each earned entry pays its owner exactly, whoever claims and in any order.
    function testFuzz_every_listed_payee_gets_its_own(uint256 seed, uint16 size) public {
        uint32 n = uint32(1 + size % 40);
        bytes memory entries;
        uint64 sum;
        for (uint32 i = 1; i <= n; ++i) {
            uint48 units = 1 + uint48(uint256(keccak256(abi.encode(seed, i))) % 1e7);
            entries = bytes.concat(entries, Trees.entry(i, units));
            sum += units;
        }
        settle(1, sum, entries);
        pass(DELAY);
        for (uint32 k = 0; k < n; ++k) {
            uint32 i = uint32((uint256(k) + seed % n) % n);
            claim(1, entries, i);
            uint256 units = 1 + uint256(keccak256(abi.encode(seed, i + 1))) % 1e7;
            eq(person(i + 1).balance, units * UNIT, "its own units");
        }
        eq(settlement.paid(), sum, "all of it");
        eq(address(vault).balance, (1e9 - sum) * UNIT, "and no more");
    }
}
