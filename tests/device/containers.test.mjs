// SPDX-License-Identifier: MIT
// A card in real containers, with device nodes of the test's own: the leased one is there and works,
// no other is, nothing of it can be changed; CDI specifications are obeyed or refused, never half.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { drop, weakened } from '../worker/support.mjs';
import { Machine, card, fake, imageWith, probe, probeManifest } from './support.mjs';

const trash = [];
after(() => trash.forEach(drop));

function machineOf(cards = [card(0)], options = {}) {
    const machine = new Machine(cards, options);
    trash.push(machine.dir);
    return machine;
}

/** Runs the probe; resolves to what it saw, or to how it was refused. */
async function look(machine, { runtime = 'crun', manifest = probeManifest(), archive = probe.archive } = {}) {
    const bench = machine.bench(runtime);
    trash.push(bench.dir);
    return bench.try(manifest, archive);
}

const wanted = { '/dev/nvidia0': 'ok 10:229', '/dev/nvidia-uvm': 'ok 10:200', '/dev/nvidiactl': 'ok 10:237' };
const isCard = ([path]) => path.includes('nvidia') || path.includes('dri') || path.includes('kfd');
const cardsOf = (json) => Object.fromEntries(Object.entries(json.nodes).filter(isCard));

for (const runtime of ['crun', 'runc']) {
    test(`${runtime}: the leased card's nodes and libraries, and no other's`, async () => {
        const a = card(0);
        const r = await look(machineOf([a]), { runtime });
        assert.equal(r.end, 'ok', r.stderr + r.reason);
        assert.deepEqual(cardsOf(r.json), wanted);
        assert.deepEqual(Object.keys(r.json.libraries).sort(),
            ['libcuda.so', 'libcuda.so.1', 'libcuda.so.570.00', 'libnvidia-ml.so.1', 'libnvidia-ml.so.570.00']);
        assert.equal(r.json.libraries['libcuda.so.1'].target, 'libcuda.so.570.00');
        for (const library of Object.values(r.json.libraries)) {
            assert.equal(library.read, 'ELF');
            assert.match(library.write, /^(EROFS|EACCES)$/);
        }
        assert.match(r.json.create, /^(EROFS|EACCES)$/);
        assert.equal(r.json.mknod, 'EPERM');
        assert.equal(r.json.env.LD_LIBRARY_PATH, '/usr/local/nvidia/lib64');
        assert.equal(r.json.env.NVIDIA_VISIBLE_DEVICES, a.uuid);
        assert.equal(r.json.env.CUDA_VISIBLE_DEVICES, a.uuid);
        assert.equal(r.json.sysfs, 'ENOENT');
    });
}

test('the cgroup decides: without our rule the very same node cannot be opened', async () => {
    const machine = machineOf();
    const edit = (config) => { config.linux.resources.devices = config.linux.resources.devices.filter((d) => !d.allow); };
    const r = await look(machine, { runtime: weakened('/usr/bin/crun', machine.dir, 'rule', edit) });
    assert.equal(r.end, 'ok', r.stderr + r.reason);
    for (const [path, was] of Object.entries(wanted)) assert.equal(r.json.nodes[path], was.replace('ok', 'EPERM'));
});

test('a source without need of a card gets none', async () => {
    const r = await look(machineOf(), { manifest: probeManifest('brief', { environments: ['cpu'] }) });
    assert.equal(r.end, 'ok', r.stderr);
    assert.deepEqual(cardsOf(r.json), {});
    assert.deepEqual(r.json.libraries, {});
    assert.equal(r.json.env.NVIDIA_VISIBLE_DEVICES, '');
});

test('of two cards the smallest free one; by UUID although its index has changed', async () => {
    const big = card(0);
    const small = card(1, { memory_mb: 24576 });
    const machine = machineOf([big, small]);
    const first = await look(machine);
    assert.deepEqual(Object.keys(cardsOf(first.json)).sort(), ['/dev/nvidia-uvm', '/dev/nvidia1', '/dev/nvidiactl'], first.stderr);
    assert.equal(first.json.env.NVIDIA_VISIBLE_DEVICES, small.uuid);
    machine.save((cards) => { cards.reverse(); small.minor = 2; });
    const second = await look(machine);
    assert.equal(second.json.env.NVIDIA_VISIBLE_DEVICES, small.uuid);
    assert.ok('/dev/nvidia2' in second.json.nodes && !('/dev/nvidia1' in second.json.nodes));
});

