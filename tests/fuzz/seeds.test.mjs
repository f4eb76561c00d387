// SPDX-License-Identifier: MIT
// Every known input of the fuzzed decoders, those that once ended one among them, still ends none.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../support/sql.mjs';
import { build } from '../support/stack.mjs';

const fuzz = (...args) => spawnSync(join(build, 'tests/fuzz/fuzz'), args, { cwd: root, encoding: 'utf8', timeout: 60_000 });

test('the seeds of every decoder run through', () => {
    const done = fuzz('tests/fuzz/seeds', '0', process.env.OGPU_TEST_TMP ?? '.');
    assert.equal(done.status, 0, done.stdout + done.stderr);
    assert.ok(done.stdout.match(/ seeds, 0 changed inputs$/gm).length >= 8, done.stdout);
});
