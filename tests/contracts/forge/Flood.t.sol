// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, Trees, vm} from "./Base.sol";
import {Books} from "contracts/Books.sol";
import {Exit} from "contracts/Exit.sol";

/// Thousands of voided batches: a thief with the guardian's key voids all that a busy gateway
/// settles, or an honest guardian all that a robbed settler's key has settled.
contract FloodTest is Base {
    uint64 internal constant SILENCE = 7 days;
    /// What EIP-7825 gives a transaction, less its own 21,000 and its calldata.
    uint256 internal constant GAS = 16_777_216 - 22_000;

    function setUp() public override {
        super.setUp();
        people(2);
        vault.deposit{value: 1000 * UNIT}(person(1));
    }

    /// One batch that stands, then so many void ones, one each second; the silence is over.
    function flood(uint64 voids) internal returns (uint64 life) {
        bytes memory entries = Trees.spent(1, 10);
        settle(1, 0, entries);
        life = uint64(block.timestamp) + DELAY;
        for (uint64 epoch = 2; epoch < voids + 2; ++epoch) {
            pass(1);
            settle(epoch, 0, entries);
            vm.prank(GUARDIAN);
            settlement.voidRoot(epoch);
        }
        vm.warp(life + SILENCE);
    }

    /// As a transaction of its own: no slot is warm, and no more gas than one may have.
    function within(bytes memory call) internal returns (bool ok) {
        vm.cool(address(settlement));
        (ok,) = address(settlement).call{gas: GAS}(call);
    }

    function begin() internal returns (bool) {
        return within(abi.encodeCall(Exit.beginExit, ()));
    }

    function test_five_thousand_voided_batches_keep_nobody_in() public {
        flood(5000);
        require(begin(), "one transaction is enough");
        pass(3 days);
        settlement.exit(1);
        eq(person(1).balance, 1000 * UNIT, "out");
    }

    function test_however_many_were_voided_the_search_goes_on_where_it_was() public {
        uint64 life = flood(8000);
        require(!begin(), "else this test tests nothing");
        for (uint64 epoch = 2000; epoch <= 8000; epoch += 3000) {
            require(within(abi.encodeCall(Exit.advance, (epoch))), "a step fits");
            eq(settlement.searched(), epoch, "kept");
            eq(settlement.lifeAt(), life, "the one that stands");
        }
        vm.warp(life + SILENCE - 1);
        vm.expectRevert(abi.encodeWithSelector(Exit.NotSilent.selector, life + SILENCE));
        settlement.beginExit();
        vm.warp(life + SILENCE);
        require(begin(), "what is left fits");
    }

    function test_only_what_can_no_longer_change_is_kept() public {
        settle(1, 0, Trees.entry(2, 0));
        uint256 ripe = block.timestamp + DELAY;
        vm.warp(ripe - 1);
        vm.expectRevert(abi.encodeWithSelector(Books.TooEarly.selector, ripe));
        settlement.advance(1);
        vm.expectRevert(abi.encodeWithSelector(Books.UnknownEpoch.selector, 2));
        settlement.advance(2);
        vm.warp(ripe);
        vm.prank(STRANGER);
        settlement.advance(1);
        settlement.advance(0);
        settlement.advance(1);
        eq(settlement.searched(), 1, "never back");
        eq(settlement.lifeAt(), ripe, "when it became claimable");
    }

    /// Any batches, any of them voided, any steps between: the exit begins exactly when the last
    /// standing and ripe batch, found one by one, is a silence old.
    function testFuzz_the_silence_counts_from_the_last_that_stands(
        uint32[16] calldata gaps,
        uint16 voided,
        uint16 steps
    ) public {
        uint256 life = block.timestamp;
        uint256[17] memory ripe;
        for (uint64 epoch = 1; epoch <= 16; ++epoch) {
            pass(gaps[epoch - 1] % (2 * DELAY));
            settle(epoch, 0, Trees.entry(2, 0));
            ripe[epoch] = block.timestamp + DELAY;
            if (voided & (1 << (epoch - 1)) != 0) {
                vm.prank(GUARDIAN);
                settlement.voidRoot(epoch);
                ripe[epoch] = 0;
            }
            if (steps & (1 << (epoch - 1)) == 0) continue;
            uint64 to = uint64(1 + gaps[epoch - 1] % epoch);
            try settlement.advance(to) {} catch {}
        }
        for (uint256 epoch = 1; epoch <= 16; ++epoch) {
            if (ripe[epoch] != 0 && ripe[epoch] <= block.timestamp) life = ripe[epoch];
        }
        vm.expectRevert(abi.encodeWithSelector(Exit.NotSilent.selector, life + SILENCE));
        settlement.beginExit();
    }
}
