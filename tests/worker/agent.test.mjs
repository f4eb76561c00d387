// SPDX-License-Identifier: MIT
// The agent against a stand-in gateway that misbehaves: every fault ends in the right call, and no
// container survives what its worker does not.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { keccak256, getAddress } from 'viem';
import { chainId, Gateway, problem, settlement, sha256 } from './gateway.mjs';
import {
    build, cgroupsOf, drop, execute, folder, hostile, imageOf, manifestOf, processesOf, sweep, uidBase, worker,
} from './support.mjs';

const master = '0x90F79bf6EB2c4f870365E785982E1f101E93b906';
const made = imageOf(hostile);
const dir = folder('agent');
const base = uidBase();
const example = (name) => ({
    manifest: JSON.parse(readFileSync(join(build, `examples/${name}.manifest.json`))),
    archive: readFileSync(join(build, `examples/${name}.oci.tar`)),
});
const mandelbrot = example('mandelbrot');
const act = (name, changes) => manifestOf(made, { command: ['/bin/hostile', name], ...changes });
let gateway, agent, address;

const key = join(dir, 'provider.key');
const settings = () => ({
    OGPU_URL: `${gateway.url}/`, OGPU_PROVIDER_KEY_FILE: key, OGPU_MASTER: master, L1_CHAIN_ID: String(chainId),
    L1_SETTLEMENT: settlement, OGPU_WORK_DIR: join(dir, 'work'), OGPU_DRAIN_S: '20', OGPU_UID_BASE: String(base),
});

