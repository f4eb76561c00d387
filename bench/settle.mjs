// SPDX-License-Identifier: MIT
// What settlement costs: gas of settle() per entry by size of the batch, beside other ways to pay many, in the same run on the
// same EVM; and how many payouts a second relayer, chain and indexer settle together, to the wei. Adds the key `settle` to
// $BUILD/bench.json. bench/run calls it after bench.mjs; alone (a minute): tools/bin/node bench/settle.mjs
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { encodeFunctionData, keccak256, numberToHex, toHex } from 'viem';
import * as c from '../tests/contracts/chain.mjs';
import { Ledger, UNIT } from '../tests/support/ledger.mjs';
import { root } from '../tests/support/sql.mjs';
import { build, eventually } from '../tests/support/stack.mjs';

const SIZES = [1, 10, 100, 1000, 4000];
const ACCOUNTS = 2000;
const ROUNDS = Number(process.env.BENCH_SETTLE_ROUNDS ?? 4);
const TAG = keccak256('0x'); // a root has no zero bytes to speak of, and zero bytes are the cheap ones
const say = (line) => process.stdout.write(`${line}\n`);
const solc = createRequire(join(root, 'tools/package.json'))('solc');

/** Many calls to one contract by one of anvil's own accounts, in blocks of 250. @param {object} client viem, of mode anvil */
async function flood(client, { address, abi }, functionName, many, value = 0n) {
    const from = '0xa0Ee7A142d267C1f36714E4a8F75612F20a79720';
    const first = await client.request({ method: 'eth_getTransactionCount', params: [from, 'latest'] });
    await client.request({ method: 'evm_setAutomine', params: [false] });
    for (let i = 0; i < many.length; i += 250) {
        const calls = many.slice(i, i + 250).map((args, k) => ({
            jsonrpc: '2.0', id: k, method: 'eth_sendTransaction',
            params: [{ from, to: address, gas: toHex(200_000), nonce: toHex(Number(first) + i + k), value: toHex(value), data: encodeFunctionData({ abi, functionName, args }) }],
        }));
        const answers = await (await fetch(client.transport.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(calls) })).json();
        assert.ok(answers.every((a) => a.result), JSON.stringify(answers.find((a) => !a.result)));
        await eventually(async () => Number((await client.request({ method: 'txpool_status', params: [] })).pending) >= calls.length, 'the calls in the pool');
        await client.request({ method: 'evm_mine', params: [] });
    }
    await client.request({ method: 'evm_setAutomine', params: [true] });
}

/** The other designs, compiled as ours are. */
function references() {
    const input = {
        language: 'Solidity', sources: { 'References.sol': { content: readFileSync(join(root, 'bench/References.sol'), 'utf8') } },
        settings: { evmVersion: 'paris', optimizer: { enabled: true, runs: 10000 }, outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } } },
    };
    const out = JSON.parse(solc.compile(JSON.stringify(input)));
    assert.deepEqual((out.errors ?? []).filter((e) => e.severity === 'error'), []);
    return out.contracts['References.sol'];
}

/** An epoch's usual rows: seven-digit cumulative amounts, so 3 of 6 bytes are used. */
const rows = (n, epoch) => Array.from({ length: n }, (_, i) => [1 + i % 1000, 1_000_000n + BigInt(keccak256(numberToHex(i + 1, { size: 32 }))) % 9_000_000n + epoch, false]);
/** The same payees for a design that names addresses and pays the growth. */
const packed = (n) => Array.from({ length: n }, (_, i) => (BigInt(keccak256(numberToHex(i + 1, { size: 20 }))) >> 96n << 96n) + 1_000n * UNIT);

async function gas() {
    // Without the cap on a transaction's gas, which some of the others would pass long before 4000 payees.
    const anvil = await c.start_anvil('--gas-limit', '2000000000', '--balance', '1000000000');
    const chain = c.connect(anvil.url);
    const table = new Map();
    const keep = (name, n, used) => table.set(name, { ...table.get(name), [n]: Number(used) });
    try {
        const at = await c.deploy(anvil.url, build, { OGPU_CLAIM_DELAY_S: '1' });
        const abi = (name) => JSON.parse(readFileSync(join(build, 'contracts', `${name}.json`), 'utf8')).abi;
        await flood(chain, { address: at.vault, abi: abi('Vault') }, 'register', Array.from({ length: 1000 }, (_, i) => [numberToHex(0xabc000 + i, { size: 20 })]));
        await c.send(chain, c.CLIENT, at.vault, abi('Vault'), 'deposit', [c.CLIENT.address], 10n ** 22n);
        let epoch = 0n;
        for (const n of [1, ...SIZES]) { // the first one pays for slots that were zero
            epoch += 1n;
            const r = await c.send(chain, c.SETTLER, at.settlement, abi('Settlement'), 'settle', [epoch, BigInt(n), TAG, TAG, c.pack(rows(n, epoch))]);
            keep('settle', n, r.gasUsed);
        }
        const made = references();
        for (const [name, { abi: interf, evm }] of Object.entries(made)) {
            const hash = await chain.deployContract({ account: c.CLIENT, chain: null, abi: interf, bytecode: `0x${evm.bytecode.object}` });
            const { contractAddress: address } = await chain.waitForTransactionReceipt({ hash });
            const send = async (functionName, args, value) => {
                const sent = await chain.writeContract({ account: c.CLIENT, chain: null, address, abi: interf, functionName, args, value, gas: 1_000_000_000n });
                const receipt = await chain.waitForTransactionReceipt({ hash: sent });
                assert.equal(receipt.status, 'success');
                return receipt.gasUsed;
            };
            for (const n of SIZES) {
                const entries = packed(n);
                const value = BigInt(n) * 1_000n * UNIT;
                if (name === 'RootOnly') {
                    await send('post', [TAG]);
                    keep('root alone, data withheld', n, await send('post', [keccak256(TAG)]));
                } else if (name === 'Published') {
                    await send('post', [TAG, []]);
                    keep('root, 32-byte entries unchecked', n, await send('post', [keccak256(numberToHex(n)), entries]));
                } else {
                    // The first time makes the accounts or slots that the larger sizes share; the second is the steady state.
                    await send('pay', [entries], name === 'Push' ? value : undefined);
                    keep(name === 'Push' ? 'push to existing accounts' : 'credit to nonzero balances', n, await send('pay', [entries], name === 'Push' ? value : undefined));
                }
            }
        }
        const hash = await chain.sendTransaction({ account: c.CLIENT, chain: null, to: c.STRANGER.address, value: 1n });
        const { gasUsed } = await chain.waitForTransactionReceipt({ hash });
        SIZES.forEach((n) => keep('a plain transfer each', n, gasUsed * BigInt(n)));
    } finally {
        await anvil.stop();
    }
    return table;
}

