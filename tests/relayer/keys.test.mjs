// SPDX-License-Identifier: MIT
// The settler's key: keystores of other makers, files that are open to others, and a signer behind a socket with a policy.
import assert from 'node:assert/strict';
import { createCipheriv, pbkdf2Sync, randomBytes } from 'node:crypto';
import { chmodSync, lstatSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { encryptKeystoreJson } from 'ethers';
import { keccak256, parseTransaction, recoverTransactionAddress, serializeTransaction, toHex } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { eventually } from '../support/stack.mjs';
import { Lane } from './lane.mjs';
import { Signer } from './signer.mjs';

const dir = mkdtempSync(join(process.env.OGPU_TEST_TMP ?? tmpdir(), 'keys-'));
const key = generatePrivateKey();
const { address } = privateKeyToAccount(key);
const PASSWORD = 'pass wörd';
const ALLOWED = '0x5FbDB2315678afecb367f032d93F642f64180aa3';
const signers = [];
let lane, names = 0;

after(async () => {
    await lane?.down();
    await Promise.all(signers.map((s) => s.end('SIGKILL')));
    rmSync(dir, { recursive: true, force: true });
});

function file(text, mode = 0o600) {
    const path = join(dir, `f${++names}`);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
}

function signer(env) {
    const s = new Signer(join(dir, `s${++names}`), { OGPU_SIGNER_ALLOW: ALLOWED, ...env });
    signers.push(s);
    return s;
}

const addressOf = async (env) => {
    const s = signer(env);
    const { address: own } = await eventually(() => s.ask({ op: 'address' }), 'the signer answers');
    assert.equal(await s.end(), 0);
    assert.ok(!s.said.includes(key.slice(2)) && !s.said.includes(PASSWORD));
    return own;
};
const refused = async (env, why) => {
    const s = signer(env);
    assert.equal(await s.over, 1);
    assert.match(s.said, why);
};

/** A keystore as the Web3 Secret Storage text describes it, with PBKDF2. */
function pbkdf2Store({ rounds = 4096, over = {}, crypto = {} } = {}) {
    const [salt, iv] = [randomBytes(32), randomBytes(16)];
    const derived = pbkdf2Sync(PASSWORD, salt, rounds, 32, 'sha256');
    const cipher = createCipheriv('aes-128-ctr', derived.subarray(0, 16), iv);
    const ciphertext = Buffer.concat([cipher.update(Buffer.from(key.slice(2), 'hex')), cipher.final()]);
    const mac = keccak256(Buffer.concat([derived.subarray(16), ciphertext])).slice(2);
    const kdfparams = { c: rounds, dklen: 32, prf: 'hmac-sha256', salt: salt.toString('hex') };
    return { version: 3, id: '3198bc9c-6672-5ab9-d995-4942343ae5b6', address: address.slice(2).toLowerCase(),
        crypto: { cipher: 'aes-128-ctr', cipherparams: { iv: iv.toString('hex') }, ciphertext: ciphertext.toString('hex'), kdf: 'pbkdf2', kdfparams, mac, ...crypto }, ...over };
}
const withStore = (store, password = PASSWORD) => ({ OGPU_SETTLER_KEY_FILE: file(JSON.stringify(store)), OGPU_SETTLER_PASSWORD_FILE: file(`${password}\n`) });

// The format's own text brings this file; its scrypt twin breaks scrypt's own rule (N below 2^16 when r is 1), and is refused.
const published = {
    crypto: { cipher: 'aes-128-ctr', cipherparams: { iv: '6087dab2f9fdbbfaddc31a909735c1e6' }, ciphertext: '5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46', kdf: 'pbkdf2',
        kdfparams: { c: 262144, dklen: 32, prf: 'hmac-sha256', salt: 'ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd' }, mac: '517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2' }, id: '3198bc9c-6672-5ab9-d995-4942343ae5b6', version: 3,
};
const scrypt = (over) => ({ kdf: 'scrypt', kdfparams: { dklen: 32, n: 262144, r: 8, p: 1, salt: 'ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19', ...over } });

test('a hex file, and keystores of ethers (scrypt), of the format\'s own text, and of PBKDF2 hold the same key', async () => {
    assert.equal(await addressOf({ OGPU_SETTLER_KEY_FILE: file(`${key.slice(2)}\n`) }), address.toLowerCase());
    for (const options of [{ scrypt: { N: 1024, r: 8, p: 1 } }, {}]) {
        const made = await encryptKeystoreJson({ address, privateKey: key }, PASSWORD, options);
        assert.equal(await addressOf(withStore(JSON.parse(made))), address.toLowerCase());
    }
    assert.equal(await addressOf(withStore(pbkdf2Store())), address.toLowerCase());
    const { address: theirs } = privateKeyToAccount('0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d');
    assert.equal(await addressOf(withStore(published, 'testpassword')), theirs.toLowerCase());
});

test('what is no sound keystore, or open to others, is refused with a sentence', async () => {
    await refused(withStore(pbkdf2Store(), 'wrong'), /wrong password, or a damaged file/);
    await refused({ OGPU_SETTLER_KEY_FILE: file(JSON.stringify(pbkdf2Store())) }, /PASSWORD_FILE must name/);
    await refused(withStore(pbkdf2Store({ over: { version: 1 } })), /not of version 3/);
    await refused(withStore(pbkdf2Store({ over: { address: ALLOWED.slice(2) } })), /another address than its key's/);
    await refused(withStore(pbkdf2Store({ crypto: { mac: '00'.repeat(32) } })), /damaged/);
    await refused(withStore(pbkdf2Store({ crypto: { cipher: 'aes-256-gcm' } })), /cipher/);
    await refused(withStore(pbkdf2Store({ crypto: { ciphertext: '00' } })), /32-byte text/);
    await refused(withStore(pbkdf2Store({ crypto: { kdf: '../../etc/passwd' } })), /key derivation/);
    await refused(withStore(pbkdf2Store({ crypto: scrypt({ n: 2 ** 24, r: 64 }) })), /out of bounds/);
    await refused(withStore(pbkdf2Store({ crypto: scrypt({ r: 1, p: 8 }) })), /key derivation 'scrypt' failed/);
    await refused({ OGPU_SETTLER_KEY_FILE: file(key, 0o640) }, /open to others/);
    await refused({ ...withStore(pbkdf2Store()), OGPU_SETTLER_PASSWORD_FILE: file(PASSWORD, 0o604) }, /open to others/);
    const link = join(dir, 'link');
    symlinkSync(file(key), link);
    await refused({ OGPU_SETTLER_KEY_FILE: link }, /symlink/);
    await refused({ OGPU_SETTLER_KEY_FILE: file('12') }, /must hold 32 bytes or 64 hex digits/);
    await refused({ OGPU_SETTLER_KEY_FILE: file(key), OGPU_SIGNER_ALLOW: '0x12' }, /is no address/);
});

const hex = (n) => toHex(BigInt(n));
const request = (over = {}) => ({ op: 'sign_tx', legacy: false, chain_id: hex(31337), nonce: hex(7), gas: hex(21000), max_fee: hex(10n ** 9n), priority_fee: hex(1), to: ALLOWED.toLowerCase(), value: toHex(0n, { size: 32 }), data: '0x1234', ...over });

test('a signer signs what its policy admits, and nothing else', async () => {
    const s = signer({ OGPU_SETTLER_KEY_FILE: file(key), OGPU_SIGNER_VALUE_MAX_WEI: '5', OGPU_SIGNER_COST_MAX_WEI: String(21000n * 10n ** 9n), OGPU_SIGNER_RATE: '3' });
    const { signature } = await eventually(() => s.ask(request({ value: toHex(5n, { size: 32 }) })), 'the signer signs');
    const unsigned = { type: 'eip1559', chainId: 31337, nonce: 7, gas: 21000n, maxFeePerGas: 10n ** 9n, maxPriorityFeePerGas: 1n, to: ALLOWED, value: 5n, data: '0x1234' };
    const raw = serializeTransaction(unsigned, { r: signature.slice(0, 66), s: `0x${signature.slice(66, 130)}`, yParity: parseInt(signature.slice(130), 16) - 27 });
    assert.equal(await recoverTransactionAddress({ serializedTransaction: raw }), address);
    assert.equal(parseTransaction(raw).value, 5n);
    for (const [over, why] of [[{ to: address.toLowerCase() }, /destination/], [{ chain_id: hex(1) }, /chain/], [{ value: toHex(6n, { size: 32 }) }, /value cap/],
        [{ gas: hex(21001) }, /cost more/], [{ to: null }, /to/], [{ data: 'x' }, /data/], [{ op: 'export' }, /no such operation/], [{ nonce: hex(2n ** 64n) }, /nonce/]]) {
        const { error } = await s.ask(request(over));
        assert.match(error, why);
    }
    assert.match((await s.ask('{"op":\n')).error, /line/);
    for (const i of [1, 2]) {
        assert.ok((await s.ask(request({ nonce: hex(i) }))).signature);
    }
    assert.match((await s.ask(request())).error, /3 signatures an hour are used up/);
    const limits = readFileSync(`/proc/${s.child.pid}/limits`, 'utf8');
    assert.match(limits, /Max core file size +0 +0 /);
});

test('a signer takes the place of a dead one, and of nothing else', async () => {
    const env = { OGPU_SETTLER_KEY_FILE: file(key) };
    const first = signer(env);
    const answers = () => first.ask({ op: 'address' });
    await eventually(answers, 'the signer answers');
    await refused({ ...env, OGPU_SIGNER_SOCKET: first.socket }, /cannot listen at .*: Address already in use/);
    assert.ok((await answers()).address);
    await first.end('SIGKILL');
    assert.ok(lstatSync(first.socket).isSocket());
    signer({ ...env, OGPU_SIGNER_SOCKET: first.socket });
    await eventually(answers, 'its successor answers');
    const own = file('nobody asked for this to go');
    await refused({ ...env, OGPU_SIGNER_SOCKET: own }, /Address already in use/);
    assert.equal(readFileSync(own, 'utf8'), 'nobody asked for this to go');
});

test('a signer that was told no cap on gas has one all the same, and none when told so', async () => {
    const dear = request({ gas: hex(4_000_001), max_fee: hex(500n * 10n ** 9n) });
    const usual = signer({ OGPU_SETTLER_KEY_FILE: file(key) });
    assert.match((await eventually(() => usual.ask(dear), 'it answers')).error ?? 'signed', /cost more/);
    assert.ok((await usual.ask(request({ gas: hex(4_000_000), max_fee: hex(500n * 10n ** 9n) }))).signature);
    const free = signer({ OGPU_SETTLER_KEY_FILE: file(key), OGPU_SIGNER_COST_MAX_WEI: '0' });
    assert.ok((await eventually(() => free.ask(dear), 'it answers')).signature);
});

test('the relayer settles through a signer; without one it waits with an alarm', async () => {
    lane = await Lane.up();
    const env = { OGPU_SETTLER_KEY_FILE: lane.stack.env.OGPU_SETTLER_KEY_FILE, OGPU_SIGNER_ALLOW: lane.stack.env.L1_SETTLEMENT };
    const s = signer(env);
    await eventually(() => s.ask({ op: 'address' }), 'the signer answers');
    const relayer = lane.relayer(s.settings);
    await lane.earn();
    await lane.settled();
    await s.end();
    await lane.earn();
    await eventually(() => lane.log().includes('"alarm","name":"signer"'), 'the alarm');
    signer({ ...env, OGPU_SIGNER_SOCKET: s.socket });
    await lane.settled();
    await lane.end(relayer);
    await lane.verify();
});
