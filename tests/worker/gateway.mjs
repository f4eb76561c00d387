// SPDX-License-Identifier: MIT
// A small stand-in for the gateway, to say what a real one seldom says: errors, silence, stops. It
// checks signatures with viem, so that the worker's are judged by other code than the project's.
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { recoverTypedDataAddress, toHex } from 'viem';

export const chainId = 31337;
export const settlement = '0x5FbDB2315678afecb367f032d93F642f64180aa3';
const domain = { name: 'OpenGPU Gateway', version: '1', chainId, verifyingContract: settlement };
const uint = (name, bits = 64) => ({ name, type: `uint${bits}` });
const address = (name) => ({ name, type: 'address' });
const bytes = (name, n) => ({ name, type: `bytes${n}` });
const types = {
    Binding: [address('provider'), address('master'), uint('nonce'), uint('deadline')],
    Registration: [address('provider'), bytes('manifest', 32), uint('environments', 8), uint('nonce'), uint('deadline')],
    Response: [bytes('task', 16), bytes('attempt', 16), uint('epoch', 32), address('provider'), bytes('manifest', 32),
        bytes('input', 32), bytes('output', 32)],
};
export const signerOf = (primaryType, message, signature) =>
    recoverTypedDataAddress({ domain, types, primaryType, message, signature });

export const sha256 = (data) => createHash('sha256').update(data).digest('hex');

/** RFC 8785 for what manifests and output lists hold: plain ASCII keys, whole numbers. */
export const canonical = (v) => {
    if (Array.isArray(v)) return `[${v.map(canonical).join(',')}]`;
    if (v && typeof v === 'object') return `{${Object.keys(v).sort().map((k) => `${JSON.stringify(k)}:${canonical(v[k])}`).join(',')}}`;
    return JSON.stringify(v);
};

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** A TypeID: prefix and base 32 of 16 bytes. */
export function typeId(prefix) {
    const id = randomBytes(16);
    let n = BigInt(toHex(id));
    let text = '';
    for (let i = 0; i < 26; i++, n >>= 5n) text = ALPHABET[Number(n & 31n)] + text;
    return { text: `${prefix}_${text}`, hex: toHex(id) };
}

const maskOf = (names) => names.reduce((mask, name) => mask + { cpu: 1, nvidia: 2, amd: 4 }[name], 0);

export class Gateway {
    constructor() {
        this.sources = [];
        this.tasks = [];      // waiting: {source, input, function, lease_s}
        this.attempts = new Map();
        this.claims = new Map();
        this.blobs = new Map();
        this.log = [];        // every request: {method, path, body, status}
        this.overrides = [];  // {match, times, answer}: what to say instead
        this.tokens = new Set();
        this.waiting = new Set();
    }

