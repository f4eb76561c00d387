// SPDX-License-Identifier: MIT
// The generator: what it makes of a good file, and that each malformed one stops with file:line.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emitHeader, emitSource } from '../../tools/sql/emit.mjs';
import { parseFile } from '../../tools/sql/parse.mjs';

const READ = ['-- name: a', '-- class: read', '-- params: x int8', '-- returns: y text'];
const WRITE = ['-- name: a', '-- class: write', '-- params: x int8', '-- returns: call int4'];
const parse = (...lines) => parseFile('f.sql', lines.join('\n'));

test('a section gets only its own parameters, renumbered in order of use', () => {
    const [s] = parse(
        '-- name: a', '-- class: write', '-- params: x int8, y text,', '--         z uuid?', '-- returns: call int4',
        '-- lock: task', 'SELECT 1 FROM t WHERE id = ANY($3);',
        '-- work:', "SELECT $2, $1, $2, '$9', \"$8\", $q$ $7; $q$ -- $6;", '/* $5; */ ;',
    );
    assert.deepEqual(s.sections.map((x) => x.params), [[2], [1, 0]]);
    assert.equal(s.sections[0].text, 'SELECT 1 FROM t WHERE id = ANY($1)');
    assert.match(s.sections[1].text, /^SELECT \$1, \$2, \$1, '\$9', "\$8", \$q\$ \$7; \$q\$\s*$/);
    assert.equal(s.params[2].nullable, true);
});

test('a read may leave out the work marker', () => {
    const [s] = parse(...READ, '-- a remark', 'SELECT $1;');
    assert.equal(s.sections[0].kind, 'work');
});

test('nullable numbers get a flag, nullable text does not', () => {
    const h = emitHeader(parse(...WRITE.slice(0, 2), '-- params: x int8?, t text?', '-- returns: call int4, w wei?', '-- work:', 'SELECT $1, $2;'));
    assert.match(h, /bool has_x;/);
    assert.match(h, /bool has_w;/);
    assert.doesNotMatch(h, /has_t/);
});

test('a statement like an earlier one shares its row', () => {
    const [get, list] = parse(...READ, 'SELECT $1;', '', '-- name: b', '-- class: read', '-- params: none', '-- returns: like a', 'SELECT 1;');
    assert.deepEqual(list.returns, get.returns);
    assert.equal(list.row, 'a');
    assert.equal(emitHeader([get, list]).match(/struct sql_\w+_row \{/g).length, 1);
    assert.match(emitSource([get, list]), /sizeof\(struct sql_b\), columns_b, 1, sizeof\(struct sql_a_row\)/);
});

test('text survives as a C string', () => {
    const c = emitSource(parse(...READ, '-- work:', "SELECT 'a\\b\"c??/' || $1;"));
    assert.ok(c.includes(String.raw`"SELECT 'a\\b\"c?\?/' || $1"`));
});

const bad = {
    'like a later one': [['-- name: a', '-- class: read', '-- params: none', '-- returns: like b'], /^f\.sql:4: .*like "b", which is no earlier/],
    'unknown class': [['-- name: a', '-- class: hot'], /^f\.sql:2: class "hot"/],
    'name in capitals': [['-- name: A'], /^f\.sql:1: name "A"/],
    'unknown type': [['-- name: a', '-- params: x int'], /^f\.sql:2: .*type "int"/],
    'C keyword': [['-- name: a', '-- params: register int8'], /^f\.sql:2: .*"register" cannot be/],
    'field twice': [['-- name: a', '-- params: x int8, x int8'], /^f\.sql:2: .*named twice/],
    'no class': [['-- name: a', '-- params: none', '-- returns: y text', '-- work:', 'SELECT 1;'], /^f\.sql:1: .*no "-- class:"/],
    'no work': [WRITE, /^f\.sql:1: .*no "-- work:"/],
    'class twice': [[...READ, '-- class: read'], /^f\.sql:5: .*second "-- class:"/],
    'lock in a read': [[...READ, '-- lock: t', 'SELECT 1;', '-- work:', 'SELECT $1;'], /^f\.sql:1: .*cannot lock/],
    'write without call': [[...WRITE.slice(0, 3), '-- returns: y text', '-- work:', 'SELECT $1;'], /^f\.sql:1: .*"call int4"/],
    'parameter too many': [[...READ, '-- work:', 'SELECT', '$2;'], /^f\.sql:7: .*\$2, but it has 1/],
    'parameter unused': [[...READ, '-- work:', 'SELECT 1;'], /^f\.sql:1: .*never uses \$1 \(x\)/],
    'two statements': [[...READ, '-- work:', 'SELECT $1;', 'SELECT 2;'], /^f\.sql:7: .*one SQL statement/],
    'no semicolon': [[...READ, '-- work:', 'SELECT $1'], /^f\.sql:6: .*end in one ";"/],
    'empty section': [[...READ, '-- work:', '-- nothing'], /^f\.sql:5: .*empty/],
    'wrong lock order': [[...WRITE, '-- lock: balance', 'SELECT 1;', '-- lock: task', 'SELECT $1;', '-- work:', 'SELECT 1;'], /^f\.sql:7: .*locks task after balance/],
    'section after work': [[...WRITE, '-- work:', 'SELECT $1;', '-- lock: task', 'SELECT 1;'], /^f\.sql:7: .*nothing may follow/],
    'SQL in the open': [['-- name: a', 'SELECT 1;'], /^f\.sql:2: SQL outside/],
};

for (const [name, [lines, message]] of Object.entries(bad)) {
    test(`refused: ${name}`, () => {
        assert.throws(() => parse(...lines), (e) => message.test(e.message) || assert.fail(e.message));
    });
}
