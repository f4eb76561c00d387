// SPDX-License-Identifier: MIT
// The worker as a program that is installed and left alone: settings, several gateways, metrics, a
// key that stays where it is.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, readSync, readdirSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { freePort } from '../support/free_port.mjs';
import { Crew, until } from './crew.mjs';
import { Gateway } from './gateway.mjs';
import { execute, hostile, imageOf, manifestOf, root, worker } from './support.mjs';
import { image, layerOf } from '../../tools/oci_image.mjs';

const made = imageOf(hostile);
let crew, gateway;

before(async () => { crew = await new Crew('program').hire(); });
beforeEach(async () => {
    gateway = await new Gateway().open();
    gateway.blobs.set(made.blob, made.archive);
    crew.text = '';
});
afterEach(async () => {
    if (crew.child) await crew.stop('SIGKILL');
    gateway.close();
});
after(() => crew.close());

const service = (changes) => gateway.publish(manifestOf(made, { contract: 'http', command: ['/bin/hostile', 'http-on'], ...changes }));
const submit = (source, input = {}) => gateway.submit(source, input, { function: 'run' });
test('flags, then environment, then file, then defaults; each with its origin', async () => {
    const file = join(crew.dir, 'worker.conf');
    writeFileSync(file, '# a worker\nOGPU_SLOTS=3\n\nOGPU_DRAIN_S = "7"\nOGPU_WARM_MB=5\nOGPU_KERNELS=/opt/ogpu-cuda.so\n');
    const show = async (...args) => (await execute(worker, ['config', 'show', ...args], { OGPU_WARM_MB: '6', OGPU_CONFIG: file })).stdout;
    const text = await show('--origin', '--slots', '4');
    assert.match(text, /^OGPU_SLOTS=4 \(flag\)$/m);
    assert.match(text, /^OGPU_WARM_MB=6 \(environment\)$/m);
    assert.ok(text.includes(`OGPU_DRAIN_S=7 (file ${file}:4)\n`), text);
    assert.ok(text.includes(`OGPU_KERNELS=/opt/ogpu-cuda.so (file ${file}:6)\n`), text);
    assert.match(text, /^OGPU_RUNTIME=crun \(default\)$/m);
    assert.match(await show(), /^OGPU_DRAIN_S=7$/m);
});

test('a file with a mistake: its line is named', async () => {
    const file = join(crew.dir, 'bad.conf');
    for (const [text, complaint] of [
        ['OGPU_SLOTS=1\nOGPU_SLOT=2\n', ':2: an option that does not exist'], ['just words\n', ':1: not NAME=value'],
        ['OGPU_SLOTS=1\n#\nOGPU_SLOTS=1\n', ':3: the same option again'], ['OGPU_SLOTS=none\n', 'OGPU_SLOTS must be a whole number'],
    ]) {
        writeFileSync(file, text);
        const r = await execute(worker, ['--config', file], { ...crew.settings(gateway.url) });
        assert.equal(r.code, 1);
        assert.ok(r.stderr.includes(complaint), r.stderr);
    }
    const r = await execute(worker, ['doctor', '--config', join(crew.dir, 'none.conf')]);
    assert.equal(r.code, 2);
    assert.match(r.stderr, /cannot read the configuration .*none.conf: No such file/);
});

test('the whole worker from a file alone', async () => {
    const file = join(crew.dir, 'whole.conf');
    writeFileSync(file, Object.entries(crew.settings(gateway.url)).map(([k, v]) => `${k}=${v}\n`).join(''));
    crew.child = undefined;
    const quiet = Object.fromEntries(Object.keys(crew.settings('')).map((name) => [name, '']));
    crew.start('', quiet, ['--config', file]);
    submit(service());
    assert.equal((await gateway.saw(/respond$/)).status, 202);
});

