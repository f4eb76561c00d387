// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, Trees, vm} from "./Base.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {Exit} from "contracts/Exit.sol";
import {Roles} from "contracts/Roles.sol";
import {Settlement} from "contracts/Settlement.sol";

/// The settler's key is stolen, and everybody does what docs/operate.md says: the guardian
/// dismisses the key and voids all that is not ripe, honest batches among it, and the admin names
/// another settler. Whether a stranger can begin the exit before that one's first batch is ripe is
/// a matter of the waits alone; relayer/terms.c takes no others than those that hold here.
contract TheftTest is Base {
    /// A deployment of these waits, and one batch that is ripe.
    function deployWith(uint64 delay, uint64 adminDelay, uint64 silence) internal {
        Roles.Config memory c = config();
        c.delay = delay;
        c.adminDelay = adminDelay;
        c.silence = silence;
        c.window = delay + 1;
        c.unbonding = adminDelay + 1;
        settlement = new Settlement(c);
        vault = settlement.vault();
        people(9);
        settle(1, 0, Trees.entry(4, 0));
        pass(delay);
    }

    /// The thief lists itself; at the last moment the guardian does its part.
    function rob(uint64 delay) internal {
        settle(2, 0, Trees.entry(9, 0));
        pass(delay - 1);
        vm.prank(GUARDIAN);
        settlement.dismiss(SETTLER);
        vm.prank(GUARDIAN);
        settlement.voidRoots(1, type(uint64).max);
    }

    function announce(uint64 wait) internal {
        TimelockController lock = settlement.admin();
        bytes memory call = abi.encodeCall(Roles.setSettler, (SETTLER));
        vm.prank(ADMIN);
        lock.schedule(address(settlement), 0, call, 0, 0, wait);
        pass(wait);
        lock.execute(address(settlement), 0, call, 0, 0);
    }

    function shut(uint256 until) internal {
        vm.expectRevert(abi.encodeWithSelector(Exit.NotSilent.selector, until));
        vm.prank(STRANGER);
        settlement.beginExit();
    }

    /// Robbed when the relayer's next sign of life is just due (relayer/facts.c: a quarter of what
    /// silence leaves), and the admin takes half its own wait to announce.
    function held(uint64 delay, uint64 adminDelay, uint64 silence) internal {
        uint256 life = block.timestamp;
        pass((silence - delay) / 4 - delay);
        rob(delay);
        pass(adminDelay / 2);
        announce(adminDelay);
        shut(life + silence);
        settle(3, 0, Trees.entry(4, 0));
        pass(delay - 1);
        shut(life + silence);
        pass(1);
        shut(block.timestamp + silence);
    }

    function test_a_theft_handled_as_documented_ends_nothing() public {
        deployWith(1 days, 7 days, 21 days);
        held(1 days, 7 days, 21 days);
    }

    /// The least silence that `ogpu-relayer deploy` takes. (Where the admin waits for less than two
    /// delays, the relayer's beat is shorter than a delay, and what was ripe is younger than here.)
    function testFuzz_nor_with_the_least_silence(uint64 delay, uint64 adminDelay) public {
        delay = 1 + delay % 30 days;
        adminDelay = 2 * delay + adminDelay % 100 days;
        uint64 silence = 2 * adminDelay + delay + 1;
        deployWith(delay, adminDelay, silence);
        held(delay, adminDelay, silence);
    }

    /// Both of a week, as they once were where nothing was said: the gateway's end, though its last
    /// batch became ripe in the very second of the theft and nobody lost any time.
    function test_a_silence_of_the_admins_wait_ends_the_gateway() public {
        deployWith(1 days, 7 days, 7 days);
        rob(1 days);
        announce(7 days);
        settle(3, 0, Trees.entry(4, 0));
        vm.prank(STRANGER);
        settlement.beginExit();
        require(settlement.exitAt() > 0, "for good");
    }
}