/** Accounts on chain, each with a deposit the indexer has booked and a key. */
async function depositors(l) {
    await flood(l.chain.node, l.chain.vault, 'deposit', Array.from({ length: ACCOUNTS }, () => [toHex(randomBytes(20))]), 10n ** 18n);
    await eventually(async () => Number((await l.sql.query("SELECT count(*) AS n FROM chain_event WHERE kind = 'deposited'"))[0].n) === ACCOUNTS, 'the deposits booked', 60_000);
    const rows = await l.sql.query('SELECT id FROM account WHERE chain_id IS NOT NULL');
    const keys = rows.map((r) => ({ id: randomUUID(), account: r.id, hash: randomBytes(32), hint: 'x', name: '', scopes: 63 }));
    await l.sql.write('api_key_create', ...keys);
    return keys;
}

/** Payables that wait, settled by the real relayer and booked by the real indexer: payouts a second, and what is missing. */
async function rate() {
    const l = await Ledger.up({ OGPU_EXIT_SILENCE_S: '10000000', OGPU_EXIT_WINDOW_S: '1000', OGPU_BATCH_COUNT: '2000', OGPU_BATCH_MAX: '2000', OGPU_BATCH_AGE_S: '0' });
    try {
        l.indexer();
        const keys = await depositors(l);
        for (let round = 0; round < ROUNDS; round++) {
            for (let i = 0; i < ACCOUNTS; i += 250) {
                const rows = await l.sql.write('withdrawal_create', ...keys.slice(i, i + 250).map((k) => ({ id: randomUUID(), account: k.account, key: k.id, amount: String(3n * UNIT + 1n), idem_key: null, fingerprint: randomBytes(32) })));
                assert.ok(rows.every((r) => r.outcome === 'ok'));
            }
        }
        const from = performance.now();
        l.relayer();
        await eventually(async () => Number((await l.sql.query("SELECT count(*) AS n FROM ledger_entry WHERE to_bucket = 'payable' AND kind = 'withdraw' AND batch_id IS NULL"))[0].n) === 0
            && Number((await l.sql.query("SELECT count(*) AS n FROM batch WHERE state <> 'confirmed'"))[0].n) === 0, 'all settled', 120_000);
        const seconds = (performance.now() - from) / 1000;
        const [{ n }] = await l.sql.query("SELECT count(*) AS n FROM batch_item WHERE counter = 'earned'");
        await l.whole();
        const [{ owned }] = await l.sql.query('SELECT sum(available::numeric + frozen + payable + claimable - debt) AS owned FROM balance');
        const pool = (await l.chain.read(l.chain.vault, 'totalDeposited')) - (await l.chain.read(l.chain.vault, 'totalPaid'));
        return { payouts: Number(n), seconds, unaccounted: pool - BigInt(owned) };
    } finally {
        await l.down();
    }
}

function report(table, speed) {
    const each = (row, n) => Math.round(row[n] / n);
    say('\ngas an entry                         N=1      10     100    1000    4000');
    for (const [name, row] of table) {
        say(`  ${name.padEnd(32)} ${SIZES.map((n) => String(each(row, n)).padStart(7)).join(' ')}`);
    }
    say(`settled: ${speed.payouts} payouts in ${speed.seconds.toFixed(1)} s, ${speed.unaccounted} wei unaccounted`);
    const per = (row) => Object.fromEntries(SIZES.map((n) => [n, each(row, n)]));
    const { settle, ...others } = Object.fromEntries(table);
    return {
        gas_per_entry_1000: each(settle, 1000), gas_per_entry: per(settle), payouts_per_s: Math.round(speed.payouts / speed.seconds),
        unaccounted_wei: String(speed.unaccounted), references: Object.fromEntries(Object.entries(others).map(([name, row]) => [name, per(row)])),
    };
}

const settle = report(await gas(), await rate());
const file = join(build, 'bench.json');
const out = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
writeFileSync(file, `${JSON.stringify({ ...out, settle }, null, 2)}\n`);
say(`written: ${file}`);
