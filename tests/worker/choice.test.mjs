// SPDX-License-Identifier: MIT
// Which sources a worker registers for and claims: by hand, by predicate, by profit; and what it says
// it would earn.
import assert from 'node:assert/strict';
import { writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { Crew, until } from './crew.mjs';
import { Gateway } from './gateway.mjs';
import { execute, hostile, imageOf, manifestOf, worker } from './support.mjs';

const made = imageOf(hostile);
let crew, gateway;

before(async () => { crew = await new Crew('choice').hire(); });
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

const publish = (name, changes = {}) => gateway.publish(manifestOf(made, { name, command: ['/bin/hostile', 'trap-empty'], ...changes }));
const registered = () => gateway.log.filter((r) => /registrations/.test(r.path) && r.status === 200).map((r) => r.path.split('/')[3]);
const claims = () => gateway.log.filter((r) => r.path.startsWith('/v1/claims'));
const earn = async (env = {}, ...args) => {
    const r = await execute(worker, ['earn', ...args], { OGPU_URL: gateway.url, OGPU_WORK_DIR: crew.work, ...env });
    assert.equal(r.code, 0, r.stderr);
    return r.stdout;
};
const ogpu = (n) => String(BigInt(Math.round(n * 1e6)) * 10n ** 12n);

test('by predicate: only what holds is registered and claimed', async () => {
    const rich = publish('rich', { min_reward: ogpu(2) });
    const poor = publish('poor', { min_reward: ogpu(0.5) });
    const big = publish('big', { min_reward: ogpu(9), limits: { memory_mb: 256 } });
    crew.start(gateway.url, { OGPU_SOURCES_IF: 'reward >= 1 && memory_mb <= 128 && image_mb <= 8' });
    await until(() => claims().length > 0, 'a claim');
    assert.deepEqual(registered(), [rich.id]);
    assert.deepEqual(claims()[0].body.sources, [rich.id]);
    assert.ok(poor && big && gateway.log.some((r) => r.method === 'HEAD'), 'the image\'s size was asked for');
});

test('sources as large as they may be, more than one answer holds: all are read', async () => {
    const filled = { command: ['/bin/hostile', 'trap-empty', ...Array.from({ length: 62 }, () => 'x'.repeat(4000))] };
    const all = Array.from({ length: 40 }, (_, i) => publish(`large-${i}`, filled));
    assert.ok(JSON.stringify(all).length > 8 << 20 && JSON.stringify(all[0].manifest).length < 256 << 10);
    const last = publish('last');
    crew.start(gateway.url);
    gateway.submit(last, {});
    await gateway.saw(/respond$/, 30_000);
    assert.deepEqual(new Set(registered()), new Set(gateway.sources.map((s) => s.id)));
    assert.equal(JSON.parse(await earn({}, '--json')).sources.length, 41);
});

test('by predicate, and nothing holds: nothing is claimed, although something was registered before', async () => {
    publish('poor', { min_reward: ogpu(0.5) });
    crew.start(gateway.url, { OGPU_SOURCES_IF: 'reward >= 1', OGPU_SOURCES_S: '1' });
    await until(() => crew.events('working').length > 0, 'the worker');
    await until(() => gateway.log.filter((r) => r.path.startsWith('/v1/sources')).length >= 3, 'looks for sources');
    assert.equal(claims().length, 0);
    const late = publish('late', { min_reward: ogpu(1) });
    await until(() => claims().length > 0, 'a claim');
    assert.deepEqual(claims()[0].body.sources, [late.id]);
});

test('a predicate that is none, a price that is none: one clear line', async () => {
    for (const [env, complaint] of [
        [{ OGPU_SOURCES_IF: 'vram >= 1' }, /OGPU_SOURCES_IF: no clause `field op value`: 'vram >= 1'/],
        [{ OGPU_KWH_PRICE: 'cheap' }, /OGPU_KWH_PRICE: 'cheap' is no price in OGPU/],
        [{ OGPU_SOURCES: 'auto,auto' }, /is no source id/],
    ]) {
        const r = await execute(worker, [], { ...crew.settings(gateway.url), ...env });
        assert.equal(r.code, 1);
        assert.match(r.stderr, complaint);
    }
});

test('by profit: a known loss is left, what earns most is asked for first, the unknown is tried', async () => {
    const [best, fair, loss, unknown] = ['best', 'fair', 'loss', 'unknown'].map((name) => publish(name, { min_reward: ogpu(0.000001) }));
    const row = (reward, ms) => ({ tasks: 10, good: 10, mean_ms: ms, reward_units: reward, last_s: 1 });
    mkdirSync(crew.work, { recursive: true });
    writeFileSync(join(crew.work, 'earnings.json'), JSON.stringify({
        [best.id]: row(1_000_000, 1000), [fair.id]: row(100_000, 1000), [loss.id]: row(10, 60_000),
    }));
    const power = { OGPU_WATTS: '1000', OGPU_KWH_PRICE: '1' };
    crew.start(gateway.url, { OGPU_SOURCES: 'auto', ...power });
    await until(() => claims().length > 1, 'two claims');
    assert.deepEqual(claims()[0].body.sources, [best.id]);
    assert.deepEqual(claims()[1].body.sources, [best.id, fair.id, unknown.id]);
    const { sources } = JSON.parse(await earn(power, '--json'));
    assert.deepEqual(sources.map((s) => s.name), ['best', 'fair', 'loss', 'unknown']);
    assert.deepEqual([sources[0].income_per_hour_ogpu, sources[0].cost_per_hour_ogpu, sources[0].profit_per_hour_ogpu],
        ['3600.000000', '1.000000', '3599.000000']);
    assert.equal(sources[2].profit_per_hour_ogpu, '-0.999400');
});

test('what a run brought and took is in the next estimate', async () => {
    const source = publish('fresh', { min_reward: ogpu(1), limits: { timeout_s: 10 } });
    const before = JSON.parse(await earn({}, '--json')).sources[0];
    assert.deepEqual([before.measured, before.income_per_hour_ogpu], [false, '360.000000']);
    crew.start(gateway.url);
    gateway.submit(source, {}, { claim: { reward: ogpu(3) } });
    await gateway.saw(/respond$/);
    const after = await until(async () => {
        const s = JSON.parse(await earn({}, '--json')).sources[0];
        return s.measured && s;
    }, 'a measured source');
    assert.deepEqual([after.runs, after.good_percent, after.reward_ogpu], [1, 100, '3.000000']);
    assert.ok(after.mean_ms > 0 && after.mean_ms < 10_000);
    assert.match(await earn(), /1 runs here, 100 % good, \d+ ms/);
});

test('earn does not say what it cannot know, nor that a source is served which is not named', async () => {
    const [one, other] = [publish('one'), publish('other', { limits: { memory_mb: 256 } })];
    const env = { OGPU_SOURCES_IF: 'image_mb <= 2000 && memory_mb <= 128' };
    const bySize = JSON.parse(await earn(env, '--json')).sources;
    assert.deepEqual(bySize.map((s) => [s.source, s.served]), [[one.id, null], [other.id, false]]);
    assert.match(bySize[0].reason, /image_mb .* not known here/);
    assert.ok(Number(bySize[0].income_per_hour_ogpu) >= 0);
    assert.match(await earn(env), /one .* longest time; served if image_mb suits, which is not known here\n/);
    const named = JSON.parse(await earn({ OGPU_SOURCES: other.id }, '--json')).sources;
    assert.deepEqual(named.map((s) => [s.source, s.served, s.reason]),
        [[other.id, true, undefined], [one.id, false, 'OGPU_SOURCES does not name it']]);
});

test('earn says why a source is not served', async () => {
    publish('huge', { limits: { memory_mb: 1048576 } });
    publish('small');
    publish('\u001b[31mred'); // what a gateway of ours refuses, a stranger's may list
    const text = await earn({ OGPU_SOURCES_IF: 'pids > 1000' });
    assert.match(text, /huge +source src_\w+ wants 1048576 MiB of memory, this machine has \d+/);
    assert.match(text, /small +source src_\w+ is not wanted: not pids > 1000: it is 64/);
    assert.match(text, /\?\[31mred +source (src_\w+) cannot be served: name must be one line without control characters/);
    const none = await execute(worker, ['earn'], { OGPU_URL: 'http://127.0.0.1:9', OGPU_WORK_DIR: crew.work });
    assert.equal(none.code, 1);
});