    async open(port = 0) {
        this.server = createServer((request, response) => this.#serve(request, response));
        await new Promise((done) => { this.server.listen(port, '127.0.0.1', done); });
        this.url = `http://127.0.0.1:${this.server.address().port}`;
        return this;
    }

    /** A second door to the same marketplace: {url, close}. */
    async twin() {
        const server = createServer((request, response) => this.#serve(request, response));
        await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
        return {
            url: `http://127.0.0.1:${server.address().port}`,
            close: () => {
                server.closeAllConnections();
                server.close();
            },
        };
    }

    close() {
        for (const wake of this.waiting) wake();
        this.server.closeAllConnections();
        this.server.close();
    }

    publish(manifest, archive) {
        const id = typeId('src');
        const source = { id: id.text, hex: id.hex, status: 'active', manifest, manifest_hash: sha256(canonical(manifest)) };
        if (archive) this.blobs.set(sha256(archive), archive);
        this.sources.push(source);
        return source;
    }

    submit(source, input, extra = {}) {
        const task = { source, input: JSON.stringify(input), function: 'render', lease_s: 30, id: typeId('tsk'), ...extra };
        this.tasks.push(task);
        for (const wake of this.waiting) wake();
        return task;
    }

    /** Say something else: `answer` is {status, body, hang} or a function of the request. */
    say(match, answer, times = 1) {
        this.overrides.push({ match, answer, times });
    }

    /** Waits for a request that matches, from the beginning of the log. */
    async saw(match, timeout = 15000, count = 1) {
        const end = Date.now() + timeout;
        for (;;) {
            const found = this.log.filter((r) => match.test(`${r.method} ${r.path}`) && r.status !== undefined);
            if (found.length >= count) return found[count - 1];
            if (Date.now() > end) {
                const seen = this.log.map((r) => `${r.method} ${r.path} ${r.status}`).join('\n');
                throw new Error(`never saw ${match}; saw\n${seen}`);
            }
            await new Promise((done) => { setTimeout(done, 20); });
        }
    }

    async #serve(request, response) {
        const chunks = [];
        for await (const chunk of request) chunks.push(chunk);
        const raw = Buffer.concat(chunks);
        const json = request.headers['content-type'] === 'application/json' && raw.length > 0;
        const entry = { method: request.method, path: request.url, raw, host: request.headers.host, body: json ? JSON.parse(raw) : undefined,
            auth: request.headers.authorization };
        this.log.push(entry);
        const key = `${entry.method} ${entry.path}`;
        const rule = this.overrides.find((o) => o.times > 0 && o.match.test(key));
        if (rule) rule.times--;
        const said = typeof rule?.answer === 'function' ? rule.answer(entry) : rule?.answer;
        if (said?.hang) return;
        const answer = said ?? await this.#answer(entry);
        entry.status = answer.status;
        entry.answer = answer.body;
        response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
        if (request.method === 'HEAD') return void response.end();
        response.end(Buffer.isBuffer(answer.body) ? answer.body : JSON.stringify(answer.body ?? {}));
    }

    async #answer(r) {
        const [path] = r.path.split('?');
        const parts = path.split('/').slice(2);
        if (path === '/v1/providers') return this.#register(r);
        if (parts[0] === 'sources' && r.method === 'GET') {
            return { status: 200, body: parts[1] ? this.sources.find((s) => s.id === parts[1]) : this.#page(new URLSearchParams(r.path.split('?')[1])) };
        }
        if (!this.tokens.has(r.auth)) return problem(401, 'INVALID_API_KEY');
        if (parts[0] === 'sources') return this.#registration(r, parts[1]);
        if (path === '/v1/claims') return this.#claim(r);
        if (parts[0] === 'blobs') return this.#blob(r, parts[1]);
        if (parts[0] === 'attempts') return this.#attempt(r, parts[1], parts[2]);
        return { status: 200, body: { provider: this.provider, next_heartbeat_s: 30 } };
    }

    /** As the real one: so many of the list, and where the rest begins. */
    #page(query) {
        const from = Number(query.get('cursor') ?? 0);
        const to = from + Number(query.get('limit') ?? 20);
        const more = to < this.sources.length;
        return { data: this.sources.slice(from, to), has_more: more, next_cursor: more ? String(to) : null };
    }

