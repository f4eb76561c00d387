// SPDX-License-Identifier: MIT
// A market for black-box tests: two gateways on real PostgreSQL and Redis, clients whose money is booked as the indexer books
// it (so that the auditor finds nothing), and a judge that reads every exchange.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { join } from 'node:path';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { Http, Provider, expect, manifest } from './actors.mjs';
import { Contract } from './contract.mjs';
import { Sql, root } from './sql.mjs';
import { Stack, build } from './stack.mjs';

export const domain = { chainId: 31337, verifyingContract: '0x5FbDB2315678afecb367f032d93F642f64180aa3' };
export const UNIT = 10n ** 12n;
export const settings = { L1_CHAIN_ID: String(domain.chainId), L1_SETTLEMENT: domain.verifyingContract, L1_VAULT: `0x${'11'.repeat(20)}` };

let blockNo = 0;
/** A chain event's place, each one its own. */
export const chainEvent = () => ({ id: randomUUID(), block_no: BigInt(++blockNo), log_index: 0, tx_hash: randomBytes(32) });

/** Judges each exchange of this process by the contract. @returns what did not fit, filled as the tests go */
export function watch(contract) {
    const wrong = [];
    Http.observe = (x) => {
        for (const text of contract.check(x)) {
            wrong.push(`${x.method} ${x.url}: ${text}`);
        }
        if (!/^[A-Za-z0-9_-]{8,64}$/.test(x.headers.get('x-request-id') ?? '')) {
            wrong.push(`${x.method} ${x.url}: X-Request-Id ${x.headers.get('x-request-id')}`);
        }
    };
    return wrong;
}

/**
 * One exchange that fetch() would not send: a body with GET, headers twice (arrays), a length without its bytes. Judged like
 * every other. `body` may be a string or bytes; `length` is announced in place of the body's own and nothing is sent.
 */
export function raw(url, { method = 'GET', path, headers = {}, body, length, judged = true }) {
    const at = new URL(url);
    const own = length !== undefined ? { 'content-length': length } : body !== undefined ? { 'content-length': Buffer.byteLength(body) } : {};
    return new Promise((done, failed) => {
        const req = request({ host: at.hostname, port: at.port, method, path, headers: { ...own, ...headers }, agent: false }, (res) => {
            const chunks = [];
            res.on('data', (c) => chunks.push(c));
            res.on('error', failed);
            res.on('end', () => {
                req.destroy();
                const bytes = Buffer.concat(chunks);
                const reply = { status: res.statusCode, headers: new Headers(Object.entries(res.headers).map(([k, v]) => [k, String(v)])), bytes };
                if (judged) {
                    Http.observe?.({ method, url: path, ...reply });
                }
                const json = /json/.test(res.headers['content-type'] ?? '') && bytes.length > 0;
                done({ ...reply, json: json ? JSON.parse(bytes) : undefined });
            });
        });
        req.on('error', failed);
        if (length !== undefined) {
            req.flushHeaders();
        } else {
            req.end(body);
        }
    });
}

export class World {
    /** @param {object} env settings of the gateways beside the usual ones */
    static async up(env = {}) {
        const w = new World();
        w.contract = new Contract(build);
        w.wrong = watch(w.contract);
        // No test's tasks lapse but by a shorter lease of its own: a machine may be slow.
        w.settings = { OGPU_LEASE_S: '600', ...settings, ...env };
        w.stack = Stack.up('postgres migrate redis gateways', w.settings);
        w.sql = await Sql.open(w.stack.env.DATABASE_URL);
        await w.sql.write('cursor_begin', { name: 'chain', final_no: 10n ** 9n, start_no: 0n });
        w.one = `http://${w.stack.env.OGPU_GATEWAY_1}`;
        w.two = `http://${w.stack.env.OGPU_GATEWAY_2}`;
        w.chainId = 0n;
        return w;
    }

    operator(...args) {
        return execFileSync(join(build, 'bin/ogpu-gateway'), args, { encoding: 'utf8', env: { ...process.env, DATABASE_URL: this.stack.env.DATABASE_URL } });
    }

