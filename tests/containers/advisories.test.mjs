// SPDX-License-Identifier: MIT
// The gate for runtimes with published weaknesses: refused where our profile feeds one, else told with
// the reason; and every reason has its probe in these suites.
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Bench, execute, root, worker } from '../worker/support.mjs';
import { groups } from './probes.mjs';
import { images } from './images.mjs';

const { advisories } = JSON.parse(readFileSync(join(root, 'workers/advisories.json')));
let bench;
before(() => { bench = new Bench('crun'); });
after(() => bench.close());

/** A runtime that says it is of some version and does nothing else. */
function claims(version, name = 'claims') {
    const path = join(bench.dir, name);
    writeFileSync(path, `#!/bin/sh\necho '${version}'\n`);
    chmodSync(path, 0o755);
    return path;
}
const doctor = (runtime) => execute(worker, ['doctor'], { ...bench.env, OGPU_RUNTIME: runtime });

test('a runtime whose weakness our profile feeds is refused: nothing is run', async () => {
    const r = await doctor(claims('runc version 1.1.4'));
    assert.equal(r.code, 1);
    assert.match(r.stdout, /^FAILED {2}runtime's weaknesses: CVE-2024-21626: every image chooses its working folder\n {8}to fix: upgrade/m);
    const tried = new Bench(claims('runc version 1.1.11'));
    const run = await tried.act(images.plain, 'look');
    tried.close();
    assert.equal(run.end, 'refused');
    assert.match(run.stderr, /cannot run containers here: runtime's weaknesses: CVE-2024-21626/);
});

test('weaknesses that it does not feed are told, with the reason and its probe', async () => {
    const r = await doctor(claims('runc version 1.3.2'));
    assert.match(r.stdout, /^ok {6}runtime's weaknesses: 4 known and not fixed, none that our profile feeds/m);
    for (const id of ['CVE-2025-31133', 'CVE-2025-52565', 'CVE-2025-52881', 'CVE-2026-41579']) {
        const row = advisories.find((a) => a.id === id);
        const line = r.stderr.split('\n').find((l) => l.includes(id));
        assert.ok(line?.includes(row.reason) && line.includes(row.probe), r.stderr);
    }
    assert.doesNotMatch((await doctor(claims('runc version 1.5.1'))).stderr, /runtime_advisory/);
});

test('gVisor is told by its name, since it is called with flags of its own', async () => {
    for (const path of [claims('runsc version release-20240729.0'), claims('crun version 1.20', 'runsc')])
        assert.match((await doctor(path)).stdout, /^FAILED {2}OCI runtime: gVisor's file must be named runsc, and no other may be: /m);
    assert.match((await doctor('runsc-is-not-here')).stdout, /^FAILED {2}OCI runtime: no OCI runtime 'runsc-is-not-here'/m);
});

test('Debian\'s fixes under an older number are known', async () => {
    const r = await doctor('runc');
    assert.match(r.stdout, /^ok {6}runtime's weaknesses/m);
});

test('every reason has a probe that exists', () => {
    const suites = Object.fromEntries(readdirSync(join(root, 'tests/containers')).filter((f) => f.endsWith('.test.mjs'))
        .map((f) => [f, readFileSync(join(root, 'tests/containers', f), 'utf8')]));
    const probes = groups.flatMap((g) => g.probes.map(([name]) => name));
    for (const { id, probe } of advisories) {
        const [, file, name] = /^([a-z.]+mjs): (.+)$/.exec(probe) ?? assert.fail(`${id}: ${probe}`);
        if (file === 'probes.mjs') assert.ok(probes.includes(name), `${id}: ${name}`);
        else if (/^\/[a-z]+ is a link$/.test(name)) assert.match(suites[file], /is a link/);
        else if (/fd\/7/.test(name)) assert.match(suites[file], /its folder is \/proc\/self\/fd/);
        else assert.ok(suites[file].replaceAll("\\'", "'").includes(name), `${id}: ${name}`);
    }
});
