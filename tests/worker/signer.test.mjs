// SPDX-License-Identifier: MIT
// A signer that is away for longer than a moment: nothing goes out without a signature, and what was
// computed is answered when it is back.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Crew, until } from './crew.mjs';
import { Gateway, problem } from './gateway.mjs';
import { hostile, imageOf, manifestOf, worker } from './support.mjs';

const AWAY_MS = 8000; // longer than one answer of a slow signer is waited for
const made = imageOf(hostile);
let crew, gateway, signer;

const socket = () => join(crew.dir, 'signer.sock');
const unsigned = () => gateway.log.filter((r) => r.body?.signature !== undefined && !/^0x(?!0{64})[0-9a-f]{130}$/.test(r.body.signature))
    .map((r) => `${r.method} ${r.path} ${r.body.signature}`);
const claimed = () => gateway.log.some((r) => /claims/.test(r.path) && r.answer?.attempt);

async function sign() {
    const child = spawn(worker, ['signer', '--provider-key-file', crew.key, '--signer-socket', socket()], { stdio: 'ignore' });
    signer = { child, ended: new Promise((done) => { child.on('exit', done); }) };
    await until(() => existsSync(socket()), 'a socket');
}

async function leave() {
    signer.child.kill();
    await signer.ended;
}

before(async () => { crew = await new Crew('signer').hire(); });
beforeEach(async () => {
    gateway = await new Gateway().open();
    gateway.blobs.set(made.blob, made.archive);
    crew.text = '';
    await sign();
});
afterEach(async () => {
    if (crew.child) await crew.stop('SIGKILL');
    await leave();
    gateway.close();
});
after(() => crew.close());

const start = () => crew.start(gateway.url, { OGPU_PROVIDER_KEY_FILE: '', OGPU_SIGNER_SOCKET: socket() });

test('away while a worker registers: it is waited for, nothing unsigned is sent', async () => {
    gateway.say(/^POST \/v1\/providers$/, () => problem(503, 'NOT_READY'), 1e9);
    start();
    await until(() => crew.events('gateway_away').length >= 1, 'a gateway that has no time');
    await leave();
    await until(() => crew.events('gateway_away').filter((e) => /no answer from the signer/.test(e.why)).length >= 2, 'two tries without a signer');
    gateway.overrides.length = 0;
    await sign();
    await until(() => crew.events('working').length === 1, 'work');
    assert.deepEqual(unsigned(), []);
});

test('away when a run ends, back after 8 s: the answer goes out then, and no failure', async () => {
    start();
    gateway.submit(gateway.publish(manifestOf(made, { command: ['/bin/hostile', 'nap'] })), {}, { function: 'run' });
    await until(claimed, 'a claim');
    await leave();
    await until(() => crew.events('signer_away').length >= 1, 'an answer without a signer');
    await sleep(AWAY_MS);
    assert.deepEqual(gateway.log.map((r) => r.path).filter((path) => /(respond|fail)$/.test(path)), []);
    await sign();
    const { status, signer: who } = await gateway.saw(/(respond|fail)$/);
    assert.deepEqual([status, who], [202, crew.address]);
    assert.deepEqual(unsigned(), []);
    assert.deepEqual(crew.events('attempt_failed'), []);
});

test('away for good: a worker that is told to end does not wait for it', async () => {
    start();
    gateway.submit(gateway.publish(manifestOf(made, { command: ['/bin/hostile', 'nap'] })), {}, { function: 'run' });
    await until(claimed, 'a claim');
    await leave();
    await until(() => crew.events('signer_away').length >= 1, 'an answer without a signer');
    crew.child.kill('SIGTERM');
    await until(() => crew.events('draining').length === 1, 'a drain');
    crew.child.kill('SIGTERM');
    assert.deepEqual(await crew.exited, { code: 0, signal: null });
    const { body } = await gateway.saw(/fail$/);
    assert.match(body.message, /no answer from the signer/);
    assert.deepEqual(unsigned(), []);
});
