// SPDX-License-Identifier: MIT
// The image cache: a budget on disk, the longest unused first, never what runs; what was half pulled
// or half removed is not taken for an image.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { image, layerOf } from '../../tools/oci_image.mjs';
import { until } from '../worker/crew.mjs';
import { Bench, execute, hostile, manifestOf, processesOf } from '../worker/support.mjs';

const MIB = 1 << 20;
/** An image of about `mib` MiB; `n` tells them apart. */
const sized = (n, mib) => image([layerOf([{ path: '/bin/hostile', data: hostile }, { path: '/data', data: Buffer.alloc(mib * MIB, n) }])],
    { Entrypoint: ['/bin/hostile', 'look'] });
const images = [1, 2, 3, 4].map((n) => sized(n, 8));
let bench;
before(() => { bench = new Bench('crun', { OGPU_CACHE_MB: '28' }); });
after(() => bench.close());

const cache = () => join(bench.dir, 'work/images/images');
const cached = () => readdirSync(cache()).map((hex) => images.findIndex((made) => made.digest.slice(7) === hex)).sort();
const run = async (n, changes, options) => {
    const r = await bench.try(manifestOf(images[n], changes), images[n].archive, options);
    assert.equal(r.end, 'ok', JSON.stringify(r));
    return r;
};

test('within the budget all stay; over it the longest unused goes', async () => {
    for (const n of [0, 1, 2]) await run(n);
    assert.deepEqual(cached(), [0, 1, 2]);
    await run(0); // used again: 1 is the oldest now
    const r = await run(3);
    assert.deepEqual(cached(), [0, 2, 3]);
    assert.match(r.stderr, /image_pulling/);
    assert.match(r.stderr, /image_ready/);
    assert.match(r.stderr, new RegExp(`image_evicted.*${images[1].digest.slice(7)}`));
});

test('what is evicted comes back whole', async () => {
    await run(1);
    assert.ok(cached().includes(1));
    assert.equal(readFileSync(join(cache(), images[1].digest.slice(7), 'rootfs/data')).length, 8 * MIB);
});

test('what runs is held, and what is held is not evicted, however old', async () => {
    const root = (n) => join(cache(), images[n].digest.slice(7), 'rootfs');
    const taken = async (n) => (await execute('flock', ['-n', '-x', root(n), 'true'])).code !== 0;
    await run(0);
    assert.equal(await taken(0), false);
    const nap = run(0, { command: ['/bin/hostile', 'nap'] });
    await until(() => processesOf(bench.base).length > 0, 'the run');
    assert.equal(await taken(0), true);
    await nap;
    assert.equal(await taken(0), false);
    const holder = spawn('flock', ['-s', root(0), 'sleep', '30'], { stdio: 'ignore' });
    await until(() => taken(0), 'the lock');
    for (const n of [1, 2, 3]) await run(n);
    assert.ok(cached().includes(0));
    spawnSync('pkill', ['-P', String(holder.pid)]);
    await new Promise((done) => { holder.on('exit', done); });
});

test('what cannot be taken away is not counted as gone: the next one goes too; removed once it can be', async () => {
    for (const n of [0, 1, 2]) await run(n);
    const busy = join(cache(), images[0].digest.slice(7), 'rootfs/tmp');
    const gone = join(bench.dir, 'work/images/tmp', `${images[0].digest.slice(7)}.gone`);
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', 'none', busy]).status, 0);
    try {
        const { stderr } = await run(3);
        assert.deepEqual(cached(), [2, 3]);
        assert.match(stderr, /image_not_removed.*"what":"tmp"/);
        assert.match(stderr, new RegExp(`image_leftover.*${images[0].digest.slice(7)}`));
        assert.doesNotMatch(stderr, new RegExp(`image_evicted.*${images[0].digest.slice(7)}`));
        assert.deepEqual(readdirSync(gone), ['rootfs']);
        assert.deepEqual(readdirSync(join(gone, 'rootfs')), ['tmp']); // all else is
    } finally {
        spawnSync('umount', [join(gone, 'rootfs/tmp')]);
    }
    await run(3);
    assert.deepEqual(readdirSync(join(bench.dir, 'work/images/tmp')), []);
});

test('a smaller budget at the next start: only the newest stays', async () => {
    const small = { ...bench.env, OGPU_CACHE_MB: '10' };
    const before_ = bench.env;
    bench.env = small;
    await run(2);
    bench.env = before_;
    assert.deepEqual(cached(), [2]);
});

test('a disk short of room: the longest unused go whatever the budget, and what others fill counts', async () => {
    const disk = join(bench.dir, 'disk');
    mkdirSync(disk);
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=96m', 'none', disk]).status, 0);
    const before_ = bench.env;
    bench.env = { ...bench.env, OGPU_WORK_DIR: join(disk, 'work'), OGPU_CACHE_MB: '0', OGPU_FREE_MB: '72' };
    const there = () => readdirSync(join(disk, 'work/images/images')).map((hex) => images.findIndex((made) => made.digest.slice(7) === hex)).sort();
    try {
        for (const n of [0, 1]) await run(n);
        assert.deepEqual(there(), [0, 1]);
        assert.doesNotMatch((await run(2)).stderr, /disk_low/);
        assert.deepEqual(there(), [1, 2]);
        writeFileSync(join(disk, 'of another'), Buffer.alloc(30 * MIB));
        assert.match((await run(3)).stderr, /image_evicted.*disk_low/s);
        assert.deepEqual(there(), [3]);
    } finally {
        bench.env = before_;
        spawnSync('umount', ['-l', disk]);
    }
});

test('what a killed worker left half made is gone at the next start', async () => {
    const tmp = join(bench.dir, 'work/images/tmp');
    mkdirSync(join(tmp, `${'ab'.repeat(32)}.gone`, 'rootfs'), { recursive: true });
    writeFileSync(join(tmp, `${'ab'.repeat(32)}.gone`, 'rootfs/file'), 'x');
    await run(2);
    assert.deepEqual(readdirSync(tmp), []);
});

test('a pull that breaks off half way, again and again: refused, nothing kept; then whole', async () => {
    const made = sized(9, 2);
    let broken = true;
    const server = createServer(({ url }, response) => {
        const bytes = made.blobs.get(/sha256:([0-9a-f]{64})$/.exec(url)?.[1]);
        if (!bytes) return response.writeHead(404).end();
        response.writeHead(200, { 'content-length': bytes.length });
        if (!broken || bytes.length < 100_000) return response.end(bytes);
        return response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy());
    });
    await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
    const manifest = { ...manifestOf(made), image: { digest: made.digest, reference: `127.0.0.1:${server.address().port}/a/b@${made.digest}` } };
    for (let i = 0; i < 2; i++) {
        const r = await bench.try(manifest, Buffer.alloc(0), { archive: '-' });
        assert.equal(r.end, 'refused', JSON.stringify(r));
        assert.ok(!existsSync(join(cache(), made.digest.slice(7))));
        assert.deepEqual(readdirSync(join(bench.dir, 'work/images/tmp')), []);
    }
    broken = false;
    assert.equal((await bench.try(manifest, Buffer.alloc(0), { archive: '-' })).end, 'ok');
    server.close();
    server.closeAllConnections();
});
