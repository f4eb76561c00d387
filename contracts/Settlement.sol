// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Books} from "./Books.sol";
import {Entries} from "./Entries.sol";
import {Exit} from "./Exit.sol";
import {Payouts} from "./Payouts.sol";
import {Roles} from "./Roles.sol";
import {Scores} from "./Scores.sol";
import {Vouchers} from "./Vouchers.sol";

/// @title Batched settlement by cumulative counters
/// @notice Each batch lists, for some ids, all they have earned or spent up to now, in units of
/// 10^12 wei. The root is derived here from the batch's calldata, so the data of every proof is in
/// the chain's own history, and every root is kept: the gateway may vanish and each payout it ever
/// listed can still be claimed, by anyone, for its payee.
/// @dev What the settler can do wrong: it may list false counters and declare a false increase.
/// It cannot pay out more than it declared, nor declare more than was deposited, nor pay anyone
/// before `delay` has passed, nor unpay. Anyone sees a false declaration in the calldata.
contract Settlement is Payouts, Vouchers, Exit, Scores {
    /// @notice A batch was settled.
    event Settled(
        uint64 indexed epoch,
        bytes32 root,
        uint64 increase,
        bytes32 scoreRoot,
        bytes32 logRoot,
        uint256 count
    );

    /// @notice A batch must be the input of the settler's own transaction, and the settler have no
    /// code.
    error NotPlain(address caller);
    /// @notice Epochs count one by one.
    error WrongEpoch(uint64 epoch, uint64 expected);
    /// @notice A batch needs an entry.
    error EmptyBatch();
    /// @notice A batch's length must be a multiple of 10 bytes.
    error RaggedBatch(uint256 length);
    /// @notice The entry at this position names no registered id.
    error UnknownEntry(uint256 position);

    /// @param config who holds which key, and every wait
    constructor(Config memory config) Roles(config) Books(config) Exit(config) {}

    /// @notice Settles one batch.
    /// @param epoch lastEpoch + 1, so that a batch sent twice settles once
    /// @param increase how many units the sum of all earned counters grows by
    /// @param scoreRoot root over the epoch's scores, see Scores
    /// @param logRoot root over the epoch's acceptances, carried in the event
    /// @param entries n × 10 bytes, see Entries; a missing rest of the last chunk counts as zeros
    function settle(
        uint64 epoch,
        uint64 increase,
        bytes32 scoreRoot,
        bytes32 logRoot,
        bytes calldata entries
    ) external onlySettler {
        _requirePlain();
        if (exitAt != 0) revert ExitHasBegun();
        if (epoch != lastEpoch + 1) revert WrongEpoch(epoch, lastEpoch + 1);
        if (entries.length == 0) revert EmptyBatch();
        if (entries.length % Entries.SIZE != 0) revert RaggedBatch(entries.length);
        uint256 count = entries.length / Entries.SIZE;
        uint256 known = Entries.check(entries, vault.lastId());
        if (known != count) revert UnknownEntry(known);

        _commit(increase);
        _useSettlerCap(increase);
        bytes32 root = Entries.root(entries);
        lastEpoch = epoch;
        _batches[epoch] = Batch(root, uint32(block.timestamp), increase, bytes20(scoreRoot));
        emit Settled(epoch, root, increase, scoreRoot, logRoot, count);
    }

    /// @dev Whoever rebuilds a proof finds the entries in the input of the transaction. A settler
    /// with code, a contract or an account that delegates to one (EIP-7702), could keep them out
    /// of there: it would make them up, or read them from where they are not kept, and pass them by
    /// an inner call. tx.origin authorises nothing here, onlySettler has done that; it tells that
    /// there is no call in between. A delegated account is the origin of a call to itself too, so
    /// its code is asked for as well.
    function _requirePlain() private view {
        // solhint-disable-next-line avoid-tx-origin
        if (msg.sender != tx.origin || msg.sender.code.length != 0) revert NotPlain(msg.sender);
    }
}
