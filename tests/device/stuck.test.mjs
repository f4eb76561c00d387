// SPDX-License-Identifier: MIT
// A container that does not end, as one that waits inside a broken driver: its supervisor's outer process is
// stopped or frozen in that one's place. What was heard is sent, the card serves nobody else, the worker ends.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Crew, until } from '../worker/crew.mjs';
import { Gateway } from '../worker/gateway.mjs';
import { drop, slow } from '../worker/support.mjs';
import { Machine, card, probe, probeManifest } from './support.mjs';

let a, crew, gateway, machine, release;

beforeEach(async () => {
    gateway = await new Gateway().open();
    a = card(0);
    machine = new Machine([a]);
    crew = await new Crew('stuck').hire();
    release = () => {};
});
afterEach(async () => {
    if (crew.child) await crew.stop('SIGKILL');
    await release();
    gateway.close();
    crew.close();
    drop(machine.dir);
});

/** The outer process of the one supervisor there is. */
function guard() {
    const of = (pid) => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    const pids = readdirSync(`/proc/${crew.child.pid}/task`).flatMap((tid) =>
        readFileSync(`/proc/${crew.child.pid}/task/${tid}/children`, 'utf8').split(' ').filter(Boolean).map(Number));
    return pids.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('contain-supervisor') && of(pid));
}

async function begin(act) {
    crew.start(gateway.url, { ...machine.env, OGPU_DEVICE_MS: '50', OGPU_SOURCES_S: '1' });
    gateway.submit(gateway.publish(probeManifest(act), probe.archive), {}, { lease_s: 6 });
    await until(() => crew.processes().length > 0, `a container\n${crew.text}`, 30_000 * slow);
    return guard();
}

function stop(pid) {
    process.kill(pid, 'SIGSTOP');
    release = () => isGone(pid) || process.kill(pid, 'SIGCONT'); // it sees then that its worker has ended
}

/** Under cgroup v1 what is frozen cannot be killed either. */
const freezer = '/sys/fs/cgroup/freezer';
function freeze(pid) {
    const at = join(freezer, `ogpu-test-${process.pid}-${pid}`);
    mkdirSync(at);
    writeFileSync(join(at, 'cgroup.procs'), String(pid));
    writeFileSync(join(at, 'freezer.state'), 'FROZEN');
    release = async () => {
        release = () => {};
        writeFileSync(join(at, 'freezer.state'), 'THAWED');
        await until(() => {
            try {
                if (!isGone(pid)) writeFileSync(join(freezer, 'cgroup.procs'), String(pid));
                rmdirSync(at);
                return true;
            } catch {
                return false; // it is on its way out
            }
        }, 'an empty freezer');
    };
}

const fault = () => join(crew.work, 'devices', `${a.uuid}.json`);
const told = () => gateway.log.filter((r) => /providers\/.*heartbeat/.test(r.path) && r.status).at(-1)
    ?.body.devices.find((d) => d.uuid === a.uuid);
const isGone = (pid) => {
    try {
        return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    } catch {
        return true;
    }
};

async function setAside() {
    await until(() => told()?.state === 'quarantined', `a quarantine\n${crew.text}`, 30_000 * slow);
    assert.equal(JSON.parse(readFileSync(fault(), 'utf8')).code, 'stuck');
}

test('a stopped supervisor: the response is sent, the card serves nobody else, the next task is done', async () => {
    const pid = await begin('nap');
    stop(pid);
    await gateway.saw(/respond$/, 120_000 * slow);
    await setAside();
    assert.ok(isGone(pid), 'it could be killed');
    gateway.submit(gateway.publish(probeManifest('brief', { name: 'next', environments: ['cpu'] }), probe.archive), {});
    await gateway.saw(/respond$/, 30_000 * slow, 2);
    assert.deepEqual(await crew.stop(), { code: 0, signal: null });
    await crew.nothingLeft();
});

test('one that no signal ends: the response is sent, the worker ends, and the rest with what held it',
    { skip: existsSync(freezer) ? false : 'cgroup v2: what is frozen can be killed' }, async () => {
        const pid = await begin('nap');
        freeze(pid);
        await gateway.saw(/respond$/, 120_000 * slow);
        await setAside();
        assert.ok(!isGone(pid));
        assert.equal(crew.events('supervisor_left').length, 1);
        assert.deepEqual(await crew.stop(), { code: 0, signal: null });
        await release();
        await until(() => isGone(pid), 'its end');
        await crew.nothingLeft();
    });

test('a card that fails while its container hangs: the attempt is kept until that is told', async () => {
    const pid = await begin('nap');
    stop(pid);
    machine.save(() => { a.xid = 79; });
    const { body } = await gateway.saw(/fail$/, 120_000 * slow);
    assert.equal(body.code, 'device_fault');
    const at = (match) => gateway.log.findLastIndex((r) => match.test(r.path));
    assert.ok(gateway.log.filter((r) => /attempts\/.*heartbeat/.test(r.path)).length >= 3, 'its lease was kept');
    assert.ok(at(/attempts\/.*heartbeat/) < at(/fail$/));
    assert.equal(JSON.parse(readFileSync(fault(), 'utf8')).code, 'xid');
    assert.deepEqual(await crew.stop(), { code: 0, signal: null });
    await crew.nothingLeft();
});
