// SPDX-License-Identifier: MIT
// Makes the marketplace that a load needs, through the named statements of db/sql: accounts with booked deposits and API keys,
// sources, registered providers. Writes the world file that bench/load reads.
//
//   provision.mjs --accounts 1000 --sources 10 --providers 64 --out FILE     (DATABASE_URL, L1_CHAIN_ID, L1_SETTLEMENT)
import { createHash, randomBytes, randomInt, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { crc32 } from 'node:zlib';
import { privateKeyToAccount } from 'viem/accounts';
import { Sql } from '../tests/support/sql.mjs';
import { prefixes } from './reference.mjs';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const CROCKFORD = '0123456789abcdefghjkmnpqrstvwxyz';
const MILLION_OGPU = 10n ** 24n;
const CHUNK = 250;
const sha = (s) => createHash('sha256').update(s).digest();

/** A credential as the gateway makes them: prefix, 32 random characters, 6 of their CRC-32. */
export function keyText(prefix) {
    const random = Array.from({ length: 32 }, () => DIGITS[randomInt(62)]).join('');
    let crc = crc32(random);
    let check = '';
    for (let i = 0; i < 6; i++) {
        check = DIGITS[crc % 62] + check;
        crc = Math.floor(crc / 62);
    }
    return prefix + random + check;
}

/** TypeID text of a UUID. */
export function typeId(prefix, uuid) {
    let n = BigInt('0x' + uuid.replaceAll('-', ''));
    let text = '';
    for (let i = 0; i < 26; i++) {
        text = CROCKFORD[Number(n & 31n)] + text;
        n >>= 5n;
    }
    return `${prefix}_${text}`;
}

/** The UUID of a TypeID. */
export function fromTypeId(text) {
    let n = 0n;
    for (const c of text.slice(-26)) {
        n = (n << 5n) | BigInt(CROCKFORD.indexOf(c));
    }
    return n.toString(16).padStart(32, '0').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Ids that pgbench can compute. */
const numbered = (kind, n) => prefixes[kind] + String(n).padStart(12, '0');

async function writeAll(sql, name, calls) {
    const rows = [];
    for (let i = 0; i < calls.length; i += CHUNK) {
        rows.push(...await sql.write(name, ...calls.slice(i, i + CHUNK)));
    }
    const bad = rows.find((r) => r.outcome !== undefined && r.outcome !== 'ok');
    if (bad) {
        throw new Error(`${name}: ${bad.outcome}`);
    }
    return rows;
}

async function makeAccounts(sql, n, deposit) {
    const made = Array.from({ length: n }, () => ({ address: randomBytes(20), token: keyText('ogpu_sk_live_') }));
    const ids = await writeAll(sql, 'account_ensure', made.map((a) => ({ address: a.address })));
    made.forEach((a, i) => Object.assign(a, { id: ids[i].id, key: numbered('key', ids[i].id) }));
    await writeAll(sql, 'api_key_create', made.map((a) => ({
        id: a.key, account: a.id, hash: sha(a.token), hint: 'ogpu_sk_live_…load', name: 'load', scopes: 63,
    })));
    // On a real chain the deposits are the caller's to make, and the indexer's to book.
    await writeAll(sql, 'book_deposited', !deposit ? [] : made.map((a) => ({
        id: randomUUID(), block_no: 1n, log_index: 0, tx_hash: randomBytes(32), address: a.address, amount: deposit.toString(),
    })));
    return made;
}

/** A manifest that the checks accept; no worker ever runs it. */
function manifestOf(name) {
    const digest = sha(name).toString('hex');
    return JSON.stringify({
        contract: 'exec', description: 'never run', environments: ['cpu'], function: 'run',
        image: { digest: `sha256:${digest}`, reference: `registry.invalid/load/${name}@sha256:${digest}` },
        limits: { cpu_millis: 1000, memory_mb: 64, output_bytes: 1048576, output_files: 8, pids: 8, timeout_s: 60, tmp_mb: 1 },
        max_expiry_s: 86400, min_reward: '1', name,
    });
}

async function makeSources(sql, owner, n) {
    const made = Array.from({ length: n }, (_, i) => ({ id: numbered('source', i + 1), name: `load-${i + 1}` }));
    for (const s of made) {
        const manifest = manifestOf(s.name);
        s.hash = sha(manifest);
        await writeAll(sql, 'source_create', [{
            id: s.id, account: owner.id, key: owner.key, name: s.name, manifest, manifest_hash: s.hash, environments: 1,
            min_reward: '1', max_expiry_s: 86400, blob: null, idem_key: null, fingerprint: sha('x'),
        }]);
    }
    return made;
}

async function makeProviders(sql, sources, n) {
    const made = Array.from({ length: n }, (_, i) => ({ id: numbered('provider', i + 1), master: randomBytes(20), secret: randomBytes(32).toString('hex'), token: keyText('ogpu_pt_') }));
    await writeAll(sql, 'provider_register', made.map((p) => ({
        id: p.id, address: Buffer.from(privateKeyToAccount(`0x${p.secret}`).address.slice(2), 'hex'), master: p.master,
        master_signed: true, environments: 1, nonce: 1n, token_hash: sha(p.token),
    })));
    let nonce = 2n;
    for (const s of sources) {
        await writeAll(sql, 'registration_put', made.map((p) => ({ source: s.id, provider: p.id, manifest_hash: s.hash, environments: 1, nonce })));
        nonce += 1n;
    }
    return made;
}

/**
 * @param {bigint} deposit what each account has at once; 0n: nothing
 * @returns {{accounts: object[], sources: object[], providers: object[], text: string}} text: the world file
 */
export async function provision(url, { accounts, sources, providers, chainId, settlement, deposit = MILLION_OGPU }) {
    const sql = await Sql.open(url);
    try {
        const made = await makeAccounts(sql, accounts, deposit);
        const s = await makeSources(sql, made[0], sources);
        const p = await makeProviders(sql, s, providers);
        await sql.query('VACUUM ANALYZE');
        const text = [
            ...made.map((a) => `key ${a.token}`), ...s.map((x) => `source ${typeId('src', x.id)}`),
            ...p.map((x) => `provider ${x.token} ${x.secret}`), `domain ${chainId} ${settlement}`, '',
        ].join('\n');
        return { accounts: made, sources: s, providers: p, text };
    } finally {
        await sql.close();
    }
}

if (process.argv[1] === import.meta.filename) {
    const { values } = parseArgs({ options: {
        accounts: { type: 'string', default: '1000' }, sources: { type: 'string', default: '10' },
        providers: { type: 'string', default: '64' }, out: { type: 'string' },
    } });
    const { text } = await provision(process.env.DATABASE_URL, {
        accounts: Number(values.accounts), sources: Number(values.sources), providers: Number(values.providers),
        chainId: process.env.L1_CHAIN_ID, settlement: process.env.L1_SETTLEMENT,
    });
    writeFileSync(values.out, text, { mode: 0o600 });
}
