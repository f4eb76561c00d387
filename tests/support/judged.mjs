// SPDX-License-Identifier: MIT
// Imported for its effect: every exchange of the suite is judged by the contract, and one that does not fit fails the suite.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Contract } from './contract.mjs';
import { build } from './stack.mjs';
import { watch } from './world.mjs';

const wrong = watch(new Contract(build));

after(() => assert.deepEqual([...new Set(wrong)], [], 'exchanges that do not fit the contract'));
