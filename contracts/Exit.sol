// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Books} from "./Books.sol";
import {Entries} from "./Entries.sol";
import {Sums} from "./Sums.sol";

/// @title The forced exit: everyone gets out when the gateway is gone for good
/// @notice When no batch has become claimable for `silence` seconds, anyone begins the exit, and
/// nothing is settled or deposited ever again. For `window` seconds anyone shows entries of any
/// standing batch, and the higher figure of each counter wins: a client who shows an old figure of
/// what it spent is beaten by whoever shows a later one. Then exit(id) pays
/// deposited - spent + earned - claimed.
/// @dev Earned units are paid from what the batches declared, as before; deposits are paid back
/// from the rest alone. So no client's old figure reaches what providers have earned, and when the
/// figures shown ask for more than the rest, each client gets the same share of it: to be first
/// gains nothing.
abstract contract Exit is Books {
    /// @notice Seconds without a batch after which anyone may begin the exit.
    uint64 public immutable silence;

    /// @notice Seconds in which entries can be shown.
    uint64 public immutable window;

    /// @notice When this contract was made, in seconds: silence counts from here at first.
    uint64 public immutable born;

    /// @notice The epoch up to which advance() has looked for a sign of life.
    uint64 public searched;

    /// @notice When the last standing batch up to there became claimable, in seconds; 0 for none.
    uint64 public lifeAt;

    /// @notice Wei that all deposits less what was shown as spent come to, while an exit goes on.
    uint256 public owed;

    /// @notice Wei of an id's deposits that were paid back.
    mapping(uint32 id => uint256 amount) public refunded;

    /// @notice An exit has begun; after exitAt it pays.
    event ExitBegun(uint64 exitAt);

    /// @notice A counter's higher figure was shown; spent has the id's top bit.
    event Shown(uint32 indexed id, uint48 units);

    /// @notice An id's deposits were paid back; earned units leave a Claimed event instead.
    event Exited(uint32 indexed id, address indexed account, uint256 refund);

    /// @notice The window must outlast the delay, or the last batch could not be shown.
    error WindowTooShort(uint64 window);
    /// @notice Without a silence anyone could close the gateway at once.
    error ZeroSilence();
    /// @notice The gateway has not been silent for long enough.
    error NotSilent(uint64 until);
    /// @notice An exit has begun already.
    error AlreadyBegun(uint64 exitAt);
    /// @notice No exit has begun, or its window is over.
    error NotInWindow(uint64 exitAt);
    /// @notice No exit has begun, or its window is still open.
    error WindowOpen(uint64 exitAt);

    constructor(Config memory config) {
        if (config.silence == 0) revert ZeroSilence();
        if (config.silence > MAX_WAIT) revert DelayTooLong(config.silence);
        if (config.window > MAX_WAIT) revert DelayTooLong(config.window);
        if (config.window <= config.delay) revert WindowTooShort(config.window);
        silence = config.silence;
        window = config.window;
        born = uint64(block.timestamp);
    }

    /// @notice Keeps what a search for the last sign of life up to this epoch finds; anyone may.
    /// @dev A thief with the guardian's key can void every batch there is, and the search then
    /// costs some 2,300 gas for each: thousands in a row would not fit the gas of beginExit's one
    /// transaction. In steps they do. A batch whose delay has passed stays what it is, so what is
    /// kept stays true.
    /// @param epoch a batch whose delay has passed; one that was searched before changes nothing
    function advance(uint64 epoch) external {
        if (epoch <= searched) return;
        uint32 time = _batches[epoch].time;
        if (time == 0) revert UnknownEpoch(epoch);
        _requireRipe(time);
        lifeAt = _lifeUpTo(epoch);
        searched = epoch;
    }

    /// @notice Begins the exit; anyone may, once the gateway was silent for long enough.
    /// @dev Where thousands of batches in a row are void, advance() comes first.
    function beginExit() external {
        if (exitAt != 0) revert AlreadyBegun(exitAt);
        // A batch that can still be voided is no sign of life, nor is a voided one: else a thief
        // with the guardian's key could void for ever and keep everyone in.
        uint64 life = _lifeUpTo(_lastRipe());
        uint64 until = (life == 0 ? born : life) + silence;
        if (block.timestamp < until) revert NotSilent(until);
        exitAt = uint64(block.timestamp) + window;
        owed = vault.close();
        emit ExitBegun(exitAt);
    }

    /// @notice Shows the entries of one chunk; anyone may. Higher figures count, others change
    /// nothing.
    /// @param epoch a batch that stands
    /// @param chunk the 160 bytes
    /// @param proof the chunk's siblings, leaf to root
    function show(uint64 epoch, bytes calldata chunk, bytes32[] calldata proof) external {
        if (block.timestamp >= exitAt) revert NotInWindow(exitAt);
        _requireListed(epoch, chunk, proof);
        for (uint8 i = 0; i < Entries.PER_CHUNK; ++i) {
            (uint32 id, uint48 units) = Entries.read(chunk, i);
            if (id & Entries.SPENT == 0) _showEarned(id, units);
            else _showSpent(id & ~Entries.SPENT, units);
        }
    }

    /// @notice Pays an id out, to its account, whoever calls. A second call pays what a first could
    /// not: nothing, unless earned units were short.
    /// @param id whose money
    function exit(uint32 id) external {
        if (exitAt == 0 || block.timestamp < exitAt) revert WindowOpen(exitAt);
        uint64 due = Sums.due(_counters[id].earned, claimed(id), committed, paid);
        uint256 back = refundOf(id) - refunded[id];
        if (due == 0 && back == 0) revert NothingToClaim(id);
        refunded[id] += back;
        uint256 amount = back;
        if (due > 0) amount += _book(id, due);
        if (back > 0) emit Exited(id, vault.accountOf(id), back);
        vault.payOut(id, amount);
    }

    /// @notice Wei of an id's deposits that an exit pays back in all, by the figures shown so far.
    function refundOf(uint32 id) public view returns (uint256) {
        uint256 rest = _unspent(id, _counters[id].spent);
        uint256 free = vault.totalDeposited() - committed * UNIT;
        return owed <= free ? rest : Math.mulDiv(rest, free, owed);
    }

    /// @notice The highest figures shown for an id.
    function shownOf(uint32 id) external view returns (uint48 earned, uint48 spent) {
        return (_counters[id].earned, _counters[id].spent);
    }

    function _showEarned(uint32 id, uint48 units) private {
        _release(id, units);
        if (units <= _counters[id].earned) return;
        _counters[id].earned = units;
        emit Shown(id, units);
    }

    function _showSpent(uint32 id, uint48 units) private {
        uint48 before = _counters[id].spent;
        if (units <= before) return;
        owed -= _unspent(id, before) - _unspent(id, units);
        _counters[id].spent = units;
        emit Shown(id | Entries.SPENT, units);
    }

    /// @dev Wei of an id's deposits that are left after it spent these units.
    function _unspent(uint32 id, uint48 units) private view returns (uint256) {
        return Sums.unspent(vault.deposited(id), units * UNIT);
    }

    /// @dev The last batch whose delay has passed, not before the one searched already. Batches
    /// ripen in their order, so it is found by halves.
    function _lastRipe() private view returns (uint64 low) {
        low = searched;
        uint64 high = lastEpoch;
        while (low < high) {
            uint64 middle = high - (high - low) / 2;
            if (block.timestamp < _batches[middle].time + delay) high = middle - 1;
            else low = middle;
        }
    }

    /// @dev When the last standing batch up to this one became claimable; all of them are ripe.
    function _lifeUpTo(uint64 epoch) private view returns (uint64) {
        uint64 known = searched;
        for (; epoch > known; --epoch) {
            Batch storage batch = _batches[epoch];
            if (batch.root != 0) return batch.time + delay;
        }
        return lifeAt;
    }
}
