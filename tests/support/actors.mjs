// SPDX-License-Identifier: MIT
// Who plays in API tests: HTTP with a key, a provider that signs with viem. They know the wire, nothing of the project's code.
import { createHash, randomUUID } from 'node:crypto';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** RFC 8785 for what the tests write: integers, strings without surrogates, no numbers with fractions. */
export function canonical(v) {
    if (Array.isArray(v)) {
        return `[${v.map(canonical).join(',')}]`;
    }
    if (v !== null && typeof v === 'object') {
        return `{${Object.keys(v).sort().map((k) => `${JSON.stringify(k)}:${canonical(v[k])}`).join(',')}}`;
    }
    return JSON.stringify(v);
}

/** The 16 bytes of a TypeID, as 0x-hex. */
export function idBytes(typeid) {
    const digits = '0123456789abcdefghjkmnpqrstvwxyz';
    let n = 0n;
    for (const c of typeid.split('_')[1]) {
        n = n * 32n + BigInt(digits.indexOf(c));
    }
    return `0x${n.toString(16).padStart(32, '0')}`;
}

export class Http {
    /** Told of each exchange when set: {method, url: path and query, status, headers, bytes}. */
    static observe;

    /** @param {string} url of a gateway @param {string} [token] API key or provider token */
    constructor(url, token) {
        this.url = url;
        this.token = token;
    }

    /** One exchange; `json` is the parsed body where there is one. */
    async call(method, path, body, headers = {}) {
        const given = body !== undefined && !(body instanceof Uint8Array);
        const reply = await fetch(this.url + path, {
            method,
            body: given ? JSON.stringify(body) : body,
            headers: {
                ...(this.token ? { authorization: `Bearer ${this.token}` } : {}),
                ...(given ? { 'content-type': 'application/json' } : {}),
                ...headers,
            },
        });
        const bytes = Buffer.from(await reply.arrayBuffer());
        Http.observe?.({ method, url: path, status: reply.status, headers: reply.headers, bytes });
        const isJson = /json/.test(reply.headers.get('content-type') ?? '');
        return { status: reply.status, headers: reply.headers, bytes, json: isJson && bytes.length ? JSON.parse(bytes) : undefined };
    }

    get(path, headers) {
        return this.call('GET', path, undefined, headers);
    }

    post(path, body = {}, headers = {}) {
        return this.call('POST', path, body, headers);
    }

    put(path, body, headers) {
        return this.call('PUT', path, body, headers);
    }
}

/** Fails with the whole problem, not only its status. */
export function expect(reply, status) {
    if (reply.status !== status) {
        throw new Error(`status ${reply.status}, not ${status}: ${reply.bytes.toString().slice(0, 600)}`);
    }
    return reply.json;
}

const nonce = (() => {
    let n = Date.now() * 1000;
    return () => n++;
})();
const deadline = () => Math.floor(Date.now() / 1000) + 600;

export class Provider extends Http {
    /** @param {object} domain chainId and verifyingContract */
    constructor(url, domain, key = generatePrivateKey(), master = privateKeyToAccount(generatePrivateKey())) {
        super(url);
        this.account = privateKeyToAccount(key);
        this.master = master;
        this.domain = { name: 'OpenGPU Gateway', version: '1', ...domain };
    }

    signBinding(by, over = {}) {
        return by.signTypedData({
            domain: this.domain,
            primaryType: 'Binding',
            types: { Binding: [{ name: 'provider', type: 'address' }, { name: 'master', type: 'address' }, { name: 'nonce', type: 'uint64' }, { name: 'deadline', type: 'uint64' }] },
            message: { provider: this.account.address, master: this.master.address, ...over },
        });
    }

    async registerBody(over = {}) {
        const m = { nonce: nonce(), deadline: deadline(), ...over };
        return {
            address: this.account.address, master: this.master.address, environments: ['cpu'], ...m,
            signature: await this.signBinding(this.account, { nonce: BigInt(m.nonce), deadline: BigInt(m.deadline) }),
            master_signature: await this.signBinding(this.master, { nonce: BigInt(m.nonce), deadline: BigInt(m.deadline) }),
        };
    }

    async register() {
        const made = expect(await this.post('/v1/providers', await this.registerBody()), 201);
        this.id = made.provider.id;
        this.token = made.token;
        return made;
    }

    async registrationBody(source, over = {}) {
        const m = { nonce: nonce(), deadline: deadline(), ...over };
        const signature = await this.account.signTypedData({
            domain: this.domain,
            primaryType: 'Registration',
            types: {
                Registration: [{ name: 'provider', type: 'address' }, { name: 'manifest', type: 'bytes32' }, { name: 'environments', type: 'uint8' },
                    { name: 'nonce', type: 'uint64' }, { name: 'deadline', type: 'uint64' }],
            },
            message: { provider: this.account.address, manifest: `0x${source.manifest_hash}`, environments: 1, nonce: BigInt(m.nonce), deadline: BigInt(m.deadline) },
        });
        return { environments: ['cpu'], ...m, signature };
    }

    async offer(source) {
        return expect(await this.put(`/v1/sources/${source.id}/registrations/${this.id}`, await this.registrationBody(source)), 200);
    }

    claim(wait = 0, over = {}) {
        return this.post(`/v1/claims?wait=${wait}`, { claim_ref: randomUUID(), ...over });
    }

    async upload(claim, bytes) {
        const sha = sha256(bytes);
        const reply = await this.put(claim.urls.blobs.replace('{sha256}', sha), bytes, { 'content-type': 'application/octet-stream' });
        if (reply.status !== 200 && reply.status !== 201) {
            expect(reply, 201);
        }
        return sha;
    }

    async responseBody(claim, outputs, over = {}) {
        const signature = await this.account.signTypedData({
            domain: this.domain,
            primaryType: 'Response',
            types: {
                Response: [{ name: 'task', type: 'bytes16' }, { name: 'attempt', type: 'bytes16' }, { name: 'epoch', type: 'uint32' }, { name: 'provider', type: 'address' },
                    { name: 'manifest', type: 'bytes32' }, { name: 'input', type: 'bytes32' }, { name: 'output', type: 'bytes32' }],
            },
            message: {
                task: idBytes(claim.task), attempt: idBytes(claim.attempt), epoch: claim.epoch, provider: this.account.address,
                manifest: `0x${claim.manifest_hash}`, input: `0x${claim.input_digest}`, output: `0x${sha256(canonical(outputs))}`, ...over,
            },
        });
        return { epoch: claim.epoch, outputs, signature };
    }

    /** Uploads `bytes` as the one output and answers. */
    async answer(claim, bytes) {
        const sha = await this.upload(claim, bytes);
        const outputs = [{ name: 'out.txt', media_type: 'text/plain', size: bytes.length, sha256: sha }];
        return this.post(claim.urls.respond, await this.responseBody(claim, outputs));
    }
}

/** A manifest without a blob; `over` replaces members. */
export const manifest = (over = {}) => ({
    name: 'echo',
    contract: 'exec',
    image: { digest: `sha256:${'ab'.repeat(32)}`, reference: `registry.example/echo@sha256:${'ab'.repeat(32)}` },
    environments: ['cpu'],
    limits: { memory_mb: 64, pids: 16, cpu_millis: 500, timeout_s: 60, tmp_mb: 16, output_bytes: 1048576, output_files: 4 },
    ...over,
});
