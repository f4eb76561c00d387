// SPDX-License-Identifier: MIT
// Workers that answer challenges by themselves, at real gateways: with the plain C twin, and with the real CUDA sources built for
// a card of paper, loaded as the CUDA library would be.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { verifyTypedData } from 'viem';
import { Machine, card, probe, probeManifest } from '../device/support.mjs';
import { expect } from '../support/actors.mjs';
import { freePort } from '../support/free_port.mjs';
import { typed } from '../support/rates.mjs';
import { eventually } from '../support/stack.mjs';
import { Market } from '../worker/market.mjs';
import { build, drop, execute, worker } from '../worker/support.mjs';

const domain = { chainId: 31337, verifyingContract: '0x5FbDB2315678afecb367f032d93F642f64180aa3' };
const rates = [1500.5, 750, 740, 50, 4300, 55, 54];
let m;
const machines = [];
before(async () => { m = await Market.open(); });
afterEach(() => m?.fire());
after(async () => {
    await m?.close();
    machines.forEach((machine) => drop(machine.dir));
});

const small = (changes) => card(0, { memory_mb: 1, ...changes });
const unprovable = () => card(128, { environment: 'amd', uuid: `AMD-${Date.now()}` });
/** A worker with these cards; `env` beside the usual. */
async function hire(cards, { sources = [], env = {} } = {}) {
    const machine = new Machine(cards);
    machines.push(machine);
    const port = await freePort();
    const settings = { ...machine.env, OGPU_DEVICE_MS: '100', OGPU_METRICS_PORT: String(port), OGPU_SLOTS: '1', ...env };
    const w = await m.hire(sources, settings);
    const mark = m.stack.log('ogpu-worker').length;
    return Object.assign(w, { machine, port, mark });
}

const paper = (more = {}) => ({ OGPU_KERNELS: join(build, 'tests/gpu/paper-card.so'), ...more });
const metric = async (w, name) => Number((await (await fetch(`http://127.0.0.1:${w.port}/metrics`)).text()).match(new RegExp(`^ogpu_worker_${name} (\\d+)$`, 'm'))[1]);
const provider = async (id) => {
    const row = expect(await m.client.get('/v1/providers'), 200).data.find((p) => p.devices.some((d) => d.uuid === id));
    return row && expect(await m.client.get(`/v1/providers/${row.id}`), 200);
};
const device = async (id) => (await provider(id))?.devices.find((d) => d.uuid === id);
const challenges = async (id) => {
    const p = await provider(id);
    return p ? expect(await m.client.get(`/v1/providers/${p.id}/challenges`), 200).data.filter((c) => c.device === id) : [];
};
const challenge = async (id, status) => {
    try {
        return await eventually(async () => {
            const [c] = await challenges(id);
            return c?.status === status && c;
        }, `a proof of ${id} that is ${status}`, 60_000);
    } catch (e) {
        throw new Error(`${e.message}\n${m.stack.log('ogpu-worker').slice(-4000)}`);
    }
};
const events = (name) => m.stack.log('ogpu-worker').split('\n').filter((l) => l.includes(`"event":"${name}"`)).map((l) => JSON.parse(l));
const lockOf = (w, id) => readFileSync(join(w.machine.dir, 'locks', `${id}.lock`), 'utf8');
const helpers = () => readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
    try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('device-compute');
    } catch {
        return false; // gone meanwhile
    }
});
const helperOf = (id) => helpers().filter((pid) => {
    try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(id);
    } catch {
        return false;
    }
});
/** Has the worker tell and ask again at once: a card's state changes. */
async function hurry(w, other) {
    w.machine.save(() => { other.lost = true; });
    await eventually(async () => (await device(other.uuid))?.state === 'lost', 'it is told');
    w.machine.save(() => { other.lost = false; });
    await eventually(async () => (await device(other.uuid))?.state !== 'lost', 'it is told');
}
const again = (id) => m.sql.query("UPDATE gpu_challenge SET again_at = ogpu_now(), issued_at = issued_at - interval '2 hours' WHERE device = $1", [id]);

test('a new card proves itself, with the plain C twin; it is free again, and has no rates', async () => {
    const a = small();
    const w = await hire([a]);
    const c = await challenge(a.uuid, 'passed');
    assert.ok(c.gops_per_s >= 0 && c.rows > 64);
    await eventually(async () => await metric(w, 'proofs_passed_total') === 1, 'it is counted');
    assert.deepEqual([await metric(w, 'proofs_failed_total'), await metric(w, 'proofs_declined_total')], [0, 0]);
    await eventually(async () => (await device(a.uuid)).state === 'free', 'free again');
    assert.equal((await device(a.uuid)).benchmarks, undefined);
    assert.deepEqual(helperOf(a.uuid), []);
    await eventually(() => lockOf(w, a.uuid) === 'clean\n', 'the lease has ended');
});

