// SPDX-License-Identifier: MIT
// The judge of recorded traffic must itself find each kind of lie.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Contract } from '../support/contract.mjs';

const house = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const contract = new Contract(path.resolve(house, process.env.BUILD ?? 'build'));
const example = (name) => structuredClone(contract.document.components.schemas[name].examples[0]);

function exchange(over = {}, body = { status: 'ok' }) {
    const headers = new Headers({ 'x-request-id': 'req_12345678', 'content-type': 'application/json', ...over.headers });
    for (const name of over.without ?? []) headers.delete(name);
    const bytes = body === null ? new Uint8Array() : Buffer.from(JSON.stringify(body));
    return { method: 'GET', url: '/livez', status: 200, bytes, ...over, headers };
}

const problem = { headers: { 'content-type': 'application/problem+json' } };
const task = '/v1/tasks/tsk_01m826rm18fa4azytb7bgkqykk';

test('what the document says is taken', () => {
    const good = [
        exchange(),
        exchange({ url: '/livez?x=1', method: 'HEAD' }, null),
        exchange({ url: task, headers: { etag: '"7"' } }, example('Task')),
        exchange({ url: '/problems/not_found', headers: { 'content-type': 'text/html' } }, {}),
        exchange({ url: task, status: 404, ...problem }, example('Problem')),
        exchange({ url: '/v1/claims?wait=1', method: 'POST', status: 204, without: ['content-type'] }, null),
        exchange({ url: '/livez', status: 503, ...problem }, example('Problem')),
        exchange({ url: '/nowhere', status: 404, ...problem }, example('Problem')),
    ];
    for (const x of good) assert.deepEqual(contract.check(x), [], `${x.method} ${x.url} ${x.status}`);
    assert.ok(contract.seen.has('getTask 200') && contract.seen.has('getTask 404') && contract.seen.has('createClaim 204'));
    assert.ok(!contract.missing().includes('getTask 200'));
    assert.ok(contract.missing().includes('createTask 402'));
});

const lies = {
    'a missing X-Request-Id': exchange({ without: ['x-request-id'] }),
    'a missing ETag': exchange({ url: task }, example('Task')),
    'a wrong type': exchange({}, { status: 7 }),
    'a word that is not listed': exchange({}, { status: 'fine' }),
    'an undocumented member': exchange({}, { status: 'ok', more: 1 }),
    'a missing member': exchange({ url: task }, { ...example('Task'), live: undefined }),
    'a status that is not documented': exchange({ status: 202 }),
    'a refusal that is not documented': exchange({ status: 409, ...problem }, example('Problem')),
    'a content type that is not documented': exchange({ headers: { 'content-type': 'text/html' } }),
    'a body with 204': exchange({ url: '/v1/claims', method: 'POST', status: 204 }),
    'no Location with 201': exchange({ url: '/v1/tasks', method: 'POST', status: 201 }, example('Task')),
    'an error as plain JSON': exchange({ url: task, status: 404 }, example('Problem')),
    'a problem without code': exchange({ url: task, status: 404, ...problem }, { ...example('Problem'), code: undefined }),
    'an operation that is not there': exchange({ url: '/v1/ghosts' }),
    'a method that is not there': exchange({ url: task, method: 'PUT' }, example('Task')),
    'an unknown path without a problem': exchange({ url: '/nowhere', status: 404 }, { message: 'no' }),
};

for (const [what, x] of Object.entries(lies)) {
    test(`finds ${what}`, () => assert.notDeepEqual(contract.check(x), []));
}