test('no card is free, or there is none: an end with a reason; what runs on both runs on the CPU', async () => {
    const busy = machineOf([card(0, { telemetry: { processes: 1, process_mb: 100 } })]);
    const r = await look(busy);
    assert.equal(r.code, 2);
    assert.match(r.stderr, /no card is free/);
    const both = await look(busy, { manifest: probeManifest('brief', { environments: ['cpu', 'nvidia'] }) });
    assert.equal(both.end, 'ok', both.stderr);
    assert.deepEqual(cardsOf(both.json), {});
});

test('a slice: its rights come from the nodes that the driver names', async () => {
    const whole = card(0, { mig: true });
    const slice = card(0, { uuid: whole.uuid.replace('GPU', 'MIG'), parent: whole.uuid, mig: undefined, gpu_instance: 2, compute_instance: 0, memory_mb: 20480 });
    const machine = machineOf([whole, slice]);
    machine.slice(0, 2, 0, [21, 22]);
    const r = await look(machine);
    assert.equal(r.end, 'ok', r.stderr + r.reason);
    assert.deepEqual(cardsOf(r.json), { ...wanted, '/dev/nvidia-caps/nvidia-cap21': 'ok 10:229', '/dev/nvidia-caps/nvidia-cap22': 'ok 10:229' });
    assert.equal(r.json.env.CUDA_VISIBLE_DEVICES, slice.uuid);
});

test('AMD: the compute node, the render node, a read-only sysfs', async () => {
    const machine = machineOf([card(128, { environment: 'amd', driver: undefined, cuda: undefined })]);
    machine.amd();
    const r = await look(machine, { manifest: probeManifest('brief', { environments: ['amd'] }) });
    assert.equal(r.end, 'ok', r.stderr + r.reason);
    assert.deepEqual(cardsOf(r.json), { '/dev/kfd': 'ok 10:229', '/dev/dri/renderD128': 'ok 10:200' });
    assert.equal(r.json.sysfs, 'ok');
    assert.deepEqual(r.json.libraries, {});
});

for (const [name, variable, allowed] of [
    ['LD_PRELOAD', 'LD_PRELOAD=/tmp/x.so', false],
    ['LD_AUDIT', 'LD_AUDIT=/tmp/x.so', false],
    ['a relative LD_LIBRARY_PATH', 'LD_LIBRARY_PATH=/usr/lib:lib', false],
    ['an empty entry in LD_LIBRARY_PATH', 'LD_LIBRARY_PATH=/usr/lib:', false],
    ['an absolute LD_LIBRARY_PATH', 'LD_LIBRARY_PATH=/usr/local/nvidia/lib:/opt/lib', true],
]) {
    test(`beside a card ${name} is ${allowed ? 'kept behind ours' : 'refused'}, by image and by manifest`, async () => {
        const [key, value] = variable.split('=');
        const made = imageWith(variable);
        const image = { digest: made.digest, blob: made.blob };
        const machine = machineOf();
        for (const [manifest, archive] of [
            [probeManifest('brief', { image }), made.archive], [probeManifest('brief', { env: { [key]: value } }), probe.archive],
        ]) {
            const r = await look(machine, { manifest, archive });
            if (allowed) {
                assert.equal(r.json.env.LD_LIBRARY_PATH, `/usr/local/nvidia/lib64:${value}`, r.stderr);
            } else {
                assert.equal(r.code, 2);
                assert.match(r.stderr, new RegExp(`bad_manifest: ${key} .*refused beside a card`));
            }
        }
        const cpu = await look(machine, { manifest: probeManifest('brief', { image, environments: ['cpu'] }), archive: made.archive });
        assert.equal(cpu.end, 'ok', cpu.stderr); // without a card it is the source's own affair
    });
}

/* ---- CDI ---- */

const host = (machine, name) => join(machine.root, 'dev', name);
const library = join(fake, 'driver/libcuda.so.570.00');
const specOf = (machine, id, edits = {}, top = {}) => ({
    cdiVersion: '0.6.0', kind: 'nvidia.com/gpu',
    devices: [{ name: id, containerEdits: { deviceNodes: [{ path: '/dev/nvidia0', hostPath: host(machine, 'nvidia0') }], ...edits } }],
    containerEdits: {
        deviceNodes: ['nvidiactl', 'nvidia-uvm', 'nvidia-modeset'].map((n) => ({ path: `/dev/${n}`, hostPath: host(machine, n) })),
        mounts: [{ hostPath: library, containerPath: '/usr/lib/libcuda.so.570.00', options: ['ro', 'bind'] },
            { hostPath: '/usr/bin/env', containerPath: '/usr/bin/nvidia-smi', options: ['ro'] }],
        env: ['NVIDIA_EXTRA=1'],
        hooks: [{ hookName: 'createContainer', path: '/usr/bin/nvidia-ctk', args: ['nvidia-ctk', 'hook', 'update-ldcache', '--folder', '/usr/lib'] }],
        ...top,
    },
});

