// SPDX-License-Identifier: MIT
// Input files as the source finds them: their bytes, read only, with every runtime.
import assert from 'node:assert/strict';
import { after, afterEach, beforeEach, test } from 'node:test';
import { probe, probeManifest } from '../device/support.mjs';
import { Crew } from './crew.mjs';
import { Gateway, sha256 } from './gateway.mjs';

let gateway;
let crew;
const crews = [];
beforeEach(async () => {
    gateway = await new Gateway().open();
    gateway.blobs.set(probe.blob, probe.archive);
    crew = await new Crew('inputs').hire();
    crews.push(crew);
});
afterEach(async () => {
    await crew.stop('SIGKILL');
    gateway.close();
});
after(() => crews.forEach((c) => c.close()));

for (const runtime of ['crun', 'runc']) {
    test(`${runtime}: input blobs are files in /in with their bytes, and cannot be written`, async () => {
        const texts = ['the first', 'the second'];
        for (const t of texts) gateway.blobs.set(sha256(t), Buffer.from(t));
        gateway.submit(gateway.publish(probeManifest('brief', { environments: ['cpu'] }), probe.archive), {}, { input_blobs: texts.map(sha256) });
        crew.start(gateway.url, { OGPU_RUNTIME: runtime });
        const { body } = await gateway.saw(/respond$/, 20000);
        const seen = JSON.parse(gateway.blobs.get(body.outputs[0].sha256)).in;
        assert.deepEqual(Object.fromEntries(Object.entries(seen).map(([name, v]) => [name, v.text])),
            Object.fromEntries(texts.map((t) => [sha256(t), t])));
        for (const v of Object.values(seen)) assert.match(v.write, /^(EROFS|EACCES)$/);
    });
}
