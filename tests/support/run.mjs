// SPDX-License-Identifier: MIT
// The test runner: runs every suite in a process of its own with a time limit, prints progress,
// shows the output of what failed, and ends with `N passed, N failed, N skipped`. A skip that
// tests/SKIPS does not name is a failure, and so is a suite without a test, one that dies, and one
// that leaves a process behind.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { end_leftovers } from './leftovers.mjs';
import { find_suites } from './suites.mjs';
import { may_skip, parse_line, planned, read_skips } from './tap.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const LIMIT_MS = 1000 * Number(process.env.OGPU_TEST_LIMIT_S || 900);
const total = { passed: 0, failed: 0, skipped: 0 };
const running = new Set();
const broken = (result) => result.state === 'failed';

function options(argv) {
    const words = [...argv];
    const at = words.indexOf('--build');
    const build = at < 0 ? process.env.BUILD || 'build' : words.splice(at, 2)[1];
    return { build: resolve(root, build), words };
}

/** Runs a suite; resolves to its output and how it ended. */
function execute(suite, env) {
    return new Promise((done) => {
        const [program, ...args] = suite.command;
        const stdio = ['ignore', 'pipe', 'pipe'];
        const child = spawn(program, args, { cwd: root, env, detached: true, stdio });
        let text = '';
        let late = false;
        running.add(child);
        const timer = setTimeout(() => {
            late = true;
            process.kill(-child.pid, 'SIGKILL');
        }, LIMIT_MS);
        for (const stream of [child.stdout, child.stderr]) {
            stream.setEncoding('utf8').on('data', (chunk) => { text += chunk; });
        }
        // A process left behind may hold the pipe for ever: 'close' is not waited for long.
        child.on('exit', (code, signal) => {
            clearTimeout(timer);
            running.delete(child);
            const end = late ? `over its limit of ${LIMIT_MS / 1000} s` : signal ?? code;
            const finish = () => done({ text, end });
            setTimeout(finish, 1000).unref();
            child.on('close', finish);
        });
        child.on('error', (error) => { text += `${error.message}\n`; });
    });
}

/** Results of a suite, complaints about the suite as a whole among them. */
function judge(suite, text, end, skips) {
    const lines = text.split('\n');
    const results = lines.map(parse_line).filter(Boolean);
    const blame = (name) => results.push({ name, state: 'failed', reason: '' });
    for (const result of results) {
        if (result.state === 'skipped' && !may_skip(skips, suite.name, result.name)) {
            result.state = 'failed';
            result.name += ' (a skip not in tests/SKIPS)';
        }
    }
    const plan = planned(lines);
    if (plan !== null && plan !== results.length) {
        blame(`${plan} tests planned, ${results.length} reported`);
    }
    if (end !== 0 && !results.some(broken)) blame(`the suite ended with ${end}`);
    if (results.length === 0) blame('the suite reported no test');
    return results;
}

function report(suite, results, text, started) {
    const count = (state) => results.filter((r) => r.state === state).length;
    for (const state of Object.keys(total)) total[state] += count(state);
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    const skipped = count('skipped') > 0 ? `, ${count('skipped')} skipped` : '';
    const failed = results.filter(broken);
    const verdict = failed.length === 0 ? 'ok  ' : 'FAIL';
    console.log(`${verdict} ${suite.name}: ${count('passed')} passed${skipped} (${seconds} s)`);
    if (failed.length === 0) return;
    console.log(text.replace(/^/gm, '    | ').trimEnd());
    for (const { name } of failed) console.log(`     failed: ${suite.name}: ${name}`);
}

async function run_suite(suite, build, skips) {
    const started = Date.now();
    const folder = join(build, 'tests/tmp', suite.name.replace(/\W+/g, '-'));
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const own = { BUILD: build, OGPU_TEST_TMP: folder, CMOCKA_MESSAGE_OUTPUT: 'TAP' };
    const { text, end } = suite.missing
        ? { text: suite.missing, end: 127 }
        : await execute(suite, { ...process.env, ...own });
    const results = judge(suite, text, end, skips);
    const left = await end_leftovers(folder);
    if (left.length > 0) {
        results.push({ name: `left running: ${left.join(' ')}`, state: 'failed', reason: '' });
    }
    if (!results.some(broken)) rmSync(folder, { recursive: true, force: true });
    report(suite, results, text, started);
}

/** Units go two at a time; what has servers and clocks gets the machine for itself. */
async function run_all(suites, build, skips) {
    const units = suites.filter((s) => s.kind === 'unit');
    const others = suites.filter((s) => s.kind !== 'unit');
    const next = async () => {
        while (units.length > 0) await run_suite(units.shift(), build, skips);
    };
    await Promise.all([next(), next()]);
    for (const suite of others) await run_suite(suite, build, skips);
}

/** What root made here belongs to who asked for it through sudo: what they run next may be theirs alone. */
function hand_back(folder) {
    const { SUDO_UID, SUDO_GID } = process.env;
    if (process.getuid() !== 0 || !SUDO_UID) return;
    spawnSync('chown', ['-R', '--no-dereference', `${SUDO_UID}:${SUDO_GID}`, folder]);
}

for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
        for (const child of running) process.kill(-child.pid, 'SIGTERM');
        process.exit(130);
    });
}
const { build, words } = options(process.argv.slice(2));
const suites = find_suites(root, build, words);
process.on('exit', () => hand_back(join(build, 'tests')));
await run_all(suites, build, read_skips(readFileSync(join(root, 'tests/SKIPS'), 'utf8')));
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
