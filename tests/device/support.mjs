// SPDX-License-Identifier: MIT
// Cards for machines without any: a file that simulates them, and a folder that stands for the driver's.
import { execFileSync, spawnSync } from 'node:child_process';
import {
    chmodSync, closeSync, copyFileSync, mkdirSync, openSync, readFileSync, renameSync, truncateSync, writeFileSync, writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { image, layerOf } from '../../tools/oci_image.mjs';
import { Bench, build, folder, imageOf, manifestOf } from '../worker/support.mjs';

export const fake = join(build, 'tests/device');
export const probe = imageOf(readFileSync(join(fake, 'probe')), 'probe');

/** The same program in an image with a variable. */
export const imageWith = (...env) => image([layerOf([{ path: '/bin/probe', data: readFileSync(join(fake, 'probe')) }])],
    { Entrypoint: ['/bin/probe'], User: '1000:1000', Env: env });

/** What `probe` is asked as a source: `act` is wait or brief. */
export const probeManifest = (act = 'brief', changes = {}) =>
    manifestOf(probe, { command: ['/bin/probe', act], environments: ['nvidia'], ...changes });

let serial = Math.floor(Math.random() * 0xffff);
/** A UUID that no other test's card has. */
export const uuid = () => `GPU-${(Date.now() % 0xffffffff).toString(16).padStart(8, '0')}-0000-4000-8000-${(++serial).toString(16).padStart(12, '0')}`;

export const card = (minor, changes = {}) => ({
    uuid: uuid(), name: `Simulated Card ${minor}`, memory_mb: 81920, minor, architecture: 'hopper', compute_capability: '9.0',
    driver: '570.00', cuda: '12.8', ecc: true, mig: false, power_limit_mw: 700000,
    pcie: { bus_id: `00000000:${(0x3b + minor).toString(16)}:00.0`, generation: 5, width: 16 }, utilization_percent: 3,
    ...changes,
    telemetry: { memory_used_mb: 512, temperature_c: 40, power_mw: 70000, throttle: [], ecc_corrected: 0, ecc_uncorrected: 0,
        processes: 0, process_mb: 0, ...changes.telemetry },
});

/* Character devices that anybody may open and that no engine's default list allows: without a rule
 * of ours they are closed. */
const MAJOR = 10;
export const minors = { nvidiactl: 237, 'nvidia-uvm': 200, nvidia0: 229, nvidia1: 200, nvidia2: 237 };

export function node(path, minor) {
    mkdirSync(dirname(path), { recursive: true });
    execFileSync('mknod', [path, 'c', String(MAJOR), String(minor)]);
    chmodSync(path, 0o666);
}

/** One machine: simulated cards, device nodes, the driver's libraries, locks of its own. */
export class Machine {
    constructor(cards, { libraries = true } = {}) {
        this.dir = folder('cards');
        this.root = join(this.dir, 'root');
        this.file = join(this.dir, 'cards.json');
        this.cards = cards;
        for (const [name, minor] of Object.entries(minors)) node(join(this.root, 'dev', name), minor);
        mkdirSync(join(this.root, 'usr/lib64'), { recursive: true });
        for (const name of libraries ? ['libcuda.so.570.00', 'libnvidia-ml.so.570.00'] : []) {
            copyFileSync(join(fake, 'driver', name), join(this.root, 'usr/lib64', name));
        }
        mkdirSync(join(this.dir, 'cdi'));
        this.save();
    }

    /** Writes the simulation; whoever looks sees the old or the new one. */
    save(edit = () => {}) {
        edit(this.cards);
        writeFileSync(`${this.file}.new`, JSON.stringify({ devices: this.cards }));
        renameSync(`${this.file}.new`, this.file);
    }

    cdi(spec, name = 'nvidia.json') {
        writeFileSync(join(this.dir, 'cdi', name), typeof spec === 'string' ? spec : JSON.stringify(spec));
    }

    /** A slice's rights, as the driver's files below /proc name them. */
    slice(minor, gi, ci, [first, second]) {
        const at = join(this.root, `proc/driver/nvidia/capabilities/gpu${minor}/mig/gi${gi}`);
        mkdirSync(join(at, `ci${ci}`), { recursive: true });
        writeFileSync(join(at, 'access'), `DeviceFileMinor: ${first}\nDeviceFileMode: 292\n`);
        writeFileSync(join(at, `ci${ci}`, 'access'), `DeviceFileMinor: ${second}\n`);
        for (const n of [first, second]) node(join(this.root, `dev/nvidia-caps/nvidia-cap${n}`), 229);
    }

    amd() {
        node(join(this.root, 'dev/kfd'), 229);
        node(join(this.root, 'dev/dri/renderD128'), 200);
        node(join(this.root, 'dev/dri/renderD129'), 237);
    }

    close(name) {
        chmodSync(join(this.root, 'dev', name), 0o600);
    }

    get env() {
        return {
            OGPU_SYS_ROOT: this.root, OGPU_SIMULATE_GPU: this.file, OGPU_DRIVER_ROOT: this.root, OGPU_CDI_DIRS: join(this.dir, 'cdi'),
            OGPU_DEVICE_LOCKS: join(this.dir, 'locks'),
        };
    }

    bench(runtime = 'crun') {
        return new Bench(runtime, this.env);
    }
}

/** Memory of a card that remembers, for the stand-in CUDA driver. */
export class Memory {
    constructor(id, mb = 160) {
        this.dir = folder('memory');
        this.file = join(this.dir, id);
        this.size = mb << 20;
        writeFileSync(this.file, '');
        truncateSync(this.file, this.size);
    }

    get env() {
        return { FAKE_CUDA_DIR: this.dir, LD_LIBRARY_PATH: join(fake, 'cuda') };
    }

    fault(word) {
        writeFileSync(`${this.file}.fault`, word);
    }

    /** What a tenant leaves. */
    leave(at) {
        const fd = openSync(this.file, 'r+');
        writeSync(fd, Buffer.alloc(4096, 0xa5), 0, 4096, at);
        closeSync(fd);
    }

    get clean() {
        return spawnSync('cmp', ['-s', '-n', String(this.size), this.file, '/dev/zero']).status === 0;
    }
}
