// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Entries} from "./Entries.sol";
import {Vault} from "./Vault.sol";

/// @title Batched settlement by cumulative counters
/// @notice Each batch lists, for some ids, all they have earned or spent up to now, in units of
/// 10^12 wei. The root is derived here from the batch's calldata, so the data of every proof is in
/// the chain's own history, and every root is kept: the gateway may vanish and each payout it ever
/// listed can still be claimed, by anyone, for its payee.
/// @dev What the settler can do wrong: it may list false counters and declare a false increase.
/// It cannot pay out more than it declared, nor declare more than was deposited, nor pay anyone
/// before `delay` has passed, nor unpay. Anyone sees a false declaration in the calldata.
contract Settlement {
    /// @notice Wei of one unit (10^-6 coins).
    uint256 public constant UNIT = 1e12;

    /// @notice The longest delay a deployment may choose: a typing error must not lock the pool.
    uint64 public constant MAX_DELAY = 30 days;

    /// @dev A batch's root and the time of its block, in seconds.
    struct Root {
        bytes32 root;
        uint64 time;
    }

    /// @notice Where the coins are; created together with this contract.
    Vault public immutable vault;

    /// @notice The only address that may settle.
    address public immutable settler;

    /// @notice Seconds between a batch and the first claim against its root.
    uint64 public immutable delay;

    /// @notice The last settled epoch; the first is 1.
    uint64 public lastEpoch;

    /// @notice Units all batches together have declared as earned; never above the pool.
    uint64 public committed;

    /// @notice Units paid out; never above committed.
    uint64 public paid;

    /// @notice Units paid out to an id; it never falls.
    mapping(uint32 id => uint64 units) public claimed;

    /// @notice A batch's root and its time, both 0 when there is no such epoch.
    mapping(uint64 epoch => Root) public rootOf;

    /// @notice A batch was settled. The roots over scores and logs are only carried, not judged.
    event Settled(
        uint64 indexed epoch,
        bytes32 root,
        uint64 increase,
        bytes32 scoreRoot,
        bytes32 logRoot,
        uint256 count
    );

    /// @notice A payee was paid.
    event Claimed(uint32 indexed id, address indexed account, uint64 units, uint256 amount);

    /// @notice A deployment needs a settler.
    error ZeroSettler();
    /// @notice A deployment's delay is above MAX_DELAY.
    error DelayTooLong(uint64 delay);
    /// @notice Only the settler may settle.
    error NotSettler(address caller);
    /// @notice Epochs count one by one.
    error WrongEpoch(uint64 epoch, uint64 expected);
    /// @notice A batch needs an entry.
    error EmptyBatch();
    /// @notice A batch's length must be a multiple of 10 bytes.
    error RaggedBatch(uint256 length);
    /// @notice The entry at this position names no registered id.
    error UnknownEntry(uint256 position);
    /// @notice The batches would declare more units than were deposited.
    error Insolvent(uint256 committedUnits, uint256 depositedWei);
    /// @notice No batch has this epoch.
    error UnknownEpoch(uint64 epoch);
    /// @notice The root's delay has not passed.
    error TooEarly(uint64 claimableAt);
    /// @notice The chunk is not part of the epoch's batch.
    error BadProof();
    /// @notice The entry is padding or a spent counter; only an earned one is paid.
    error NotEarned(uint32 id);
    /// @notice The entry's units, or more, were paid before.
    error NothingToClaim(uint32 id);
    /// @notice The batches listed more than they declared, and the declared units are all paid.
    error Undeclared(uint64 wanted, uint64 left);

    /// @param settler_ the only address that may settle
    /// @param delay_ seconds between a batch and the first claim against it
    constructor(address settler_, uint64 delay_) {
        if (settler_ == address(0)) revert ZeroSettler();
        if (delay_ > MAX_DELAY) revert DelayTooLong(delay_);
        settler = settler_;
        delay = delay_;
        vault = new Vault();
    }

    /// @notice Settles one batch.
    /// @param epoch lastEpoch + 1, so that a batch sent twice settles once
    /// @param increase how many units the sum of all earned counters grows by
    /// @param scoreRoot root over the epoch's scores, carried in the event
    /// @param logRoot root over the epoch's acceptances, carried in the event
    /// @param entries n × 10 bytes, see Entries; a missing rest of the last chunk counts as zeros
    function settle(
        uint64 epoch,
        uint64 increase,
        bytes32 scoreRoot,
        bytes32 logRoot,
        bytes calldata entries
    ) external {
        if (msg.sender != settler) revert NotSettler(msg.sender);
        if (epoch != lastEpoch + 1) revert WrongEpoch(epoch, lastEpoch + 1);
        if (entries.length == 0) revert EmptyBatch();
        if (entries.length % Entries.SIZE != 0) revert RaggedBatch(entries.length);
        uint256 count = entries.length / Entries.SIZE;
        uint256 known = Entries.check(entries, vault.lastId());
        if (known != count) revert UnknownEntry(known);

        uint256 total = uint256(committed) + increase;
        uint256 pool = vault.totalDeposited();
        if (total > type(uint64).max || total * UNIT > pool) revert Insolvent(total, pool);

        bytes32 root = Entries.root(entries);
        lastEpoch = epoch;
        committed = uint64(total);
        rootOf[epoch] = Root(root, uint64(block.timestamp));
        emit Settled(epoch, root, increase, scoreRoot, logRoot, count);
    }

    /// @notice Pays what an earned entry lists beyond what its id got before. Anyone may call; the
    /// coins go to the id's account whoever calls.
    /// @param epoch the batch
    /// @param chunk the 160 bytes that hold the entry
    /// @param index the entry's place in the chunk, 0 to 15
    /// @param proof the chunk's siblings, leaf to root
    function claimPayout(uint64 epoch, bytes calldata chunk, uint8 index, bytes32[] calldata proof)
        external
    {
        _requireListed(epoch, chunk, proof);
        (uint32 id, uint48 units) = Entries.read(chunk, index);
        if (id == 0 || id & Entries.SPENT != 0) revert NotEarned(id);
        uint64 before = claimed[id];
        if (units <= before) revert NothingToClaim(id);
        uint64 due = units - before;
        uint64 left = committed - paid;
        if (due > left) revert Undeclared(due, left);

        // All is booked before the payee's code can run.
        claimed[id] = units;
        paid += due;
        uint256 amount = due * UNIT;
        emit Claimed(id, vault.accountOf(id), due, amount);
        vault.payOut(id, amount);
    }

    /// @dev Reverts unless the chunk belongs to the epoch's batch and its delay has passed.
    function _requireListed(uint64 epoch, bytes calldata chunk, bytes32[] calldata proof)
        private
        view
    {
        Root memory kept = rootOf[epoch];
        if (kept.time == 0) revert UnknownEpoch(epoch);
        uint64 claimableAt = kept.time + delay;
        if (block.timestamp < claimableAt) revert TooEarly(claimableAt);
        bytes32 leaf = Entries.leaf(chunk);
        if (!MerkleProof.verifyCalldata(proof, kept.root, leaf)) revert BadProof();
    }
}