test('the real dlopen path: the CUDA sources prove the card, and its signed rates are there to read', async () => {
    const a = small();
    await hire([a], { env: paper({ PAPER_CARD_RATES: rates.join(' ') }) });
    await challenge(a.uuid, 'passed');
    const { benchmarks } = await eventually(async () => { const d = await device(a.uuid); return d?.benchmarks && d; }, 'the rates');
    const { signature, version, measured_at, ...told } = benchmarks;
    assert.deepEqual(told, { int8_gops: 1500500, fp16_gflops: 750000, bf16_gflops: 740000, fp32_gflops: 50000, copy_mb_s: 4300000,
        to_card_mb_s: 55000, from_card_mb_s: 54000 });
    assert.ok(version === 1 && Math.abs(measured_at - Date.now() / 1000) < 600);
    const { address } = await provider(a.uuid);
    assert.ok(await verifyTypedData({ address, signature, ...typed(domain, address, a.uuid, benchmarks) }));
});

test('rates that are none are not signed; the heartbeat goes on without, and the proof passes', async () => {
    for (const [at, value] of [[0, 'nan'], [3, '-1'], [6, 'inf'], [1, '1e9']]) {
        const a = small();
        const w = await hire([a], { env: paper({ PAPER_CARD_RATES: rates.with(at, value).join(' ') }) });
        const failed = await eventually(() => events('card_not_measured').find((e) => e.uuid === a.uuid), `${value} is refused`);
        assert.match(failed.why, /make no sense/);
        if (at === 0) await challenge(a.uuid, 'passed');
        assert.equal((await eventually(() => device(a.uuid), 'a heartbeat')).benchmarks, undefined);
        w.kill('SIGKILL');
    }
});

test('what cannot be done in time is declined with the reason, once, and no challenge is lost by it', async () => {
    const [large, odd] = [card(0), small({ uuid: `AMD-${Date.now()}`, environment: 'amd', minor: 128 })];
    const w = await hire([large, odd]);
    const said = await eventually(() => events('proof_declined').find((e) => e.uuid === large.uuid), 'declined');
    assert.match(said.why, /more than the plain C twin proves/);
    await challenge(odd.uuid, 'passed'); // simulated: the twin does it
    assert.deepEqual(await challenges(large.uuid), []);
    assert.equal(await metric(w, 'proofs_declined_total'), 1);
    assert.equal((await device(large.uuid)).state, 'free');
});

test('a CUDA library that is missing, or whose card is wrong, is said once; nothing is claimed', async () => {
    const file = join(process.env.OGPU_TEST_TMP, 'kernels.conf'); // as a worker is set up by its service
    for (const [library, id, why] of [['/no/such/library.so', undefined, /no CUDA kernels/],
        [join(build, 'tests/gpu/paper-card.so'), 'GPU-this-is-no-uuid', /CUDA sees no card/]]) {
        const a = small(id && { uuid: id });
        writeFileSync(file, `OGPU_KERNELS=${library}\n`);
        const w = await hire([a], { env: { OGPU_CONFIG: file } });
        const said = await eventually(() => events('proof_declined').find((e) => e.uuid === a.uuid), 'declined');
        assert.match(said.why, why);
        assert.deepEqual(await challenges(a.uuid), []);
        assert.deepEqual([await metric(w, 'proofs_declined_total'), await metric(w, 'proofs_failed_total')], [1, 0]);
        await m.fire();
    }
});

test('a busy card is not disturbed: its proof waits for the task, then has the card', async () => {
    const [a, other] = [small(), unprovable()];
    const w = await hire([a, other], { env: { OGPU_SOURCES_S: '1' } });
    await challenge(a.uuid, 'passed');
    const source = await m.publish(probeManifest('wait', { name: 'busy', limits: { timeout_s: 60 } }), probe.archive);
    await eventually(async () => (await m.client.get(`/v1/sources/${source.id}/registrations`)).json.data.length === 1, 'registration');
    const task = await m.submit(source);
    await m.live(task);
    await eventually(async () => (await device(a.uuid))?.state === 'leased', 'the task has it');
    await again(a.uuid);
    await hurry(w, other);
    await hurry(w, other);
    assert.equal((await challenges(a.uuid)).length, 1, 'no challenge was asked for');
    assert.deepEqual(helperOf(a.uuid), []);
    assert.ok(m.running() > 0, 'the task runs on');
    assert.equal((await m.attempts(task)).filter((x) => x.status === 'live').length, 1);
    w.machine.save(() => { a.xid = 13; }); // a program's fault: the run ends, the card stays
    await eventually(() => m.running() === 0, 'end of the run');
    await eventually(async () => (await m.client.post(task.urls.cancel)).status === 200, 'nobody else has it');
    await eventually(async () => (await challenges(a.uuid)).length === 2 && (await challenges(a.uuid))[0].status === 'passed', 'the proof', 60_000);
});

