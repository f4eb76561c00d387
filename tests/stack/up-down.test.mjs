// SPDX-License-Identifier: MIT
// make up and make down: all names in the env file, a second up, a killed stack, nothing left.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(process.env.OGPU_TEST_TMP || join(root, 'build/tests/tmp/stack'), 'run');
const LIMIT = { timeout: 120_000 };

function tool(name, ...args) {
    const env = { ...process.env, OGPU_CLAIM_DELAY_S: '1' };
    const { status, stdout, stderr } = spawnSync(join(root, 'tools/stack', name),
        ['--run', folder, ...args], { env, encoding: 'utf8', timeout: 100_000 });
    return { status, text: stdout + stderr };
}

function environment() {
    const text = readFileSync(join(folder, 'env'), 'utf8');
    return Object.fromEntries([...text.matchAll(/^export ([A-Z0-9_]+)='([^']*)'$/gm)]
        .map(([, name, value]) => [name, value]));
}

const pids = () => readdirSync(join(folder, 'pid')).map((name) =>
    [name, Number(readFileSync(join(folder, 'pid', name), 'utf8').split(' ')[0])]);

function runs(pid) {
    try {
        return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    } catch {
        return false;
    }
}

before(() => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
});
after(() => tool('down'));

test('up brings a working stack and its names', LIMIT, async () => {
    const { status, text } = tool('up');
    assert.equal(status, 0, text);
    const env = environment();
    for (const name of ['OGPU_URL', 'OGPU_API_KEY', 'DATABASE_URL', 'REDIS_URL', 'L1_RPC_URL',
        'L1_CHAIN_ID', 'L1_VAULT', 'L1_SETTLEMENT']) {
        assert.ok(env[name], name);
    }
    const headers = { authorization: `Bearer ${env.OGPU_API_KEY}` };
    const account = await (await fetch(`${env.OGPU_URL}/v1/account`, { headers })).json();
    assert.equal(account.address, env.OGPU_CLIENT);
    assert.equal(account.balances.available, '100000000000000000000');
    const providers = await (await fetch(`${env.OGPU_URL}/v1/providers`)).json();
    assert.equal(providers.data.length, 3);
    for (const gateway of [env.OGPU_GATEWAY_1, env.OGPU_GATEWAY_2]) {
        assert.equal((await fetch(`http://${gateway}/readyz`)).status, 200);
    }
    const docs = await fetch(`${env.OGPU_URL}/docs/`);
    assert.equal(docs.status, 200);
});

test('a second up leaves it as it is', LIMIT, () => {
    const was = pids();
    const { status, text } = tool('up');
    assert.equal(status, 0, text);
    assert.match(text, /already up/);
    assert.deepEqual(pids(), was);
});

test('two ups at once do not fight', LIMIT, async () => {
    tool('down');
    const one = () => new Promise((resolve) => {
        const child = spawn(join(root, 'tools/stack/up'), ['--run', folder, '--parts', 'redis'],
            { env: process.env, stdio: 'ignore' });
        child.on('close', resolve);
    });
    const codes = await Promise.all([one(), one()]);
    assert.ok(codes.includes(0), `${codes}`);
    assert.equal(pids().length, 1);
    tool('down');
});

test('what kill -9 left is replaced', LIMIT, async () => {
    const parts = ['--parts', 'redis anvil contracts'];
    assert.equal(tool('up', ...parts).status, 0);
    const was = pids();
    const [, redis] = was.find(([name]) => name === 'redis');
    process.kill(redis, 'SIGKILL');
    while (runs(redis)) await new Promise((done) => { setTimeout(done, 10); });
    const { status, text } = tool('up', ...parts);
    assert.equal(status, 0, text);
    assert.match(text, /a killed stack was here/);
    for (const [, pid] of was) assert.ok(!runs(pid));
    for (const [name, pid] of pids()) assert.ok(runs(pid), name);
});

test('down leaves nothing, twice', LIMIT, () => {
    const was = pids();
    assert.equal(tool('down').status, 0);
    for (const [name, pid] of was) assert.ok(!runs(pid), name);
    assert.deepEqual(pids(), []);
    assert.equal(existsSync(join(folder, 'env')), false);
    const again = tool('down');
    assert.equal(again.status, 0);
    assert.match(again.text, /^down: nothing runs in /m);
    assert.doesNotMatch(again.text, /stopped/);
});

test('a wrong part or folder is one clear line', LIMIT, () => {
    for (const args of [['--parts', 'posgres'], ['--what', 'x'], ['--parts']]) {
        const { status, text } = tool('up', ...args);
        assert.equal(status, 1);
        assert.match(text, /^up: [^\n]+\n$/);
    }
});
