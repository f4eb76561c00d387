// SPDX-License-Identifier: MIT
// solc's model checker with z3 on the arithmetic that keeps the pool whole: every assertion and
// every under- and overflow of smt/Proofs.sol is proved for all figures, and a planted fault found.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as c from './chain.mjs';

const solc = c.require('solc');
const smtchecker = c.require('solc/smtchecker');

const source = (name) => ({ content: readFileSync(new URL(name, import.meta.url), 'utf8') });

/** z3's answer. solc's own way ends it after ten seconds of any machine; here its work is bounded, not its time. */
const solve = (query) => spawnSync('z3', ['-smt2', '-in', 'rlimit=20000000', 'rewriter.pull_cheap_ite=true', 'fp.spacer.q3.use_qgen=true', 'fp.spacer.mbqi=false', 'fp.spacer.ground_pobs=false'],
    { input: query, encoding: 'utf8', maxBuffer: 2 ** 30 }).stdout;

/** All the checker says about one contract, and the part of it that says a target is proved. */
function check(file, contract) {
    const sources = { [file]: source(`smt/${file}`),
        'contracts/Sums.sol': source('../../contracts/Sums.sol') };
    const settings = { modelChecker: {
        contracts: { [file]: [contract] }, engine: 'chc', solvers: ['smtlib2'], timeout: 600_000,
        targets: ['assert', 'underflow', 'overflow'], showUnproved: true, showProvedSafe: true,
    } };
    const output = JSON.parse(solc.compile(
        JSON.stringify({ language: 'Solidity', sources, settings }),
        { smtSolver: smtchecker.smtCallback(solve) }));
    const words = (output.errors ?? []).map((e) => e.formattedMessage);
    return { words, proved: words.filter((w) => /^Info: CHC: .* check is safe!/.test(w)) };
}

test('z3 is here', () => {
    assert.equal(spawnSync('z3', ['--version']).status, 0, 'make deps installs it');
});

for (const [contract, least] of [['Proofs', 12], ['Machine', 2]]) {
    test(`${contract} holds for all figures`, () => {
        const { words, proved } = check('Proofs.sol', contract);
        assert.deepEqual(words.filter((w) => !proved.includes(w)), []);
        assert.ok(proved.length >= least, `${proved.length} proved`);
    });
}

test('a planted fault is found', () => {
    const { words } = check('Broken.sol', 'Broken');
    assert.match(words.join('\n'), /Assertion violation happens here/);
});