test('drain and kill -9 in the middle: no lease is left, nothing computes on, the next run answers the same challenge', async () => {
    for (const signal of ['SIGTERM', 'SIGKILL']) {
        const a = small();
        const hold = join(m.stack.run, `hold-${signal}`);
        writeFileSync(hold, '');
        const w = await hire([a], { env: paper({ PAPER_CARD_HOLD: hold }) });
        const c = await challenge(a.uuid, 'issued');
        await eventually(() => events('proof_begun').some((e) => e.uuid === a.uuid) && helperOf(a.uuid).length === 1, 'it computes');
        await m.sql.query("UPDATE gpu_challenge SET commit_until = commit_until + interval '1 hour' WHERE device = $1", [a.uuid]);
        await eventually(async () => (await device(a.uuid)).state === 'leased', 'it is told');
        w.kill(signal);
        const { code } = await w.ended;
        assert.equal(code, signal === 'SIGTERM' ? 0 : null);
        await eventually(() => helperOf(a.uuid).length === 0, 'nothing computes on');
        const listed = await execute(worker, ['devices', '--json'], { ...w.machine.env, OGPU_WORK_DIR: w.work });
        assert.equal(JSON.parse(listed.stdout).devices.find((d) => d.uuid === a.uuid).state, 'free');
        rmSync(hold);
        await m.again(w);
        const done = await challenge(a.uuid, 'passed');
        assert.equal(done.id, c.id);
        await m.fire();
    }
});

test('asked too soon: the worker waits as long as the gateway says', async () => {
    const [a, other] = [small(), unprovable()];
    const w = await hire([a, other]);
    await challenge(a.uuid, 'passed');
    await m.sql.query('UPDATE gpu_challenge SET again_at = ogpu_now() WHERE device = $1', [a.uuid]);
    await hurry(w, other);
    const off = await eventually(() => events('proof_put_off').find((e) => e.uuid === a.uuid), 'the refusal');
    const seconds = Number(off.why.match(/in (\d+) s/)[1]);
    assert.ok(seconds > 3000 && seconds <= 3600, off.why);
    await eventually(async () => (await device(a.uuid)).state === 'free', 'free again');
    await hurry(w, other);
    assert.equal(events('proof_put_off').filter((e) => e.uuid === a.uuid).length, 1, 'it was asked once');
    assert.equal(await metric(w, 'proofs_failed_total'), 0);
});

test('a card that is lost in the middle: the proof fails, its process ends', async () => {
    const a = small();
    const hold = join(m.stack.run, 'hold-lost');
    writeFileSync(hold, '');
    const w = await hire([a], { env: paper({ PAPER_CARD_HOLD: hold }) });
    await eventually(() => events('proof_begun').some((e) => e.uuid === a.uuid), 'it computes');
    w.machine.save(() => { a.lost = true; });
    const failed = await eventually(() => events('proof_failed').find((e) => e.uuid === a.uuid), 'the failure');
    assert.match(failed.why, /card failed/);
    await eventually(() => helperOf(a.uuid).length === 0, 'its process ends');
    assert.equal(await metric(w, 'proofs_failed_total'), 1);
    rmSync(hold);
});

/** A door to a gateway; with the answer to a path it asks `shut`, and if that says so it hands the answer on and closes. */
async function door(target, path, shut) {
    const at = new URL(target);
    const server = createServer((from, to) => {
        const onward = request({ host: at.hostname, port: at.port, method: from.method, path: from.url, headers: from.headers }, (answer) => {
            const chunks = [];
            answer.on('data', (c) => chunks.push(c));
            answer.on('end', () => {
                const last = path.test(from.url) && shut();
                to.writeHead(answer.statusCode, { ...answer.headers, ...(last ? { connection: 'close' } : {}) });
                to.end(Buffer.concat(chunks), () => {
                    if (last) server.close();
                });
            });
        });
        onward.on('error', () => to.destroy());
        from.pipe(onward);
    });
    await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
    return { url: `http://127.0.0.1:${server.address().port}`, close: () => { server.close(); server.closeAllConnections(); } };
}

test('the gateway dies between commitment and opening: the rows are opened at the other one', async () => {
    const a = small();
    let dead = 0;
    const doors = await Promise.all([1, 2].map((n) => door(`http://${m.stack.env[`OGPU_GATEWAY_${n}`]}`, /\/commit$/, () => {
        if (dead) return false;
        dead = n;
        m.url = m.client.url = `http://${m.stack.env[`OGPU_GATEWAY_${3 - n}`]}`;
        process.kill(Number(readFileSync(join(m.stack.run, `pid/gateway-${n}`), 'utf8').split(' ')[0]), 'SIGKILL');
        return true;
    })));
    try {
        await hire([a], { env: { OGPU_URL: doors.map((d) => d.url).join(','), ...paper() } });
        await challenge(a.uuid, 'passed');
        assert.ok(dead);
        assert.ok(events('proof_committed').some((e) => e.uuid === a.uuid));
        assert.ok(events('gateway_changed').length > 0);
        assert.deepEqual(events('proof_failed').filter((e) => e.uuid === a.uuid), []);
    } finally {
        doors.forEach((d) => d.close());
    }
    m.audit();
});
