// SPDX-License-Identifier: MIT
// Tells a task's race as it goes, from its events and attempts alone: node race.mjs TASK SECONDS
// Needs OGPU_URL and OGPU_API_KEY. Exit code 0 when the task succeeded, 1 when it ended otherwise,
// 2 when it is still open after SECONDS. NAMES may say "address=name,…" of providers.
const { OGPU_URL, OGPU_API_KEY, NAMES = '' } = process.env;
const [task, seconds] = process.argv.slice(2);
const OVER = ['succeeded', 'failed', 'canceled', 'expired'];
const ENDED = ['won', 'beaten', 'rejected', 'failed', 'lapsed', 'released'];
const names = new Map(NAMES.split(',').filter(Boolean)
    .map((pair) => pair.split('=')).map(([address, name]) => [address.toLowerCase(), name]));
const racers = new Map();
const finished = new Set();
let told = 0;
let start = 0;

async function get(path) {
    const headers = { authorization: `Bearer ${OGPU_API_KEY}` };
    const answer = await fetch(`${OGPU_URL}${path}`, { headers });
    const body = await answer.json();
    if (!answer.ok) throw new Error(`${path}: ${body.title}: ${body.detail}`);
    return body;
}

async function name_of(provider) {
    const { address } = await get(`/v1/providers/${provider}`);
    return names.get(address.toLowerCase()) ?? `${provider.slice(0, 12)}…`;
}

/** Events say what happened to the task; the attempt says by whom. */
async function of_events() {
    const { data } = await get(`/v1/tasks/${task}/events?limit=100`);
    const fresh = data.filter((event) => event.seq > told);
    told = data.at(-1)?.seq ?? told;
    start ||= Date.parse(data[0]?.at);
    return fresh.map((event) => ({
        at: event.at,
        who: event.attempt,
        words: `${event.type}${event.from === event.to ? '' : `: the task is ${event.to}`}`,
    }));
}

async function of_attempts() {
    const { data } = await get(`/v1/tasks/${task}/attempts`);
    for (const attempt of data.filter((a) => !racers.has(a.id))) {
        racers.set(attempt.id, `attempt ${attempt.epoch} (${await name_of(attempt.provider)})`);
    }
    const fresh = data.filter((a) => ENDED.includes(a.status) && !finished.has(a.id));
    fresh.forEach((attempt) => finished.add(attempt.id));
    return fresh.map(({ id, status, ended_at, error }) => ({
        at: ended_at, who: id, words: `${status}${error ? ` (${error.code}: ${error.message})` : ''}`,
    }));
}

function tell({ at, who, words }) {
    const offset = ((Date.parse(at) - start) / 1000).toFixed(3).padStart(6);
    console.log(`         ${offset} s  ${(who ? racers.get(who) : 'task').padEnd(20)} ${words}`);
}

const deadline = Date.now() + 1000 * Number(seconds);
for (;;) {
    const { status } = await get(`/v1/tasks/${task}`);
    // Attempts second: every event's attempt is known by then.
    const news = [...await of_events(), ...await of_attempts()];
    news.sort((a, b) => a.at.localeCompare(b.at)).forEach(tell);
    if (OVER.includes(status)) {
        process.exitCode = status === 'succeeded' ? 0 : 1;
        break;
    }
    if (Date.now() > deadline) {
        console.log(`         the task is still ${status} after ${seconds} s`);
        process.exitCode = 2;
        break;
    }
    await new Promise((resolve) => { setTimeout(resolve, 200); });
}
