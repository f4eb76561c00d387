// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Trees, vm} from "./Base.sol";
import {Settlement} from "contracts/Settlement.sol";
import {Vault} from "contracts/Vault.sol";

/// Plays clients, settler and strangers in any order the fuzzer likes, and remembers.
contract Player {
    uint32 public constant PEOPLE = 20;
    uint256 private constant UNIT = 1e12;

    Settlement private settlement;
    Vault private vault;
    address private settler;
    address private director;
    bool private honest;

    mapping(uint64 epoch => bytes) private batch;
    mapping(uint32 id => uint64) public highest;
    mapping(uint32 id => uint48) private counter;
    uint64 public batches;
    uint256 public deposits;
    uint256 public falls;

    constructor(Settlement settlement_, address settler_, bool honest_) {
        settlement = settlement_;
        vault = settlement_.vault();
        settler = settler_;
        director = msg.sender;
        honest = honest_;
        for (uint32 i = 1; i <= PEOPLE; ++i) vault.register(address(uint160(0xfeed0000 + i)));
        vm.deal(address(this), 1e40);
        deposit(1, 50_000_000 * UNIT);
    }

    function deposit(uint32 who, uint256 amount) public {
        uint256 wei_ = 1 + amount % 1e20;
        vault.deposit{value: wei_}(vault.accountOf(1 + who % PEOPLE));
        deposits += wei_;
    }

    /// A batch of 1 to 24 entries: some earned, some spent, some padding.
    function settle(uint256 seed, uint8 size) public {
        uint256 n = 1 + size % 24;
        bytes memory entries;
        uint256 grown;
        uint256 left = vault.totalDeposited() / UNIT - settlement.committed();
        for (uint256 i = 0; i < n; ++i) {
            uint256 r = uint256(keccak256(abi.encode(seed, i)));
            uint32 id = uint32(1 + r % PEOPLE);
            uint48 more = uint48((r >> 64) % 1e6);
            if (r >> 252 == 0) {
                entries = bytes.concat(entries, new bytes(10));
            } else if (r >> 254 == 3) {
                entries = bytes.concat(entries, Trees.spent(id, more));
            } else {
                if (honest && grown + more > left) more = 0;
                grown += more;
                entries = bytes.concat(entries, Trees.entry(id, list(id, more, r)));
            }
        }
        uint64 increase = uint64(honest ? grown : (seed >> 128) % (left + 1));
        vm.prank(settler, settler);
        settlement.settle(++batches, increase, 0, 0, entries);
        batch[batches] = entries;
    }

    /// The counter to list; a liar sometimes lists less than before.
    function list(uint32 id, uint48 more, uint256 r) private returns (uint48 units) {
        counter[id] += more;
        units = counter[id];
        if (!honest && r >> 250 == 5) units /= 2;
        if (units > highest[id]) highest[id] = units;
    }

    function wait(uint16 time) public {
        vm.warp(block.timestamp + time);
    }

    /// One claim of any entry of any epoch, ripe or not, twice.
    function claim(uint64 epoch, uint16 position) public {
        if (batches == 0) return;
        epoch = 1 + epoch % batches;
        uint256 places = Trees.count(batch[epoch]) * 16;
        tryClaim(epoch, position % places);
        tryClaim(epoch, position % places);
    }

    function tryClaim(uint64 epoch, uint256 position) private {
        bytes memory entries = batch[epoch];
        bytes memory chunk = Trees.chunk(entries, position / 16);
        bytes32[] memory proof = Trees.proof(entries, position / 16);
        uint64[] memory before = counters();
        try settlement.claimPayout(epoch, chunk, uint8(position % 16), proof) {} catch {}
        uint64[] memory later = counters();
        for (uint256 i = 0; i < later.length; ++i) if (later[i] < before[i]) ++falls;
    }

    /// Every counter of the contracts that must never fall.
    function counters() private view returns (uint64[] memory all) {
        all = new uint64[](PEOPLE + 3);
        for (uint32 id = 1; id <= PEOPLE; ++id) all[id - 1] = settlement.claimed(id);
        all[PEOPLE] = settlement.paid();
        all[PEOPLE + 1] = settlement.committed();
        all[PEOPLE + 2] = settlement.lastEpoch();
    }

    /// The last act, not one of the fuzzer's moves.
    function claimAll() external {
        if (msg.sender != director) return;
        vm.warp(block.timestamp + settlement.delay());
        for (uint64 epoch = batches; epoch > 0; --epoch) {
            for (uint256 i = 0; i < batch[epoch].length / 10; ++i) tryClaim(epoch, i);
        }
    }
}
