// SPDX-License-Identifier: MIT
// Egress as the agent has it: a source that asks for hosts is served where the provider agrees to
// them, and nowhere else; its bytes are counted; its containers are not kept.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { terms, wants, web, withNames } from '../containers/egress.mjs';
import { freePort } from '../support/free_port.mjs';
import { Crew, until } from './crew.mjs';
import { Gateway } from './gateway.mjs';
import { execute, hostile, imageOf, manifestOf, worker } from './support.mjs';

const made = imageOf(hostile);
let crew, gateway, page;

before(async () => {
    crew = await new Crew('egress').hire();
    crew.program = withNames(crew.dir);
    page = await web();
});
beforeEach(async () => {
    gateway = await new Gateway().open();
    gateway.blobs.set(made.blob, made.archive);
    crew.text = '';
});
afterEach(async () => {
    if (crew.child) await crew.stop('SIGKILL');
    gateway.close();
    await until(() => crew.processes().length === 0, 'end of the containers', 10000);
});
after(() => {
    page.close();
    crew.close();
});

const get = () => `GET http://mirror.egress.test:${page.port}/m HTTP/1.1\r\n\r\n`;
const asking = (changes = {}) => gateway.publish(manifestOf(made, { command: ['/bin/hostile', 'egress-ask', get()], egress: wants(page.port), ...changes }));
const plain = () => gateway.publish(manifestOf(made, { command: ['/bin/hostile', 'euid'] }));
const registered = () => gateway.log.filter((r) => r.path.includes('/registrations/')).map((r) => r.path.split('/')[3]);

test('a provider who did not agree: not registered, and not run when it is given out all the same', async () => {
    const [wanting, modest] = [asking(), plain()];
    crew.start(gateway.url);
    gateway.submit(modest, {});
    await gateway.saw(/respond$/);
    assert.deepEqual(registered(), [modest.id]);
    gateway.submit(wanting, {}, { force: true });
    const { body } = await gateway.saw(/fail$/);
    assert.deepEqual([body.code, body.released], ['egress_refused', true]);
    assert.match(body.message, /OGPU_EGRESS is none/);
    assert.equal(crew.events('run_begins').length, 1);
});

test('a source that is named, and not agreed to: the worker says why and ends', async () => {
    const source = asking();
    crew.start(gateway.url, { OGPU_SOURCES: source.id });
    assert.equal((await crew.exited).code, 1);
    assert.match(crew.text, /it asks for a network and OGPU_EGRESS is none/);
});

test('hosts that the provider does not have, more bytes than he gives: not registered; earn says why', async () => {
    const [other, large, modest] = [asking({ name: 'other', egress: { hosts: ['models.example.org'], max_bytes: 1 } }),
        asking({ name: 'large', egress: wants(page.port, { max_bytes: 2 ** 31 }) }), plain()];
    const env = terms([page.port]);
    crew.start(gateway.url, env);
    gateway.submit(modest, {});
    await gateway.saw(/respond$/);
    assert.deepEqual(registered(), [modest.id]);
    const earn = await execute(worker, ['earn', '--json'], { OGPU_URL: gateway.url, OGPU_WORK_DIR: crew.work, ...env });
    const reasons = Object.fromEntries(JSON.parse(earn.stdout).sources.map((s) => [s.source, s.reason]));
    assert.match(reasons[other.id], /'models\.example\.org', not in OGPU_EGRESS_HOSTS/);
    assert.match(reasons[large.id], /more than OGPU_EGRESS_MB/);
});

test('agreed: served, answered, its bytes in log and metrics', async () => {
    const source = asking();
    const port = await freePort();
    crew.start(gateway.url, { ...terms([page.port]), OGPU_METRICS_PORT: String(port) });
    gateway.submit(source, {});
    const { body } = await gateway.saw(/respond$/);
    const answer = JSON.parse(gateway.blobs.get(body.outputs.find((o) => o.name === 'output.json').sha256));
    assert.match(answer[0], /200 OK.*hello \/m$/);
    const [ended] = await until(() => crew.events('run_ended').length > 0 && crew.events('run_ended'), 'the run\'s end');
    assert.ok(Number(ended.egress) > get().length, ended.egress);
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    assert.match(metrics, new RegExp(`^ogpu_worker_egress_bytes_total ${ended.egress}$`, 'm'));
    assert.match(metrics, /^ogpu_worker_runs_total\{end="egress_limit"\} 0$/m);
});

test('more than the manifest asked for: egress_limit, the source\'s own fault', async () => {
    const source = asking({ egress: wants(page.port, { max_bytes: 60 }) });
    crew.start(gateway.url, terms([page.port]));
    gateway.submit(source, {});
    const { body } = await gateway.saw(/fail$/);
    assert.deepEqual([body.code, body.released ?? false], ['egress_limit', false]);
    assert.match(body.message, /more than 60 bytes/);
});

test('a service with egress gets a container for each task: the cap is one run\'s', async () => {
    const source = asking({ contract: 'http', command: ['/bin/hostile', 'http-on'] });
    crew.start(gateway.url, terms([page.port]));
    for (const n of [1, 2]) {
        gateway.submit(source, {}, { function: 'run' });
        const { body } = await gateway.saw(/respond$/, 15000, n);
        assert.equal(JSON.parse(gateway.blobs.get(body.outputs.find((o) => o.name === 'output.json').sha256)).served, 1);
    }
    await until(() => crew.processes().length === 0, 'no container');
    assert.deepEqual(crew.events('run_ended').map((e) => e.kept), ['0', '0']);
});

test('kill -9 of the worker: source and proxy are gone', async () => {
    gateway.submit(asking({ command: ['/bin/hostile', 'hang'] }), {});
    crew.start(gateway.url, terms([page.port]));
    await until(() => ['hostile', 'ogpu-egress'].every((n) => crew.processes().some((p) => p.name === n)), 'source and proxy');
    await crew.stop('SIGKILL');
    await crew.nothingLeft();
});

test('settings: none unless told, a mistake is named, doctor says what is agreed to', async () => {
    const show = await execute(worker, ['config', 'show', '--origin', '--egress-mb', '7'], { OGPU_EGRESS: 'listed' });
    assert.match(show.stdout, /^OGPU_EGRESS=listed \(environment\)$/m);
    assert.match(show.stdout, /^OGPU_EGRESS_MB=7 \(flag\)$/m);
    assert.match((await execute(worker, ['config', 'show', '--origin'])).stdout, /^OGPU_EGRESS=none \(default\)$/m);
    const doctor = async (env) => JSON.parse((await execute(worker, ['doctor', '--json'], { OGPU_WORK_DIR: join(crew.dir, 'w'), ...env })).stdout).checks
        .find((c) => c.check === 'egress');
    assert.deepEqual(await doctor({}), { check: 'egress', state: 'ok', detail: 'none: sources that ask for it are not served' });
    for (const [env, why] of [[{ OGPU_EGRESS: 'all' }, /none or listed/], [{ OGPU_EGRESS: 'listed' }, /needs hosts/],
        [{ OGPU_EGRESS_HOSTS: 'a.org,10.0.0.1' }, /'10\.0\.0\.1': an address, not a name/]]) {
        const row = await doctor(env);
        assert.equal(row.state, 'failed');
        assert.match(row.detail, why);
        assert.match(row.fix, /OGPU_EGRESS/);
        crew.start(gateway.url, env);
        assert.equal((await crew.exited).code, 1);
        assert.match(crew.text, why);
    }
});
