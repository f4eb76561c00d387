// SPDX-License-Identifier: MIT
// The registry that people run (Debian's docker-registry, the reference implementation), not our own:
// an image is pushed by the OCI distribution API and pulled by digest, anonymously and with a token.
// What a registry does only when it is broken or hostile is in registry.test.mjs.
import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { after, before, beforeEach, describe, test } from 'node:test';
import { image, layerOf, sha256 } from '../../tools/oci_image.mjs';
import { Bench, hostile, manifestOf } from '../worker/support.mjs';
import { distribution, push, pushDocument, tokens } from './distribution.mjs';

const name = 'demo/deep/x';
const layer = layerOf([{ path: '/bin/hostile', data: hostile }]);
const config = { Entrypoint: ['/bin/hostile', 'look'] };
const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
let bench, open, closed, service;
let serial = 0;

/** An image of its own for each test, so that no cache answers. */
const fresh = (layers = [{ bytes: gzipSync(layer), diff: layer, type: 'application/vnd.oci.image.layer.v1.tar+gzip' }]) =>
    image(layers, { ...config, Env: [`SERIAL=${++serial}`] });
const pull = (at, made, digest = made.digest) =>
    bench.try({ ...manifestOf(made), image: { digest, reference: `${at.host}/${name}@${digest}` } }, Buffer.alloc(0), { archive: '-' });
const refused = async (at, made, pattern, digest) => {
    const r = await pull(at, made, digest);
    assert.equal(r.end, 'refused', JSON.stringify(r));
    assert.match(r.stderr, pattern);
};

before(async () => {
    bench = new Bench('crun');
    service = await tokens(join(bench.dir, 'tokens'));
    open = await distribution(join(bench.dir, 'open'));
    closed = await distribution(join(bench.dir, 'closed'), service);
});
after(async () => {
    service?.close();
    await open?.close();
    await closed?.close();
    bench.close();
});

describe('anonymous', () => {
    test('an image is pulled by digest and run', async () => {
        const made = fresh();
        await push(open.host, name, made);
        const r = await pull(open, made);
        assert.equal(r.end, 'ok', r.stderr);
        assert.equal(r.json.Seccomp, '2');
    });

    test('layers plain and packed, on top of each other', async () => {
        const note = layerOf([{ path: '/etc/note', data: 'x' }]);
        const made = fresh([layer, { bytes: gzipSync(note), diff: note, type: 'application/vnd.oci.image.layer.v1.tar+gzip' }]);
        await push(open.host, name, made);
        assert.equal((await pull(open, made)).end, 'ok');
    });

    test('as Docker names the types (image manifest V2, schema 2)', async () => {
        const type = 'application/vnd.docker.distribution.manifest.v2+json';
        const made = fresh();
        const document = JSON.parse(made.blobs.get(made.digest.slice(7)));
        made.blobs.delete(made.digest.slice(7));
        document.mediaType = type;
        document.config.mediaType = 'application/vnd.docker.container.image.v1+json';
        for (const l of document.layers) l.mediaType = 'application/vnd.docker.image.rootfs.diff.tar.gzip';
        const bytes = Buffer.from(JSON.stringify(document));
        made.digest = `sha256:${sha256(bytes)}`;
        made.blobs.set(sha256(bytes), bytes);
        await push(open.host, name, made);
        assert.equal((await pull(open, made)).end, 'ok');
    });

    test('through an index of several machines', async () => {
        const made = fresh();
        await push(open.host, name, made);
        const type = 'application/vnd.oci.image.index.v1+json';
        const size = made.blobs.get(made.digest.slice(7)).length;
        const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: type, manifests: [
            { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: made.digest, size, platform: { os: 'linux', architecture } }] }));
        const digest = `sha256:${sha256(index)}`;
        await pushDocument(open.host, name, digest, index, type);
        assert.equal((await pull(open, made, digest)).end, 'ok');
    });

    test('what it does not have', async () => {
        await refused(open, fresh(), /blob_not_found: registry answered 404 for manifests\/sha256:/);
    });

    test('what rots in its storage is not run', async () => {
        const made = fresh();
        await push(open.host, name, made);
        const digest = sha256(gzipSync(layer));
        assert.ok(made.blobs.has(digest));
        appendFileSync(join(open.storage, `docker/registry/v2/blobs/sha256/${digest.slice(0, 2)}/${digest}/data`), 'x');
        await refused(open, made, /digest_mismatch: registry sent other bytes/);
    });
});

describe('with a token', () => {
    let made;
    beforeEach(async () => {
        Object.assign(service.rules, { lifetime: 300, actions: ['pull'], name: undefined });
        service.asked.length = 0;
        made = fresh();
        await push(closed.host, name, made, { authorization: `Bearer ${service.tokenFor(name, ['pull', 'push'])}` });
    });

    test('the registry lets nobody in without one', async () => {
        assert.equal((await fetch(`http://${closed.host}/v2/${name}/manifests/${made.digest}`)).status, 401);
        await assert.rejects(push(closed.host, name, fresh()), /upload: 401/);
    });

    test('one is fetched, once, for this service and for pulling only; the image is run', async () => {
        const r = await pull(closed, made);
        assert.equal(r.end, 'ok', r.stderr);
        assert.deepEqual(service.asked, [{ service: 'registry of the tests', scope: `repository:${name}:pull`, authorization: undefined }]);
    });

    for (const [what, rules] of Object.entries({
        'that has run out': { lifetime: -3600 },
        'for something else': { name: 'demo/other' },
        'that allows nothing': { actions: [] },
    })) {
        test(`one ${what}: refused, and not asked for without end`, async () => {
            Object.assign(service.rules, rules);
            await refused(closed, made, /peer: registry answered 401 for manifests\/sha256:/);
            assert.equal(service.asked.length, 1);
        });
    }
});
