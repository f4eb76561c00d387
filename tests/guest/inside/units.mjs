// SPDX-License-Identifier: MIT
// The units as they are installed, as root and as a user: systemd starts the worker and gives it a
// cgroup (Delegate=yes), the worker divides that among its containers, stopping the unit drains it.
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { master, until } from '../../worker/crew.mjs';
import { chainId, Gateway, settlement } from '../../worker/gateway.mjs';
import { build, execute, hostile, imageOf, manifestOf, processesOf, root, worker } from '../../worker/support.mjs';

const made = imageOf(hostile);
const act = (name, timeout) => manifestOf(made, { command: ['/bin/hostile', name], limits: { timeout_s: timeout } });
const echo = JSON.parse(readFileSync(join(build, 'examples/echo-http.manifest.json')));
const PATIENCE = 120000;
const conf = '/etc/ogpu/worker.conf';
const key = '/etc/ogpu/provider.key';

async function must(program, ...args) {
    const r = await execute(program, args);
    assert.equal(r.code, 0, `${program} ${args.join(' ')}: ${r.stderr}`);
    return r.stdout;
}

/** What the operator does, by docs/worker.md. */
async function install(unit, user, settings) {
    copyFileSync(worker, '/usr/local/bin/ogpu-worker');
    copyFileSync(join(root, `deploy/systemd/${unit}.service`), `/etc/systemd/system/${unit}.service`);
    mkdirSync('/etc/ogpu', { recursive: true });
    if (!existsSync(key)) await must(worker, 'key', key);
    writeFileSync(conf, Object.entries(settings).map(([name, value]) => `${name}=${value}\n`).join(''));
    await must('chown', '-R', `${user}:`, '/etc/ogpu');
    await must('systemctl', 'daemon-reload');
}

for (const [unit, user] of [['ogpu-worker', 'root'], ['ogpu-worker-user', 'ogpu']]) {
    describe(unit, () => {
        const group = `/sys/fs/cgroup/system.slice/${unit}.service`;
        const base = 65536 * (user === 'root' ? 100 : 400);
        const boxes = () => readdirSync(group).filter((name) => /^ogpu-[0-9a-f]{8}-/.test(name));
        const journal = () => must('journalctl', '-u', unit, '--no-pager', '-n', '40', '-o', 'cat');
        const saw = (what, n = 1) => gateway.saw(what, PATIENCE, n).catch(async (e) => { throw new Error(`${e.message}\n${await journal()}`); });
        const submit = (manifest, archive, input = {}, more = {}) =>
            gateway.submit(gateway.publish(manifest, archive), input, { lease_s: 120, ...more });
        let gateway, port;

        before(async () => {
            gateway = await new Gateway().open();
            ({ port } = gateway.server.address());
            gateway.close(); // away when the unit starts
            gateway.blobs.set(made.blob, made.archive);
            await install(unit, user, { OGPU_URL: gateway.url, OGPU_PROVIDER_KEY_FILE: key, OGPU_MASTER: master, L1_CHAIN_ID: chainId,
                L1_SETTLEMENT: settlement, OGPU_SOURCES_S: 1, OGPU_DRAIN_S: 60, OGPU_UID_BASE: base });
            const r = await execute('systemctl', ['start', unit]);
            assert.equal(r.code, 0, r.stderr + await journal());
        });
        after(async () => {
            await execute('systemctl', ['kill', '--signal=SIGKILL', unit]);
            gateway.close();
        });

        test('systemd starts it while the gateway is away, and it waits', async () => {
            await until(async () => (await journal()).includes('"event":"gateway_away"'), 'a gateway that is away', PATIENCE);
            assert.deepEqual((await must('systemctl', 'show', unit, '-p', 'ActiveState', '-p', 'NRestarts')).trim().split('\n').sort(),
                ['ActiveState=active', 'NRestarts=0']);
            await gateway.open(port);
        });

        test('the gateway is back, and it registers', async () => {
            await saw(/^POST \/v1\/providers$/);
            const pid = (await must('systemctl', 'show', unit, '-p', 'MainPID', '--value')).trim();
            assert.equal((await must('ps', '-o', 'user=', '-p', pid)).trim(), user);
            // what implies a list of devices would keep cards from the worker
            if (user === 'root') assert.doesNotMatch(await journal(), /no_device_locks/);
            assert.equal(await must('systemctl', 'show', unit, '-p', 'DeviceAllow', '-p', 'DevicePolicy'), 'DevicePolicy=auto\n');
        });

        test('a task runs below the unit\'s cgroup, with ids of its own, and is answered', async () => {
            submit(act('hang', 6), made.archive);
            await until(() => boxes().length === 1, 'a container below the unit', PATIENCE);
            const [source] = await until(() => {
                const list = processesOf(base).filter((p) => p.name === 'hostile');
                return list.length > 0 && list;
            }, 'the source itself', PATIENCE);
            assert.equal(source.uid, base + 1000);
            assert.ok(readdirSync(group).includes('ogpu-agent'));
            assert.equal(readFileSync(join(group, 'cgroup.procs'), 'utf8'), '', 'the unit\'s cgroup itself holds no process');
            assert.equal((await saw(/fail$/)).body.code, 'timeout');
            submit(act('words', 60), made.archive);
            assert.equal((await saw(/fail$/, 2)).body.code, 'exit');
            await until(() => boxes().length === 0, 'the end of its cgroup', PATIENCE);
        });

        test('out of memory is the container\'s, not the unit\'s', async () => {
            submit(act('memory', 60), made.archive);
            assert.equal((await saw(/fail$/, 3)).body.code, 'out_of_memory');
            assert.equal((await must('systemctl', 'is-active', unit)).trim(), 'active');
        });

        test('a service is kept frozen, and thawed for its next task', async () => {
            const task = submit(echo, readFileSync(join(build, 'examples/echo-http.oci.tar')), { n: 1 }, { function: null });
            assert.equal((await saw(/respond$/)).status, 202);
            const [box] = boxes();
            await until(() => readFileSync(join(group, box, 'cgroup.events'), 'utf8').includes('frozen 1'), 'a frozen container', PATIENCE);
            gateway.submit(task.source, { n: 2 }, { lease_s: 120, function: null });
            const { body } = await saw(/respond$/, 2);
            assert.deepEqual(JSON.parse(gateway.blobs.get(body.outputs[0].sha256)).echo, { n: 2 });
            assert.deepEqual(boxes(), [box], 'the same container');
        });

        test('systemctl stop drains: what runs is finished and reported, then all of the unit is gone', async () => {
            submit(act('hang', 8), made.archive);
            await until(() => processesOf(base).some((p) => p.name === 'hostile'), 'a running container', PATIENCE);
            await must('systemctl', 'stop', unit);
            const { body } = await gateway.saw(/fail$/, 1000, 4);
            assert.deepEqual([body.code, body.released ?? false], ['timeout', false], 'run to its own end, not handed back');
            assert.match(await must('systemctl', 'show', unit, '-p', 'Result', '-p', 'ExecMainStatus'), /Result=success\nExecMainStatus=0|ExecMainStatus=0\nResult=success/);
            assert.deepEqual(processesOf(base), []);
            assert.ok(!existsSync(group));
        });
    });
}
