// SPDX-License-Identifier: MIT
// gVisor (runsc), the class of its own choice: the same configuration and the same probes. Where a probe
// asks what the kernel says and gVisor's own answers, what it must say is below, with the reason; that the
// host is as it was is asked of every group as it is.
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Bench, execute, manifestOf, worker } from '../worker/support.mjs';
import { benchWith, wants, web } from './egress.mjs';
import { Host } from './host.mjs';
import { images } from './images.mjs';
import { begin, groups } from './probes.mjs';
import { composeOf, composed, registry, sdk } from './support.mjs';

const runsc = process.env.OGPU_RUNSC ?? 'runsc';
const doctor = (runtime) => execute(worker, ['doctor'], { OGPU_RUNTIME: runtime });
const asked = await doctor(runsc);
const carried = /^ok {6}OCI runtime: runsc version/m.test(asked.stdout) && /^ok {6}runtime's weaknesses/m.test(asked.stdout);
const skip = carried ? false : 'no gVisor of 2024-07-29 or later on this machine (bookworm-backports has one)';

const errno = (...numbers) => (value, what) => assert.ok(numbers.includes(value), `${what}: ${value}`);
const anything = () => {};
const EPERM = 1, EINVAL = 22, ENOSYS = 38, EHOSTUNREACH = 113;

/** Probes with another right answer here: [which, judge of the value that was told, why]. */
const differs = [
    [/^call: clone3$/, errno(0), 'allowed: what it asks for is made by gVisor, of gVisor'],
    [/^call: (clone_new|io_uring|personality|unknown)/, errno(EPERM), 'its filter has one answer'],
    [/^socket family: /, errno(EPERM), 'its filter has one answer'],
    [/^way out: /, errno(EHOSTUNREACH), 'a network stack of its own, with loopback alone'],
    [/^(no capability: CapAmb|no new privileges)$/, anything, 'its /proc/self/status does not say'],
    [/^host ids of its own$/, anything, 'its uid_map is its own; the host sees the ids of the slot, as the damage shows'],
    [/^shows nothing: \/proc\/cmdline$/, anything, 'a made-up one, the same everywhere'],
    [/^drivers tell nothing$/, anything, 'there are none'],
    [/^not there: \/(dev\/fuse|sys\/fs\/cgroup)$/, anything, 'of its own make'],
    [/^may not: (oom_score_adj|nice|realtime)$/, anything, 'obeyed inside only'],
    [/^may not: (ambient|securebits)$/, errno(EPERM, EINVAL), 'not known to it'],
    [/^reaches nobody: pidfd$/, errno(ENOSYS), 'not known to it'],
    [/^\/dev holds nothing of the host$/, anything, 'of its own make: no node of the host is among its mounts'],
];
/** Groups whose bomb meets the memory of the sandbox first, or whose clock holds gVisor's own start. */
const ends = { forks: 'out_of_memory', threads: 'out_of_memory', inodes: 'out_of_memory' };
const cpu = 'busy: its share of the CPU and no more';

/** A runtime that says it is of some version and does nothing else. */
function claims(dir, version) {
    const path = join(dir, 'runsc');
    writeFileSync(path, `#!/bin/sh\necho 'runsc version ${version}'\n`);
    chmodSync(path, 0o755);
    return path;
}

test('one below the floor is refused', async () => {
    const bench = new Bench('crun');
    for (const version of ['0.0~20221219.0', 'release-20240722.0']) {
        const r = await doctor(claims(bench.dir, version));
        assert.equal(r.code, 1);
        assert.match(r.stdout, /^FAILED {2}runtime's weaknesses: floor 20240729: older ones cannot set up our read-only image/m);
    }
    for (const version of ['0.0~20240729.0', 'release-20260105.0'])
        assert.match((await doctor(claims(bench.dir, version))).stdout, /^ok {6}runtime's weaknesses: 0 known/m);
    bench.close();
});

function judge([name, judged], seen) {
    const own = differs.find(([which]) => which.test(name));
    if (!own) return judged(seen);
    return own[1](seen.json[name.slice(name.indexOf(': ') + 2)], name);
}

describe('under gVisor', () => {
    let bench, host;
    before(async () => {
        if (skip) return;
        bench = new Bench(runsc);
        host = await Host.open(bench);
    });
    after(async () => {
        await host?.close();
        bench?.close();
    });

    for (const group of groups) {
        test(`${group.act}: ${group.probes.length} probes, and the host is as it was`, { skip }, async () => {
            const seen = { ...await begin(bench, images, group, host), bench, damage: host.damage(), freed: 0 };
            const end = ends[group.act] ?? group.end;
            if (end) assert.equal(seen.end, end, JSON.stringify(seen.reason ?? seen.stderr));
            if (!ends[group.act])
                for (const probe of group.probes.filter(([name]) => name !== cpu)) judge(probe, seen);
            assert.deepEqual(seen.damage, {});
        });
    }

    test('the way out from a service, whose sockets are the kernel\'s: nobody is reached', { skip }, async () => {
        const group = groups.find((g) => g.act === 'network');
        const seen = await begin(bench, images, { ...group, changes: { contract: 'http' } }, host);
        assert.equal(seen.end, 'exit', JSON.stringify(seen));
        assert.match(seen.reason, /the service left before its callback/);
        assert.deepEqual(host.damage(), {});
    });

    test('a source as OpenGPU\'s users package them: pulled, run, called back', { skip }, async () => {
        const made = sdk();
        const hub = await registry(made);
        const r = await bench.try(composed(composeOf(hub.host, made)), Buffer.alloc(0), { archive: '-', fn: 'double', input: { x: 21 } });
        hub.close();
        assert.equal(r.end, 'ok', JSON.stringify(r));
        assert.deepEqual([r.json.result, r.json.uid], [42, 1000]);
        assert.deepEqual(host.damage(), {});
    });

    test('the way out through the proxy: the host that was agreed to, and no other', { skip }, async () => {
        const page = await web();
        const own = benchWith(runsc, [page.port]);
        const get = (name) => `GET http://${name}:${page.port}/ HTTP/1.1\r\nHost: ${name}:${page.port}\r\n\r\n`;
        const r = await own.try(manifestOf(images.plain, {
            command: ['/bin/hostile', 'egress-ask', get('mirror.egress.test'), get('other.egress.test')], egress: wants(page.port),
        }), images.plain.archive);
        page.close();
        own.close();
        assert.equal(r.end, 'ok', JSON.stringify(r));
        assert.match(r.json[0], /^HTTP\/1\.1 200 OK.*hello \//);
        assert.match(r.json[1], /^HTTP\/1\.1 403 /);
    });

    test('a service that leaves, and one that is slow: as under crun', { skip }, async () => {
        const left = await bench.act(images.plain, 'http-leave', { contract: 'http' });
        assert.deepEqual([left.end, left.status], ['exit', 3]);
        const slow = await bench.act(images.plain, 'http-slow-start', { contract: 'http' });
        assert.deepEqual([slow.end, slow.json], ['ok', { slow: true }]);
    });

    test('ends that are told otherwise: a signal by its exit status, foreign calls by an answer of gVisor\'s', { skip }, async () => {
        const wanted = { abort: 134, ...process.arch === 'x64' && { int80: 7, x32: 7 } };
        for (const [act, status] of Object.entries(wanted)) {
            const r = await bench.act(images.plain, act);
            assert.deepEqual([act, r.end, r.status], [act, 'exit', status]);
        }
        assert.deepEqual(host.damage(), {});
    });
});
