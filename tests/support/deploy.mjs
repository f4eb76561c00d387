// SPDX-License-Identifier: MIT
// `ogpu-relayer deploy` as an operator runs it, with what a dev chain needs unless told otherwise.
import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { writeFileSync } from 'node:fs';
import { root } from './sql.mjs';

const build = resolve(root, process.env.BUILD ?? 'build');

/** anvil's and Hardhat's first published key: it has coins on any dev chain and nowhere else. */
const DEV_KEY = 'ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';
const settings = {
    L1_CHAIN_ID: '31337', OGPU_FINALITY: 'depth:0', OGPU_POLL_MS: '50',
    OGPU_SETTLER: '0x00000000000000000000000000000000000005e7',
    OGPU_SIGNER: '0x0000000000000000000000000000000000005194',
    OGPU_GUARDIAN: '0x00000000000000000000000000000000000a11ce',
    OGPU_ADMIN: '0x0000000000000000000000000000000000000b0b',
    OGPU_CLAIM_DELAY_S: '1', OGPU_DAILY_CAP: String(2n ** 63n - 1n),
};

/** What deploy() starts with: a key file in `folder`, and the record's name. */
export function deployment(folder, env) {
    const key = join(folder, 'deployer');
    writeFileSync(key, DEV_KEY, { mode: 0o600 });
    return { PATH: process.env.PATH, OGPU_CONTRACTS: join(build, 'contracts'), OGPU_DEPLOYER_KEY_FILE: key, OGPU_RECORD: join(folder, 'deployment.json'), ...settings, ...env };
}

/** @returns {Promise<{status: number, out: object|null, said: string}>} */
export function deploy(env, args = [], started = () => {}) {
    const child = spawn(join(build, 'bin/ogpu-relayer'), ['deploy', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    let said = '';
    child.stdout.on('data', (d) => { text += d; });
    child.stderr.on('data', (d) => { said += d; });
    started(child);
    return new Promise((done) => child.on('close', (status) => done({ status, out: text ? JSON.parse(text) : null, said })));
}

/** Deployed, or an error with what was said. @returns {Promise<object>} the record */
export async function deployed(folder, env) {
    const { status, out, said } = await deploy(deployment(folder, env));
    if (status !== 0) {
        throw new Error(said);
    }
    return out;
}
