// SPDX-License-Identifier: MIT
// Compiles contracts/*.sol with the pinned npm solc and writes $BUILD/contracts/<Name>.json
// {abi, bytecode} for each contract that can be deployed. Needs no network.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const solc = require('solc');
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const out = join(resolve(root, process.env.BUILD || 'build'), 'contracts');

const settings = {
    // Which fork chain 1071 runs is not published, so the code asks for as little as it can: no
    // PUSH0 (Shanghai), no MCOPY, no transient storage (Cancun). Paris has the opcodes of London,
    // and every later fork still runs them.
    evmVersion: 'paris',
    // Code is deployed once and run for every batch: runs weigh more than size.
    optimizer: { enabled: true, runs: 10000 },
    // Without the metadata hash the same source gives the same bytes in any folder.
    metadata: { bytecodeHash: 'none' },
    outputSelection: {
        '*': { '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'] },
    },
};

/** An import by package name is read from the tools' own node_modules. */
function read_import(name) {
    try {
        return { contents: readFileSync(require.resolve(name), 'utf8') };
    } catch {
        return { error: `${name} is not among the packages of tools/package.json` };
    }
}

function compile() {
    const names = readdirSync(join(root, 'contracts')).filter((f) => f.endsWith('.sol')).sort();
    const sources = Object.fromEntries(names.map((f) =>
        [`contracts/${f}`, { content: readFileSync(join(root, 'contracts', f), 'utf8') }]));
    const input = { language: 'Solidity', sources, settings };
    // solc resolves ./Vault.sol against contracts/ and finds it among the sources given.
    const output = JSON.parse(solc.compile(JSON.stringify(input), { import: read_import }));
    const faults = (output.errors ?? []).filter((e) => e.severity !== 'info');
    if (faults.length > 0) {
        throw new Error(faults.map((e) => e.formattedMessage).join('\n'));
    }
    return names.flatMap((f) => Object.entries(output.contracts[`contracts/${f}`]));
}

/** EIP-170: a chain refuses to keep longer code, and says so only at deployment. */
const MAX_CODE = 24576;

try {
    mkdirSync(out, { recursive: true });
    for (const [name, { abi, evm }] of compile()) {
        const size = evm.deployedBytecode.object.length / 2;
        // Abstract contracts have no code; a library of internal functions has no interface.
        const deployable = size > 0 && abi.some((item) => item.type === 'function');
        if (!deployable) continue;
        if (size > MAX_CODE) throw new Error(`${name}: ${size} bytes of code, ${MAX_CODE} allowed`);
        const bytecode = `0x${evm.bytecode.object}`;
        writeFileSync(join(out, `${name}.json`), `${JSON.stringify({ abi, bytecode }, null, 1)}\n`);
        console.log(`${name}: ${size} bytes of code`);
    }
} catch (error) {
    console.error(`build_contracts: ${error.message}`);
    process.exit(1);
}
