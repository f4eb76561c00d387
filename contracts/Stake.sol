// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";

/// @notice Whom the stake obeys; the Settlement says.
interface IRoleHolders {
    /// @notice The time lock.
    function admin() external view returns (address);
    /// @notice Who may stop things.
    function guardian() external view returns (address);
}

/// @title What providers put at risk
/// @notice A pool of its own: stake comes in with its own value, never from a balance, and goes out
/// to the account that owns it. Names and events are those of OpenGPU's own Vault where they mean
/// the same.
/// @dev A sanction passes the admin's time lock first, so it is public before it holds, and the
/// unbonding period is longer than that wait, so what is locked when it is announced cannot outrun
/// it; what has unbonded by then, or does before it holds, can. It carries the hash of its
/// evidence. Until its appeal is over the guardian may waive it. After that the admin, again after
/// its wait, gives the coins to whoever was harmed, or back.
abstract contract Stake {
    /// @notice What an account has at stake, and where.
    struct Holding {
        uint128 lockup;
        uint128 unbonding;
        uint128 sanctioned;
        // Since when it unbonds, and when the last sanction's appeal ends, in seconds.
        uint64 unbondingSince;
        uint64 appealUntil;
    }

    /// @notice Seconds between unbond and claim.
    uint64 public immutable unbondingPeriod;

    /// @notice Seconds in which a sanction can be appealed against.
    uint64 public immutable appealPeriod;

    /// @notice All stake held, in wei: locked, unbonding and sanctioned.
    uint256 public totalStaked;

    mapping(address account => Holding) private _holdings;

    /// @notice Stake was locked for an account, by anyone.
    event Locked(address account, uint256 amount);
    /// @notice An account's stake began to unbond.
    event Unbonded(address account, uint256 amount);
    /// @notice An account locked its unbonding stake again.
    event UnbondingCanceled(address account, uint256 amount);
    /// @notice An account got its unbonded stake.
    event Claimed(address account, uint256 amount);
    /// @notice An account lost the use of stake.
    event Sanctioned(address account, uint256 amount);
    /// @notice Why, and until when it can be appealed against.
    event SanctionEvidence(address indexed account, bytes32 indexed evidence, uint64 appealUntil);
    /// @notice An account got sanctioned stake back, locked.
    event Waived(address account, uint256 amount);
    /// @notice Sanctioned stake was given to whoever was harmed.
    event SanctionWithdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice Nothing was sent or asked for.
    error ZeroStake();
    /// @notice The account has less than that.
    error TooLittleStake(address account, uint256 amount, uint256 available);
    /// @notice The stake is still unbonding.
    error StillUnbonding(uint64 until);
    /// @notice A sanction needs the hash of its evidence.
    error NoEvidence();
    /// @notice Only the time lock may sanction.
    error NotStakeAdmin(address caller);
    /// @notice Only the guardian, while it can be appealed against, or the time lock may waive.
    error MayNotWaive(address caller);
    /// @notice The sanction can still be appealed against.
    error AppealOpen(uint64 until);

    modifier onlyStakeAdmin() {
        if (msg.sender != _roles().admin()) revert NotStakeAdmin(msg.sender);
        _;
    }

    constructor(uint64 unbondingPeriod_, uint64 appealPeriod_) {
        unbondingPeriod = unbondingPeriod_;
        appealPeriod = appealPeriod_;
    }

    /// @notice Locks the coins sent as an account's stake; anyone may pay for anyone.
    function lock(address account) external payable {
        if (msg.value == 0 || account == address(0)) revert ZeroStake();
        _holdings[account].lockup += uint128(msg.value);
        totalStaked += msg.value;
        emit Locked(account, msg.value);
    }

    /// @notice Starts to take stake out. Stake that unbonds already starts its wait anew.
    function unbond(uint256 amount) external {
        Holding storage own = _holdings[msg.sender];
        if (amount == 0) revert ZeroStake();
        if (amount > own.lockup) revert TooLittleStake(msg.sender, amount, own.lockup);
        own.lockup -= uint128(amount);
        own.unbonding += uint128(amount);
        own.unbondingSince = uint64(block.timestamp);
        emit Unbonded(msg.sender, amount);
    }

    /// @notice Locks again all that unbonds.
    function cancelUnbonding() external {
        Holding storage own = _holdings[msg.sender];
        uint128 amount = own.unbonding;
        if (amount == 0) revert ZeroStake();
        own.unbonding = 0;
        own.lockup += amount;
        emit UnbondingCanceled(msg.sender, amount);
    }

    /// @notice Pays out the stake whose wait is over, to its owner.
    function claim() external {
        Holding storage own = _holdings[msg.sender];
        uint128 amount = own.unbonding;
        if (amount == 0) revert ZeroStake();
        uint64 until = own.unbondingSince + unbondingPeriod;
        if (block.timestamp < until) revert StillUnbonding(until);
        own.unbonding = 0;
        totalStaked -= amount;
        emit Claimed(msg.sender, amount);
        Address.sendValue(payable(msg.sender), amount);
    }

    /// @notice Takes the use of stake from an account, first of what unbonds: it would leave first.
    /// @dev Where less is left than was announced, that is taken: else an account could make an
    /// announced sanction fail by taking out one wei that had unbonded before.
    /// @param account who broke the rules
    /// @param amount wei; at most what it has locked and unbonding is taken
    /// @param evidence hash of what proves it
    function sanction(address account, uint256 amount, bytes32 evidence) external onlyStakeAdmin {
        Holding storage its = _holdings[account];
        if (amount == 0) revert ZeroStake();
        if (evidence == 0) revert NoEvidence();
        uint256 all = uint256(its.lockup) + its.unbonding;
        if (all == 0) revert TooLittleStake(account, amount, all);
        if (amount > all) amount = all;
        uint128 leaving = amount < its.unbonding ? uint128(amount) : its.unbonding;
        its.unbonding -= leaving;
        its.lockup -= uint128(amount) - leaving;
        its.sanctioned += uint128(amount);
        its.appealUntil = uint64(block.timestamp) + appealPeriod;
        emit Sanctioned(account, amount);
        emit SanctionEvidence(account, evidence, its.appealUntil);
    }

    /// @notice Gives sanctioned stake back to its account, locked.
    function waive(address account, uint256 amount) external {
        Holding storage its = _holdings[account];
        bool appeal = msg.sender == _roles().guardian() && block.timestamp < its.appealUntil;
        if (!appeal && msg.sender != _roles().admin()) revert MayNotWaive(msg.sender);
        _takeSanctioned(account, amount);
        its.lockup += uint128(amount);
        emit Waived(account, amount);
    }

    /// @notice Gives sanctioned stake to whoever was harmed, once the appeal is over.
    function withdrawSanctionOf(address account, uint256 amount, address to)
        external
        onlyStakeAdmin
    {
        uint64 until = _holdings[account].appealUntil;
        if (block.timestamp < until) revert AppealOpen(until);
        _takeSanctioned(account, amount);
        totalStaked -= amount;
        emit SanctionWithdrawn(account, to, amount);
        Address.sendValue(payable(to), amount);
    }

    /// @notice Wei that an account has locked.
    function lockupOf(address account) external view returns (uint256) {
        return _holdings[account].lockup;
    }

    /// @notice Wei that an account is taking out.
    function unbondingOf(address account) external view returns (uint256) {
        return _holdings[account].unbonding;
    }

    /// @notice Since when, in seconds.
    function unbondingTimestamp(address account) external view returns (uint256) {
        return _holdings[account].unbondingSince;
    }

    /// @notice Wei that an account was sanctioned with.
    function sanctionOf(address account) external view returns (uint256) {
        return _holdings[account].sanctioned;
    }

    /// @notice When the appeal against an account's last sanction ends, in seconds.
    function appealUntil(address account) external view returns (uint256) {
        return _holdings[account].appealUntil;
    }

    function _takeSanctioned(address account, uint256 amount) private {
        Holding storage its = _holdings[account];
        if (amount == 0) revert ZeroStake();
        if (amount > its.sanctioned) revert TooLittleStake(account, amount, its.sanctioned);
        its.sanctioned -= uint128(amount);
    }

    /// @dev The contract that knows the roles.
    function _roles() internal view virtual returns (IRoleHolders);
}