test('CDI: nodes, libraries, variables; programs and idle nodes stay outside; library cache hooks are not needed', async () => {
    const a = card(0);
    for (const name of [a.uuid, '0']) { // by UUID; by index only because its node says which card it is
        const machine = machineOf([a], { libraries: false });
        machine.cdi(specOf(machine, name));
        const r = await look(machine);
        assert.equal(r.end, 'ok', r.stderr + r.reason);
        assert.deepEqual(cardsOf(r.json), wanted);
        assert.deepEqual(Object.keys(r.json.libraries).sort(), ['libcuda.so', 'libcuda.so.1', 'libcuda.so.570.00']);
        assert.equal(r.json.env.NVIDIA_EXTRA, '1');
    }
});

const hook = (...args) => ({ hooks: [{ hookName: 'prestart', path: '/usr/bin/nvidia-container-runtime-hook', args }] });
for (const [name, edit, top, why] of [
    ['a hook that is not needless', {}, hook('x', 'prestart'), /hook \/usr\/bin\/nvidia-container-runtime-hook is refused/],
    ['a hook of the device', hook('run'), {}, /hooks are not run/],
    ['another card beside this one', {}, { deviceNodes: [{ path: '/dev/nvidia1' }] }, /nvidia1 belongs to another card/],
    ['a node outside of /dev', {}, { deviceNodes: [{ path: '/etc/shadow' }] }, /not below \/dev/],
    ['a node with dots', {}, { deviceNodes: [{ path: '/dev/../etc/shadow' }] }, /not below \/dev/],
    ['a node that is a file', {}, { deviceNodes: [{ path: '/dev/x', hostPath: '/etc/hostname' }] }, /no character device/],
    ['a library that is missing', {}, { mounts: [{ hostPath: '/nowhere/libcuda.so.1', containerPath: '/x' }] }, /libcuda.so.1 is missing/],
    ['a library that is none', {}, { mounts: [{ hostPath: '/etc/libnss.so', containerPath: '/x' }] }, /is missing/],
    ['a relative mount', {}, { mounts: [{ hostPath: 'etc/libx.so', containerPath: '/x' }] }, /not an absolute path/],
    ['LD_PRELOAD', {}, { env: ['LD_PRELOAD=/x.so'] }, /variable LD_PRELOAD is refused/],
]) {
    test(`CDI: ${name} is refused, and the driver's files do not step in`, async () => {
        const a = card(0);
        const machine = machineOf([a]);
        machine.cdi(specOf(machine, a.uuid, edit, top));
        const r = await look(machine);
        assert.equal(r.code, 2, r.stdout);
        assert.match(r.stderr, why);
    });
}

test('CDI: what is no specification is named; one that tells of other cards is passed over', async () => {
    const a = card(0);
    const machine = machineOf([a]);
    machine.cdi(specOf(machine, a.uuid), 'z.json');
    machine.cdi({ ...specOf(machine, 'GPU-other', { deviceNodes: [{ path: '/dev/nvidia1' }] }), kind: 'nvidia.com/gpu' }, 'a.json');
    const r = await look(machine);
    assert.equal(r.json?.env.NVIDIA_EXTRA, '1', r.stderr);
    machine.cdi('{', 'b.json');
    const broken = await look(machine);
    assert.match(broken.stderr, /b\.json is no CDI specification/);
});

test('the driver\'s files: what is missing or closed is named', async () => {
    const without = await look(machineOf([card(0)], { libraries: false }));
    assert.match(without.stderr, /libcuda\.so\.570\.00 is in none of the usual folders/);
    const nodeless = await look(machineOf([card(7)]));
    assert.match(nodeless.stderr, /device node .*nvidia7: No such file/);
    const closed = machineOf([card(0)]);
    closed.close('nvidia0');
    assert.match((await look(closed)).stderr, /not open to everybody \(mode 600\): chmod 666 it/);
});
