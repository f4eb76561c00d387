// SPDX-License-Identifier: MIT
// A settler's key that delegates to code (EIP-7702) calls itself, and its code makes up a batch
// that stands in no transaction's input: nobody could rebuild its proofs. On a chain that knows
// such accounts.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as c from './chain.mjs';

const solc = c.require('solc');
const { keccak256, zeroAddress } = c.require('viem');

const HIDER = `// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;
contract Hider {
    error NotPlain(address caller);
    function hide(address settlement, uint64 epoch) external {
        uint48 units = uint48(uint256(blockhash(block.number - 1)));
        (bool ok, bytes memory why) = settlement.call(abi.encodeWithSignature(
            "settle(uint64,uint64,bytes32,bytes32,bytes)", epoch, 0, bytes32(0), bytes32(0),
            abi.encodePacked(uint32(1), units)));
        if (!ok) assembly { revert(add(why, 32), mload(why)) }
    }
}`;
const TAG = keccak256('0x');
let anvil, chain, made, at, hider;

before(async () => {
    made = await c.build_contracts();
    anvil = await c.start_anvil('--hardfork', 'prague');
    chain = c.connect(anvil.url);
    at = await c.deploy(anvil.url, made.build);
    await c.send(chain, c.CLIENT, at.vault, made.vault_abi, 'register', [c.CLIENT.address]);
    const out = JSON.parse(solc.compile(JSON.stringify({
        language: 'Solidity', sources: { 'Hider.sol': { content: HIDER } },
        settings: { evmVersion: 'paris',
            outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } } },
    })));
    hider = out.contracts['Hider.sol'].Hider;
    const hash = await chain.deployContract({ account: c.CLIENT, chain: null, abi: hider.abi,
        bytecode: `0x${hider.evm.bytecode.object}` });
    hider.address = (await chain.waitForTransactionReceipt({ hash })).contractAddress;
});

after(async () => {
    await anvil?.stop();
    made?.remove();
});

const settle = (epoch) => c.send(chain, c.SETTLER, at.settlement, made.settlement_abi, 'settle',
    [epoch, 0n, TAG, TAG, c.pack([[1, 1n, false]])]);
const hide = () =>
    c.send(chain, c.SETTLER, c.SETTLER.address, hider.abi, 'hide', [at.settlement, 1n]);

/** Makes the settler's account run this code from now on; the zero address: none. */
async function delegate(address) {
    const { address: settler } = c.SETTLER;
    const nonce = await chain.getTransactionCount({ address: settler });
    const signed = await c.SETTLER.signAuthorization({ address, chainId: at.chainId, nonce });
    const hash = await chain.sendTransaction({ account: c.CLIENT, chain: null,
        to: c.CLIENT.address, authorizationList: [signed] });
    assert.equal((await chain.waitForTransactionReceipt({ hash })).status, 'success');
    return chain.getCode({ address: settler });
}

test('a batch that stands in no input is refused, however it is called', async () => {
    assert.equal(await delegate(hider.address), `0xef0100${hider.address.slice(2)}`.toLowerCase());
    await assert.rejects(hide(), /NotPlain/, 'through its own account');
    await assert.rejects(settle(1n), /NotPlain/, 'and not while it could');
    assert.equal(await delegate(zeroAddress), undefined);
    await settle(1n);
});
