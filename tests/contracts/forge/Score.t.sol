// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, Trees, vm} from "./Base.sol";
import {Scores} from "contracts/Scores.sol";

contract ScoreTest is Base {
    Scores.Score internal a = Scores.Score(person(1), 90, 5, 5, 947_000, 1, keccak256("a"));
    Scores.Score internal b = Scores.Score(person(2), 10, 0, 1, 880_000, 1, keccak256("b"));

    function setUp() public override {
        super.setUp();
        people(2);
    }

    function leaf(Scores.Score memory s) internal pure returns (bytes32) {
        bytes memory who = abi.encode(s.provider, s.accepted, s.rejected, s.expired);
        bytes memory what = abi.encode(s.score, s.epoch, s.eventsRoot);
        return keccak256(bytes.concat(keccak256(bytes.concat(who, what))));
    }

    function close(uint64 epoch, bytes32 root) internal {
        vm.prank(SETTLER, SETTLER);
        settlement.settle(epoch, 0, root, LOG, Trees.entry(1, 0));
    }

    function proofOf(Scores.Score memory other) internal pure returns (bytes32[] memory proof) {
        proof = new bytes32[](1);
        proof[0] = leaf(other);
    }

    function holds(Scores.Score memory s, Scores.Score memory other) internal view returns (bool) {
        return settlement.verifyScore(1, s, proofOf(other));
    }

    function test_a_score_is_verified_once_its_batch_stands() public {
        close(1, Trees.pair(leaf(a), leaf(b)));
        require(!holds(a, b), "not while it can be voided");
        pass(DELAY);
        require(holds(a, b) && holds(b, a), "both leaves");
        require(!settlement.verifyScore(1, a, new bytes32[](0)), "without its proof");
        require(!settlement.verifyScore(2, a, proofOf(b)), "in another epoch");
        eq(
            bytes32(settlement.scoresOf(1)), bytes32(bytes20(Trees.pair(leaf(a), leaf(b)))), "kept"
        );
    }

    function test_one_leaf_alone_is_a_root() public {
        close(1, leaf(a));
        pass(DELAY);
        require(settlement.verifyScore(1, a, new bytes32[](0)), "its own root");
    }

    function test_a_voided_batch_has_no_scores() public {
        close(1, Trees.pair(leaf(a), leaf(b)));
        vm.prank(GUARDIAN);
        settlement.voidRoot(1);
        pass(DELAY);
        require(!holds(a, b), "voided");
    }

    function test_an_epoch_without_scores_proves_nothing() public {
        close(1, 0);
        pass(DELAY);
        require(!holds(a, b), "no score root");
    }

    /// A leaf of one epoch is none of another, though its hash is in the tree.
    function test_a_leaf_names_its_epoch() public {
        close(1, 0);
        close(2, Trees.pair(leaf(a), leaf(b)));
        pass(DELAY);
        require(!settlement.verifyScore(2, a, proofOf(b)), "an old score in a new epoch");
    }

    function testFuzz_any_change_is_seen(uint8 field, uint64 by) public {
        vm.assume(by != 0);
        close(1, Trees.pair(leaf(a), leaf(b)));
        pass(DELAY);
        Scores.Score memory s = a;
        uint256 which = field % 7;
        if (which == 0) s.provider = address(uint160(s.provider) ^ uint160(by));
        else if (which == 1) s.accepted ^= by;
        else if (which == 2) s.rejected ^= by;
        else if (which == 3) s.expired ^= by;
        else if (which == 4) s.score ^= uint32(by | 1);
        else if (which == 5) s.epoch ^= by;
        else s.eventsRoot ^= bytes32(uint256(by));
        require(!holds(s, b), "another leaf");
        require(holds(a, b), "the leaf itself");
    }
}
