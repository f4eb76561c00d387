// SPDX-License-Identifier: MIT
// What a source can make others hold for it: its callbacks are read by a process outside of its
// cgroup. That process's memory is looked at from the host while the source is at its worst.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Bench, hostile, imageOf, manifestOf, processesOf, slow, worker } from '../worker/support.mjs';

const MIB = 1 << 20;
const made = imageOf(hostile);
/** AddressSanitizer keeps what is freed, and needs terabytes of addresses: its figures say nothing. */
const sanitized = readFileSync(worker).includes('__asan_init');
let bench;
before(() => { bench = new Bench('crun'); });
after(() => bench.close());

const file = (pid, name) => {
    try {
        return readFileSync(`/proc/${pid}/${name}`, 'latin1');
    } catch {
        return ''; // gone meanwhile
    }
};
const parentOf = (pid) => Number(/^PPid:\s+(\d+)/m.exec(file(pid, 'status'))?.[1]);

/** The supervisors below one worker process: who watches over the run, and who is beside the source. */
function supervisorsOf(top) {
    const all = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && file(pid, 'cmdline').includes('contain-supervisor')).map(Number);
    const guards = all.filter((pid) => parentOf(pid) === top);
    return all.filter((pid) => guards.includes(pid) || guards.includes(parentOf(pid)));
}
const peakOf = (pid) => Number(/^VmHWM:\s+(\d+)/m.exec(file(pid, 'status'))?.[1] ?? 0) * 1024;

/** A run, with the most memory that one of its supervisors ever held; `look` is called while the source waits for it. */
async function weigh(act, look = () => {}, changes = {}) {
    let top;
    let over = false;
    const seen = { peak: 0, looked: false };
    const manifest = manifestOf(made, { contract: 'http', command: ['/bin/hostile', `http-${act}`], ...changes,
        limits: { timeout_s: 60 * slow, output_bytes: 4096 * MIB, ...changes.limits } });
    const ran = bench.try(manifest, made.archive, { onStart: (child) => { top = child.pid; } }).finally(() => { over = true; });
    while (!over) {
        for (const pid of supervisorsOf(top)) seen.peak = Math.max(seen.peak, peakOf(pid));
        const source = seen.looked ? undefined : processesOf(bench.base).find((p) => p.name === 'heavy');
        if (source) {
            for (const pid of supervisorsOf(top)) seen.peak = Math.max(seen.peak, peakOf(pid));
            look(supervisorsOf(top), source.pid);
            seen.looked = true;
            process.kill(source.pid, 'SIGUSR1');
        }
        await sleep(10);
    }
    return { ...await ran, ...seen };
}

const below = (r, mib) => assert.ok(r.peak > 0 && (sanitized || r.peak < mib * MIB), `${r.peak >> 20} MiB`);

test('a supervisor is bounded itself and goes before the worker does; its bound is not the source\'s', async () => {
    const dataOf = (pid, which = 1) => /^Max data size\s+(\S+)\s+(\S+)/m.exec(file(pid, 'limits'))[which];
    let own;
    const r = await weigh('heavy-others', (supervisors, source) => {
        own = supervisors.map((pid) => [dataOf(pid), Number(file(pid, 'oom_score_adj'))]);
        own.push([dataOf(source), Number(file(source, 'oom_score_adj'))]);
    });
    assert.equal(r.end, 'ok', JSON.stringify(r));
    const bound = sanitized ? dataOf('self', 2) : String(256 * MIB);
    assert.deepEqual(own, [[bound, 900], [bound, 900], [dataOf('self', 2), 1000]]);
});

test('bodies for nobody: not one byte of them is kept', async () => {
    const r = await weigh('heavy-others');
    assert.equal(r.end, 'ok', JSON.stringify(r));
    assert.ok(r.looked);
    assert.deepEqual(r.json, { heavy: true });
    below(r, 48);
});

test('four callbacks at once: each held to 16 MiB, whatever the manifest allows', async () => {
    const r = await weigh('heavy-own');
    assert.equal(r.end, 'ok', JSON.stringify(r));
    assert.ok(r.looked);
    below(r, 112);
    const endless = await weigh('heavy-endless');
    assert.equal(endless.end, 'output_limit', JSON.stringify(endless));
    assert.match(endless.reason, /the callback is more than 16777216 bytes/);
    below(endless, 64);
});

test('five million objects in 15 MiB: judged without being built', async () => {
    const r = await weigh('heavy-objects');
    assert.equal(r.end, 'ok', JSON.stringify(r));
    assert.equal(r.json.a.length, 5242877);
    below(r, 80);
});
