// SPDX-License-Identifier: MIT
// Images that nobody should trust: tampered bytes, hostile layers, bombs. Every one is refused (or
// confined) with a reason, and the host's files are as they were. Good images: whiteouts, links, modes.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { image, layerOf, layout, sha256, tar } from '../../tools/oci_image.mjs';
import { Bench, hostile, manifestOf } from '../worker/support.mjs';

const GZIP = 'application/vnd.oci.image.layer.v1.tar+gzip';
const program = layerOf([{ path: '/bin/hostile', data: hostile }]);
const config = { Entrypoint: ['/bin/hostile', 'look'] };
let bench, canary;

before(() => {
    bench = new Bench('crun', { OGPU_IMAGE_MB: '32', OGPU_IMAGE_FILES: '500' });
    canary = join(bench.dir, 'canary');
    mkdirSync(canary);
    writeFileSync(join(canary, 'file'), 'untouched');
});
after(() => bench.close());

const run = (made, archive = made.archive, changes = {}) =>
    bench.try(manifestOf({ ...made, blob: sha256(archive) }, changes), archive);
const untouched = () => {
    assert.equal(readFileSync(join(canary, 'file'), 'utf8'), 'untouched');
    assert.deepEqual(readdirSync(canary), ['file']);
    assert.ok(!existsSync('/escaped') && !existsSync('/etc/escaped') && !existsSync('/tmp/escaped'));
};
const refused = async (layers, pattern, archive) => {
    const made = image(layers, config);
    const r = await run(made, archive ? archive(made) : made.archive);
    assert.equal(r.end, 'refused', JSON.stringify(r));
    assert.match(r.stderr, pattern);
    assert.ok(!existsSync(join(bench.dir, 'work/images/images', made.digest.slice(7))), 'nothing half done in the cache');
    assert.deepEqual(readdirSync(join(bench.dir, 'work/images/tmp')), []);
    untouched();
};
const rootfs = (made) => join(bench.dir, 'work/images/images', made.digest.slice(7), 'rootfs');
const accepted = async (layers) => {
    const made = image(layers, config);
    const r = await run(made);
    assert.equal(r.end, 'ok', JSON.stringify(r));
    untouched();
    return rootfs(made);
};
const swap = (bytes, at) => {
    const copy = Buffer.from(bytes);
    copy[at] ^= 1;
    return copy;
};

// ---- tampering ----

test('the archive is not the blob that the manifest names', async () => {
    const made = image([program], config);
    const r = await bench.try(manifestOf(made), Buffer.concat([made.archive, Buffer.from('x')]));
    assert.match(r.stderr, /digest_mismatch: the image archive/);
});

test('one byte of a layer changed: refused before anything is unpacked', () =>
    refused([program], /digest_mismatch: image blob/, (made) => swap(made.archive, made.archive.indexOf('ELF') + 4000)));

test('the image manifest changed: its digest is ours to check, index.json decides nothing', () =>
    refused([program], /lacks blob/, (made) => {
        const blobs = new Map(made.blobs);
        const bytes = Buffer.from(`${blobs.get(made.digest.slice(7))} `);
        blobs.delete(made.digest.slice(7));
        blobs.set(sha256(bytes), bytes);
        return layout(blobs, { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: made.digest, size: bytes.length });
    }));

test('a blob under a name that is not its digest', () =>
    refused([program], /digest_mismatch/, (made) => {
        const blobs = new Map(made.blobs);
        blobs.set(made.digest.slice(7), Buffer.from('{}'));
        return layout(blobs, {});
    }));

test('not a tar, cut off, a layer that is missing', async () => {
    await refused([program], /bad_manifest/, () => Buffer.from('this is no archive at all'));
    await refused([program], /bad_manifest/, (made) => made.archive.subarray(0, made.archive.length / 2));
    await refused([program], /lacks blob/, (made) => {
        const blobs = new Map([...made.blobs].filter(([, bytes]) => bytes.length < 10000));
        return layout(blobs, {});
    });
});

test('a layer of a kind that we do not unpack; no layer at all', async () => {
    await refused([{ bytes: program, type: 'application/vnd.oci.image.layer.nondistributable.v1.tar' }], /kind/);
    await refused([], /layers/);
});

// ---- hostile layers ----

const add = (...entries) => [program, tar(entries)];
const link = (name, to) => ({ name, type: '2', link: to });

test('paths with ..', () => refused(add({ name: '../../../../escaped', data: 'x' }), /leaves the image/));
test('paths with .. in the middle', () => refused(add({ name: 'a/../../escaped', data: 'x' }), /leaves the image/));
test('an absolute path lands inside', async () => {
    const root = await accepted(add({ name: '/etc/escaped', data: 'x' }));
    assert.equal(readFileSync(join(root, 'etc/escaped'), 'utf8'), 'x');
});
test('a link out, then a write through it (same layer)', () =>
    refused(add(link('out-there', canary), { name: 'out-there/file', data: 'x' }), /parent that is not a folder/));
