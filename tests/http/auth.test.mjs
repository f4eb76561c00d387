// SPDX-License-Identifier: MIT
// Credentials against a real database: looked up, remembered, and forgotten when they are revoked.
import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { withPostgres } from '../support/postgres.mjs';
import { Sql } from '../support/sql.mjs';
import { ask, json, request, sleep, start } from './probe.mjs';

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const TASKS_READ = 2; // what the toy operations ask for

/** Token text as the project makes it, from its description: 32 characters and their CRC-32. */
function token(prefix) {
    const secret = Array.from(randomBytes(32), (byte) => base62[byte % 62]).join('');
    let sum = crc32(secret);
    let check = '';
    for (let i = 0; i < 6; i++) {
        check = base62[sum % 62] + check;
        sum = Math.floor(sum / 62);
    }
    return `${prefix}${secret}${check}`;
}

const hash = (text) => createHash('sha256').update(text).digest();

let db;
let sql;
let server;
let account;

before(async () => {
    db = await withPostgres();
    sql = await Sql.open(db.url);
    [account] = await sql.query('INSERT INTO account (address) VALUES ($1) RETURNING id', [randomBytes(20)]);
    server = await start(`database=${db.url}`);
});
after(async () => {
    await server.stop();
    await sql.close();
    db.stop();
});

async function key(scopes = TASKS_READ) {
    const text = token('ogpu_sk_live_');
    const id = randomUUID();
    await sql.write('api_key_create', {
        id, account: account.id, hash: hash(text), hint: 'x', name: '', scopes,
    });
    return { id, text };
}

async function get(path, text, header = `Authorization: Bearer ${text}\r\n`) {
    const reply = await ask(server.port, request(`GET ${path}`, header));
    return reply.status === 200 ? '200' : `${reply.status} ${JSON.parse(reply.body).code}`;
}

async function figure(name) {
    const { body } = await ask(server.port, request('GET /metrics'));
    return Number(body.match(new RegExp(`^${name} (.*)$`, 'm'))[1]);
}

async function becomes(what, want, ms = 3000) {
    let got;
    for (const end = Date.now() + ms; Date.now() < end; await sleep(50)) {
        got = await what();
        if (got === want) return;
    }
    assert.equal(got, want);
}

test('a key opens what its scopes allow, in either header', async () => {
    const good = await key();
    assert.equal(await get('/key', good.text), '200');
    assert.equal(await get('/key', good.text, `X-API-Key: ${good.text}\r\n`), '200');
    assert.equal(await get('/key', good.text, `authorization: bearer  ${good.text}\r\n`), '200');
    assert.equal(await get('/key', (await key(63 - TASKS_READ)).text), '403 SCOPE_DENIED');
    assert.equal(await get('/key', (await key(0)).text), '403 SCOPE_DENIED');
    assert.equal(await get('/provider', good.text), '403 SCOPE_DENIED');
});

test('a key nobody made is refused, and one that was changed by a character', async () => {
    assert.equal(await get('/key', token('ogpu_sk_live_')), '401 INVALID_API_KEY');
    const { text } = await key();
    const other = text.slice(0, 20) + (text[20] === 'a' ? 'b' : 'a') + text.slice(21);
    assert.equal(await get('/key', other), '401 INVALID_API_KEY');
    assert.equal(await get('/key', `${text}0`), '401 INVALID_API_KEY');
});

test('a remembered key costs no round trip', async () => {
    const { text } = await key();
    await becomes(async () => { await get('/key', text); return (await figure('ogpu_auth_hits_total')) > 0; }, true);
    let extra; // none in one of some rounds: what is remembered is asked for again while the listener is away
    for (let round = 0; round < 10 && extra !== 0; round++) {
        const misses = await figure('ogpu_auth_misses_total');
        for (let i = 0; i < 20; i++) assert.equal(await get('/key', text), '200');
        extra = await figure('ogpu_auth_misses_total') - misses;
    }
    assert.equal(extra, 0);
});

test('a revoked key ends for reads and writes', async () => {
    const { id, text } = await key();
    const post = () => ask(server.port, request('POST /key', `${json}X-API-Key: ${text}\r\n`, '{}'));
    assert.equal(await get('/key', text), '200');
    assert.equal((await post()).status, 201);
    await sql.write('api_key_revoke', { id });
    await becomes(() => get('/key', text), '401 KEY_REVOKED');
    assert.equal((await post()).status, 401);
});

test('an expired key is refused, though it is remembered', async () => {
    const { id, text } = await key();
    await sql.query('UPDATE api_key SET expires_at = clock_timestamp() + interval \'4 s\' WHERE id = $1', [id]);
    assert.equal(await get('/key', text), '200');
    await becomes(() => get('/key', text), '401 KEY_REVOKED', 15_000);
});

test('a renewed provider token ends the old one', async () => {
    const old = token('ogpu_pt_');
    const renewed = token('ogpu_pt_');
    const who = {
        id: randomUUID(), address: randomBytes(20), master: randomBytes(20), master_signed: false, environments: 1,
    };
    await sql.write('provider_register', { ...who, nonce: 1n, token_hash: hash(old) });
    assert.equal(await get('/provider', old), '200');
    assert.equal(await get('/key', old), '403 SCOPE_DENIED');
    assert.equal(await get('/provider', renewed), '401 INVALID_API_KEY');
    await sql.write('provider_register', { ...who, nonce: 2n, token_hash: hash(renewed) });
    await becomes(() => get('/provider', old), '401 INVALID_API_KEY');
    assert.equal(await get('/provider', renewed), '200');
});

test('while revocations are not heard, reads look the key up', async () => {
    const { id, text } = await key();
    assert.equal(await get('/key', text), '200');
    // Cut the listening link and revoke in the same breath: the notification is lost.
    await sql.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                      WHERE pid <> pg_backend_pid() AND query ILIKE 'LISTEN%' OR application_name ILIKE '%listen%'`);
    await sql.query('UPDATE api_key SET revoked_at = ogpu_now() WHERE id = $1', [id]);
    await becomes(() => get('/key', text), '401 KEY_REVOKED', 2500);
});

test('no token ever reaches the log', async () => {
    assert.ok(server.log.includes('"event":"request"'));
    assert.ok(!/ogpu_(sk_live|pt)_/.test(server.log));
});