/** Starts a worker; `agent.exited` resolves to {code, signal}. */
function start(env = {}) {
    const child = spawn(worker, [], { env: { ...process.env, ...settings(), ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
    agent = { child, text: '' };
    child.stderr.on('data', (bytes) => { agent.text += bytes; });
    agent.exited = new Promise((done) => { child.on('exit', (code, signal) => done({ code, signal })); });
    return agent;
}

async function stop(signal = 'SIGTERM') {
    agent.child.kill(signal);
    return agent.exited;
}

const gone = async () => {
    for (let i = 0; i < 100 && processesOf(base).length > 0; i++) await sleep(50);
    assert.deepEqual(processesOf(base), []);
};
const running = async () => {
    for (let i = 0; i < 200 && processesOf(base).length === 0; i++) await sleep(50);
    assert.ok(processesOf(base).length > 0, agent.text);
};

before(async () => {
    address = (await execute(worker, ['key', key])).stdout.trim();
});
beforeEach(async () => {
    gateway = await new Gateway().open();
    gateway.blobs.set(made.blob, made.archive);
});
afterEach(async () => {
    if (agent?.child.exitCode === null && agent.child.signalCode === null) await stop('SIGKILL');
    gateway.close();
    await gone();
});
after(() => {
    sweep(join(dir, 'work'));
    drop(dir);
});

test('a provider key is made once, for us alone, and read again', async () => {
    assert.match(address, /^0x[0-9a-fA-F]{40}$/);
    assert.equal(statSync(key).mode & 0o777, 0o600);
    assert.equal((await execute(worker, ['key', key])).stdout.trim(), address);
});

test('the way of a task: register, claim, run, upload, sign, respond', async () => {
    const source = gateway.publish(mandelbrot.manifest, mandelbrot.archive);
    start();
    const put = await gateway.saw(/^PUT \/v1\/sources\/.*\/registrations\//);
    assert.equal(put.signer, address);
    assert.deepEqual(put.body.environments, ['cpu']);
    gateway.submit(source, { x: 1, y: 1, zoom: 2 });
    const { body, signer, status } = await gateway.saw(/respond$/);
    assert.equal(status, 202);
    assert.equal(signer, address);
    assert.deepEqual(body.outputs.map((o) => o.name), ['output.json', 'tile.png']);
    assert.equal(body.outputs[1].media_type, 'image/png');
    const tile = gateway.blobs.get(body.outputs[1].sha256);
    assert.equal(tile.toString('latin1', 1, 4), 'PNG');
    const beat = await gateway.saw(/^POST \/v1\/providers\/.*\/heartbeat/);
    assert.equal(beat.body.devices[0].environment, 'cpu');
    assert.equal(beat.body.slots, 1);
    const refs = gateway.log.filter((r) => r.path.startsWith('/v1/claims')).map((r) => r.body.claim_ref);
    assert.equal(new Set(refs).size, refs.length);
    assert.deepEqual(await stop(), { code: 0, signal: null });
    const [token] = [...gateway.tokens].map((t) => t.replace('Bearer ', ''));
    assert.match(token, /^ogpu_pt_[0-9a-f]{38}$/);
    for (const secret of [readFileSync(key, 'utf8').trim().slice(2, 40), token.slice(13)]) assert.ok(!agent.text.includes(secret));
    for (const line of agent.text.trim().split('\n')) JSON.parse(line);
});

test('the http contract: function and task address in the path, the callback is the output', async () => {
    const echo = example('echo-http');
    const source = gateway.publish(echo.manifest, echo.archive);
    gateway.submit(source, { hello: 'you' }, { function: null });
    start();
    const { body } = await gateway.saw(/respond$/);
    const output = JSON.parse(gateway.blobs.get(body.outputs[0].sha256));
    assert.deepEqual(output.echo, { hello: 'you' });
    // task and source are known to the container by the last 20 bytes of Keccak-256 over their UUID
    assert.equal(output.source, getAddress(`0x${keccak256(source.hex).slice(-40)}`));
});

test('a failing source is told with its cause', async () => {
    gateway.submit(gateway.publish(act('words')), {});
    gateway.submit(gateway.publish(act('memory')), {});
    gateway.submit(gateway.publish(act('hang', { limits: { timeout_s: 1 } })), {});
    start();
    const fails = await Promise.all([1, 2, 3].map((n) => gateway.saw(/fail$/, 20000, n)));
    assert.deepEqual(fails.map((f) => [f.body.code, f.body.released]),
        [['exit', false], ['out_of_memory', false], ['timeout', false]]);
    assert.match(fails[0].body.message, /last words/);
});

test('an image that cannot be had or is not what it says: handed back without a run', async () => {
    const missing = act('words');
    missing.image = { digest: made.digest.replace(/..$/, '00'), blob: 'ab'.repeat(32) };
    gateway.submit(gateway.publish(missing), {});
    const lying = act('words');
    lying.image = { digest: made.digest.replace(/..$/, '01'), blob: made.blob };
    gateway.submit(gateway.publish(lying), {});
    start();
    const [first, second] = [await gateway.saw(/fail$/, 15000, 1), await gateway.saw(/fail$/, 15000, 2)];
    assert.deepEqual([first.body.code, first.body.released], ['image_unavailable', true]);
    assert.deepEqual([second.body.code, second.body.released], ['image_refused', true]);
});

test('a claim whose manifest or input is not what its digest says is refused', async () => {
    const source = gateway.publish(act('words'));
    gateway.submit(source, {}, { claim: { input_digest: sha256('other') } });
    gateway.submit(source, {}, { claim: { manifest_hash: sha256('other') } });
    start();
    for (const n of [1, 2]) assert.equal((await gateway.saw(/fail$/, 15000, n)).body.code, 'bad_claim');
    assert.equal(gateway.log.filter((r) => /^GET \/v1\/blobs/.test(`${r.method} ${r.path}`)).length, 0);
});

test('input blobs are files in /in, checked by digest', async () => {
    const bytes = Buffer.from('input bytes');
    gateway.blobs.set(sha256(bytes), bytes);
    const source = gateway.publish(act('look'));
    gateway.submit(source, {}, { input_blobs: [sha256(bytes)] });
    gateway.submit(source, {}, { input_blobs: ['cd'.repeat(32)] });
    start();
    await gateway.saw(/respond$/);
    const failed = await gateway.saw(/fail$/);
    assert.deepEqual([failed.body.code, failed.body.released], ['input_unavailable', true]);
    const inputs = join(dir, 'work/inputs');
    for (let i = 0; i < 750 && readdirSync(inputs).length > 0; i++) await sleep(20); // removed once the failure was taken
    assert.deepEqual(readdirSync(inputs), []);
});

test('an empty output is an output; a source that wants more memory than there is gets no registration', async () => {
    const huge = gateway.publish(act('words', { limits: { memory_mb: 1048576 } }));
    gateway.submit(gateway.publish(act('trap-empty')), {});
    start();
    const { body, status } = await gateway.saw(/respond$/);
    assert.equal(status, 202);
    assert.deepEqual(body.outputs.map((o) => [o.name, o.size]), [['empty.txt', 0], ['output.json', 3]]);
    assert.ok(!gateway.log.some((r) => r.method === 'PUT' && r.path.includes(huge.id)));
});

test('5xx, silence and 429 while claiming, uploading, responding: asked again, the same claim', async () => {
    const source = gateway.publish(mandelbrot.manifest, mandelbrot.archive);
    gateway.say(/claims/, problem(503, 'CAPACITY_EXHAUSTED'), 2);
    gateway.say(/PUT \/v1\/blobs/, problem(500, 'INTERNAL_ERROR'), 2);
    gateway.say(/respond$/, problem(503, 'DRAINING'), 1);
    gateway.say(/respond$/, problem(429, 'QUOTA_EXCEEDED', { 'retry-after': '1' }), 1);
    gateway.submit(source, {});
    start();
    assert.equal((await gateway.saw(/respond$/, 20000, 3)).status, 202);
    const refs = gateway.log.filter((r) => r.path.startsWith('/v1/claims')).slice(0, 3).map((r) => r.body.claim_ref);
    assert.equal(new Set(refs).size, 1, 'an unanswered claim is asked for again under its own reference');
});

test('a token that no longer holds is renewed, once, with a fresh nonce', async () => {
    const source = gateway.publish(mandelbrot.manifest, mandelbrot.archive);
    start();
    await gateway.saw(/^PUT .*registrations/);
    gateway.tokens.clear();
    gateway.submit(source, {});
    assert.equal((await gateway.saw(/respond$/)).status, 202);
    const nonces = gateway.log.filter((r) => r.path === '/v1/providers').map((r) => r.body.nonce);
    assert.ok(nonces.length >= 2);
    assert.equal(new Set(nonces).size, nonces.length);
});

test('heartbeats keep the lease; "stop" ends the container and nothing more is said', async () => {
    gateway.submit(gateway.publish(act('hang')), {}, { lease_s: 3 });
    start();
    await gateway.saw(/attempts\/.*\/heartbeat/, 10000, 3);
    await running();
    for (const a of gateway.attempts.values()) a.stop = true;
    await gone();
    await sleep(300);
    assert.ok(!gateway.log.some((r) => /(fail|respond)$/.test(r.path)));
});

test('a claim that waited longer than a lease: the lease began with the answer, not with the question', async () => {
    const source = gateway.publish(act('nap'));
    start();
    await gateway.saw(/^PUT .*registrations/);
    await sleep(3000);
    gateway.submit(source, {}, { lease_s: 2 });
    assert.equal((await gateway.saw(/respond$/)).status, 202);
});

test('a lease that cannot be kept: the container ends before another may begin', async () => {
    gateway.submit(gateway.publish(act('hang')), {}, { lease_s: 2 });
    start();
    await running();
    gateway.say(/attempts\/.*\/heartbeat/, { hang: true }, 50);
    const begun = Date.now();
    await gone();
    assert.ok(Date.now() - begun < 4000);
    assert.match(agent.text, /lease_lost/);
});

test('an attempt that is gone (404, 409): the worker lets go and claims again', async () => {
    const source = gateway.publish(act('hang'));
    gateway.submit(source, {}, { lease_s: 3 });
    gateway.say(/respond$/, problem(409, 'LEASE_LOST'), 1);
    start();
    await running();
    gateway.say(/attempts\/.*\/heartbeat/, problem(404, 'ATTEMPT_NOT_FOUND'), 1);
    await gone();
    gateway.submit(gateway.publish(mandelbrot.manifest, mandelbrot.archive), {});
    assert.equal((await gateway.saw(/respond$/)).status, 409);
    gateway.submit(gateway.sources.at(-1), {});
    assert.equal((await gateway.saw(/respond$/, 15000, 2)).status, 202);
});

test('draining: running work is finished, nothing new is taken', async () => {
    const source = gateway.publish(act('busy', { limits: { timeout_s: 2 } }));
    gateway.submit(source, {});
    start();
    await running();
    gateway.submit(source, {});
    assert.deepEqual(await stop(), { code: 0, signal: null });
    assert.equal((await gateway.saw(/fail$/)).body.code, 'timeout');
    assert.equal(gateway.tasks.length, 1);
});

test('draining with no time: handed back, no penalty; idle: at once', async () => {
    gateway.submit(gateway.publish(act('hang')), {});
    start({ OGPU_DRAIN_S: '0' });
    await running();
    assert.deepEqual(await stop(), { code: 0, signal: null });
    const { body } = await gateway.saw(/fail$/);
    assert.deepEqual([body.code, body.released], ['draining', true]);
    const from = gateway.log.length;
    start();
    const asks = () => gateway.log.slice(from).some((r) => r.path.startsWith('/v1/claims'));
    for (let i = 0; i < 750 && !asks(); i++) await sleep(20);
    assert.ok(asks(), agent.text);
    const begun = Date.now();
    assert.deepEqual(await stop(), { code: 0, signal: null });
    assert.ok(Date.now() - begun < 4000, `${Date.now() - begun} ms`);
});

test('kill -9 of the worker: its container is gone at once, its cgroup at the next start', async () => {
    gateway.submit(gateway.publish(act('hang')), {});
    start();
    await running();
    await stop('SIGKILL');
    await gone();
    start();
    await gateway.saw(/^PUT .*registrations/, 15000, 2);
    assert.deepEqual(cgroupsOf(join(dir, 'work')), []);
});

test('several slots work at once; a second worker may not share the folder', async () => {
    const source = gateway.publish(act('hang', { limits: { timeout_s: 15 } }));
    for (let i = 0; i < 3; i++) gateway.submit(source, {});
    start({ OGPU_SLOTS: '3' });
    const uids = () => new Set(processesOf(base).map(({ uid }) => uid));
    for (let i = 0; i < 700 && uids().size < 3; i++) await sleep(20);
    assert.equal(uids().size, 3, 'ids of their own');
    const second = await execute(worker, [], settings());
    assert.equal(second.code, 1);
    assert.match(second.stderr, /another worker uses/);
    await Promise.all([1, 2, 3].map((n) => gateway.saw(/fail$/, 30000, n)));
});

test('a gateway that refuses us for good: one clear line', async () => {
    gateway.say(/providers$/, problem(422, 'BAD_SIGNATURE'), 9);
    const r = await execute(worker, [], settings());
    assert.equal(r.code, 1);
    assert.match(r.stderr, /^ogpu-worker: the gateway refuses this provider: 422 BAD_SIGNATURE/m);
});

test('the master\'s signature is sent with its own nonce, and done without when it is spent', async () => {
    const file = join(dir, 'master.json');
    writeFileSync(file, JSON.stringify({ nonce: 7, deadline: 4102444800, signature: `0x${'11'.repeat(65)}` }));
    gateway.say(/providers$/, problem(409, 'NONCE_USED'), 1);
    start({ OGPU_MASTER_SIGNATURE_FILE: file });
    const [first, second] = [await gateway.saw(/providers$/, 9000, 1), await gateway.saw(/providers$/, 9000, 2)];
    assert.deepEqual([first.body.nonce, first.body.master_signature.length], [7, 132]);
    assert.equal(second.body.master_signature, undefined);
    assert.notEqual(second.body.nonce, 7);
});
