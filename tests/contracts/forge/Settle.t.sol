// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, Trees, vm} from "./Base.sol";
import {Books} from "contracts/Books.sol";
import {Roles} from "contracts/Roles.sol";
import {Settlement} from "contracts/Settlement.sol";

/// A settler that would keep a batch's data to itself.
contract Hider {
    function hide(Settlement settlement, bytes calldata call) external {
        (bool ok, bytes memory why) = address(settlement).call(call);
        if (ok) return;
        assembly ("memory-safe") {
            revert(add(why, 32), mload(why))
        }
    }
}

contract SettleTest is Base {
    function setUp() public override {
        super.setUp();
        people(40);
        vault.deposit{value: 1000 * UNIT}(person(1));
    }

    function settleReverts(bytes memory why, uint64 epoch, uint64 increase, bytes memory entries)
        internal
    {
        vm.prank(SETTLER, SETTLER);
        vm.expectRevert(why);
        settlement.settle(epoch, increase, SCORES, LOG, entries);
    }

    function test_deployment_is_wired_for_good() public {
        eq(vault.settlement(), address(settlement), "the vault's settlement");
        eq(settlement.settler(), SETTLER, "settler");
        eq(settlement.delay(), DELAY, "delay");
    }

    function test_event_and_kept_root() public {
        bytes memory entries = bytes.concat(Trees.entry(1, 7), Trees.spent(2, 9));
        bytes32 root = keccak256(Trees.chunk(entries, 0));
        vm.expectEmit(address(settlement));
        emit Settlement.Settled(1, root, 7, SCORES, LOG, 2);
        settle(1, 7, entries);
        (bytes32 kept, uint64 time) = settlement.rootOf(1);
        eq(kept, root, "one chunk: its leaf is the root");
        eq(time, block.timestamp, "time");
        eq(settlement.lastEpoch(), 1, "lastEpoch");
        eq(settlement.committed(), 7, "committed");
    }

    function test_only_the_settler() public {
        vm.expectRevert(abi.encodeWithSelector(Roles.NotSettler.selector, address(this)));
        settlement.settle(1, 0, SCORES, LOG, Trees.entry(1, 1));
    }

    /// A contract, made settler, whoever's transaction it is that calls it.
    function test_a_contract_settles_nothing() public {
        Hider hider = new Hider();
        vm.prank(address(settlement.admin()));
        settlement.setSettler(address(hider));
        bytes memory call = abi.encodeCall(
            Settlement.settle, (1, 0, SCORES, LOG, Trees.entry(1, 1))
        );
        vm.prank(SETTLER, SETTLER);
        vm.expectRevert(abi.encodeWithSelector(Settlement.NotPlain.selector, address(hider)));
        hider.hide(settlement, call);
        eq(settlement.lastEpoch(), 0, "nothing was settled");
    }

    /// A key that delegates to code is the origin of what that code does in its name.
    function test_an_account_with_code_settles_nothing() public {
        vm.etch(SETTLER, hex"00");
        settleReverts(
            abi.encodeWithSelector(Settlement.NotPlain.selector, SETTLER), 1, 0, Trees.entry(1, 1)
        );
        vm.etch(SETTLER, "");
        settle(1, 0, Trees.entry(1, 1));
    }

    function test_epochs_count_one_by_one() public {
        bytes memory one = Trees.entry(1, 1);
        settleReverts(abi.encodeWithSelector(Settlement.WrongEpoch.selector, 0, 1), 0, 1, one);
        settleReverts(abi.encodeWithSelector(Settlement.WrongEpoch.selector, 2, 1), 2, 1, one);
        settle(1, 1, one);
        settleReverts(abi.encodeWithSelector(Settlement.WrongEpoch.selector, 1, 2), 1, 1, one);
        settleReverts(abi.encodeWithSelector(Settlement.WrongEpoch.selector, 3, 2), 3, 1, one);
        settle(2, 1, Trees.entry(1, 2));
        eq(settlement.committed(), 2, "each batch counted once");
    }

    function test_empty_and_ragged_batches() public {
        settleReverts(abi.encodeWithSelector(Settlement.EmptyBatch.selector), 1, 0, "");
        bytes memory two = bytes.concat(Trees.entry(1, 1), Trees.entry(2, 1));
        for (uint256 n = 1; n < 20; ++n) {
            if (n == 10) continue;
            bytes memory part = new bytes(n);
            for (uint256 i = 0; i < n; ++i) part[i] = two[i];
            settleReverts(abi.encodeWithSelector(Settlement.RaggedBatch.selector, n), 1, 0, part);
        }
        eq(settlement.lastEpoch(), 0, "nothing was settled");
    }

    function test_entries_must_name_registered_ids() public {
        bytes4 unknown = Settlement.UnknownEntry.selector;
        bytes memory good = Trees.entry(40, 1);
        settleReverts(abi.encodeWithSelector(unknown, 0), 1, 1, Trees.entry(41, 1));
        settleReverts(abi.encodeWithSelector(unknown, 0), 1, 1, Trees.spent(41, 1));
        settleReverts(
            abi.encodeWithSelector(unknown, 1), 1, 1, bytes.concat(good, Trees.entry(0, 1))
        );
        settleReverts(
            abi.encodeWithSelector(unknown, 1), 1, 1, bytes.concat(good, Trees.spent(0, 0))
        );
        settleReverts(
            abi.encodeWithSelector(unknown, 0), 1, 1, Trees.entry(0x7fffffff, type(uint48).max)
        );
        settle(1, 1, bytes.concat(good, Trees.spent(40, 3)));
    }

    function test_zero_entries_are_padding() public {
        bytes memory one = Trees.entry(1, 5);
        bytes memory padded = bytes.concat(one, new bytes(150));
        settle(1, 5, one);
        settle(2, 0, padded);
        (bytes32 a,) = settlement.rootOf(1);
        (bytes32 b,) = settlement.rootOf(2);
        eq(a, b, "written or implied, padding is the same");
    }

    function test_an_unknown_id_is_found_wherever_it_hides() public {
        for (uint256 bad = 0; bad < 35; ++bad) {
            bytes memory entries;
            for (uint256 i = 0; i < 35; ++i) {
                entries = bytes.concat(entries, Trees.entry(i == bad ? 41 : 1, 1));
            }
            settleReverts(
                abi.encodeWithSelector(Settlement.UnknownEntry.selector, bad), 1, 1, entries
            );
        }
    }

    function testFuzz_check_accepts_exactly_the_registered(uint32 id, uint48 units) public {
        uint32 plain = id & 0x7fffffff;
        bool known = plain >= 1 && plain <= 40;
        bytes memory entries = abi.encodePacked(id, units);
        if (known || (id == 0 && units == 0)) {
            settle(1, 0, entries);
        } else {
            settleReverts(
                abi.encodeWithSelector(Settlement.UnknownEntry.selector, 0), 1, 0, entries
            );
        }
    }

    function test_committed_never_exceeds_the_pool() public {
        bytes memory one = Trees.entry(1, 1);
        bytes4 why = Books.Insolvent.selector;
        settleReverts(abi.encodeWithSelector(why, 1001, 1000 * UNIT), 1, 1001, one);
        settle(1, 600, one);
        settleReverts(abi.encodeWithSelector(why, 1001, 1000 * UNIT), 2, 401, one);
        settle(2, 400, one);
        settleReverts(abi.encodeWithSelector(why, 1001, 1000 * UNIT), 3, 1, one);
        vault.deposit{value: UNIT - 1}(person(2));
        settleReverts(abi.encodeWithSelector(why, 1001, 1001 * UNIT - 1), 3, 1, one);
        vault.deposit{value: 1}(person(2));
        settle(3, 1, one);
        eq(settlement.committed(), 1001, "to the last unit");
    }

    function test_coins_outside_the_pool_do_not_count() public {
        vm.deal(address(vault), 5000 * UNIT);
        settleReverts(
            abi.encodeWithSelector(Books.Insolvent.selector, 1001, 1000 * UNIT),
            1, 1001, Trees.entry(1, 1)
        );
    }

    function test_an_increase_cannot_wrap() public {
        settle(1, 1000, Trees.entry(1, 1));
        uint64 huge = type(uint64).max;
        settleReverts(
            abi.encodeWithSelector(
                Books.Insolvent.selector, uint256(huge) + 1000, 1000 * UNIT
            ),
            2, huge, Trees.entry(1, 1)
        );
        // Even a pool that could hold it: the sum must fit its counter.
        vault.deposit{value: uint256(huge) * 2 * UNIT}(person(3));
        vm.prank(SETTLER, SETTLER);
        (bool ok,) = address(settlement).call(
            abi.encodeCall(Settlement.settle, (2, huge, SCORES, LOG, Trees.entry(1, 1)))
        );
        eq(ok ? 1 : 0, 0, "beyond 64 bits");
        settle(2, huge - 1000, Trees.entry(1, 1));
        eq(settlement.committed(), huge, "the counter's end");
    }

    /// Every batch size around the chunk and tree borders, against the tests' own tree.
    function testFuzz_root(uint256 seed, uint16 size) public {
        uint256 n = 1 + size % 130;
        bytes memory entries;
        for (uint256 i = 0; i < n; ++i) {
            uint256 r = uint256(keccak256(abi.encode(seed, i)));
            uint32 id = uint32(1 + r % 40) | uint32((r >> 64) << 31);
            entries = bytes.concat(entries, abi.encodePacked(id, uint48(r >> 128)));
        }
        settle(1, 0, entries);
        (bytes32 kept,) = settlement.rootOf(1);
        eq(kept, Trees.root(entries), "root");
    }

    /// What fills up the last word, and what follows it, are no part of the batch: neither hashed
    /// nor checked, whether it looks like good entries or like bad ones.
    function test_calldata_behind_the_entries_is_not_read() public {
        bytes memory one = Trees.entry(1, 1);
        bytes memory two = bytes.concat(one, Trees.spent(3, 1));
        behind(1, one, Trees.entry(2, 2));
        behind(2, two, Trees.entry(2, 2));
        behind(3, one, Trees.entry(41, 2));
        behind(4, two, Trees.spent(0, 7));
    }

    function behind(uint64 epoch, bytes memory entries, bytes memory more) internal {
        bytes memory call = abi.encodeCall(Settlement.settle, (epoch, 0, SCORES, LOG, entries));
        bytes memory junk = bytes.concat(more, more, more, more);
        uint256 fill = 32 - entries.length;
        for (uint256 i = 0; i < fill; ++i) call[call.length - fill + i] = junk[i];
        vm.prank(SETTLER, SETTLER);
        (bool ok,) = address(settlement).call(bytes.concat(call, junk));
        eq(ok ? 1 : 0, 1, "accepted");
        (bytes32 kept,) = settlement.rootOf(epoch);
        eq(kept, keccak256(Trees.chunk(entries, 0)), "root");
    }
}
