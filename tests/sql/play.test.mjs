// SPDX-License-Identifier: MIT
// core has the state machines as data, db/sql decides. Here both say the same: whatever players do, each change that the statements
// make of a task or an attempt is an edge of core, each edge is made by each of its actors, and the first valid response wins.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, before, test } from 'node:test';
import { start_driver } from '../eth/driver.mjs';
import { Player, limits, playground } from '../support/play.mjs';
import { withPostgres } from '../support/postgres.mjs';
import { seeded } from '../support/random_body.mjs';
import { Sql } from '../support/sql.mjs';

const seed = Number(process.env.PLAY_SEED ?? randomInt(2 ** 31));
let pgserver, sql, driver, states, edges, ground;

before(async () => {
    driver = start_driver();
    [states, edges] = [await driver.ask('states'), await driver.ask('edges')];
    pgserver = await withPostgres();
    sql = await Sql.open(pgserver.url);
    ground = await playground(sql);
    console.log(`# PLAY_SEED=${seed}`);
});
after(async () => {
    await sql?.close();
    await pgserver?.stop();
    assert.equal(await driver?.end(), 0);
});

const taskEvents = {
    claimed: 'claim', attempt_failed: 'attempt_ended', attempt_released: 'attempt_ended', attempt_lapsed: 'attempt_ended', responded: 'respond',
    passed: 'pass', rejected: 'reject', accepted: 'accept', canceled: 'cancel', expired: 'expire', exit: 'exit',
};
const attemptEvents = { responded: 'respond', won: 'win', beaten: 'lose', rejected: 'reject', failed: 'fail', lapsed: 'lapse', released: 'release' };

/** The edges of core, one for each actor. */
const of_core = (rows) => rows.flatMap(({ actors, ...edge }) => actors.map((actor) => Object.values({ ...edge, actor }).join(' '))).sort();

/** The edges that were made of tasks; each change has its event, and each event its change. */
async function made_of_tasks() {
    const rows = await sql.query(`
        SELECT DISTINCT n.from_status, n.to_status, n.rest, n.actor, e.type, e.from_status AS event_from, e.to_status AS event_to
          FROM note_task n FULL JOIN task_event e ON e.task_id = n.task AND e.seq = n.version`);
    const born = rows.filter((r) => r.from_status === null);
    for (const r of born) assert.deepEqual([r.to_status, r.type, r.event_from, r.event_to], ['queued', 'created', null, 'queued']);
    return [...new Set(rows.filter((r) => r.from_status !== null).map((r) => {
        assert.deepEqual([r.event_from, r.event_to], [r.from_status, r.to_status], 'an event tells the change');
        const event = r.to_status === 'failed' ? 'exhaust' : taskEvents[r.type];
        return [r.from_status, event, r.rest, r.to_status, r.actor].join(' ');
    }))].sort();
}

async function made_of_attempts() {
    const rows = await sql.query('SELECT DISTINCT from_state, to_state, actor FROM note_attempt');
    for (const r of rows.filter((row) => row.from_state === null)) assert.equal(r.to_state, 'live');
    return rows.filter((r) => r.from_state !== null).map((r) => [r.from_state, attemptEvents[r.to_state], r.to_state, r.actor].join(' ')).sort();
}

/** What was made is in core; returns what of core is still to be made. */
async function left_to_make() {
    const left = [];
    for (const [made, core] of [[await made_of_tasks(), of_core(edges.tasks)], [await made_of_attempts(), of_core(edges.attempts)]]) {
        assert.deepEqual(made.filter((edge) => !core.includes(edge)), [], 'changes that core does not know');
        left.push(...core.filter((edge) => !made.includes(edge)));
    }
    return left;
}

