// SPDX-License-Identifier: MIT
// Compiles contracts/*.sol with the pinned npm solc and writes $BUILD/contracts/<Name>.json
// {abi, bytecode, code, immutables} for each contract that can be deployed, and for the time lock
// that Settlement deploys: `code` is what the creation leaves behind, with zeros where `immutables`
// says that a name's 32 bytes go. Needs no network.
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
        '*': {
            '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object',
                'evm.deployedBytecode.immutableReferences'],
            '': ['ast'],
        },
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
    const ours = names.map((f) => `contracts/${f}`);
    const made = [...ours, LOCK].flatMap((f) => Object.entries(output.contracts[f]));
    return { made, names: variables(output.sources) };
}

const LOCK = '@openzeppelin/contracts/governance/TimelockController.sol';

/** Names of the contracts' variables by the number that the compiler gave them. */
function variables(sources) {
    const names = new Map();
    for (const { ast } of Object.values(sources)) {
        for (const unit of ast.nodes.filter((node) => node.nodeType === 'ContractDefinition')) {
            for (const { id, name } of unit.nodes) names.set(String(id), name);
        }
    }
    return names;
}

/** Where each immutable's word goes in the code. */
function immutables(references, names) {
    return Object.fromEntries(Object.entries(references).map(([id, places]) => {
        if (!names.has(id) || places.some((place) => place.length !== 32)) {
            throw new Error(`immutable ${id} is no word with a name`);
        }
        return [names.get(id), places.map((place) => place.start)];
    }));
}

/** EIP-170: a chain refuses to keep longer code, and says so only at deployment. */
const MAX_CODE = 24576;

try {
    mkdirSync(out, { recursive: true });
    const { made, names } = compile();
    for (const [name, { abi, evm }] of made) {
        const size = evm.deployedBytecode.object.length / 2;
        // Abstract contracts have no code; a library of internal functions has no interface.
        const deployable = size > 0 && abi.some((item) => item.type === 'function');
        if (!deployable) continue;
        if (size > MAX_CODE) throw new Error(`${name}: ${size} bytes of code, ${MAX_CODE} allowed`);
        const artifact = {
            abi, bytecode: `0x${evm.bytecode.object}`, code: `0x${evm.deployedBytecode.object}`,
            immutables: immutables(evm.deployedBytecode.immutableReferences ?? {}, names),
        };
        writeFileSync(join(out, `${name}.json`), `${JSON.stringify(artifact, null, 1)}\n`);
        console.log(`${name}: ${size} bytes of code`);
    }
} catch (error) {
    console.error(`build_contracts: ${error.message}`);
    process.exit(1);
}