    async #register(r) {
        const signer = await signerOf('Binding', { provider: r.body.address, master: r.body.master,
            nonce: BigInt(r.body.nonce), deadline: BigInt(r.body.deadline) }, r.body.signature);
        if (signer !== r.body.address) return problem(422, 'BAD_SIGNATURE');
        const token = `ogpu_pt_${randomBytes(19).toString('hex')}`;
        this.tokens = new Set([`Bearer ${token}`]);
        this.address = r.body.address;
        this.provider ??= typeId('prv').text;
        return { status: 201, body: { provider: { id: this.provider }, token } };
    }

    async #registration(r, id) {
        if (r.method === 'DELETE') return { status: 204 };
        const source = this.sources.find((s) => s.id === id);
        r.signer = await signerOf('Registration', { provider: this.address, manifest: `0x${source.manifest_hash}`, environments: maskOf(r.body.environments),
            nonce: BigInt(r.body.nonce), deadline: BigInt(r.body.deadline) }, r.body.signature);
        return r.signer === this.address ? { status: 200, body: {} } : problem(422, 'BAD_SIGNATURE');
    }

    async #claim(r) {
        const { claim_ref: ref } = r.body;
        const wait = Number(/wait=(\d+)/.exec(r.path)?.[1] ?? 0);
        const end = Date.now() + wait * 1000;
        // As the real one: a claim gets what it asks for. `force` gives a task to whoever comes.
        const next = () => this.tasks.findIndex((t) => t.force || !r.body.sources || r.body.sources.includes(t.source.id));
        while (!this.claims.has(ref) && next() < 0 && Date.now() < end && this.server.listening) {
            await new Promise((done) => {
                const timer = setTimeout(done, Math.min(1000, end - Date.now()));
                this.waiting.add(() => { clearTimeout(timer); done(); });
            });
            this.waiting.clear();
        }
        if (!this.claims.has(ref)) {
            if (next() < 0) return { status: 204 };
            this.claims.set(ref, this.#open(this.tasks.splice(next(), 1)[0]));
        }
        return { status: 200, body: this.claims.get(ref) };
    }

    #open(task) {
        const attempt = typeId('att');
        this.attempts.set(attempt.text, { task, attempt, uploads: new Set() });
        return {
            attempt: attempt.text, task: task.id.text, source: task.source.id, epoch: 1, lease_s: task.lease_s,
            lease_until: new Date(Date.now() + task.lease_s * 1000).toISOString(), manifest: task.source.manifest,
            manifest_hash: task.source.manifest_hash, function: task.function, input: task.input,
            input_digest: sha256(task.input), input_blobs: task.input_blobs ?? [], reward: '1', ...task.claim,
        };
    }

    #blob(r, digest) {
        if (r.method === 'HEAD' && this.blobs.has(digest)) return { status: 200, headers: { 'content-length': this.blobs.get(digest).length } };
        if (r.method === 'GET') {
            return this.blobs.has(digest) ? { status: 200, body: this.blobs.get(digest) } : problem(404, 'BLOB_NOT_FOUND');
        }
        if (sha256(r.raw) !== digest) return problem(400, 'DIGEST_MISMATCH');
        this.blobs.set(digest, r.raw);
        this.attempts.get(/attempt=(\w+)/.exec(r.path)?.[1])?.uploads.add(digest);
        return { status: 201, body: { sha256: digest, size: r.raw.length } };
    }

    async #attempt(r, id, verb) {
        const a = this.attempts.get(id);
        if (!a) return problem(404, 'ATTEMPT_NOT_FOUND');
        if (verb === 'heartbeat') {
            return { status: 200, body: { attempt: id, stop: Boolean(a.stop), reason: a.stop ? 'task_closed' : null,
                lease_until: new Date(Date.now() + a.task.lease_s * 1000).toISOString() } };
        }
        if (verb === 'fail') return { status: 200, body: { attempt: id, status: r.body.released ? 'released' : 'failed' } };
        if (r.body.outputs.some((o) => !a.uploads.has(o.sha256))) return problem(409, 'OUTPUT_NOT_UPLOADED');
        r.signer = await signerOf('Response', {
            task: a.task.id.hex, attempt: a.attempt.hex, epoch: r.body.epoch, provider: this.address,
            manifest: `0x${a.task.source.manifest_hash}`, input: `0x${sha256(a.task.input)}`,
            output: `0x${sha256(canonical(r.body.outputs))}`,
        }, r.body.signature);
        return r.signer === this.address ? { status: 202, body: { attempt: id, status: 'verifying' } } : problem(422, 'BAD_SIGNATURE');
    }
}

export const problem = (status, code, headers = {}) =>
    ({ status, headers, body: { type: `urn:problem:${code}`, title: code, status, code } });