test('a link out, then a write through it (next layer)', () =>
    refused([program, tar([link('out-there', canary)]), tar([{ name: 'out-there/new', data: 'x' }])], /parent that is not a folder/));
test('a relative link out, then a write through it', () =>
    refused(add(link('up', `../../../../../..${canary}`), { name: 'up/file', data: 'x' }), /parent that is not a folder/));
test('a file over a link replaces the link', async () => {
    const root = await accepted(add(link('victim', join(canary, 'file')), { name: 'victim', data: 'mine' }));
    assert.equal(readFileSync(join(root, 'victim'), 'utf8'), 'mine');
});
test('hard links to the host: .., absolute, through a link', async () => {
    await refused(add({ name: 'hard', type: '1', link: `../../../../../..${canary}/file` }), /hard link that leaves/);
    await refused(add({ name: 'hard', type: '1', link: join(canary, 'file') }), /hard link to/);
    await refused(add(link('to', canary), { name: 'hard', type: '1', link: 'to/file' }), /hard link to/);
    await refused(add(link('to', join(canary, 'file')), { name: 'hard', type: '1', link: 'to' }), /hard link to/);
});
test('whiteouts and opaque marks through a link reach nothing', async () => {
    await accepted([program, tar([link('to', canary)]), tar([{ name: 'to/.wh.file' }])]);
    await accepted([program, tar([link('to', `../../../..${canary}`)]), tar([{ name: 'to/.wh..wh..opq' }])]);
    await refused([program, tar([link('to', 'bin/hostile')]), tar([{ name: 'to/.wh.x' }])], /parent that is not a folder/);
});
test('whiteouts of . and ..', async () => {
    await refused(add({ name: 'bin/.wh...' }), /whiteout of nothing/);
    await refused(add({ name: 'bin/.wh..' }), /whiteout of nothing/);
    await refused(add({ name: '.wh.' }), /whiteout of nothing/);
});
test('device nodes, pipes and sockets are left out', async () => {
    const root = await accepted(add({ name: 'disk', type: '4', major: 254, minor: 0, mode: 0o666 },
        { name: 'null', type: '3', major: 1, minor: 3, mode: 0o666 }, { name: 'pipe', type: '6' }));
    for (const name of ['disk', 'null', 'pipe']) assert.ok(!existsSync(join(root, name)), name);
});
test('set-id bits are dropped, the sticky bit of a folder stays', async () => {
    const root = await accepted(add({ name: 'su', data: 'x', mode: 0o6755 }, { name: 'spool/', type: '5', mode: 0o1777 }));
    assert.equal(statSync(join(root, 'su')).mode & 0o7777, 0o755);
    assert.equal(statSync(join(root, 'spool')).mode & 0o7777, 0o1777);
});
test('an owner beyond 65535', () => refused(add({ name: 'f', data: 'x', uid: 4294967294 }), /owner beyond/));
test('extended attributes (file capabilities) are not applied', async () => {
    const root = await accepted(add({ name: 'cap', data: 'x', mode: 0o755,
        pax: { 'SCHILY.xattr.security.capability': Buffer.from('0100000200200000000000000000000000000000', 'hex') } }));
    assert.equal(statSync(join(root, 'cap')).size, 1);
});
test('a gigabyte of zeros in a megabyte: the byte limit', () => {
    const bomb = tar([{ name: 'zeros', data: Buffer.alloc(64 << 20) }]);
    return refused([program, { bytes: gzipSync(bomb), diff: bomb, type: GZIP }], /too_large: image unpacks/);
});
// 68 MiB of reading for this limit of 32, whoever wants what is read
const unwanted = Buffer.alloc(96 << 20);
const packed = (...entries) => {
    const layer = tar(entries);
    return { bytes: gzipSync(layer, { level: 1 }), diff: layer, type: GZIP };
};
test('bombs that nobody unpacks count too: a whiteout\'s data, in the lowest layer and above', async () => {
    await refused([packed({ name: 'bin/.wh.x', data: unwanted })], /too_large: image unpacks/);
    await refused([program, packed({ name: 'bin/.wh.x', data: unwanted })], /too_large: image unpacks/);
    await refused([program, packed({ name: '.wh..wh..opq', data: unwanted })], /too_large: image unpacks/);
});
test('bombs that nobody unpacks count too: a hard link\'s data, an unknown kind of entry', async () => {
    await refused([program, packed({ name: 'hard', type: '1', link: 'bin/hostile', data: unwanted, pax: { comment: 'a' } })], /too_large: image unpacks/);
    await refused([program, packed({ name: 'odd', type: 'Q', data: unwanted })], /too_large: image unpacks/);
});
test('many small bombs: what two layers bring to light is one sum', () => {
    const half = Buffer.alloc(20 << 20);
    return refused([program, packed({ name: 'a/.wh.x', data: half }), packed({ name: 'b/.wh.x', data: half })], /too_large: image unpacks/);
});
test('a layer that is packed twice is not unpacked twice', () => {
    const once = packed({ name: 'x', data: 'x' });
    return refused([program, { ...once, bytes: gzipSync(once.bytes) }], /bad_manifest: layer cannot be read/);
});
test('a sparse file whose map never ends: its header is too large', () => {
    // GNU tar 0.x: "isextended" at 482 of the header and at 504 of each block that follows it
    const piece = '00000000001\0'.repeat(2);
    const first = tar([{ name: 'sparse', type: 'S' }]).subarray(0, 512);
    first.write('ustar  \0', 257, 'latin1');
    first.write(piece, 386, 'latin1');
    first[482] = 1;
    first.fill(0x20, 148, 156);
    first.write(`${first.reduce((a, b) => a + b, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    const block = Buffer.alloc(512);
    for (let i = 0; i < 21; i++) block.write(piece, i * 24, 'latin1');
    block[504] = 1;
    const bomb = Buffer.concat([first, ...Array.from({ length: 32 << 10 }, () => block)]);
    return refused([program, { bytes: gzipSync(bomb), diff: bomb, type: GZIP }], /header of too many bytes/);
});
test('a thousand files: the entry limit', () =>
    refused(add(...Array.from({ length: 1000 }, (_, i) => ({ name: `f${i}` }))), /too_large: image has too many files/));
test('a path far too deep', () => refused(add({ name: `${'d/'.repeat(40)}${'e/'.repeat(40)}f`, data: 'x' }), /leaves the image/));
test('short paths, each through a link to where the one before ended', () => {
    const way = 'd/'.repeat(45);
    const rounds = Array.from({ length: 30 }, (_, i) => [{ name: `${i ? `s${i - 1}/` : ''}${way}`, type: '5' }, link(`s${i}`, `${i ? `s${i - 1}/` : ''}${way}`)]);
    return refused(add(...rounds.flat()), /too deep/);
});
test('folders that entries have made on their way count as files', () =>
    refused(add(...Array.from({ length: 10 }, (_, i) => ({ name: `f${i}/${'d/'.repeat(60)}`, type: '5' }))), /too_large: image has too many files/));
test('where a container needs a folder, something else', async () => {
    await refused(add(link('out', canary)), /needed as a folder/);
    await refused(add({ name: 'proc', data: 'x' }), /needed as a folder/);
});

// ---- good images ----

test('gzip layers, whiteouts, opaque folders, replaced types, hard links, gzip or not', async () => {
    const lower = tar([{ name: 'a/', type: '5', mode: 0o755 }, { name: 'a/gone', data: '1' }, { name: 'a/kept', data: '2' },
        { name: 'b/', type: '5', mode: 0o755 }, { name: 'b/old', data: '3' }, { name: 'c', data: 'file' }, { name: 'd/x', data: '4' }]);
    const upper = tar([{ name: 'a/.wh.gone' }, { name: 'b/new', data: '5' }, { name: 'b/.wh..wh..opq' },
        { name: 'c/', type: '5', mode: 0o755 }, { name: 'c/now-a-folder', data: '6' }, { name: 'd', data: 'now a file' },
        { name: 'twin', type: '1', link: 'a/kept' }, link('lib', 'usr/lib'), { name: 'usr/lib/', type: '5' }, { name: 'lib/y', data: '7' }]);
    const root = await accepted([program, { bytes: gzipSync(lower), diff: lower, type: GZIP }, upper]);
    assert.deepEqual(readdirSync(join(root, 'a')), ['kept']);
    assert.deepEqual(readdirSync(join(root, 'b')), ['new']);
    assert.deepEqual(readdirSync(join(root, 'c')), ['now-a-folder']);
    assert.equal(readFileSync(join(root, 'd'), 'utf8'), 'now a file');
    assert.equal(readFileSync(join(root, 'twin'), 'utf8'), '2');
    assert.equal(readFileSync(join(root, 'usr/lib/y'), 'utf8'), '7'); // through a link that stays inside
});

test('two layers again from the cache: no archive needed', async () => {
    const made = image([program], config);
    assert.equal((await run(made)).end, 'ok');
    const again = await bench.try(manifestOf(made), Buffer.from('not looked at'));
    assert.equal(again.end, 'ok');
});
