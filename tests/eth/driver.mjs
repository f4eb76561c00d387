// SPDX-License-Identifier: MIT
// Asks our own C (tests/support/eth_driver.c) and gives the libraries it is compared with.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const require = createRequire(resolve(root, 'tools/package.json'));

const numbers = (key, value) => typeof value === 'bigint' ? value.toString() : value;

/** Starts the driver: ask(op, fields) answers its `out` or throws its error; end() waits for it. */
export function start_driver() {
    const path = resolve(root, process.env.BUILD ?? 'build', 'tests/support/eth_driver');
    const child = spawn(path, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    const waiting = [];
    let dead = null;
    const fail = (why) => {
        dead ??= new Error(why);
        for (const w of waiting.splice(0)) w.reject(dead);
    };
    createInterface({ input: child.stdout }).on('line', (line) => {
        const answer = JSON.parse(line);
        const w = waiting.shift();
        if (answer.error === undefined) w.resolve(answer.out);
        else w.reject(Object.assign(new Error(answer.text), { code: answer.error }));
    });
    child.on('error', (error) => fail(`${path}: ${error.message}`));
    const closed = new Promise((done) => child.on('close', (code) => {
        fail(`the driver ended with ${code}`);
        done(code);
    }));
    return {
        ask: (op, fields = {}) => new Promise((ok, reject) => {
            if (dead) return reject(dead);
            waiting.push({ resolve: ok, reject });
            child.stdin.write(`${JSON.stringify({ op, ...fields }, numbers)}\n`);
        }),
        end: () => { child.stdin.end(); return closed; },
    };
}

export const random_hex = (n) => `0x${randomBytes(n).toString('hex')}`;

/** A random number of 0 to `bits` bits, short and long ones alike; edges come often. */
export function random_uint(bits) {
    const edge = randomBytes(1)[0];
    const max = (1n << BigInt(bits)) - 1n;
    if (edge < 16) return [0n, 1n, max, max - 1n][edge % 4];
    const keep = randomBytes(2).readUInt16BE() % (bits + 1);
    return BigInt(`0x${randomBytes(Math.ceil(bits / 8) + 1).toString('hex')}`) & ((1n << BigInt(keep)) - 1n);
}