test('the example settings name options that exist', async () => {
    const file = join(root, 'deploy/systemd/worker.conf.example');
    const r = await execute(worker, ['config', 'show', '--origin', '--config', file]);
    assert.equal(r.code, 0, r.stderr);
    assert.match(r.stdout, /^OGPU_METRICS_PORT=9464 \(file /m);
});

test('several gateways: when the one in use dies, in the middle of a run too, the other is asked', async () => {
    const twins = [await gateway.twin(), await gateway.twin()];
    const source = service();
    crew.start(twins.map((t) => t.url).join(', '));
    const hostOf = (t) => new URL(t.url).host;
    submit(source);
    const { host } = await gateway.saw(/respond$/);
    const [used, other] = hostOf(twins[0]) === host ? twins : [...twins].reverse();
    used.close();
    const from = gateway.log.length;
    for (let i = 0; i < 3; i++) submit(source);
    assert.equal((await gateway.saw(/respond$/, 20000, 4)).status, 202);
    assert.deepEqual(new Set(gateway.log.slice(from).map((r) => r.host)), new Set([hostOf(other)]));
    assert.ok(crew.events('gateway_changed').length >= 1);
    other.close();
});

test('no gateway at all is waited for, and OGPU_URL must be URLs', async () => {
    const port = await freePort();
    crew.start(`http://127.0.0.1:${port},http://127.0.0.1:${await freePort()}`);
    await until(() => crew.events('gateway_away').length >= 3, 'tries');
    const waits = crew.events('gateway_away').map((e) => Number(e.wait_ms));
    assert.ok(waits[2] >= 500 && waits.every((ms, i) => ms <= 250 * 2 ** i), `${waits}`);
    assert.deepEqual(await crew.stop(), { code: 0, signal: null });
    const r = await execute(worker, [], { ...crew.settings('http://a,ftp://b') });
    assert.match(r.stderr, /OGPU_URL: 'ftp:\/\/b' is no http\(s\) URL/);
});

test('metrics on loopback, when asked for', async () => {
    const port = await freePort();
    const source = service();
    crew.start(gateway.url, { OGPU_METRICS_PORT: String(port) });
    for (let i = 1; i <= 2; i++) {
        submit(source);
        await gateway.saw(/respond$/, 15000, i);
    }
    const get = async (path) => fetch(`http://127.0.0.1:${port}${path}`);
    await until(async () => /ogpu_worker_warm_at_rest 1/.test(await (await get('/metrics')).text()), 'a container at rest');
    const text = await (await get('/metrics')).text();
    for (const line of ['slots 1', 'slots_busy 0', 'draining 0', 'claims_taken_total 2', 'responses_total 2', 'runs_total{end="ok"} 2',
        'runs_total{end="timeout"} 0', 'warm_hits_total 1', 'warm_misses_total 1', 'leases_lost_total 0']) {
        assert.ok(text.includes(`\nogpu_worker_${line}\n`), line + text);
    }
    for (const name of text.matchAll(/^(\w+)[ {]/gm)) assert.ok(text.includes(`# TYPE ${name[1]} `), name[1]);
    assert.equal((await get('/')).status, 404);
    assert.deepEqual(await crew.stop(), { code: 0, signal: null });
});

test('the key is with another process, behind a socket', async () => {
    const socket = join(crew.dir, 'signer.sock');
    const signer = spawn(worker, ['signer', '--provider-key-file', crew.key, '--signer-socket', socket], { stdio: 'ignore' });
    const ended = new Promise((done) => { signer.on('exit', (code) => done(code)); });
    try {
        await until(() => { try { return statSync(socket); } catch { return false; } }, 'a socket');
        assert.equal(statSync(socket).mode & 0o777, 0o600);
        crew.start(gateway.url, { OGPU_PROVIDER_KEY_FILE: '', OGPU_SIGNER_SOCKET: socket });
        submit(service());
        const { status, signer: who } = await gateway.saw(/respond$/);
        assert.deepEqual([status, who], [202, crew.address]);
        const both = await execute(worker, [], { ...crew.settings(gateway.url), OGPU_SIGNER_SOCKET: socket, OGPU_WORK_DIR: join(crew.dir, 'w2') });
        assert.match(both.stderr, /required, and not both/);
    } finally {
        signer.kill();
    }
    assert.equal(await ended, 0);
    const gone = await execute(worker, [], { ...crew.settings(gateway.url), OGPU_PROVIDER_KEY_FILE: '', OGPU_SIGNER_SOCKET: socket });
    assert.match(gone.stderr, /no answer from the signer at /);
});

/** Writable memory of a process, in pieces. */
function* memoryOf(pid) {
    const fd = openSync(`/proc/${pid}/mem`, 'r');
    try {
        for (const [, from, to] of readFileSync(`/proc/${pid}/maps`, 'latin1').matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gm)) {
            const size = Number(BigInt(`0x${to}`) - BigInt(`0x${from}`));
            if (size > 2 ** 32) continue; // a sanitizer's shadow: no allocation of the worker is a thousandth of it
            const bytes = Buffer.alloc(size);
            try {
                yield bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, BigInt(`0x${from}`)));
            } catch {
                // not backed: nothing to read
            }
        }
    } finally {
        closeSync(fd);
    }
}

