// SPDX-License-Identifier: MIT
// A reference: the same operations in Fastify 5 with pg, one statement a request, as a good engineer would write them in
// Node: schemas compiled by the framework, named prepared statements, a pool of 20, credentials cached in memory.
// It leaves out what the gateway does besides: no open-slot book, no signature check, no bytes kept.
//
//   fastify.mjs PORT     (DATABASE_URL)
import { createHash, randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from '../tests/support/sql.mjs';
import { parseAll } from '../tools/sql/parse.mjs';
import { fromTypeId, typeId } from './provision.mjs';
import { prepared } from './reference.mjs';

const require = createRequire(join(root, 'tools', 'package.json'));
const fastify = require('fastify');
const pg = require('pg');

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 });
const taskSql = join(root, 'db/sql/task.sql');
const taskGet = parseAll(taskSql).find((s) => s.name === 'task_get').sections.at(-1).text;
const sql = prepared(taskGet);
const sha = (s) => createHash('sha256').update(s).digest();
const run = async (name, values) => (await pool.query({ name, text: sql[name], values })).rows;

function uuid7() {
    const b = randomBytes(16);
    b.writeUIntBE(Date.now(), 0, 6);
    b[6] = 0x70 | (b[6] & 15);
    b[8] = 0x80 | (b[8] & 63);
    const h = b.toString('hex');
    return `${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`;
}

const known = new Map();
async function who(request, text) {
    const token = request.headers.authorization?.slice(7) ?? '';
    let found = known.get(token);
    if (!found) {
        [found] = (await pool.query(text, [sha(token)])).rows;
        known.set(token, found);
    }
    if (!found) {
        throw Object.assign(new Error('no such key'), { statusCode: 401 });
    }
    return found;
}
const client = (request) => who(request, 'SELECT id, account_id AS account FROM api_key WHERE hash = $1 AND revoked_at IS NULL');
const provider = (request) => who(request, 'SELECT id FROM provider WHERE token_hash = $1');

const text = { type: 'string' };
const time = (us) => new Date(Number(us) / 1000).toISOString();
const taskReply = {
    type: 'object',
    properties: {
        id: text, status: text, source: text, manifest_hash: text, function: text, input_digest: text, reward: text, fee: text,
        racers: { type: 'integer' }, delivery: text, live: { type: 'integer' }, attempts: { type: 'integer' },
        result: { type: 'null' }, error: { type: 'null' }, metadata: { type: 'object', additionalProperties: true },
        settlement: { type: 'object', properties: { status: text, batch: { type: 'null' }, tx_hash: { type: 'null' } } },
        created_at: text, updated_at: text, expires_at: text, finished_at: { type: 'null' },
        urls: { type: 'object', properties: { self: text, cancel: text, result: text, attempts: text, events: text } },
    },
};
const taskBody = {
    type: 'object', additionalProperties: false, required: ['source', 'input', 'reward'],
    properties: {
        source: { type: 'string', pattern: '^src_[0-7][0-9a-hjkmnp-tv-z]{25}$' }, input: { type: 'object', additionalProperties: true },
        reward: { type: 'string', pattern: '^(0|[1-9][0-9]{0,77})$' }, racers: { type: 'integer', minimum: 1, maximum: 8 },
        expires_in_s: { type: 'integer', minimum: 1, maximum: 2592000 },
    },
};

function viewTask(id, t) {
    const name = typeId('tsk', id);
    const self = `/v1/tasks/${name}`;
    return {
        id: name, status: t.status, source: t.source, manifest_hash: t.manifest_hash.toString('hex'), function: 'run',
        input_digest: t.input_digest.toString('hex'), reward: t.reward, fee: '0', racers: 1, delivery: 'first_valid', live: 0, attempts: 0,
        result: null, error: null, metadata: {}, settlement: { status: 'none', batch: null, tx_hash: null },
        created_at: time(t.created_at), updated_at: time(t.created_at), expires_at: time(t.expires_at), finished_at: null,
        urls: { self, cancel: `${self}/cancel`, result: `${self}/result`, attempts: `${self}/attempts`, events: `${self}/events` },
    };
}

const app = fastify({ logger: false });
app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_, body, done) => done(null, body));

app.post('/v1/tasks', { schema: { body: taskBody, response: { 201: taskReply } } }, async (request, reply) => {
    const me = await client(request);
    const { source, input, reward } = request.body;
    const bytes = JSON.stringify(input);
    const digest = sha(bytes);
    const id = uuid7();
    const [row] = await run('submit', [id, me.account, me.id, fromTypeId(source), reward, bytes, digest]);
    if (!row) {
        return reply.code(402).send({ error: 'refused' });
    }
    reply.code(201).header('location', `/v1/tasks/${typeId('tsk', id)}`);
    return viewTask(id, { ...row, status: 'queued', source, input_digest: digest, reward });
});

app.get('/v1/tasks/:id', { schema: { response: { 200: taskReply } } }, async (request, reply) => {
    const me = await client(request);
    const id = fromTypeId(request.params.id);
    const [row] = await run('read', [id, me.account]);
    if (!row) {
        return reply.code(404).send({ error: 'not found' });
    }
    return viewTask(id, { ...row, source: typeId('src', row.source) });
});

let sources = [];
app.post('/v1/claims', async (request, reply) => {
    const me = await provider(request);
    const attempt = uuid7();
    const source = sources[Math.floor(Math.random() * sources.length)];
    const [row] = await run('claim', [me.id, source, attempt, request.body.claim_ref]);
    if (!row) {
        return reply.code(204).send();
    }
    return {
        attempt: typeId('att', attempt), task: typeId('tsk', row.task), epoch: row.epoch, manifest: JSON.parse(row.manifest),
        manifest_hash: row.manifest_hash.toString('hex'), input: row.input, input_digest: row.input_digest.toString('hex'),
    };
});

app.put('/v1/blobs/:sha256', async (request, reply) => {
    await provider(request);
    const digest = sha(request.body);
    if (digest.toString('hex') !== request.params.sha256) {
        return reply.code(409).send({ error: 'digest' });
    }
    await run('upload', [fromTypeId(request.query.attempt), digest]);
    return reply.code(201).send({ sha256: request.params.sha256, size: request.body.length });
});

app.post('/v1/attempts/:attempt/respond', async (request, reply) => {
    await provider(request);
    const { outputs, signature } = request.body;
    const response = uuid7();
    await run('respond', [fromTypeId(request.params.attempt), Buffer.from(outputs[0].sha256, 'hex'), response,
        Buffer.from(signature.slice(2), 'hex'), JSON.stringify(outputs)]);
    await run('verdict', [response]);
    return reply.code(202).send({ response: typeId('rsp', response), status: 'verifying' });
});

sources = (await pool.query('SELECT id FROM source')).rows.map((r) => r.id);
await app.listen({ host: '127.0.0.1', port: Number(process.argv[2]) });
process.on('SIGTERM', async () => {
    await app.close();
    await pool.end();
});
