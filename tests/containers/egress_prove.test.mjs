// SPDX-License-Identifier: MIT
// The probes of the proxy prove themselves: with a protection in place each holds, without it each
// fails. And the process behind the proxy, looked at from outside while it serves.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../worker/crew.mjs';
import { drop, folder, manifestOf, processesOf, sweep, weakened } from '../worker/support.mjs';
import { benchWith, sink, wants, web, withNames } from './egress.mjs';
import { probes } from './egress_probes.mjs';
import { Host } from './host.mjs';
import { images } from './images.mjs';
import { begin, groups, notices } from './probes.mjs';

const made = images.plain;
let page, pit, dir;
const benches = [];
const benchOf = (env = {}, runtime = 'crun') => {
    const bench = benchWith(runtime, [page.port, pit.port], env);
    benches.push(bench);
    return bench;
};
const place = (env) => ({ bench: benchOf(env), made, page, pit });

before(async () => {
    dir = folder('egress-prove');
    [page, pit] = [await web(), await sink()];
});
after(() => {
    for (const bench of benches) {
        sweep(bench.env.OGPU_WORK_DIR);
        bench.close();
    }
    page.close();
    pit.close();
    drop(dir);
});

/** A probe, what holds it, and what it is without that. */
const protections = {
    'the list of hosts': ['a host that was not asked for', (p) => [place(), [`other.egress.test:${p}`]]],
    'the judgement of addresses': ['a name of this machine', (p) => [place({ OGPU_PRIVATE_EGRESS: `loopback.egress.test:${p}` })]],
    'the cap': ['one byte more than the cap', () => [place(), 1 << 20]],
    'the provider\'s word': ['a source that its provider did not agree to', () => [place()], { OGPU_EGRESS: 'none' }],
};
for (const [name, [probe, without, env]] of Object.entries(protections)) {
    test(`without ${name}: '${probe}' fails`, async () => {
        const { begin: start, judge } = probes[probe];
        judge(await start(place(env)));
        const seen = await start(...without(page.port));
        assert.equal(seen.end, 'ok', JSON.stringify(seen));
        notices([probe, judge], seen);
    });
}

test('without the network namespace: the rest of the network is there', async () => {
    const at = join(dir, 'netns');
    mkdirSync(at);
    const edit = String((c) => { c.linux.namespaces = c.linux.namespaces.filter((n) => n.type !== 'network'); });
    const bench = benchOf({}, weakened('/usr/bin/crun', at, 'crun', edit));
    const host = await Host.open(bench);
    try {
        const group = groups.find((g) => g.act === 'network');
        const seen = await begin(bench, images, { ...group, changes: { egress: wants(page.port) } }, host);
        assert.equal(seen.end, 'ok', JSON.stringify(seen));
        for (const name of ['way to the host: host_loopback', 'way out: host_address']) {
            notices(group.probes.find(([n]) => n === name), seen);
        }
    } finally {
        await host.close();
    }
});

const proxyOf = (bench) => processesOf(bench.base).find((p) => p.name === 'ogpu-egress');
const status = (pid) => Object.fromEntries(readFileSync(`/proc/${pid}/status`, 'utf8').trim().split('\n').map((l) => l.split(/:\s*/, 2)));

/** A source that hangs, its proxy beside it: {child, ran, proxy}. */
async function hanging(bench, egress = wants(page.port)) {
    let child;
    const ran = bench.try(manifestOf(made, { command: ['/bin/hostile', 'hang'], egress }), made.archive, { onStart: (c) => { child = c; } });
    await until(() => processesOf(bench.base).some((p) => p.name === 'hostile'), 'the source');
    return { child, ran, proxy: await until(() => proxyOf(bench), 'the proxy') };
}

test('the process behind the proxy has no rights, no files, no environment', async () => {
    const bench = benchOf({ OGPU_CANARY: 'a-secret-of-the-worker' });
    const { child, proxy } = await hanging(bench);
    const s = status(proxy.pid);
    assert.equal(proxy.uid, bench.base + 65535);
    const id = String(proxy.uid);
    assert.deepEqual([s.Uid, s.Gid].map((v) => v.split('\t')), [[id, id, id, id], [id, id, id, id]]);
    assert.deepEqual([s.CapInh, s.CapPrm, s.CapEff, s.CapAmb].map((v) => Number(`0x${v}`)), [0, 0, 0, 0]);
    assert.deepEqual([s.NoNewPrivs, s.Seccomp, s.Groups.trim()], ['1', '2', '']);
    assert.equal(readFileSync(`/proc/${proxy.pid}/oom_score_adj`, 'utf8').trim(), '1000');
    const fds = readdirSync(`/proc/${proxy.pid}/fd`).map((fd) => readlinkSync(`/proc/${proxy.pid}/fd/${fd}`).replace(/:.*/, ''));
    assert.deepEqual(fds.sort(), ['/dev/null', '/dev/null', '/dev/null', 'socket', 'socket']);
    assert.ok(!readFileSync(`/proc/${proxy.pid}/environ`, 'latin1').includes('a-secret'));
    assert.notEqual(readlinkSync(`/proc/${proxy.pid}/ns/net`), readlinkSync(`/proc/${processesOf(bench.base).find((p) => p.name === 'hostile').pid}/ns/net`));
    child.kill('SIGKILL');
    await until(() => processesOf(bench.base).length === 0, 'the end of all');
});

test('kill -9 of the worker, of the supervisor: source and proxy are gone', async () => {
    for (const victim of ['worker', 'supervisor']) {
        const bench = benchOf();
        const { child, ran, proxy } = await hanging(bench);
        const parent = Number(status(proxy.pid).PPid);
        assert.notEqual(parent, child.pid);
        process.kill(victim === 'worker' ? child.pid : parent, 'SIGKILL');
        await ran;
        await until(() => processesOf(bench.base).length === 0, `the end of all without the ${victim}`);
        await until(() => !existsSync(`/proc/${parent}`), 'the end of its supervisor');
    }
});

test('kill -9 of the proxy: the source has no network, and ends as it would', async () => {
    const bench = benchOf();
    let killed = false;
    const ran = bench.try(manifestOf(made, { command: ['/bin/hostile', 'egress-slow'], egress: wants(page.port) }), made.archive);
    await until(() => {
        const proxy = proxyOf(bench);
        if (proxy && processesOf(bench.base).some((p) => p.name === 'hostile')) killed = process.kill(proxy.pid, 'SIGKILL');
        return killed;
    }, 'the proxy');
    const r = await ran;
    assert.ok(['ok', 'exit', 'signal'].includes(r.end), JSON.stringify(r));
    assert.ok(!JSON.stringify(r.json ?? {}).includes('HTTP/1.1 2'));
    assert.deepEqual(processesOf(bench.base), []);
});

test('the proxy is gone with a run that ends well', async () => {
    const bench = benchOf();
    const r = await probes['a name of this machine'].begin({ bench, made, page, pit });
    assert.equal(r.end, 'ok');
    assert.deepEqual(processesOf(bench.base), []);
});

test('names as the test means them (else nothing here was shown)', () => {
    const seen = spawnSync(withNames(dir), ['doctor', '--json'], { encoding: 'utf8', env: { ...process.env, OGPU_EGRESS: 'listed', OGPU_EGRESS_HOSTS: 'a.org,*.b.org' } });
    const row = JSON.parse(seen.stdout).checks.find((c) => c.check === 'egress');
    assert.deepEqual([row.state, row.detail], ['ok', '2 hosts, 0 of them may be private, 1024 MiB']);
});
