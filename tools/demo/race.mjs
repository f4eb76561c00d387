// SPDX-License-Identifier: MIT
// Tells a task's race while it runs, from its events and attempts alone: node race.mjs TASK SECONDS
// Needs OGPU_URL and OGPU_API_KEY. Exit code 0 when the task succeeded, 1 when it ended otherwise,
// 2 when it is still open after SECONDS. NAMES may say "address=name,…" of providers.
const { OGPU_URL, OGPU_API_KEY, NAMES = '' } = process.env;
const [task, seconds] = process.argv.slice(2);
const OVER = ['succeeded', 'failed', 'canceled', 'expired'];
const names = new Map(NAMES.split(',').filter(Boolean)
    .map((pair) => pair.split('=')).map(([address, name]) => [address.toLowerCase(), name]));
const racers = new Map();
const seen = new Map();
let told = 0;
let start = 0;

async function get(path) {
    const headers = { authorization: `Bearer ${OGPU_API_KEY}` };
    const answer = await fetch(`${OGPU_URL}${path}`, { headers });
    const body = await answer.json();
    if (!answer.ok) throw new Error(`${path}: ${body.title}: ${body.detail}`);
    return body;
}

function tell(at, words) {
    const offset = ((Date.parse(at) - start) / 1000).toFixed(3).padStart(7);
    console.log(`        ${offset} s  ${words}`);
}

async function racer(provider) {
    if (!racers.has(provider)) {
        const { address } = await get(`/v1/providers/${provider}`);
        racers.set(provider, names.get(address.toLowerCase()) ?? `${provider.slice(0, 12)}…`);
    }
    return racers.get(provider);
}

/** Attempts say who; a change of status is news. */
async function look_at_attempts() {
    const { data } = await get(`/v1/tasks/${task}/attempts`);
    for (const attempt of data) {
        const before = seen.get(attempt.id);
        if (before === attempt.status) continue;
        seen.set(attempt.id, attempt.status);
        const who = await racer(attempt.provider);
        const why = attempt.error ? ` (${attempt.error.code}: ${attempt.error.message})` : '';
        const at = attempt.ended_at ?? (before ? new Date().toISOString() : attempt.started_at);
        tell(at, `attempt ${attempt.epoch}  ${who} ${attempt.status}${why}`);
    }
}

async function look_at_events() {
    const { data } = await get(`/v1/tasks/${task}/events?limit=100`);
    for (const event of data.filter((e) => e.seq > told)) {
        told = event.seq;
        start ||= Date.parse(event.at);
        const change = event.from === event.to ? event.to : `${event.from ?? 'new'} → ${event.to}`;
        tell(event.at, `event ${event.seq}    ${event.type}: ${change}`);
    }
}

const deadline = Date.now() + 1000 * Number(seconds);
for (;;) {
    const { status } = await get(`/v1/tasks/${task}`);
    await look_at_events();
    await look_at_attempts();
    if (OVER.includes(status)) {
        process.exitCode = status === 'succeeded' ? 0 : 1;
        break;
    }
    if (Date.now() > deadline) {
        console.log(`        the task is still ${status} after ${seconds} s`);
        process.exitCode = 2;
        break;
    }
    await new Promise((resolve) => { setTimeout(resolve, 250); });
}
