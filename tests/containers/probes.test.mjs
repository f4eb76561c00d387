// SPDX-License-Identifier: MIT
// Every probe, for real, under each runtime: what the source saw, and that the host is as it was.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Bench } from '../worker/support.mjs';
import { Host } from './host.mjs';
import { images } from './images.mjs';
import { begin, groups } from './probes.mjs';

for (const runtime of ['crun', 'runc']) {
    describe(runtime, () => {
        let bench, host;
        before(async () => {
            bench = new Bench(runtime);
            host = await Host.open(bench);
        });
        after(async () => {
            await host.close();
            bench.close();
        });
        for (const group of groups) {
            describe(group.act, () => {
                let seen;
                before(async () => {
                    const free = Host.free();
                    seen = { ...await begin(bench, images, group, host), bench, damage: host.damage(), freed: free - Host.free() };
                });
                for (const [name, judge] of group.probes) {
                    test(name, () => {
                        if (group.end) assert.equal(seen.end, group.end, JSON.stringify(seen.reason ?? seen.stderr));
                        judge(seen);
                        assert.deepEqual(seen.damage, {});
                    });
                }
            });
        }
    });
}
