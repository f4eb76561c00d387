// SPDX-License-Identifier: MIT
// What `ogpu-worker devices` finds: through a stand-in NVML, a stand-in CUDA driver, a sysfs of the
// test's own, a simulation.
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { drop, execute, folder, worker } from '../worker/support.mjs';
import { Machine, Memory, card, fake, uuid } from './support.mjs';

const dir = folder('discovery');
const plain = { OGPU_WORK_DIR: join(dir, 'none'), OGPU_DEVICE_LOCKS: join(dir, 'locks') };
after(() => drop(dir));

async function devices(env) {
    const r = await execute(worker, ['devices', '--json'], { ...plain, ...env });
    assert.equal(r.code, 0, r.stderr);
    return JSON.parse(r.stdout).devices;
}

test('NVML: cards with all their figures, slices of a card, a lost one left out', async () => {
    const list = await devices({ LD_LIBRARY_PATH: join(fake, 'nvml') });
    assert.equal(list[0].environment, 'cpu');
    assert.deepEqual(list.slice(1).map((d) => [d.uuid, d.state]), [
        ['GPU-0000-0', 'free'], ['GPU-0000-2', 'split'], ['MIG-0000-2-a', 'free'], ['MIG-0000-2-b', 'busy']]);
    assert.deepEqual(list[1], {
        environment: 'nvidia', name: 'Test Card 0', memory_mb: 81920, uuid: 'GPU-0000-0', architecture: 'hopper',
        driver: '570.00', utilization_percent: 37, compute_capability: '9.0', cuda: '12.8', ecc: true, mig: false,
        power_limit_mw: 700000, pcie: { bus_id: '00000000:3B:00.0', generation: 5, width: 16 }, state: 'free',
        telemetry: { memory_used_mb: 40960, temperature_c: 61, power_mw: 412000, throttle: ['power_cap', 'thermal'],
            ecc_corrected: 5, ecc_uncorrected: 0, processes: 0 },
    });
    const slice = list[3];
    assert.equal(slice.parent, 'GPU-0000-2');
    assert.equal(slice.memory_mb, 40960);
    assert.equal(slice.utilization_percent, undefined); // NVML has none for slices
});

test('a CUDA driver without NVML', async () => {
    const id = uuid();
    const list = await devices({ ...new Memory(id).env, CUDA_VISIBLE_DEVICES: id });
    assert.equal(list[1].uuid, id);
    assert.equal(list[1].name, 'Remembering Card');
    assert.equal(list[1].memory_mb, 160);
    assert.equal(list[1].compute_capability, '9.0');
    assert.equal(list[1].cuda, '12.8');
});

