// SPDX-License-Identifier: MIT
// A card for a source as OpenGPU's users package them: the nvidia file's GPU reservation, unmodified.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { composeOf, composed, registry, sdk } from '../containers/support.mjs';
import { drop } from '../worker/support.mjs';
import { Machine, card } from './support.mjs';

const made = sdk();
const one = card(0);
let machine, bench, hub;
before(async () => {
    machine = new Machine([one]);
    bench = machine.bench();
    hub = await registry(made);
});
after(() => {
    hub?.close();
    bench?.close();
    drop(machine.dir);
});

const reservation = [
    '    deploy:', '      resources:', '        reservations:', '          devices:', '            - driver: nvidia', '              count: all',
    '              capabilities: [gpu]',
];
const run = (environment, variables = []) => {
    const nvidia = composeOf(hub.host, made, variables.map((v) => `      - ${v}`), reservation);
    const cpu = composeOf(hub.host, made);
    const all = { cpu: environment.includes('cpu') ? cpu : '', nvidia: environment.includes('nvidia') ? nvidia : '', amd: '' };
    return bench.try(composed('', { compose: all, environments: environment }), Buffer.alloc(0), { archive: '-', fn: 'double', input: { x: 21 } });
};
const leased = (r) => r.stderr.split('\n').filter((line) => line.includes(one.uuid) && line.includes('"is":"leased"')).length;

test('the nvidia file runs with the card, the cpu file without, and of both the card\'s is taken', async () => {
    for (const [environments, times] of [[['nvidia'], 1], [['cpu'], 0], [['cpu', 'nvidia'], 1]]) {
        const r = await run(environments);
        assert.equal(r.end, 'ok', r.stderr + r.reason);
        assert.equal(r.json.result, 42);
        assert.equal(leased(r), times, environments.join());
    }
});

test('LD_PRELOAD in the file is refused beside a card', async () => {
    const r = await run(['nvidia'], ['LD_PRELOAD=/tmp/x.so']);
    assert.equal(r.code, 2);
    assert.match(r.stderr, /LD_PRELOAD is set: refused beside a card/);
});
