// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

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

    /// @dev A word read at an entry holds three ids, 80 bits apart; this is bit 0 of each.
    uint256 private constant LANES = (1 << 224) | (1 << 144) | (1 << 64);
    /// @dev The 31 bits of each of the three ids, without the spent bits.
    uint256 private constant IDS = LANES * 0x7fffffff;
    /// @dev The bit above each of the three ids.
    uint256 private constant TOP = LANES << 31;

    /// @notice Finds the first entry that names no registered id.
    /// @dev The all-zero entry is padding and passes. Id 0 with an amount, or with the spent bit,
    /// does not: nobody owns it. This loop is a payout's price, so it looks at three entries at
    /// once: lastId + 2^31 - id keeps its top bit when id <= lastId, and id + 2^31 - 1 has it when
    /// id >= 1. No lane can borrow from or carry into another.
    /// @param entries n × 10 bytes
    /// @param lastId the highest registered id
    /// @return The index of the first that does not pass, the number of entries when all do
    function check(bytes calldata entries, uint32 lastId) internal pure returns (uint256) {
        uint256 limits = LANES * lastId + TOP;
        uint256 length = entries.length;
        uint256 cursor = 0;
        // Nothing here can overflow: the cursor stays below the length plus 30.
        unchecked {
            while (cursor < length) {
                uint256 word;
                assembly ("memory-safe") {
                    word := calldataload(add(entries.offset, cursor))
                }
                uint256 ids = word & IDS;
                if ((limits - ids) & (ids + IDS) & TOP == TOP && cursor + 3 * SIZE <= length) {
                    cursor += 3 * SIZE;
                    continue;
                }
                // Alone: padding, one of the last two, or the one we look for.
                uint256 id = ids >> 224;
                if ((id == 0 || id > lastId) && word >> 176 != 0) break;
                cursor += SIZE;
            }
            return cursor / SIZE;
        }
    }

    /// @notice The root over a batch; the last chunk is filled up with zero entries.
    /// @dev In assembly since it runs for every entry of every batch. The tree is a heap in fresh
    /// memory: the leaves fill it from its end, then each node is hashed from its two children,
    /// the smaller first. The scratch words 0x00 to 0x3f serve for pairs.
    /// @param entries n × 10 bytes, n at least 1
    /// @return node The tree's root; for one chunk its leaf itself
    function root(bytes calldata entries) internal pure returns (bytes32 node) {
        uint256 leaves = (entries.length + CHUNK - 1) / CHUNK;
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            let tree := add(buffer, 160)
            let slot := add(tree, mul(sub(leaves, 1), 64))
            let child := slot
            let from := entries.offset
            let end := add(from, entries.length)
            let last := add(tree, mul(sub(leaves, 1), 32))
            for {} gt(slot, last) { slot := sub(slot, 32) } {
                calldatacopy(buffer, from, 160)
                mstore(slot, keccak256(buffer, 160))
                from := add(from, 160)
            }
            // The last chunk alone can be short; a copy from behind the calldata writes zeros.
            calldatacopy(buffer, calldatasize(), 160)
            calldatacopy(buffer, from, sub(end, from))
            mstore(slot, keccak256(buffer, 160))
            for {} gt(slot, tree) {} {
                slot := sub(slot, 32)
                let a := mload(child)
                let b := mload(sub(child, 32))
                child := sub(child, 64)
                switch lt(a, b)
                case 1 {
                    mstore(0x00, a)
                    mstore(0x20, b)
                }
                default {
                    mstore(0x00, b)
                    mstore(0x20, a)
                }
                mstore(slot, keccak256(0x00, 0x40))
            }
            node := mload(tree)
        }
    }

    /// @notice The leaf of a chunk.
    /// @dev The length is checked first: a 64-byte "chunk" would be an inner node of the tree.
    /// @param chunk exactly 160 bytes
    /// @return Its Keccak-256
    function leaf(bytes calldata chunk) internal pure returns (bytes32) {
        if (chunk.length != CHUNK) revert BadChunk(chunk.length);
        return keccak256(chunk);
    }

    /// @notice Reads one entry of a chunk.
    /// @param chunk 160 bytes, checked by leaf()
    /// @param index 0 to 15
    /// @return id the entry's id, its spent bit included
    /// @return units the entry's cumulative amount
    function read(bytes calldata chunk, uint8 index)
        internal
        pure
        returns (uint32 id, uint48 units)
    {
        if (index >= PER_CHUNK) revert BadIndex(index);
        uint256 start = index * SIZE;
        id = uint32(bytes4(chunk[start:start + 4]));
        units = uint48(bytes6(chunk[start + 4:start + SIZE]));
    }
}