test('key and token are in no container, no supervisor, no environment and no log', async () => {
    crew.start(gateway.url);
    submit(service());
    await gateway.saw(/respond$/);
    const hex = readFileSync(crew.key, 'utf8').trim();
    const secrets = [Buffer.from(hex), Buffer.from(hex.toUpperCase()), Buffer.from(hex, 'hex'),
        ...[...gateway.tokens].map((t) => Buffer.from(t.replace('Bearer ', '')))];
    const leak = (bytes) => secrets.some((s) => bytes.includes(s));
    assert.ok([...memoryOf(crew.child.pid)].some(leak), 'the search finds what is there: the worker itself has them');
    const parent = (pid) => Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
    const family = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
        try {
            for (let at = Number(pid); at > 1; at = parent(at)) if (parent(at) === crew.child.pid) return true;
        } catch {
            // gone meanwhile
        }
        return false;
    });
    assert.ok(family.length >= 3, 'two supervisor stages and the source');
    for (const pid of family) {
        for (const piece of memoryOf(pid)) assert.ok(!leak(piece), `memory of ${pid}`);
        for (const name of ['environ', 'cmdline']) assert.ok(!leak(readFileSync(`/proc/${pid}/${name}`)), name);
        for (const fd of readdirSync(`/proc/${pid}/fd`)) assert.ok(!readlinkSync(`/proc/${pid}/fd/${fd}`).includes('provider.key'));
    }
    assert.ok(!leak(readFileSync(`/proc/${crew.child.pid}/environ`)) && !leak(readFileSync(`/proc/${crew.child.pid}/cmdline`)));
    assert.deepEqual(await crew.stop(), { code: 0, signal: null });
    assert.ok(!leak(Buffer.from(crew.text)));
    for (const line of crew.text.trim().split('\n')) JSON.parse(line);
});

for (const name of ['ogpu-worker', 'ogpu-worker-user']) {
    test(`${name}.service gives up on nothing that may pass, and systemd understands it`, () => {
        const path = join(root, `deploy/systemd/${name}.service`);
        const lines = readFileSync(path, 'utf8').split('\n');
        assert.deepEqual(lines.filter((l) => /^(StartLimit|Restart|Exec|Success)/.test(l)), ['StartLimitIntervalSec=0',
            'ExecStart=/usr/local/bin/ogpu-worker --config /etc/ogpu/worker.conf', 'Restart=on-failure', 'RestartSec=10']);
        // as installed, but with the program that is built here
        const copy = join(crew.dir, `${name}.service`);
        writeFileSync(copy, lines.join('\n').replaceAll('/usr/local/bin/ogpu-worker', worker));
        const { status, stdout, stderr, error } = spawnSync('systemd-analyze', ['verify', '--man=no', copy], { encoding: 'utf8' });
        if (error?.code === 'ENOENT') return; // no systemd here: nothing to ask
        // It may have something to say of the machine's own units.
        assert.deepEqual([status, (stdout + stderr).split('\n').filter((line) => line.includes(name))], [0, []]);
    });
}

