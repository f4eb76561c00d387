// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Books} from "./Books.sol";

/// @title Reputation that anyone can check
/// @notice Each batch closes an epoch; its score root stands over one leaf a provider, in the
/// layout of OpenZeppelin's StandardMerkleTree: a leaf is the double Keccak-256 of its ABI
/// encoding. Another contract asks verifyScore and needs to trust no server.
abstract contract Scores is Books {
    /// @notice What an epoch says of a provider.
    struct Score {
        address provider;
        uint64 accepted;
        uint64 rejected;
        uint64 expired;
        uint32 score;
        uint64 epoch;
        // Root over the events behind the figures, so that anyone can count again.
        bytes32 eventsRoot;
    }

    /// @notice Whether an epoch's score root holds this leaf. A score counts like a payout: once
    /// its batch can no longer be voided.
    /// @param epoch the batch; the leaf must name it too
    /// @param leaf what is claimed
    /// @param proof the leaf's siblings
    function verifyScore(uint64 epoch, Score calldata leaf, bytes32[] calldata proof)
        external
        view
        returns (bool)
    {
        if (leaf.epoch != epoch) return false;
        Batch storage batch = _batches[epoch];
        if (batch.root == 0 || batch.scores == 0) return false;
        if (block.timestamp < batch.time + delay) return false;
        bytes32 hash = keccak256(bytes.concat(keccak256(abi.encode(leaf))));
        return bytes20(MerkleProof.processProofCalldata(proof, hash)) == batch.scores;
    }

    /// @notice The first 20 bytes of an epoch's score root; the whole stands in its Settled event.
    function scoresOf(uint64 epoch) external view returns (bytes20) {
        return _batches[epoch].scores;
    }
}
