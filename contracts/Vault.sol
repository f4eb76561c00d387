// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IRoleHolders, Stake} from "./Stake.sol";

/// @title The deposit pool, and beside it the stake
/// @notice Holds every deposited coin and gives each account its number. Coins leave only through
/// the Settlement that created this contract; neither has an owner, an upgrade or a rescue call.
contract Vault is Stake {
    /// @notice Ids end here: an entry's top bit is taken by its counter.
    uint32 public constant MAX_ID = (1 << 31) - 1;

    /// @notice The only contract that may pay out of the pool.
    address public immutable settlement;

    /// @notice The id registered last; ids run from 1 without gaps, 0 means none.
    uint32 public lastId;

    /// @notice All that was ever deposited, in wei. Coins forced in by other means do not count.
    /// @dev Shares its slot with lastId: a settlement reads both.
    uint216 public totalDeposited;

    /// @notice True once a forced exit has begun: what comes in then would never be settled.
    bool public closed;

    /// @notice All that was ever paid out of the pool, in wei; never above totalDeposited.
    uint256 public totalPaid;

    /// @notice The id of an account, 0 when it has none.
    mapping(address account => uint32 id) public idOf;

    /// @notice The account behind an id, the zero address when there is none.
    mapping(uint32 id => address account) public accountOf;

    /// @notice All that was ever deposited for an id, in wei; it never falls.
    mapping(uint32 id => uint256 amount) public deposited;

    /// @notice An account got its id.
    event Registered(uint32 indexed id, address indexed account);

    /// @notice An account was credited; the sender may be anyone.
    event Deposited(uint32 indexed id, address indexed account, uint256 amount);

    /// @notice The zero address can hold no account.
    error ZeroAccount();
    /// @notice A deposit must carry coins.
    error ZeroDeposit();
    /// @notice All 2^31 - 1 ids are given.
    error NoMoreIds();
    /// @notice Only the Settlement may call this.
    error NotSettlement(address caller);
    /// @notice No account has this id.
    error UnknownId(uint32 id);
    /// @notice A forced exit has begun: deposits are no longer taken.
    error Closed();
    /// @notice The pool never held this much.
    error PoolExceeded(uint256 amount, uint256 left);

    /// @notice The creator becomes the Settlement for good, so the two can never be wired apart.
    /// @param unbonding seconds between unbond and claim of stake
    /// @param appeal seconds in which a sanction can be appealed against
    constructor(uint64 unbonding, uint64 appeal) Stake(unbonding, appeal) {
        settlement = msg.sender;
    }

    /// @notice Credits an account with the coins sent, and registers it when it is new.
    /// @param account whom the deposit belongs to
    function deposit(address account) external payable {
        if (msg.value == 0) revert ZeroDeposit();
        if (closed) revert Closed();
        uint32 id = register(account);
        // No chain's supply comes near 2^216 wei, so the cast keeps every bit.
        totalDeposited += uint216(msg.value);
        deposited[id] += msg.value;
        emit Deposited(id, account, msg.value);
    }

    /// @notice Gives an account its id; a second call changes nothing. Anyone may call for anyone:
    /// an id is bound to its account, so a stranger's call takes nothing away.
    /// @param account the account to number
    /// @return id its id, new or old
    function register(address account) public returns (uint32 id) {
        if (account == address(0)) revert ZeroAccount();
        id = idOf[account];
        if (id != 0) return id;
        if (lastId == MAX_ID) revert NoMoreIds();
        id = ++lastId;
        idOf[account] = id;
        accountOf[id] = account;
        emit Registered(id, account);
    }

    /// @notice Takes no more deposits; called when a forced exit begins.
    /// @return all that was ever deposited, which stays so
    function close() external returns (uint256) {
        if (msg.sender != settlement) revert NotSettlement(msg.sender);
        closed = true;
        return totalDeposited;
    }

    /// @notice Sends coins of the pool to the account behind an id.
    /// @dev The Settlement has booked the payment before it calls, so a payee that calls back in
    /// finds nothing left to take. A payee that reverts undoes its own claim and nothing else.
    /// @param id whose account is paid
    /// @param amount wei
    function payOut(uint32 id, uint256 amount) external {
        if (msg.sender != settlement) revert NotSettlement(msg.sender);
        address account = accountOf[id];
        if (account == address(0)) revert UnknownId(id);
        // The Settlement never asks for more than the pool; this does not have to believe it.
        uint256 left = totalDeposited - totalPaid;
        if (amount > left) revert PoolExceeded(amount, left);
        totalPaid += amount;
        Address.sendValue(payable(account), amount);
    }

    function _roles() internal view override returns (IRoleHolders) {
        return IRoleHolders(settlement);
    }
}
