// SPDX-License-Identifier: MIT
// Entries.check looks at three ids at once in unchecked arithmetic. z3 proves it for every word and
// every lastId, as bit-vectors, on the very expressions of the source. solc's own checker takes
// words for integers and had no answer in its 10 s. Read from the compiler's syntax tree, so that
// nothing here can differ from the contract. A planted fault is found.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as c from './chain.mjs';

const solc = c.require('solc');
const FILE = 'contracts/Entries.sol';
const text = readFileSync(new URL('../../contracts/Entries.sol', import.meta.url), 'utf8');
const OPS = { '*': 'bvmul', '+': 'bvadd', '-': 'bvsub', '&': 'bvand', '|': 'bvor', '<<': 'bvshl',
    '>>': 'bvlshr', '>': 'bvugt', '==': '=', '!=': 'distinct', '&&': 'and', '||': 'or' };
const bits = (n) => `(_ bv${BigInt(n)} 256)`;

/** Every node below this one, in the order of the source. */
function* nodes(node) {
    if (node === null || typeof node !== 'object') return;
    if (node.nodeType) yield node;
    for (const value of Object.values(node)) yield* nodes(value);
}

/** What check() decides by, as SMT-LIB over `word` and `last`: all three pass; the first fails. */
function conditions(source) {
    const input = { language: 'Solidity', sources: { [FILE]: { content: source } },
        settings: { stopAfter: 'parsing', outputSelection: { '*': { '': ['ast'] } } } };
    const { errors = [], sources } = JSON.parse(solc.compile(JSON.stringify(input)));
    assert.deepEqual(errors.filter((e) => e.severity === 'error'), []);
    const all = [...nodes(sources[FILE].ast)];
    const check = all.find((n) => n.nodeType === 'FunctionDefinition' && n.name === 'check');
    const values = new Map([['word', 'word'], ['lastId', 'last']]);
    const given = (name) => {
        assert.ok(values.has(name), `${name} is known`);
        return values.get(name);
    };
    const smt = (e) => {
        switch (e.nodeType) {
        case 'Literal': return bits(e.value);
        case 'Identifier': return given(e.name);
        case 'TupleExpression': return smt(e.components[0]);
        case 'BinaryOperation':
            assert.ok(OPS[e.operator], e.operator);
            return `(${OPS[e.operator]} ${smt(e.leftExpression)} ${smt(e.rightExpression)})`;
        default: throw new Error(`${e.nodeType} is not translated`);
        }
    };
    for (const n of all) {
        if (n.nodeType === 'VariableDeclaration' && ['LANES', 'IDS', 'TOP'].includes(n.name)) {
            values.set(n.name, smt(n.value));
        }
    }
    const inside = [...nodes(check.body)];
    for (const n of inside.filter((x) => x.nodeType === 'VariableDeclarationStatement')) {
        const { name } = n.declarations[0];
        if (['limits', 'ids', 'id'].includes(name)) values.set(name, smt(n.initialValue));
    }
    const [three, alone] = inside.filter((n) => n.nodeType === 'IfStatement');
    return { three: smt(three.condition.leftExpression), fails: smt(alone.condition) };
}

const id_at = (from) => `((_ zero_extend 225) ((_ extract ${from + 30} ${from}) word))`;
const known = (from) => `(and (bvuge ${id_at(from)} ${bits(1)}) (bvule ${id_at(from)} last))`;

/** 'unsat' when what is claimed holds for every word and every lastId there can be. */
function refute(claim) {
    const input = `(set-logic QF_BV) (declare-const word (_ BitVec 256))
        (declare-const last (_ BitVec 256)) (assert (bvule last ${bits(2 ** 31 - 1)}))
        (assert (not ${claim})) (check-sat)`;
    const { stdout, error } = spawnSync('z3', ['-in', '-T:120'], { input, encoding: 'utf8' });
    assert.equal(error, undefined, 'make deps installs z3');
    return stdout.trim();
}

const three_known = `(and ${[224, 144, 64].map(known).join(' ')})`;

test('three entries pass at once exactly when all three ids are registered', () => {
    const { three } = conditions(text);
    assert.equal(refute(`(= ${three} ${three_known})`), 'unsat');
});

test('one alone passes exactly when its id is registered or it is all zeros', () => {
    const { fails } = conditions(text);
    const zeros = `(= ((_ extract 255 176) word) (_ bv0 80))`;
    assert.equal(refute(`(= ${fails} (not (or ${zeros} ${known(224)})))`), 'unsat');
});

test('planted faults are found', () => {
    for (const [right, wrong] of [
        ['LANES << 31', 'LANES << 30'],
        ['LANES * 0x7fffffff', 'LANES * 0xffffffff'],
        ['(limits - ids) & (ids + IDS)', '(limits - ids) & (ids | IDS)'],
        ['(1 << 224) | (1 << 144)', '(1 << 224) | (1 << 143)'],
    ]) {
        assert.equal(text.split(right).length, 2, right);
        const { three } = conditions(text.replace(right, wrong));
        assert.equal(refute(`(= ${three} ${three_known})`), 'sat', wrong);
    }
});
