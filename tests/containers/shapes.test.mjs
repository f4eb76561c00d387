// SPDX-License-Identifier: MIT
// Images in the shapes of known escapes (and a neighbour who listens): the runtime is led nowhere,
// and the host is as it was. docs/security.md says which advisory each stands for.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { image, layerOf, sha256, tar } from '../../tools/oci_image.mjs';
import { Bench, hostile, manifestOf } from '../worker/support.mjs';
import { Host } from './host.mjs';
import { images } from './images.mjs';

const program = layerOf([{ path: '/bin/hostile', data: hostile }]);
const config = { Entrypoint: ['/bin/hostile', 'stand'] };
const link = (name, to) => ({ name, type: '2', link: to });
const ENOENT = 2, ECONNREFUSED = 111;

for (const runtime of ['crun', 'runc']) {
    describe(runtime, () => {
        const binary = () => sha256(readFileSync(`/usr/bin/${runtime}`));
        let bench, host, bytes;
        before(async () => {
            bench = new Bench(runtime);
            host = await Host.open(bench);
            bytes = binary();
        });
        after(async () => {
            await host.close();
            bench.close();
        });
        const run = async (layers, changes = {}, more = {}) => {
            const made = image([program, ...layers], { ...config, ...changes });
            const r = await bench.try(manifestOf(made, more), made.archive);
            assert.deepEqual(host.damage(), {});
            assert.equal(binary(), bytes);
            return r;
        };
        const refused = (r, pattern) => {
            assert.equal(r.end, 'refused', JSON.stringify(r));
            assert.match(r.stderr, pattern);
        };

        // CVE-2024-21626: a working directory behind a descriptor that the runtime left open.
        for (const fd of [3, 5, 7, 8, 9, 11]) {
            test(`its folder is /proc/self/fd/${fd}: never ours`, async () => {
                const r = await run([], { WorkingDir: `/proc/self/fd/${fd}` });
                if (r.end === 'ok') assert.deepEqual([r.json.up, r.json.below], [ENOENT, ENOENT], r.json.cwd);
                else assert.equal(r.end, 'start_failure', JSON.stringify(r));
            });
        }
        test('its folder is full of ..', async () => {
            const r = await run([], { WorkingDir: '/../../../../etc' });
            if (r.end === 'ok') assert.equal(r.json.up, ENOENT);
            else assert.equal(r.end, 'start_failure');
        });

        // CVE-2019-5736: the program of the image is the runtime's own, through /proc/self/exe.
        test('its program is a link to /proc/self/exe', async () => {
            const r = await run([tar([link('bin/entry', '/proc/self/exe')])], { Entrypoint: ['/bin/entry'] });
            assert.notEqual(r.end, 'ok');
        });
        test('its program is a script run by /proc/self/exe', async () => {
            const r = await run([tar([{ name: 'bin/entry', data: '#!/proc/self/exe\n', mode: 0o755 }])], { Entrypoint: ['/bin/entry'] });
            assert.notEqual(r.end, 'ok');
        });

        // CVE-2025-31133, -52565, -52881, CVE-2026-41579: links where the runtime mounts or masks.
        for (const name of ['dev', 'proc', 'tmp', 'in', 'out']) {
            test(`/${name} is a link`, async () => refused(await run([tar([link(name, '/proc/sys')])]), /needed as a folder/));
        }
        test('/dev/null, /dev/console, /dev/pts are links into /proc', async () => {
            const r = await run([tar([link('dev/null', '/proc/sys/kernel/core_pattern'), link('dev/console', '/proc/sysrq-trigger'), link('dev/pts', '/proc')])]);
            assert.equal(r.end, 'ok', JSON.stringify(r)); // a tmpfs of ours lies over them
        });
        test('what is masked is there already, as links', async () => {
            const r = await run([tar([link('proc/kcore', '/etc/shadow'), link('proc/sysrq-trigger', '/dev/mem')])], { Entrypoint: ['/bin/hostile', 'look'] });
            assert.equal(r.end, 'ok', JSON.stringify(r));
            assert.ok(r.json['/proc/kcore'] <= 0 && r.json['/proc/sysrq-trigger'] !== 0);
        });

        // CVE-2025-23266, CVE-2024-0132: what an image says must not reach a program of ours.
        test('LD_PRELOAD, LD_AUDIT, PATH of the image reach the source alone', async () => {
            const env = ['LD_PRELOAD=/evil.so', 'LD_AUDIT=/evil.so', 'PATH=/evil', 'XDG_RUNTIME_DIR=/evil', '_LIBCONTAINER_INITPIPE=3'];
            const r = await run([], { Env: env });
            assert.equal(r.end, 'ok', JSON.stringify(r));
            assert.equal(r.json.preload, '/evil.so');
            assert.doesNotMatch(r.stderr, /evil/);
        });
        test('hooks, annotations and mounts in the image\'s configuration are not looked at', async () => {
            const labels = { 'run.oci.hooks.stderr': '/tmp/x', 'run.oci.handler': 'wasm', 'io.kubernetes.cri-o.userns-mode': 'host' };
            const r = await run([], { Labels: labels, Volumes: { '/proc': {} }, Hooks: { prestart: [{ path: '/bin/sh' }] }, User: '0:0' });
            assert.equal(r.end, 'ok', JSON.stringify(r));
        });

        test('a neighbour who listens is not there', async () => {
            const other = new Bench(runtime);
            const serving = other.act(images.plain, 'listen');
            await sleep(700);
            const { json } = await bench.act(images.plain, 'network');
            const { json: neighbour } = await serving;
            other.close();
            assert.equal(neighbour.bound, 0);
            assert.deepEqual([json.neighbour, json.neighbour_unix], [ECONNREFUSED, ECONNREFUSED]);
            assert.deepEqual(host.damage(), {});
        });
    });
}