    /** Another key of the client's account. @param {string} [scope] as the operator gives it; all when absent */
    key(client, scope) {
        const out = this.operator('key', 'create', '--address', client.account.address, '--name', 'test', ...(scope ? ['--scope', scope] : []));
        return Object.assign(new Http(client.url, out.match(/ogpu_sk_live_[0-9A-Za-z]+/)[0]), { account: client.account, keyId: out.match(/key_[0-9a-z]+/)[0] });
    }

    /** Tells the chain's number of an address, as a final registration does. */
    async onChain(address) {
        await this.sql.write('book_registered', { ...chainEvent(), address: Buffer.from(address.slice(2), 'hex'), chain_id: ++this.chainId });
        return this.chainId;
    }

    async deposit(address, wei) {
        await this.sql.write('book_deposited', { ...chainEvent(), address: Buffer.from(address.slice(2), 'hex'), amount: wei.toString() });
    }

    /** An account the chain knows, with a deposit and a key. @param {string} [scope] of the key; all when absent */
    async client(wei = 10n ** 20n, scope = '') {
        const account = privateKeyToAccount(generatePrivateKey());
        const client = this.key({ account, url: this.one }, scope);
        await this.onChain(account.address);
        if (wei > 0n) {
            await this.deposit(account.address, wei);
        }
        return client;
    }

    async source(client, over = {}) {
        return expect(await client.post('/v1/sources', { manifest: manifest(over) }), 201);
    }

    /** A registered provider, offering `source` when given. */
    async provider(source, url = this.two) {
        const p = new Provider(url, domain);
        await p.register();
        if (source) {
            await p.offer(source);
        }
        return p;
    }

    submit(client, source, over = {}, headers = {}) {
        return client.post('/v1/tasks', { source: source.id, input: {}, reward: '1000000000000', racers: 1, ...over }, headers);
    }

    /** A task and the claim that `provider` has on it. */
    async claimed(client, source, provider, over = {}) {
        const task = expect(await this.submit(client, source, over), 201);
        const claim = expect(await provider.claim(20, { sources: [source.id] }), 200);
        assert.equal(claim.task, task.id);
        return { task, claim };
    }

    /** A task answered and accepted. */
    async succeeded(client, source, provider, bytes = Buffer.from('hello'), over = {}) {
        const { task, claim } = await this.claimed(client, source, provider, over);
        expect(await provider.answer(claim, bytes), 202);
        const done = expect(await client.get(`${task.urls.self}?wait=20`), 200);
        assert.equal(done.status, 'succeeded');
        return { task: done, claim };
    }

    async balances(client) {
        return expect(await client.get('/v1/account'), 200).balances;
    }

    /** What the auditor says: an empty text when the books are right. */
    audit() {
        const r = spawnSync(join(build, 'bin/ogpu-auditor'), ['--quiet'], { env: { ...process.env, DATABASE_URL: this.stack.env.DATABASE_URL }, encoding: 'utf8' });
        return r.status === 0 ? '' : `${r.stdout}${r.stderr}`;
    }

    /** What must hold when a suite ends. */
    verify() {
        assert.deepEqual([...new Set(this.wrong)], [], 'exchanges that do not fit the contract');
        assert.equal(this.audit(), '');
    }

    /** Runs shell functions of the stack on its folder, such as `stop postgres`. */
    shell(script) {
        const text = `set -u; . tools/stack/lib.sh; . tools/stack/services.sh; . tools/stack/ogpu.sh; stack_init "$1"; ${script}`;
        const done = spawnSync('bash', ['-c', text, 'stack', this.stack.run], { cwd: root, env: { ...process.env, ...this.stack.env, ...this.settings }, encoding: 'utf8' });
        assert.equal(done.status, 0, done.stdout + done.stderr);
    }

    async down() {
        Http.observe = undefined;
        await this.sql?.close();
        await this.stack?.down();
    }
}
