// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base} from "./Base.sol";
import {Entries} from "contracts/Entries.sol";

/// Gives the library's internal functions the calldata they ask for.
contract Harness {
    function check(bytes calldata entries, uint32 lastId) external pure returns (uint256) {
        return Entries.check(entries, lastId);
    }

    function read(bytes calldata chunk, uint8 index) external pure returns (uint32, uint48) {
        return Entries.read(chunk, index);
    }
}

contract EntriesTest is Base {
    Harness private harness = new Harness();

    /// The rule in plain words, one entry at a time.
    function passes(uint32 id, uint48 units, uint32 lastId) private pure returns (bool) {
        if (id == 0 && units == 0) return true;
        uint32 plain = id & 0x7fffffff;
        return plain >= 1 && plain <= lastId;
    }

    /// Ids gather around the borders: 0, 1, lastId and its neighbours, the largest, the spent bit.
    function pick(uint256 r, uint32 lastId) private pure returns (uint32 id) {
        uint256 kind = r % 16;
        if (kind == 0) id = 0;
        else if (kind == 1) id = lastId == 0x7fffffff ? lastId : lastId + 1;
        else if (kind == 2) id = 0x7fffffff;
        else if (kind == 3) id = uint32(r >> 32) & 0x7fffffff;
        else if (kind < 8) id = lastId;
        else id = lastId == 0 ? 0 : uint32(1 + (r >> 32) % lastId);
        if ((r >> 8) % 4 == 0) id |= 0x80000000;
    }

    function testFuzz_check_agrees_with_the_plain_rule(uint256 seed, uint8 size, uint32 lastId)
        public
        view
    {
        lastId = seed % 4 == 0 ? uint32(seed >> 250) : lastId & 0x7fffffff;
        uint256 n = 1 + size % 20;
        uint256 want = n;
        bytes memory entries;
        for (uint256 i = 0; i < n; ++i) {
            uint256 r = uint256(keccak256(abi.encode(seed, i)));
            // Mostly good entries, so that the first bad one stands anywhere.
            uint32 id = r >> 253 == 0 || lastId == 0 ? pick(r, lastId) : 1 + uint32(r) % lastId;
            uint48 units = (r >> 128) % 3 == 0 ? 0 : uint48(r >> 64);
            if (want == n && !passes(id, units, lastId)) want = i;
            entries = bytes.concat(entries, abi.encodePacked(id, units));
        }
        eq(harness.check(entries, lastId), want, "the first that does not pass");
    }

    /// Each of the three places a word is read for, with each border id, beside good neighbours.
    function test_check_at_every_border() public view {
        uint32[7] memory lasts = [uint32(0), 1, 2, 3, 0x7ffffffe, 0x7fffffff, 65536];
        for (uint256 l = 0; l < 7; ++l) {
            uint32[8] memory ids = [
                uint32(0), 1, lasts[l], lasts[l] + 1, 0x7fffffff, 0x80000000, 0xffffffff,
                0x80000000 | lasts[l]
            ];
            for (uint256 k = 0; k < 64; ++k) {
                uint32 id = ids[k % 8];
                uint48 units = uint48(k / 8 % 2);
                uint256 place = k / 16;
                bytes memory entries = abi.encodePacked(id, units);
                for (uint256 i = 0; i < 6; ++i) {
                    bytes memory good =
                        lasts[l] == 0 ? new bytes(10) : abi.encodePacked(lasts[l], units);
                    entries = i < place ? bytes.concat(good, entries) : bytes.concat(entries, good);
                }
                uint256 want = passes(id, units, lasts[l]) ? 7 : place;
                eq(harness.check(entries, lasts[l]), want, "border");
            }
        }
    }

    function testFuzz_read(uint32 id, uint48 units, uint8 index) public view {
        index %= 16;
        bytes memory before = new bytes(uint256(index) * 10);
        bytes memory rest = new bytes(150 - before.length);
        for (uint256 i = 0; i < before.length; ++i) before[i] = 0xff;
        (uint32 gotId, uint48 gotUnits) =
            harness.read(bytes.concat(before, abi.encodePacked(id, units), rest), index);
        eq(gotId, id, "id");
        eq(gotUnits, units, "units");
    }
}
