// SPDX-License-Identifier: MIT
// The demo itself: it ends with its ok line, and it does not when something is broken from outside.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const tmp = process.env.OGPU_TEST_TMP || join(root, 'build/tests/tmp/demo');
const LIMIT = { timeout: 240_000 };

/**
 * Runs the demo in a folder of its own; its exit code, its lines, its folder.
 *
 * @param hear called with all that was said so far and the process, whenever something is said
 */
function demo(name, env = {}, hear = () => {}) {
    const folder = join(tmp, name);
    rmSync(folder, { recursive: true, force: true });
    return new Promise((resolve) => {
        const child = spawn(join(root, 'tools/demo/run'), ['--run', folder], {
            env: { ...process.env, KEEP: '', DEMO_BREAK: '', ...env },
            stdio: ['ignore', 'pipe', 'pipe'], detached: true,
        });
        let text = '';
        for (const stream of [child.stdout, child.stderr]) {
            stream.setEncoding('utf8').on('data', (chunk) => {
                text += chunk;
                hear(text, child);
            });
        }
        child.on('close', (code) => {
            resolve({ code, text, lines: text.trimEnd().split('\n'), folder });
        });
    });
}

/** What the verdict found wrong, by the names of its checks. */
const failed_checks = (text) => [...text.matchAll(/^ *FAIL {2}([^:]*):/gm)].map((m) => m[1]);

function nothing_runs(folder) {
    assert.deepEqual(readdirSync(join(folder, 'pid')), []);
    assert.equal(existsSync(join(folder, 'env')), false);
}

test('the story ends with a paid task', LIMIT, async () => {
    const { code, text, lines, folder } = await demo('plain');
    assert.equal(code, 0, text);
    assert.match(lines.at(-1), /^demo: ok task=tsk_[0-9a-z]{26} tx=0x[0-9a-f]{64} payout=verified$/);
    assert.match(text, /verdict: 12 of 12 checks hold/);
    assert.match(text, /14 attempts refused, the memory bomb killed/);
    assert.match(text, /cold \d+ ms, warm (\d+|less than 1) ms/);
    assert.match(text, /curl -sS -X POST "\$OGPU_URL\/v1\/tasks"/);
    const [, file, digest] = /(\S+\.png): \d+ bytes, sha256 ([0-9a-f]{64})/.exec(text);
    const bytes = readFileSync(file);
    assert.equal(createHash('sha256').update(bytes).digest('hex'), digest);
    assert.equal(bytes.subarray(1, 4).toString(), 'PNG');
    nothing_runs(folder);
});

test('without a relayer nobody is paid', LIMIT, async () => {
    const { code, text, folder } = await demo('relayer', { DEMO_BREAK: 'relayer', DEMO_WAIT_S: '30' });
    assert.equal(code, 1, text);
    assert.doesNotMatch(text, /demo: ok/);
    assert.match(text, /sabotage: the relayer is killed/);
    assert.deepEqual(failed_checks(text), [
        'the batch was settled', 'root rebuilt from calldata', 'declared increase',
        'entries are the task\'s price', 'the payout proof verifies', 'the claim was paid',
        'a stranger claimed',
        'balance change = units × 10^12', 'the score holds on chain',
        'everyone got out what is theirs',
    ], text);
    nothing_runs(folder);
});

test('an altered picture is no verified result', LIMIT, async () => {
    const { code, text, folder } = await demo('digest', { DEMO_BREAK: 'digest' });
    assert.equal(code, 1, text);
    assert.doesNotMatch(text, /demo: ok/);
    assert.deepEqual(failed_checks(text), ['output bytes hash to the signed digests'], text);
    nothing_runs(folder);
});

test('an unclaimed payout is no payout', LIMIT, async () => {
    const { code, text, folder } = await demo('claim', { DEMO_BREAK: 'claim' });
    assert.equal(code, 1, text);
    assert.doesNotMatch(text, /demo: ok/);
    assert.deepEqual(failed_checks(text),
        ['the claim was paid', 'a stranger claimed', 'balance change = units × 10^12'], text);
    nothing_runs(folder);
});

test('an altered score is no score', LIMIT, async () => {
    const { code, text, folder } = await demo('score', { DEMO_BREAK: 'score' });
    assert.equal(code, 1, text);
    assert.doesNotMatch(text, /demo: ok/);
    assert.match(text, /verified: 0x\w+ has the score \d+ after epoch/);
    assert.deepEqual(failed_checks(text), ['the score holds on chain'], text);
    nothing_runs(folder);
});

test('a demo that is interrupted leaves nothing running', LIMIT, async () => {
    let told = false;
    const { code, text, folder } = await demo('interrupt', {}, (so_far, child) => {
        if (told || !so_far.includes(' 2. ')) return;
        told = true;
        process.kill(-child.pid, 'SIGTERM');
    });
    assert.equal(code, 130, text);
    assert.doesNotMatch(text, /demo: ok/);
    nothing_runs(folder);
});
