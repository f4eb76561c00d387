// SPDX-License-Identifier: MIT
// Cards on the real market: what is told of them is there to read for anybody, and a task whose card
// is lost is done by somebody else.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { expect } from '../support/actors.mjs';
import { eventually } from '../support/stack.mjs';
import { Market } from '../worker/market.mjs';
import { drop } from '../worker/support.mjs';
import { Machine, card, probe, probeManifest } from './support.mjs';

let m;
const machines = [];
before(async () => { m = await Market.open(); });
afterEach(() => m?.fire());
after(async () => {
    await m?.close();
    machines.forEach((machine) => drop(machine.dir));
});

async function hire(source, minor) {
    const one = card(minor);
    const machine = new Machine([one]);
    machines.push(machine);
    const w = await m.hire([source], { ...machine.env, OGPU_DEVICE_MS: '100' });
    return { w, machine, card: one };
}

/** The provider that tells of this card, as anybody may read it. */
const provider = async (id) => {
    const list = expect(await m.client.get('/v1/providers'), 200).data;
    const row = list.find((p) => p.devices.some((d) => d.uuid === id));
    return row && expect(await m.client.get(`/v1/providers/${row.id}`), 200);
};
const device = async (id) => (await provider(id))?.devices.find((d) => d.uuid === id);

test('a card is lost in the middle of a task: the attempt fails with the cause, another provider does the task', async () => {
    const source = await m.publish(probeManifest('wait', { name: 'cards', limits: { timeout_s: 60 } }), probe.archive);
    const first = await hire(source, 0);
    const task = await m.submit(source);
    await m.live(task);
    await eventually(async () => (await device(first.card.uuid))?.state === 'leased', 'leased, for all to see');
    assert.deepEqual((await device(first.card.uuid)).telemetry, { memory_used_mb: 512, temperature_c: 40, power_mw: 70000, throttle: [],
        ecc_corrected: 0, ecc_uncorrected: 0, processes: 0 });
    first.machine.save(() => { first.card.lost = true; });
    const failed = await eventually(async () => (await m.attempts(task)).find((a) => a.status === 'failed'), 'the failed attempt');
    assert.match(JSON.stringify(failed), /device_lost.*does not answer/);
    await eventually(async () => (await device(first.card.uuid)).state === 'lost', 'lost, for all to see');
    const second = await hire(source, 1);
    await eventually(async () => (await device(second.card.uuid))?.state === 'leased', 'the other provider has it', 20_000);
    const live = (await m.attempts(task)).find((a) => a.status === 'live');
    assert.ok(live && live.provider !== failed.provider);
    second.machine.save(() => { second.card.xid = 79; });
    await eventually(async () => (await m.attempts(task)).filter((a) => a.status === 'failed').length === 2, 'the second failed attempt');
    await eventually(async () => (await device(second.card.uuid)).fault?.code === 'xid', 'in quarantine, for all to see');
    await eventually(() => m.running() === 0, 'end of the containers', 10_000);
});

test('a task on a card is done and paid, and the books are right', async () => {
    const source = await m.publish(probeManifest('brief', { name: 'brief' }), probe.archive);
    const w = await hire(source, 0);
    const task = await m.ended(await m.submit(source));
    assert.equal(task.status, 'succeeded');
    const output = JSON.parse((await m.client.get(task.result.outputs[0].url)).bytes);
    assert.equal(output.env.NVIDIA_VISIBLE_DEVICES, w.card.uuid);
    m.audit();
});