test('sysfs: an AMD card, its figures and its render node; outlets and other makers are none', async () => {
    const root = join(dir, 'amd');
    const put = (path, text) => {
        mkdirSync(dirname(join(root, path)), { recursive: true });
        writeFileSync(join(root, path), `${text}\n`);
    };
    const pci = 'sys/devices/pci0000:00/0000:c3:00.0';
    put(`${pci}/vendor`, '0x1002');
    put(`${pci}/product_name`, 'AMD Instinct MI300X');
    put(`${pci}/unique_id`, '8a4f1c2d3e5b6071');
    put(`${pci}/mem_info_vram_total`, 205822885888);
    put(`${pci}/mem_info_vram_used`, 297795584);
    put(`${pci}/gpu_busy_percent`, 12);
    put(`${pci}/current_link_speed`, '32.0 GT/s PCIe');
    put(`${pci}/current_link_width`, 16);
    put(`${pci}/hwmon/hwmon7/temp1_input`, 41000);
    put(`${pci}/hwmon/hwmon7/power1_average`, 142000000);
    put(`${pci}/hwmon/hwmon7/power1_cap`, 750000000);
    put(`${pci}/drm/renderD129/dev`, '226:129');
    put('sys/devices/pci0000:00/0000:01:00.0/vendor', '0x8086');
    mkdirSync(join(root, 'sys/class/drm/card1'), { recursive: true });
    mkdirSync(join(root, 'sys/class/drm/card1-DP-1'));
    mkdirSync(join(root, 'sys/class/drm/card0'));
    symlinkSync('../../../devices/pci0000:00/0000:c3:00.0', join(root, 'sys/class/drm/card1/device'));
    symlinkSync('../card1', join(root, 'sys/class/drm/card1-DP-1/device'));
    symlinkSync('../../../devices/pci0000:00/0000:01:00.0', join(root, 'sys/class/drm/card0/device'));
    put('proc/cpuinfo', 'processor\t: 0\nmodel name\t: Test CPU 9000\nflags\t\t: fpu avx2 sse avx512f\n');
    put('proc/meminfo', 'MemTotal:       65536000 kB');
    const list = await devices({ OGPU_SYS_ROOT: root });
    assert.deepEqual(list.slice(1), [{
        environment: 'amd', name: 'AMD Instinct MI300X', memory_mb: 196288, uuid: 'AMD-8a4f1c2d3e5b6071', driver: 'amdgpu',
        utilization_percent: 12, power_limit_mw: 750000, pcie: { bus_id: '0000:c3:00.0', generation: 5, width: 16 },
        state: 'free', telemetry: { memory_used_mb: 284, temperature_c: 41, power_mw: 142000 },
    }]);
    assert.equal(list[0].name, 'Test CPU 9000');
    assert.equal(list[0].features, 'avx2 avx512f');
    assert.equal(list[0].memory_mb, 64000);
});

test('no driver, no card: the CPU alone, and no complaint', async () => {
    const r = await execute(worker, ['devices'], plain);
    assert.equal(r.code, 0);
    assert.match(r.stdout, /^device {2}cpu {2}.* MiB {2}\d+ cores\n$/);
    assert.equal(r.stderr, '');
});

test('a simulation: what it says is what is found; what cannot be read is named', async () => {
    const one = card(0, { telemetry: { throttle: ['thermal'] } });
    const machine = new Machine([one]);
    const [, d] = await devices(machine.env);
    assert.equal(d.uuid, one.uuid);
    assert.deepEqual(d.telemetry.throttle, ['thermal']);
    assert.equal(d.telemetry.process_mb, undefined);
    for (const text of ['{', '[]', '{"devices":[{"name":"without a uuid"}]}']) {
        writeFileSync(machine.file, text);
        const r = await execute(worker, ['devices'], { ...plain, ...machine.env });
        assert.equal(r.code, 2, text);
        assert.match(r.stderr, /OGPU_SIMULATE_GPU/);
    }
});

test('the doctor lists a card in quarantine with its cause; clearing it is one command', async () => {
    const one = card(0);
    const machine = new Machine([one]);
    const work = join(dir, 'work');
    mkdirSync(join(work, 'devices'), { recursive: true });
    writeFileSync(join(work, 'devices', `${one.uuid}.json`), JSON.stringify({ uuid: one.uuid, code: 'xid', text: 'XID 79: gone', at_us: 1 }));
    const env = { ...machine.env, OGPU_WORK_DIR: work };
    const doctor = await execute(worker, ['doctor'], env);
    assert.match(doctor.stdout, new RegExp(`${one.uuid} .* quarantined\\n +xid: XID 79: gone\\n +to fix: .*devices clear ${one.uuid}`));
    const [, d] = await devices(env);
    assert.deepEqual([d.state, d.fault], ['quarantined', { code: 'xid', message: 'XID 79: gone' }]);
    assert.equal((await execute(worker, ['devices', 'clear', one.uuid], env)).code, 0);
    assert.equal((await devices(env))[1].state, 'free');
    const again = await execute(worker, ['devices', 'clear', one.uuid], env);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /is not in quarantine/);
});
