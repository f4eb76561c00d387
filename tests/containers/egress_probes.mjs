// SPDX-License-Identifier: MIT
// Probes of the proxy that egress_prove.test.mjs takes protections away from: how each is started,
// and what must come of it.
import assert from 'node:assert/strict';
import { manifestOf } from '../worker/support.mjs';
import { wants } from './egress.mjs';

const get = (host, port) => `GET http://${host}:${port}/ HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`;
const run = ({ bench, made }, args, egress) => bench.try(manifestOf(made, { command: ['/bin/hostile', ...args], egress }), made.archive);
const refused = (why) => (r) => {
    assert.equal(r.end, 'ok', JSON.stringify(r));
    assert.match(r.json[0], why);
};

/** By name: {begin(place, more hosts), judge}; a place is {bench, made, page, pit}. */
export const probes = {
    'a host that was not asked for': {
        begin: (at, hosts = []) => run(at, ['egress-ask', get('other.egress.test', at.page.port)],
            wants(at.page.port, { hosts: [`mirror.egress.test:${at.page.port}`, ...hosts] })),
        judge: refused(/^HTTP\/1\.1 403 Forbidden.*not on this source's list/),
    },
    'a name of this machine': {
        begin: (at) => run(at, ['egress-ask', get('loopback.egress.test', at.page.port)], wants(at.page.port)),
        judge: refused(/^HTTP\/1\.1 403 Forbidden.*an address that is not public/),
    },
    'one byte more than the cap': {
        begin: (at, cap = 1000) => run(at, ['egress-push', `CONNECT mirror.egress.test:${at.pit.port} HTTP/1.1\r\n\r\n`, '1000'],
            wants(at.pit.port, { max_bytes: cap })),
        judge: (r) => assert.equal(r.end, 'egress_limit', JSON.stringify(r)),
    },
    'a source that its provider did not agree to': {
        begin: (at) => run(at, ['egress-ask', get('mirror.egress.test', at.page.port)], wants(at.page.port)),
        judge: (r) => {
            assert.equal(r.end, 'refused', JSON.stringify(r));
            assert.match(r.stderr, /OGPU_EGRESS/);
        },
    },
};
