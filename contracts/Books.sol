// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Entries} from "./Entries.sol";
import {Roles} from "./Roles.sol";
import {Sums} from "./Sums.sol";
import {Vault} from "./Vault.sol";

/// @title What was settled and what was paid
/// @notice Keeps each batch's root, what the batches declared together and what each id got. Every
/// way to be paid ends in _pay(), so two ways can never pay the same units.
abstract contract Books is Roles {
    /// @dev A batch as kept: its root (zero once voided), the time of its block in seconds (32
    /// bits last until 2106), the declared increase, and the first 20 bytes of its score root. A
    /// score root in full would cost a slot more; 160 bits are as hard to match as an address.
    struct Batch {
        bytes32 root;
        uint32 time;
        uint64 increase;
        bytes20 scores;
    }

    /// @dev All there is about one id, in one slot: units paid as earned; how many of the last of
    /// them a voucher declared; and the highest counters shown in a forced exit.
    struct Counters {
        uint64 claimed;
        uint64 vouched;
        uint48 earned;
        uint48 spent;
    }

    /// @notice Wei of one unit (10^-6 coins).
    uint256 public constant UNIT = 1e12;

    /// @notice The longest delay a deployment may choose.
    uint64 public constant MAX_DELAY = 30 days;

    /// @notice Where the coins are; created together with this contract.
    Vault public immutable vault;

    /// @notice Seconds between a batch or a voucher and the first claim against it.
    uint64 public immutable delay;

    /// @notice The last settled epoch; the first is 1.
    uint64 public lastEpoch;

    /// @notice Units that batches and paid vouchers have declared as earned; never above the pool,
    /// never below paid.
    uint64 public committed;

    /// @notice Units paid out as earned; never above committed.
    uint64 public paid;

    /// @notice When the forced exit pays, in seconds; 0 while nobody has begun one.
    uint64 public exitAt;

    mapping(uint64 epoch => Batch) internal _batches;
    mapping(uint32 id => Counters) internal _counters;

    /// @notice A payee was paid.
    event Claimed(uint32 indexed id, address indexed account, uint64 units, uint256 amount);

    /// @notice The guardian voided a batch; its increase is free again.
    event Voided(uint64 indexed epoch, uint64 increase);

    /// @notice Units that both a batch and a voucher had declared are declared once again.
    event Released(uint32 indexed id, uint64 units);

    /// @notice The batches would declare more units than were deposited.
    error Insolvent(uint256 committedUnits, uint256 depositedWei);
    /// @notice No batch has this epoch, or it was voided.
    error UnknownEpoch(uint64 epoch);
    /// @notice The delay has not passed.
    error TooEarly(uint64 claimableAt);
    /// @notice The delay has passed: nobody can void any more.
    error TooLate(uint64 claimableAt);
    /// @notice The chunk is not part of the epoch's batch.
    error BadProof();
    /// @notice Unbonding must outlast the admin's delay.
    error UnbondingTooShort(uint64 unbonding);
    /// @notice A forced exit has begun: nothing new counts.
    error ExitHasBegun();
    /// @notice The id's units, or more, were paid before.
    error NothingToClaim(uint32 id);

    constructor(Config memory config) {
        if (config.delay > MAX_DELAY) revert DelayTooLong(config.delay);
        if (config.unbonding > MAX_WAIT) revert DelayTooLong(config.unbonding);
        if (config.appeal > MAX_WAIT) revert DelayTooLong(config.appeal);
        // Else a provider could take its stake out while its sanction waits in the time lock.
        if (config.unbonding <= config.adminDelay) revert UnbondingTooShort(config.unbonding);
        delay = config.delay;
        vault = new Vault(config.unbonding, config.appeal);
    }

    /// @notice Voids a batch before anyone can claim against it; its increase is free again.
    /// @param epoch the batch
    function voidRoot(uint64 epoch) external onlyGuardian {
        Batch storage batch = _batches[epoch];
        if (batch.root == 0) revert UnknownEpoch(epoch);
        uint64 claimableAt = batch.time + delay;
        if (block.timestamp >= claimableAt) revert TooLate(claimableAt);
        _void(epoch, batch);
    }

    /// @notice Voids all batches of a range that nobody can claim against yet, in one transaction:
    /// a thief posts one forgery after another, and one that is left is enough for it. A batch that
    /// is void or has ripened meanwhile is passed over and saves none of the others.
    /// @dev Goes back from the last and ends at the first that has ripened, since those before have
    /// too: from 1 to 2^64 - 1 means all that can be voided, as far as the gas goes.
    /// @param from the first batch
    /// @param to the last one; beyond the last settled, that one
    /// @return done how many were voided
    function voidRoots(uint64 from, uint64 to) external onlyGuardian returns (uint256 done) {
        if (to > lastEpoch) to = lastEpoch;
        for (uint64 epoch = to; epoch >= from && epoch > 0; --epoch) {
            Batch storage batch = _batches[epoch];
            if (block.timestamp >= batch.time + delay) break;
            if (batch.root == 0) continue;
            _void(epoch, batch);
            ++done;
        }
    }

    /// @notice A batch's root and its time.
    /// @param epoch the batch
    /// @return root zero when there is no such batch or it was voided
    /// @return time zero when there is no such batch
    function rootOf(uint64 epoch) external view returns (bytes32 root, uint64 time) {
        Batch storage batch = _batches[epoch];
        return (batch.root, batch.time);
    }

    /// @notice Units paid out to an id as earned; it never falls.
    function claimed(uint32 id) public view returns (uint64 units) {
        return _counters[id].claimed;
    }

    /// @dev Units already paid stay committed: an earlier batch that listed more than it declared
    /// may have been paid out of this one's increase. The day's cap stays used: a thief is not to
    /// be handed a second try.
    function _void(uint64 epoch, Batch storage batch) private {
        uint64 increase = batch.increase;
        batch.root = 0;
        committed = Sums.less(committed, paid, increase);
        emit Voided(epoch, increase);
    }

    /// @dev Declares units as earned, within the pool.
    function _commit(uint64 increase) internal {
        uint256 total = uint256(committed) + increase;
        uint256 pool = vault.totalDeposited();
        if (total > type(uint64).max || total * UNIT > pool) revert Insolvent(total, pool);
        committed = uint64(total);
    }

    /// @dev Books units as paid. The coins go out after this, when the payee's code can run.
    function _book(uint32 id, uint64 due) internal returns (uint256 amount) {
        _counters[id].claimed += due;
        paid += due;
        amount = due * UNIT;
        emit Claimed(id, vault.accountOf(id), due, amount);
    }

    /// @dev A batch that lists what a voucher has paid declared it a second time. Once the entry is
    /// shown, the voucher's own declaration is taken back. Units already paid stay committed.
    function _release(uint32 id, uint48 listed) internal returns (uint64 units) {
        Counters storage own = _counters[id];
        if (own.vouched == 0) return 0;
        uint64 rest = Sums.less(committed, paid, Sums.twice(own.claimed, own.vouched, listed));
        units = committed - rest;
        if (units == 0) return 0;
        own.vouched -= units;
        committed = rest;
        emit Released(id, units);
    }

    /// @dev Reverts unless the chunk belongs to the epoch's batch and the batch stands for good.
    function _requireListed(uint64 epoch, bytes calldata chunk, bytes32[] calldata proof)
        internal
        view
    {
        Batch storage batch = _standing(epoch);
        bytes32 leaf = Entries.leaf(chunk);
        if (!MerkleProof.verifyCalldata(proof, batch.root, leaf)) revert BadProof();
    }

    /// @dev A batch that was not voided and can no longer be.
    function _standing(uint64 epoch) internal view returns (Batch storage batch) {
        batch = _batches[epoch];
        if (batch.root == 0) revert UnknownEpoch(epoch);
        _requireRipe(batch.time);
    }

    /// @dev Reverts before the delay after `time` has passed.
    function _requireRipe(uint64 time) internal view {
        if (block.timestamp < time + delay) revert TooEarly(time + delay);
    }
}
