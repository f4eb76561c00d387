// SPDX-License-Identifier: MIT
// The states that the schema and the API allow are those of the state machines in core, no more and no fewer.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { require, root, start_driver } from './driver.mjs';

const { parse } = require('yaml');

let driver, states;

before(async () => { driver = start_driver(); states = await driver.ask('states'); });
after(async () => assert.equal(await driver.end(), 0));

const read = (pattern) => globSync(pattern, { cwd: root }).sort()
    .map((path) => readFileSync(`${root}/${path}`, 'utf8')).join('\n');

/** The words of the CHECK on a column of a table, as the last migration that names it has them. */
function check_of(table, column) {
    const text = read('migrations/*.sql').split('migrate:down')[0];
    const body = text.split(new RegExp(`CREATE TABLE ${table} \\(`))[1]?.split(/^\)/m)[0];
    const words = body?.match(new RegExp(`${column}\\s[^\\n]*CHECK \\(${column} IN \\(([^)]*)\\)`))?.[1];
    assert.ok(words, `${table}.${column} has a CHECK`);
    return [...words.matchAll(/'([a-z_]+)'/g)].map((m) => m[1]);
}

test('task.status', () => assert.deepEqual(check_of('task', 'status'), states.tasks));

test('attempt.state', () => assert.deepEqual(check_of('attempt', 'state'), states.attempts));

/** The lists of words in statements, that `column` is tested to be in, when they hold `word`. */
const lists_of = (pattern, column, word) => [...read(pattern).matchAll(new RegExp(`\\b${column} (?:NOT )?IN \\(([^)]*)\\)`, 'g'))]
    .map((m) => [...m[1].matchAll(/'([a-z_]+)'/g)].map((w) => w[1])).filter((words) => words.includes(word));

test('partial indexes and statements mean the same by open', () => {
    const lists = lists_of('{migrations,db/sql}/*.sql', 'status', 'queued').filter((words) => words.length < states.tasks.length);
    assert.ok(lists.length > 5, 'there are such lists');
    for (const words of lists) assert.deepEqual(words, states.open);
});

test('statements mean the same by an attempt that holds a slot, and by one with blame', () => {
    const slots = lists_of('db/sql/*.sql', 'state', 'live');
    const blamed = lists_of('db/sql/*.sql', 'state', 'lapsed');
    assert.ok(slots.length >= 3 && blamed.length >= 1, `${slots.length} and ${blamed.length} lists`);
    for (const words of slots) assert.deepEqual(words, states.slots);
    for (const words of blamed) assert.deepEqual(words, states.penalties);
});

test('the API says the same words', () => {
    const task = parse(readFileSync(`${root}/openapi/schemas/task.yaml`, 'utf8'));
    const enums = [];
    const walk = (v) => {
        if (v === null || typeof v !== 'object') return;
        if (Array.isArray(v.enum)) enums.push(v.enum.filter((w) => w !== null));
        Object.values(v).forEach(walk);
    };
    walk(task);
    assert.deepEqual(task.Delivery.enum, check_of('task', 'delivery'), 'a delivery that can be stored');
    const same = (words) => (list) => JSON.stringify(list) === JSON.stringify(words);
    assert.ok(enums.some(same(states.tasks)), 'an enum of all task states');
    walk(parse(readFileSync(`${root}/openapi/schemas/attempt.yaml`, 'utf8')));
    assert.ok(enums.some(same(states.attempts)), 'an enum of all attempt states');
});
