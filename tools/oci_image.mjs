// SPDX-License-Identifier: MIT
// Builds OCI images without a registry, an engine or a daemon: a deterministic tar of layers, JSON
// by hand, digests by SHA-256. The same input gives the same digest on every machine.
//
//   node tools/oci_image.mjs --out IMAGE.oci.tar --template manifest.json --manifest OUT.json \
//        --entrypoint /bin/x --file local=/in/image[:mode] …
//
// OUT.json is the template with image.digest and image.blob filled in: the body's `manifest` of
// POST /v1/sources. Tests import the functions to build images that nobody should trust.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const BLOCK = 512;

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

const octal = (value, width) => value.toString(8).padStart(width - 1, '0') + '\0';

/** A numeric field: octal, or base 256 where octal has no room (GNU tar). */
function number(header, at, width, value) {
    if (value < 8 ** (width - 1)) {
        header.write(octal(value, width), at, 'latin1');
        return;
    }
    header.fill(0, at, at + width);
    header.writeBigUInt64BE(BigInt(value), at + width - 8);
    header[at] |= 0x80;
}

/** One ustar header. `type` is the tar type flag ('0' file, '5' folder, '2' link, '1' hard link, '3' device …). */
function header(entry, size) {
    const h = Buffer.alloc(BLOCK);
    let { name } = entry;
    if (Buffer.byteLength(name) > 100) {
        const cut = name.lastIndexOf('/', 155);
        if (cut < 1 || Buffer.byteLength(name) - cut - 1 > 100) throw new Error(`name too long for tar: ${name}`);
        h.write(name.slice(0, cut), 345, 155, 'utf8');
        name = name.slice(cut + 1);
    }
    h.write(name, 0, 100, 'utf8');
    number(h, 100, 8, entry.mode ?? 0o644);
    number(h, 108, 8, entry.uid ?? 0);
    number(h, 116, 8, entry.gid ?? 0);
    number(h, 124, 12, size);
    number(h, 136, 12, 0); // no times: the digest must not depend on the day
    h.fill(0x20, 148, 156);
    h.write(entry.type ?? '0', 156, 1, 'latin1');
    h.write(entry.link ?? '', 157, 100, 'utf8');
    h.write('ustar\0' + '00', 257, 'latin1');
    number(h, 329, 8, entry.major ?? 0);
    number(h, 337, 8, entry.minor ?? 0);
    const sum = h.reduce((a, b) => a + b, 0);
    h.write(sum.toString(8).padStart(6, '0') + '\0 ', 148, 'latin1');
    return h;
}

/** Extended attributes and the like for the next entry: records "length key=value\n". */
function paxRecords(pax) {
    return Buffer.concat(Object.entries(pax).map(([key, value]) => {
        const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
        let length = rest.length + 1;
        while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
        return Buffer.concat([Buffer.from(String(length)), rest]);
    }));
}

const padded = (bytes) => [bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)];

/** A tar archive of entries {name, type, mode, uid, gid, data, link, major, minor, pax}. */
export function tar(entries) {
    const parts = [];
    for (const entry of entries) {
        if (entry.pax) {
            const records = paxRecords(entry.pax);
            parts.push(header({ name: 'pax', type: 'x' }, records.length), ...padded(records));
        }
        const data = Buffer.from(entry.data ?? '');
        parts.push(header(entry, data.length), ...padded(data));
    }
    parts.push(Buffer.alloc(2 * BLOCK));
    return Buffer.concat(parts);
}

const json = (value) => Buffer.from(JSON.stringify(value));

/**
 * An image from its layers (tar bytes, or {bytes, type, diff} for packed ones).
 * Returns {digest, archive, blob, blobs}: `archive` is the OCI archive, `blob` its SHA-256.
 */
export function image(layers, config) {
    const list = layers.map((layer) => (Buffer.isBuffer(layer) ? { bytes: layer } : layer));
    const blobs = new Map();
    const store = (bytes, mediaType) => {
        const digest = sha256(bytes);
        blobs.set(digest, bytes);
        return { mediaType, digest: `sha256:${digest}`, size: bytes.length };
    };
    const configBlob = store(json({
        architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
        os: 'linux',
        config,
        rootfs: { type: 'layers', diff_ids: list.map((l) => `sha256:${sha256(l.diff ?? l.bytes)}`) },
    }), 'application/vnd.oci.image.config.v1+json');
    const layerBlobs = list.map((l) => store(l.bytes, l.type ?? 'application/vnd.oci.image.layer.v1.tar'));
    const manifest = json({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        config: configBlob,
        layers: layerBlobs,
    });
    const described = store(manifest, 'application/vnd.oci.image.manifest.v1+json');
    const archive = layout(blobs, described);
    return { digest: described.digest, archive, blob: sha256(archive), blobs };
}

/** The tar of an OCI image layout (image-spec 1.0) that holds these blobs. */
export function layout(blobs, described) {
    const names = [...blobs.keys()].sort();
    return tar([
        { name: 'oci-layout', data: json({ imageLayoutVersion: '1.0.0' }) },
        { name: 'index.json', data: json({ schemaVersion: 2, manifests: [described] }) },
        { name: 'blobs/', type: '5', mode: 0o755 },
        { name: 'blobs/sha256/', type: '5', mode: 0o755 },
        ...names.map((name) => ({ name: `blobs/sha256/${name}`, data: blobs.get(name) })),
    ]);
}

/** Folder entries for every parent of a path, once each. */
function parents(paths) {
    const seen = new Set();
    for (const path of paths) {
        const parts = path.split('/').slice(0, -1);
        for (let i = 1; i <= parts.length; i++) seen.add(`${parts.slice(0, i).join('/')}/`);
    }
    return [...seen].sort().map((name) => ({ name, type: '5', mode: 0o755 }));
}

/** A layer from files {path, data, mode}. */
export function layerOf(files) {
    const list = files.map((f) => ({ ...f, path: f.path.replace(/^\/+/, '') }));
    return tar([
        ...parents(list.map((f) => f.path)),
        ...list.map((f) => ({ name: f.path, data: f.data, mode: f.mode ?? 0o755 })),
    ]);
}

function arguments_(argv) {
    const options = { file: [], entrypoint: [], env: [] };
    for (let i = 0; i < argv.length; i += 2) {
        const name = argv[i].replace(/^--/, '');
        if (!argv[i].startsWith('--') || argv[i + 1] === undefined) throw new Error(`odd argument: ${argv[i]}`);
        if (Array.isArray(options[name])) options[name].push(argv[i + 1]);
        else options[name] = argv[i + 1];
    }
    return options;
}

function main(argv) {
    const options = arguments_(argv);
    const files = options.file.map((spec) => {
        const [, from, path, mode] = /^([^=]+)=(\/[^:]+)(?::([0-7]+))?$/.exec(spec) ?? [];
        if (!from) throw new Error(`--file wants local=/in/image[:mode], got ${spec}`);
        return { path, data: readFileSync(from), mode: mode ? parseInt(mode, 8) : 0o755 };
    });
    const made = image([layerOf(files)], {
        Entrypoint: options.entrypoint,
        Env: options.env,
        User: '1000:1000',
        WorkingDir: '/',
    });
    writeFileSync(options.out, made.archive);
    if (options.template) {
        const manifest = JSON.parse(readFileSync(options.template, 'utf8'));
        manifest.image = { digest: made.digest, blob: made.blob };
        writeFileSync(options.manifest, `${JSON.stringify(manifest, null, 2)}\n`);
    }
    console.log(`${options.out}: ${made.digest}, ${made.archive.length} bytes`);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) main(process.argv.slice(2));
