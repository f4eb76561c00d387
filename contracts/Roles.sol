// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title Four keys, so that no single one can take the pool
/// @notice The settler lists batches, the signer signs vouchers; both are hot, and what either
/// starts waits for `delay` before it pays. The guardian can only stop: void a root or a voucher
/// in its delay, dismiss a hot key, veto what the admin has announced. The admin can only announce:
/// it is OpenZeppelin's TimelockController, so each change is public for its delay before it holds.
abstract contract Roles {
    /// @notice Who holds which key, and how long each wait is, in seconds.
    struct Config {
        address settler;
        address signer;
        address guardian;
        // Proposes to the time lock that becomes this contract's admin.
        address admin;
        uint64 delay;
        uint64 adminDelay;
        uint64 silence;
        uint64 window;
        uint64 unbonding;
        uint64 appeal;
        uint64 dailyCap;
    }

    /// @notice What a key has used of the daily cap.
    struct Usage {
        uint32 day;
        uint64 units;
    }

    /// @notice The longest wait a deployment may choose: a typing error must not lock the pool.
    uint64 public constant MAX_WAIT = 365 days;

    /// @notice The time lock; only what it executes changes a role or the cap.
    TimelockController public immutable admin;

    /// @notice The only address that may settle; zero after a dismissal.
    address public settler;
    /// @dev What the settler has used of the cap. Two plain members, since a struct would not share
    /// the settler's slot: a batch reads and writes that one alone.
    uint32 private _settledDay;
    uint64 private _settledUnits;

    /// @notice May void, dismiss and veto, nothing else.
    address public guardian;
    /// @notice The most units that batches may declare in one UTC day, and vouchers once more.
    uint64 public dailyCap;

    /// @notice Whose vouchers count; zero after a dismissal.
    address public signer;
    Usage private _vouched;

    /// @notice A batch's sender changed; zero is a dismissal.
    event SettlerSet(address settler);
    /// @notice The vouchers' signer changed; zero is a dismissal.
    event SignerSet(address signer);
    /// @notice The guardian changed.
    event GuardianSet(address guardian);
    /// @notice The daily cap changed.
    event DailyCapSet(uint64 units);

    /// @notice A deployment needs a settler.
    error ZeroSettler();
    /// @notice Nobody would be left who can stop a thief.
    error ZeroGuardian();
    /// @notice A deployment needs an admin.
    error ZeroAdmin();
    /// @notice A deployment's wait is above what is allowed.
    error DelayTooLong(uint64 delay);
    /// @notice Only the settler may settle.
    error NotSettler(address caller);
    /// @notice Only the guardian may stop things.
    error NotGuardian(address caller);
    /// @notice Only the time lock may change things.
    error NotAdmin(address caller);
    /// @notice The address holds no hot key.
    error NotHot(address account);
    /// @notice The day's units would exceed the cap.
    error OverDailyCap(uint256 units, uint64 cap);

    modifier onlySettler() {
        if (msg.sender != settler) revert NotSettler(msg.sender);
        _;
    }

    modifier onlyGuardian() {
        if (msg.sender != guardian) revert NotGuardian(msg.sender);
        _;
    }

    modifier onlyAdmin() {
        if (msg.sender != address(admin)) revert NotAdmin(msg.sender);
        _;
    }

    constructor(Config memory config) {
        if (config.settler == address(0)) revert ZeroSettler();
        if (config.guardian == address(0)) revert ZeroGuardian();
        if (config.admin == address(0)) revert ZeroAdmin();
        if (config.adminDelay > MAX_WAIT) revert DelayTooLong(config.adminDelay);
        settler = config.settler;
        signer = config.signer;
        guardian = config.guardian;
        dailyCap = config.dailyCap;
        admin = _timelock(config);
        emit SettlerSet(config.settler);
        emit SignerSet(config.signer);
        emit GuardianSet(config.guardian);
        emit DailyCapSet(config.dailyCap);
    }

    /// @notice Names a new settler, for instance after a theft.
    function setSettler(address settler_) external onlyAdmin {
        settler = settler_;
        emit SettlerSet(settler_);
    }

    /// @notice Names a new voucher signer.
    function setSigner(address signer_) external onlyAdmin {
        signer = signer_;
        emit SignerSet(signer_);
    }

    /// @notice Names a new guardian.
    function setGuardian(address guardian_) external onlyAdmin {
        if (guardian_ == address(0)) revert ZeroGuardian();
        guardian = guardian_;
        emit GuardianSet(guardian_);
    }

    /// @notice Changes the daily cap.
    function setDailyCap(uint64 units) external onlyAdmin {
        dailyCap = units;
        emit DailyCapSet(units);
    }

    /// @notice Stops a hot key that was robbed, at once, until the admin names its successor.
    /// @param hot the settler's or the signer's address
    function dismiss(address hot) external onlyGuardian {
        if (hot == address(0) || (hot != settler && hot != signer)) revert NotHot(hot);
        if (hot == settler) {
            settler = address(0);
            emit SettlerSet(address(0));
        }
        if (hot == signer) {
            signer = address(0);
            emit SignerSet(address(0));
        }
    }

    /// @notice Cancels a change that the admin has announced.
    /// @param id the time lock's operation
    function veto(bytes32 id) external onlyGuardian {
        admin.cancel(id);
    }

    /// @dev Counts a batch's declared units against the day's cap.
    function _useSettlerCap(uint64 units) internal {
        Usage memory usage = _used(Usage(_settledDay, _settledUnits), units);
        (_settledDay, _settledUnits) = (usage.day, usage.units);
    }

    /// @dev Counts a voucher's units against the day's cap, as many as are left of it; a robbed
    /// signer must not be able to use up the settler's. Reverts when none are.
    /// @return taken at most the units asked for
    function _useSignerCap(uint64 units) internal returns (uint64 taken) {
        uint64 used = _usedToday(_vouched);
        uint64 left = used < dailyCap ? dailyCap - used : 0;
        if (left == 0) revert OverDailyCap(uint256(used) + units, dailyCap);
        taken = units < left ? units : left;
        _vouched = _used(_vouched, taken);
    }

    /// @dev This contract keeps one right over the lock, to cancel: whoever is guardian uses it
    /// through veto(). The right to hand out rights goes to the lock itself, so it waits too.
    function _timelock(Config memory config) private returns (TimelockController lock) {
        address[] memory proposers = new address[](1);
        address[] memory anyone = new address[](1);
        proposers[0] = config.admin;
        lock = new TimelockController(config.adminDelay, proposers, anyone, address(this));
        lock.grantRole(lock.CANCELLER_ROLE(), address(this));
        lock.renounceRole(lock.DEFAULT_ADMIN_ROLE(), address(this));
    }

    /// @dev What was used of today's cap with these units, a new day starting at none.
    function _used(Usage memory usage, uint64 units) private view returns (Usage memory) {
        uint256 total = uint256(_usedToday(usage)) + units;
        if (total > dailyCap) revert OverDailyCap(total, dailyCap);
        return Usage(_today(), uint64(total));
    }

    function _usedToday(Usage memory usage) private view returns (uint64) {
        return usage.day == _today() ? usage.units : 0;
    }

    /// @dev Days fit 32 bits for eleven million years.
    function _today() private view returns (uint32) {
        return uint32(block.timestamp / 1 days);
    }
}
