// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Trees, vm} from "./Base.sol";
import {Settlement} from "contracts/Settlement.sol";
import {Vault} from "contracts/Vault.sol";
import {Vouchers} from "contracts/Vouchers.sol";

/// Everyone at once: clients, a settler and a signer who both may lie, a guardian, stakers, and
/// people who leave. Every move may fail; what matters is what holds after it.
contract World {
    uint32 public constant PEOPLE = 8;
    uint256 private constant UNIT = 1e12;
    uint256 private constant SIGNER_KEY = 0x51613e;
    uint64 private constant NEVER = type(uint64).max;

    Settlement private settlement;
    Vault private vault;
    address private settler;
    address private guardian;

    mapping(uint64 epoch => bytes) private batch;
    mapping(uint32 id => uint48) public highest;
    mapping(uint256 n => uint48) private vouched;
    mapping(uint256 n => uint32) private voucherOf;
    uint256 public vouchers;
    uint64 public batches;
    uint256 public deposits;
    uint256 public falls;
    uint256 public exits;
    uint256[] private last;

    constructor(Settlement settlement_, address settler_, address guardian_) {
        settlement = settlement_;
        vault = settlement_.vault();
        settler = settler_;
        guardian = guardian_;
        for (uint32 i = 1; i <= PEOPLE; ++i) vault.register(address(uint160(0xfeed0000 + i)));
        vm.deal(address(this), 1e40);
        last = counters();
        deposit(1, 5_000_000 * UNIT);
    }

    /// Compares every counter that must never fall with what it was before the move.
    modifier watched() {
        _;
        uint256[] memory now_ = counters();
        for (uint256 i = 0; i < now_.length; ++i) if (now_[i] < last[i]) ++falls;
        last = now_;
    }

    function counters() private view returns (uint256[] memory all) {
        all = new uint256[](PEOPLE * 4 + 5);
        for (uint32 id = 1; id <= PEOPLE; ++id) {
            uint256 k = (id - 1) * 4;
            (all[k], all[k + 1]) = settlement.shownOf(id);
            all[k + 2] = settlement.claimed(id);
            all[k + 3] = settlement.refunded(id);
        }
        all[PEOPLE * 4] = settlement.paid();
        all[PEOPLE * 4 + 1] = settlement.lastEpoch();
        all[PEOPLE * 4 + 2] = vault.totalPaid();
        all[PEOPLE * 4 + 3] = settlement.searched();
        all[PEOPLE * 4 + 4] = settlement.lifeAt();
    }

    function who(uint32 seed) private pure returns (uint32) {
        return 1 + seed % PEOPLE;
    }

    function deposit(uint32 seed, uint256 amount) public watched {
        amount = 1 + amount % 1e19;
        try vault.deposit{value: amount}(vault.accountOf(who(seed))) {
            deposits += amount;
        } catch {}
    }

    function settle(uint256 seed, uint8 size, uint64 increase) public watched {
        bytes memory entries;
        for (uint256 i = 0; i <= size % 20; ++i) {
            uint256 r = uint256(keccak256(abi.encode(seed, i)));
            uint32 id = who(uint32(r));
            uint48 units = uint48((r >> 64) % 4e6);
            if (r >> 255 == 1) {
                entries = bytes.concat(entries, Trees.spent(id, units));
            } else {
                entries = bytes.concat(entries, Trees.entry(id, units));
                if (units > highest[id]) highest[id] = units;
            }
        }
        vm.prank(settler, settler);
        try settlement.settle(batches + 1, increase % 2e6, 0, 0, entries) {
            batch[++batches] = entries;
        } catch {}
    }

    function voidRoot(uint64 epoch) public watched {
        vm.prank(guardian);
        try settlement.voidRoot(batches == 0 ? 0 : batches - epoch % 2) {} catch {}
    }

    /// Rare: else hardly a batch would stand.
    function voidMany(uint64 from, uint256 n) public watched {
        if (from % 4 != 0) return;
        Vouchers.Posted[] memory list = new Vouchers.Posted[](vouchers == 0 ? 0 : n % 3);
        for (uint256 i = 0; i < list.length; ++i) {
            uint256 k = (n % vouchers + i) % vouchers;
            list[i] = Vouchers.Posted(voucherOf[k], vouched[k]);
        }
        vm.prank(guardian);
        settlement.voidRoots(batches < 2 ? 0 : batches - 1, type(uint64).max);
        vm.prank(guardian);
        settlement.voidVouchers(list);
    }

    function advance(uint64 epoch) public watched {
        try settlement.advance(epoch % (batches + 2)) {} catch {}
    }

    function post(uint32 seed, uint48 units) public watched {
        uint32 id = who(seed);
        units %= 4e6;
        bytes32 digest = settlement.voucherDigest(id, units, NEVER);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(SIGNER_KEY, digest);
        try settlement.postVoucher(id, units, NEVER, abi.encodePacked(r, s, v)) {
            voucherOf[vouchers] = id;
            vouched[vouchers++] = units;
            if (units > highest[id]) highest[id] = units;
        } catch {}
    }

    function claimVoucher(uint256 n) public watched {
        if (vouchers == 0) return;
        n %= vouchers;
        try settlement.claimVoucher(voucherOf[n], vouched[n]) {} catch {}
    }

    function voidVoucher(uint256 n) public watched {
        if (vouchers == 0 || n % 4 != 0) return;
        n %= vouchers;
        vm.prank(guardian);
        try settlement.voidVoucher(voucherOf[n], vouched[n]) {} catch {}
    }

    function claim(uint64 epoch, uint16 position) public watched {
        if (batches == 0) return;
        epoch = 1 + epoch % batches;
        position %= uint16(batch[epoch].length / 10);
        bytes memory chunk = Trees.chunk(batch[epoch], position / 16);
        bytes32[] memory proof = Trees.proof(batch[epoch], position / 16);
        try settlement.claimPayout(epoch, chunk, uint8(position % 16), proof) {} catch {}
    }

    function stake(uint32 seed, uint8 move, uint64 amount) public watched {
        address account = address(uint160(0xace0000 + who(seed)));
        address admin = address(settlement.admin());
        if (move % 6 == 0) {
            vault.lock{value: uint256(amount) + 1}(account);
            return;
        }
        vm.prank(move % 6 > 3 ? admin : account);
        if (move % 6 == 1) try vault.unbond(amount) {} catch {}
        else if (move % 6 == 2) try vault.claim() {} catch {}
        else if (move % 6 == 3) try vault.cancelUnbonding() {} catch {}
        else if (move % 6 == 4) try vault.sanction(account, amount, "why") {} catch {}
        else try vault.withdrawSanctionOf(account, amount, address(0xbeef)) {} catch {}
    }

    function pass(uint32 time) public {
        vm.warp(block.timestamp + time % 2 days);
    }

    /// Rare: else every run would be over at once.
    function beginExit(uint8 dice) public watched {
        if (dice % 5 != 0) return;
        vm.warp(block.timestamp + 8 days);
        try settlement.beginExit() {
            ++exits;
        } catch {}
    }

    function show(uint64 epoch, uint8 n) public watched {
        if (batches == 0) return;
        epoch = 1 + epoch % batches;
        uint256 k = n % Trees.count(batch[epoch]);
        bytes memory chunk = Trees.chunk(batch[epoch], k);
        bytes32[] memory proof = Trees.proof(batch[epoch], k);
        try settlement.show(epoch, chunk, proof) {} catch {}
    }

    function leaves(uint32 seed, bool wait) public watched {
        if (wait && settlement.exitAt() > block.timestamp) vm.warp(settlement.exitAt());
        try settlement.exit(who(seed)) {} catch {}
    }
}