test('a drain longer than the unit\'s time: the manager is told, and gives it', async () => {
    const path = join(crew.dir, 'notify.sock');
    const listen = 'socket(S, AF_UNIX, SOCK_DGRAM, 0) && bind(S, sockaddr_un($ARGV[0])) or die $!; recv(S, $m, 4096, 0); print $m';
    const manager = spawn('perl', ['-MSocket', '-e', listen, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    let heard = '';
    manager.stdout.on('data', (bytes) => { heard += bytes; });
    const ended = new Promise((done) => { manager.on('close', done); });
    try {
        await until(() => { try { return statSync(path); } catch { return false; } }, 'a socket');
        crew.start(gateway.url, { NOTIFY_SOCKET: path, OGPU_DRAIN_S: '3600' });
        await until(() => crew.events('working').length > 0, 'the worker');
        assert.deepEqual(await crew.stop(), { code: 0, signal: null });
        await ended;
        assert.equal(heard, 'EXTEND_TIMEOUT_USEC=3630000000');
        assert.equal(crew.events('draining')[0].manager_told, '1');
    } finally {
        manager.kill();
    }
    for (const name of ['ogpu-worker', 'ogpu-worker-user']) {
        assert.match(readFileSync(join(root, `deploy/systemd/${name}.service`), 'utf8'), /^Type=simple$[^]*^TimeoutStopSec=90\nNotifyAccess=main$/m);
    }
});

test('what its unit starts on: a full disk, of which its images were a part, and a gateway that is away', async () => {
    const disk = join(crew.dir, 'disk');
    const larger = image([layerOf([{ path: '/bin/hostile', data: hostile }, { path: '/data', data: Buffer.alloc(4 << 20, 1) }])],
        { Entrypoint: ['/bin/hostile'], User: '1000:1000' });
    const sources = [service(), gateway.publish(manifestOf(larger, { contract: 'http', command: ['/bin/hostile', 'http-on'] }))];
    gateway.blobs.set(larger.blob, larger.archive);
    const start = () => crew.start(gateway.url, { OGPU_WORK_DIR: join(disk, 'work') });
    mkdirSync(disk);
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'none', disk]).status, 0);
    try {
        start();
        for (const [i, source] of sources.entries()) {
            submit(source);
            assert.equal((await gateway.saw(/respond$/, 15000, i + 1)).status, 202);
        }
        assert.deepEqual(await crew.stop(), { code: 0, signal: null });
        assert.match(spawnSync('cp', ['/dev/zero', join(disk, 'of-another')], { encoding: 'utf8' }).stderr, /No space left/);
        crew.text = '';
        gateway.close(); // with the claim that the first one left open
        gateway = await new Gateway().open();
        gateway.blobs.set(made.blob, made.archive);
        gateway.say(/^POST \/v1\/providers$/, () => ({ status: 503, body: {} }), 2);
        submit(service());
        start();
        assert.equal((await gateway.saw(/respond$/)).status, 202);
        assert.ok(crew.events('gateway_away').length >= 2);
        assert.ok(crew.events('image_evicted').length >= 1);
        assert.ok(crew.events('disk_low').length >= 1);
        assert.deepEqual(await crew.stop(), { code: 0, signal: null });
    } finally {
        spawnSync('umount', ['-l', disk]);
    }
});

test('the systemd unit delegates its cgroup, drains, and breaks no container', () => {
    const unit = readFileSync(join(root, 'deploy/systemd/ogpu-worker.service'), 'utf8').replace(/^#.*$/gm, '');
    const all = Object.fromEntries([...unit.matchAll(/^(\w+)=(.*)$/gm)].map((m) => [m[1], m[2]]));
    assert.deepEqual([all.Delegate, all.KillMode, all.NoNewPrivileges, all.ProtectSystem], ['yes', 'mixed', 'yes', 'strict']);
    // each of these over-mounts /proc or cgroups, or is inherited by what runs in containers
    for (const name of ['ProtectKernelTunables', 'ProtectKernelLogs', 'ProtectProc', 'ProcSubset', 'ProtectControlGroups', 'PrivateDevices',
        'MemoryDenyWriteExecute', 'SystemCallFilter', 'RestrictNamespaces', 'PrivateUsers', 'DynamicUser']) assert.equal(all[name], undefined, name);
    const drain = Number(/^OGPU_DRAIN_S=(\d+)$/m.exec(readFileSync(join(root, 'deploy/systemd/worker.conf.example'), 'utf8'))[1]);
    assert.ok(Number(all.TimeoutStopSec) > drain + 15, 'systemd waits for the drain');
});
