// SPDX-License-Identifier: MIT
// Patterns as automata against the language's own RegExp.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePattern, matches } from '../../tools/gen/pattern.mjs';
import { seeded, textOf } from '../support/random_body.mjs';

const seed = Number(process.env.OGPU_SEED ?? Date.now() % 1e9);

/** A random expression of the subset over a small alphabet, so that texts often nearly match. */
function expression(r, depth = 0) {
    const atoms = ['a', 'b', 'c', '[ab]', '[b-d]', '[a-c.]', '\\.', '[\\]a-]'];
    const group = () => `(${expression(r, depth + 1)}|${expression(r, depth + 1)})`;
    const parts = Array.from({ length: 1 + r.below(3) }, () => {
        const atom = depth < 2 && r.chance(0.4) ? group() : r.pick(atoms);
        return atom + r.pick(['', '', '', '?', '*', '+', '{2}', '{1,3}', '{0,2}', '{2,}']);
    });
    return parts.join('');
}

test('random expressions and texts are judged as RegExp judges them', () => {
    console.log(`# OGPU_SEED=${seed}`);
    const r = seeded(seed);
    const seen = { true: 0, false: 0 };
    let compiled = 0;
    for (let i = 0; i < 500; i++) {
        const text = `^${expression(r)}$`;
        let dfa;
        try {
            dfa = compilePattern(text);
        } catch (e) {
            assert.match(e.message, /a count of what may be empty|more than/, text);
            continue;
        }
        compiled++;
        const truth = new RegExp(text, 'u');
        const samples = Array.from({ length: 20 }, () => Array.from({ length: r.below(8) }, () => r.pick([...'abcd.]-x'])).join(''));
        samples.push('', textOf(text, 12, r), textOf(text, 12, r));
        for (const s of samples) {
            assert.equal(matches(dfa, s), truth.test(s), `${text} on ${JSON.stringify(s)}`);
            seen[truth.test(s)]++;
        }
    }
    assert.ok(compiled > 150 && seen.true > 500 && seen.false > 500, JSON.stringify({ compiled, seen }));
});

test('what RegExp and a byte matcher would read differently is refused', () => {
    const refused = ['abc', '^abc', 'abc$', '^a.b$', '^[^a]$', '^a|b$', '^\\d$', '^\\w+$', '^(?:a)$', '^(?=a)$', '^a**$',
        '^a{2$', '^a{3,1}$', '^(a$', '^a)$', '^[z-a]$', '^[]$', '^(a?){3}$', '^ä$', '^a\\$', '^*$', '^a$b$', '^(a|b){900}{9}$'];
    for (const text of refused) assert.throws(() => compilePattern(text), /pattern/, text);
});

test('text beyond ASCII never matches', () => {
    const dfa = compilePattern('^[a-z]*$');
    assert.equal(matches(dfa, 'abc'), true);
    assert.equal(matches(dfa, 'äbc'), false);
    assert.equal(matches(dfa, 'abc\u0000'), false);
});
