// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, vm} from "./Base.sol";
import {Vault} from "contracts/Vault.sol";

contract VaultTest is Base {
    function test_register_is_open_dense_and_idempotent() public {
        vm.expectEmit(address(vault));
        emit Vault.Registered(1, person(1));
        eq(vault.register(person(1)), 1, "first id");
        vm.prank(STRANGER);
        eq(vault.register(person(2)), 2, "a stranger may register another");
        vm.prank(STRANGER);
        eq(vault.register(person(1)), 1, "again: the same id");
        eq(vault.lastId(), 2, "no third id");
        eq(vault.idOf(person(1)), 1, "idOf");
        eq(vault.accountOf(2), person(2), "accountOf");
        eq(vault.idOf(person(3)), 0, "unknown account");
        eq(vault.accountOf(3), address(0), "unknown id");
        eq(vault.accountOf(0), address(0), "id 0 belongs to nobody");
    }

    function test_zero_address_and_zero_deposit_are_refused() public {
        vm.expectRevert(abi.encodeWithSelector(Vault.ZeroAccount.selector));
        vault.register(address(0));
        vm.expectRevert(abi.encodeWithSelector(Vault.ZeroAccount.selector));
        vault.deposit{value: 1}(address(0));
        vm.expectRevert(abi.encodeWithSelector(Vault.ZeroDeposit.selector));
        vault.deposit(person(1));
        eq(vault.lastId(), 0, "nobody was registered");
        eq(address(vault).balance, 0, "nothing was taken");
    }

    function testFuzz_deposits_add_up(uint96[8] calldata amounts, uint8[8] calldata whose) public {
        uint256[4] memory sums;
        uint256 total;
        for (uint256 i = 0; i < 8; ++i) {
            if (amounts[i] == 0) continue;
            uint256 who = whose[i] % 4;
            vault.deposit{value: amounts[i]}(person(who));
            sums[who] += amounts[i];
            total += amounts[i];
        }
        for (uint256 who = 0; who < 4; ++who) {
            uint32 id = vault.idOf(person(who));
            eq(vault.deposited(id), sums[who], "deposited");
            if (sums[who] != 0) eq(vault.accountOf(id), person(who), "deposit registers");
        }
        eq(vault.totalDeposited(), total, "totalDeposited");
        eq(address(vault).balance, total, "balance");
    }

    function test_deposit_emits_whose_it_is() public {
        vault.register(person(9));
        vm.deal(STRANGER, 5);
        vm.expectEmit(address(vault));
        emit Vault.Deposited(1, person(9), 5);
        vm.prank(STRANGER);
        vault.deposit{value: 5}(person(9));
    }

    function test_only_the_settlement_pays_out() public {
        vault.deposit{value: 1 ether}(person(1));
        vm.expectRevert(abi.encodeWithSelector(Vault.NotSettlement.selector, address(this)));
        vault.payOut(1, 1 ether);
        vm.prank(SETTLER, SETTLER);
        vm.expectRevert(abi.encodeWithSelector(Vault.NotSettlement.selector, SETTLER));
        vault.payOut(1, 1 ether);
        vm.prank(address(settlement));
        vm.expectRevert(abi.encodeWithSelector(Vault.UnknownId.selector, 2));
        vault.payOut(2, 1);
        eq(address(vault).balance, 1 ether, "nothing left");
    }

    function test_a_plain_transfer_is_refused() public {
        (bool ok,) = address(vault).call{value: 1}("");
        eq(ok ? 1 : 0, 0, "vault");
        (ok,) = address(settlement).call{value: 1}("");
        eq(ok ? 1 : 0, 0, "settlement");
    }

    function test_ids_end_below_the_counter_bit() public {
        // Slot 2 holds lastId in its low 32 bits: as if 2^31 - 2 accounts had registered.
        vm.store(address(vault), bytes32(uint256(2)), bytes32(uint256(0x7ffffffe)));
        eq(vault.register(person(1)), 0x7fffffff, "the last id");
        vm.expectRevert(abi.encodeWithSelector(Vault.NoMoreIds.selector));
        vault.register(person(2));
        eq(vault.register(person(1)), 0x7fffffff, "known accounts are still answered");
    }
}
