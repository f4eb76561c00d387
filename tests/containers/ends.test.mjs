// SPDX-License-Identifier: MIT
// How runs end, under both runtimes: each end has its class and its reason, a trap in the output is
// refused, and nothing is left on the host.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Bench, cgroupsOf, hostile, imageOf, processesOf, slow } from '../worker/support.mjs';

const made = imageOf(hostile);
const mounts = () => readFileSync('/proc/self/mountinfo', 'utf8');
for (const runtime of ['crun', 'runc']) {
    describe(runtime, () => {
        let bench, before_mounts;
        const act = (name, changes) => bench.act(made, name, changes);
        const ended = async (name, end, changes) => {
            const r = await act(name, changes);
            assert.equal(r.end, end, JSON.stringify(r));
            return r;
        };

        before(() => {
            bench = new Bench(runtime);
            before_mounts = mounts();
        });
        after(() => bench.close());

        test('out of memory', async () => {
            const r = await ended('memory', 'out_of_memory');
            assert.match(r.reason, /^out of memory at 134217728 bytes$/);
        });

        test('out of memory: a child, and then the source waits for ever', async () => {
            const r = await ended('bereft', 'out_of_memory', { limits: { memory_mb: 32, timeout_s: 3 * slow } });
            assert.match(r.reason, /^out of memory at 33554432 bytes/);
        });

        for (const what of ['drip', 'hang']) {
            test(`timeout: ${what}`, async () => {
                const r = await ended(what, 'timeout', { limits: { timeout_s: 1 } });
                assert.match(r.reason, /^no end after 1000 ms/);
            });
        }

        test('output limit: bytes on stdout', async () => {
            assert.match((await ended('flood', 'output_limit')).reason, /stdout is more than 8388608 bytes/);
        });

        test('ends are told apart: exit with its last words, signal, foreign calls', async () => {
            const exit = await ended('words', 'exit');
            assert.equal(exit.status, 7);
            assert.match(exit.reason, /^exit status 7: last words \?\[31m of mine$/);
            const signal = await ended('abort', 'signal');
            assert.match(signal.reason, /ABRT|SEGV/); // init ignores its own SIGABRT; abort() then traps
            if (process.arch === 'x64') {
                for (const what of ['int80', 'x32']) assert.match((await ended(what, 'signal')).reason, /SYS/, what);
            }
            assert.equal((await ended('look', 'start_failure', { command: ['/no/such/program'] })).outputs.length, 0);
        });

        test('outputs: regular files with plain names, sorted', async () => {
            const r = await ended('trap-good', 'ok');
            assert.deepEqual(r.outputs.map((o) => [o.name, o.media_type, o.size]),
                [['a.png', 'image/png', 1], ['b.txt', 'text/plain', 1], ['output.json', 'application/json', 3]]);
            assert.equal((await ended('trap-secret-mode', 'ok')).read('locked').toString(), 'x');
            assert.equal((await ended('trap-setuid', 'ok')).outputs.length, 2);
        });

        for (const kind of ['symlink', 'symlink-up', 'symlink-dir', 'socket', 'folder', 'hardlink', 'newline', 'hidden', 'twice']) {
            test(`output trap: ${kind}`, async () => {
                const r = await ended(`trap-${kind}`, 'bad_output');
                assert.equal(r.outputs.length, 0);
            });
        }

        test('output traps that cannot even be set: fifo, device, foreign hard link, terabyte', async () => {
            for (const kind of ['fifo', 'device', 'hardlink-root', 'sparse']) {
                assert.equal((await ended(`trap-${kind}`, 'exit')).status, 5, kind);
            }
        });

        test('output limits: files and bytes', async () => {
            assert.match((await ended('trap-many', 'output_limit')).reason, /one file more/);
            await ended('trap-sparse-small', 'ok');
            assert.match((await ended('trap-sparse-small', 'output_limit', { limits: { output_bytes: 1 << 20 } })).reason, /bytes/);
        });

        test('nothing is left: processes, cgroups, mounts, folders of the runtime', async () => {
            assert.deepEqual(processesOf(bench.base), []);
            assert.deepEqual(cgroupsOf(join(bench.dir, 'work')), []);
            assert.equal(mounts(), before_mounts);
            assert.ok(!existsSync('/run/box'));
        });
    });
}