/** What a verdict makes of a task: the first in line of those that passed, unless an earlier one is still being checked, and not for too long. */
function first_valid(task, { response, passed, wait_s, attempts_max }, now) {
    const undecided = (r) => ['checking', 'passed'].includes(r.state);
    const mine = task.responses.find((r) => r.id === response);
    if (!states.open.includes(task.status) || !undecided(mine)) return task;
    const news = mine.state === 'checking';
    const responses = task.responses.map((r) => r === mine && news ? { ...r, state: passed ? 'passed' : 'rejected' } : r);
    const best = responses.findIndex((r) => r.state === 'passed');
    const held_up = responses.slice(0, best).some((r) => r.state === 'checking' && r.at + wait_s * 1e6 > now);
    if (best >= 0 && !held_up) {
        const end = (r, i) => i === best ? 'accepted' : undecided(r) ? 'beaten' : r.state;
        return { ...task, status: 'succeeded', live: 0, winner: responses[best].id, responses: responses.map((r, i) => ({ ...r, state: end(r, i) })) };
    }
    if (!news || passed) return { ...task, responses };
    const [live, failures] = [task.live - 1, task.failures + 1];
    const status = responses.some(undecided) ? 'verifying' : live > 0 ? 'running' : failures >= attempts_max ? 'failed' : 'queued';
    return { ...task, status, live, failures, responses };
}

test('one player: the first valid response wins, until every edge but the exit has been made', async () => {
    const player = new Player(sql, ground, seeded(seed));
    const seen = new Map();
    let left = ['all'];
    let moves = 0;
    for (; moves < 400 || (left.length > 0 && moves < 60_000); moves++) {
        const verdict = await player.move();
        verdict?.calls.forEach((call, i) => {
            assert.deepEqual(verdict.after[i], first_valid(verdict.before[i], call, verdict.now), `move ${moves}, ${JSON.stringify(call)} on ${JSON.stringify(verdict.before[i])}`);
            const how = `${verdict.rows[i].outcome} ${verdict.rows[i].status}`;
            seen.set(how, (seen.get(how) ?? 0) + 1);
        });
        if (moves % 50 === 49) left = (await left_to_make()).filter((edge) => !edge.endsWith(' chain'));
    }
    console.log(`# ${moves} moves, verdicts: ${JSON.stringify(Object.fromEntries(seen))}`);
    assert.deepEqual(left, []);
    assert.ok(['ok succeeded', 'ok verifying', 'ok running', 'ok queued', 'ok failed'].every((how) => seen.has(how)), 'every end of a verdict was judged');
    assert.deepEqual(await ground.market.books(), []);
});

test('four players at once make no other change', async () => {
    const connections = await Promise.all([1, 2, 3, 4].map(() => Sql.open(pgserver.url)));
    try {
        await Promise.all(connections.map(async (s, i) => {
            const player = new Player(s, ground, seeded(seed + 1 + i));
            for (let move = 0; move < 150; move++) await player.move();
        }));
    } finally {
        await Promise.all(connections.map((s) => s.close()));
    }
    await left_to_make();
    assert.deepEqual(await ground.market.books(), []);
});

test('an exit makes the edges that are left, and none besides', async () => {
    const { market, client, source, providers } = ground;
    const player = new Player(sql, ground, seeded(seed));
    await player.by('client', 'task_submit', []); // as whom, and at the playground's time
    const tasks = [];
    for (let i = 0; i < 3; i++) tasks.push(await market.submit(client, source));
    await player.by('provider', 'task_submit', []);
    await market.open(tasks[1], providers[0]);
    await market.respond(await market.open(tasks[2], providers[0]), 1);
    const rows = await player.exit();
    assert.ok(rows.length >= 3 && rows.every((r) => r.outcome === 'ok'));
    assert.deepEqual(await left_to_make(), []);
    assert.deepEqual(await ground.market.books(), []);
});

test('blame counts against a task while it is open', async () => {
    const wrong = await sql.query(`
        SELECT n.* FROM note_task n, LATERAL (SELECT count(*) AS blamed FROM note_attempt a WHERE a.tx = n.tx AND a.task = n.task AND a.to_state = ANY($1)) x
         WHERE n.failures <> CASE WHEN n.to_status = ANY($2) OR n.to_status = 'failed' THEN x.blamed ELSE 0 END`, [states.penalties, states.open]);
    assert.deepEqual(wrong, []);
    const [{ counted }] = await sql.query('SELECT sum(failures)::int4 AS counted FROM note_task');
    assert.ok(counted > 10 && limits.attempts_max > 1, `${counted} failures`);
});
