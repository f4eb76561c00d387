// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Roles} from "contracts/Roles.sol";
import {Settlement} from "contracts/Settlement.sol";
import {Vault} from "contracts/Vault.sol";

/// The cheat codes these tests use.
interface Vm {
    function prank(address sender) external;
    function prank(address sender, address origin) external;
    function etch(address target, bytes calldata code) external;
    function warp(uint256 time) external;
    function deal(address account, uint256 balance) external;
    function expectRevert(bytes calldata data) external;
    function expectEmit(address emitter) external;
    function store(address target, bytes32 slot, bytes32 value) external;
    function assume(bool condition) external;
    function cool(address target) external;
    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8, bytes32, bytes32);
}

Vm constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

/// A tree of its own, level by level as a heap, so that Entries is not measured by itself.
library Trees {
    function entry(uint32 id, uint48 units) internal pure returns (bytes memory) {
        return abi.encodePacked(id, units);
    }

    function spent(uint32 id, uint48 units) internal pure returns (bytes memory) {
        return abi.encodePacked(id | 0x80000000, units);
    }

    /// The 160 bytes of chunk i, zeros behind the last entry.
    function chunk(bytes memory entries, uint256 i) internal pure returns (bytes memory out) {
        bytes memory padded = bytes.concat(entries, new bytes(160));
        out = new bytes(160);
        for (uint256 k = 0; k < 160; k += 32) {
            assembly ("memory-safe") {
                mstore(add(add(out, 32), k), mload(add(add(padded, 32), add(mul(i, 160), k))))
            }
        }
    }

    function count(bytes memory entries) internal pure returns (uint256) {
        return (entries.length + 159) / 160;
    }

    function pair(bytes32 a, bytes32 b) internal pure returns (bytes32) {
        return a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
    }

    function heap(bytes memory entries) internal pure returns (bytes32[] memory tree) {
        uint256 n = count(entries);
        tree = new bytes32[](2 * n - 1);
        for (uint256 i = 0; i < n; ++i) tree[2 * n - 2 - i] = keccak256(chunk(entries, i));
        for (uint256 i = n - 1; i > 0; --i) tree[i - 1] = pair(tree[2 * i - 1], tree[2 * i]);
    }

    function root(bytes memory entries) internal pure returns (bytes32) {
        return heap(entries)[0];
    }

    function proof(bytes memory entries, uint256 i) internal pure returns (bytes32[] memory out) {
        bytes32[] memory tree = heap(entries);
        uint256 start = tree.length - 1 - i;
        uint256 depth = 0;
        for (uint256 node = start; node > 0; node = (node - 1) / 2) ++depth;
        out = new bytes32[](depth);
        depth = 0;
        for (uint256 node = start; node > 0; node = (node - 1) / 2) {
            out[depth++] = tree[node % 2 == 1 ? node + 1 : node - 1];
        }
    }
}

/// What every test file starts from: a fresh pair of contracts and a few names.
abstract contract Base {
    uint64 internal constant DELAY = 1 hours;
    uint256 internal constant UNIT = 1e12;
    address internal constant SETTLER = address(0x5e771e);
    address internal constant GUARDIAN = address(0x9a4d1a);
    address internal constant ADMIN = address(0xad317);
    uint256 internal constant SIGNER_KEY = 0x51613e;
    uint64 internal constant NO_CAP = type(uint64).max;
    address internal constant STRANGER = address(0x57a96e);
    bytes32 internal constant SCORES = keccak256("scores");
    bytes32 internal constant LOG = keccak256("log");

    Settlement internal settlement;
    Vault internal vault;

    function setUp() public virtual {
        vm.warp(1_700_000_000);
        settlement = new Settlement(config());
        vault = settlement.vault();
        vm.deal(address(this), 1e40);
    }

    /// Who holds which key; a test may change a line before it deploys.
    function config() internal view virtual returns (Roles.Config memory) {
        return Roles.Config({
            settler: SETTLER,
            signer: signer(),
            guardian: GUARDIAN,
            admin: ADMIN,
            delay: DELAY,
            adminDelay: 2 days,
            silence: 7 days,
            window: 3 days,
            unbonding: 10 days,
            appeal: 4 days,
            dailyCap: NO_CAP
        });
    }

    function signer() internal pure returns (address) {
        return vm.addr(SIGNER_KEY);
    }

    function settle(uint64 epoch, uint64 increase, bytes memory entries) internal {
        vm.prank(SETTLER, SETTLER);
        settlement.settle(epoch, increase, SCORES, LOG, entries);
    }

    function claim(uint64 epoch, bytes memory entries, uint256 position) internal {
        bytes memory chunk = Trees.chunk(entries, position / 16);
        bytes32[] memory proof = Trees.proof(entries, position / 16);
        vm.prank(STRANGER);
        settlement.claimPayout(epoch, chunk, uint8(position % 16), proof);
    }

    /// The next claim must revert with exactly this.
    function claimReverts(bytes memory why, uint64 epoch, bytes memory entries, uint256 position)
        internal
    {
        bytes memory chunk = Trees.chunk(entries, position / 16);
        bytes32[] memory proof = Trees.proof(entries, position / 16);
        vm.prank(STRANGER);
        vm.expectRevert(why);
        settlement.claimPayout(epoch, chunk, uint8(position % 16), proof);
    }

    function pass(uint256 time) internal {
        vm.warp(block.timestamp + time);
    }

    /// Registers ids 1 to n for addresses without code.
    function people(uint32 n) internal {
        for (uint32 i = 1; i <= n; ++i) eq(vault.register(person(i)), i, "ids are dense");
    }

    function person(uint256 i) internal pure returns (address) {
        return address(uint160(0xbeef0000 + i));
    }

    function eq(uint256 got, uint256 want, string memory what) internal pure {
        if (got != want) revert Differs(what, got, want);
    }

    function eq(address got, address want, string memory what) internal pure {
        eq(uint160(got), uint160(want), what);
    }

    function eq(bytes32 got, bytes32 want, string memory what) internal pure {
        eq(uint256(got), uint256(want), what);
    }

    error Differs(string what, uint256 got, uint256 want);
}
