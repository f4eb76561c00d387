// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

/// @title The 10-byte entry and the tree over it
/// @notice An entry is a uint32 id and a uint48 cumulative amount in units, both big-endian. The
/// id's top bit says which counter the amount belongs to: 0 earned, 1 spent. Sixteen entries make
/// a chunk of 160 bytes, a chunk's Keccak-256 is a leaf, and the leaves stand in the layout of
/// OpenZeppelin's SimpleMerkleTree without sorted leaves (leaf i at tree[2n - 2 - i]).
/// @dev A leaf's preimage is 160 bytes and a node's is 64, so neither can pass for the other.
library Entries {
    /// @notice Bytes of one entry.
    uint256 internal constant SIZE = 10;
    /// @notice Entries of one chunk.
    uint256 internal constant PER_CHUNK = 16;
    /// @notice Bytes of one chunk.
    uint256 internal constant CHUNK = SIZE * PER_CHUNK;
    /// @notice The bit of an entry's id that marks the spent counter.
    uint32 internal constant SPENT = 1 << 31;

    /// @notice One chunk more or less than 160 bytes was given where exactly one is needed.
    error BadChunk(uint256 length);
    /// @notice A chunk has entries 0 to 15.
    error BadIndex(uint8 index);

    /// @notice Finds the first entry that names no registered id.
    /// @dev The all-zero entry is padding and passes. Id 0 with an amount, or with the spent bit,
    /// does not: nobody owns it. The read is in assembly since a checked slice costs more gas than
    /// the entry's calldata, and a payout's price is this loop.
    /// @param entries n × 10 bytes
    /// @param lastId the highest registered id
    /// @return ok whether every entry passes
    /// @return position the index of the first that does not (the number of entries when ok)
    function check(bytes calldata entries, uint32 lastId)
        internal
        pure
        returns (bool ok, uint256 position)
    {
        uint256 limit = uint256(lastId);
        assembly ("memory-safe") {
            let start := entries.offset
            let end := add(start, entries.length)
            let cursor := start
            ok := 1
            for {} lt(cursor, end) { cursor := add(cursor, 10) } {
                let entry := shr(176, calldataload(cursor))
                // id 0 wraps to the largest number, so one comparison refuses both ends
                if iszero(lt(sub(and(shr(48, entry), 0x7fffffff), 1), limit)) {
                    if entry {
                        ok := 0
                        break
                    }
                }
            }
            position := div(sub(cursor, start), 10)
        }
    }

    /// @notice The root over a batch; the last chunk is filled up with zero entries.
    /// @param entries n × 10 bytes, n at least 1
    /// @return The tree's root; for one chunk its leaf itself
    function root(bytes calldata entries) internal pure returns (bytes32) {
        uint256 whole = entries.length / CHUNK;
        uint256 rest = entries.length % CHUNK;
        uint256 leaves = rest == 0 ? whole : whole + 1;
        bytes32[] memory tree = new bytes32[](2 * leaves - 1);
        for (uint256 i = 0; i < whole; ++i) {
            tree[2 * leaves - 2 - i] = keccak256(entries[i * CHUNK:(i + 1) * CHUNK]);
        }
        if (rest != 0) {
            bytes memory zeros = new bytes(CHUNK - rest);
            tree[leaves - 1] = keccak256(bytes.concat(entries[whole * CHUNK:], zeros));
        }
        for (uint256 i = leaves - 1; i > 0; --i) {
            tree[i - 1] = Hashes.commutativeKeccak256(tree[2 * i - 1], tree[2 * i]);
        }
        return tree[0];
    }

    /// @notice Reads one entry of a chunk.
    /// @param chunk exactly 160 bytes
    /// @param index 0 to 15
    /// @return id the entry's id, its spent bit included
    /// @return units the entry's cumulative amount
    function read(bytes calldata chunk, uint8 index)
        internal
        pure
        returns (uint32 id, uint48 units)
    {
        if (chunk.length != CHUNK) revert BadChunk(chunk.length);
        if (index >= PER_CHUNK) revert BadIndex(index);
        uint256 start = index * SIZE;
        id = uint32(bytes4(chunk[start:start + 4]));
        units = uint48(bytes6(chunk[start + 4:start + SIZE]));
    }
}
