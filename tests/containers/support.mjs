// SPDX-License-Identifier: MIT
// A registry on loopback, and compose files around an image in it.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { build, limits } from '../worker/support.mjs';
import { image, layerOf } from '../../tools/oci_image.mjs';

/**
 * An OCI distribution server that gives out these images; {host: host:port, seen, hold, close}. `hold`, a promise, keeps
 * back the second half of answers longer than 64 KiB.
 */
export async function registry(...images) {
    const blobs = new Map(images.flatMap((made) => [...made.blobs]));
    const seen = [];
    const hub = { seen, hold: null };
    const server = createServer(async ({ url }, response) => {
        seen.push(url);
        const bytes = blobs.get(/^\/v2\/[a-z/]+\/(?:manifests|blobs)\/sha256:([0-9a-f]{64})$/.exec(url)?.[1]);
        response.writeHead(bytes ? 200 : 404, bytes && { 'content-length': bytes.length });
        if (hub.hold && bytes?.length > 65536) {
            response.write(bytes.subarray(0, bytes.length / 2));
            await hub.hold;
            response.end(bytes.subarray(bytes.length / 2));
        } else {
            response.end(bytes);
        }
    });
    await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
    const close = () => {
        server.close();
        server.closeAllConnections();
    };
    return Object.assign(hub, { host: `127.0.0.1:${server.address().port}`, close });
}

/** The image of the service that a user of upstream's SDK would have made. */
export const sdk = (files = []) => image(
    [layerOf([{ path: '/app/service', data: readFileSync(join(build, 'tests/containers/sdk_service')) }, ...files])],
    { Entrypoint: ['/app/service'], Cmd: ['by-default'], Env: ['GREETING=image'], WorkingDir: '/app' },
);

/** A compose file as upstream's examples have it; `more` are lines of the service. */
export const composeOf = (host, made, more = [], tail = []) => [
    'services:',
    '  source:',
    `    image: ${host}/sdk/service:latest@${made.digest}`,
    '    pull_policy: always',
    '    ports:',
    '      - "${PORT}:5555"',
    '    extra_hosts:',
    '      - "host.docker.internal:host-gateway"',
    '    environment:',
    '      - CALLBACK_URL=${CALLBACK_URL}',
    ...more,
    ...tail,
    '',
].join('\n');

export const composed = (cpu, changes = {}) => ({
    name: 'sdk', contract: 'http', compose: { cpu, nvidia: '', amd: '' }, environments: ['cpu'], ...changes,
    limits: { ...limits, timeout_s: 10, ...changes.limits },
});
