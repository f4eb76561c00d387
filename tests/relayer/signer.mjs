// SPDX-License-Identifier: MIT
// A signer process, and one question at a time over its socket.
import { spawn } from 'node:child_process';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { build, eventually } from '../support/stack.mjs';

export class Signer {
    /** said: all it wrote; over: its exit status; child: one that a stack may be given to end. @param {string} socket where it listens @param {object} env its settings: a key, what it allows */
    constructor(socket, env) {
        this.socket = socket;
        this.said = '';
        this.child = spawn(join(build, 'bin/ogpu-relayer'), ['signer'], { env: { PATH: process.env.PATH, OGPU_SIGNER_SOCKET: socket, L1_CHAIN_ID: '31337', ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
        this.child.stderr.on('data', (d) => { this.said += d; });
        this.over = this.child.ended = new Promise((done) => this.child.on('close', done));
    }

    /** One that answers. */
    static async up(socket, env) {
        const s = new Signer(socket, env);
        await eventually(() => s.ask({ op: 'address' }), 'the signer answers');
        return s;
    }

    /** @param {object|string} question an object as a line, or text as it is @returns {Promise<object|null>} its answer, null for none */
    ask(question) {
        return new Promise((done, failed) => {
            const c = createConnection(this.socket, () => c.write(typeof question === 'string' ? question : `${JSON.stringify(question)}\n`));
            let text = '';
            c.on('data', (d) => { text += d; });
            c.on('end', () => done(text ? JSON.parse(text) : null));
            c.on('error', failed);
        });
    }

    /** What a relayer is told to sign by it. */
    get settings() {
        return { OGPU_SETTLER_KEY_FILE: '', OGPU_SIGNER_SOCKET: this.socket };
    }

    end(signal = 'SIGTERM') {
        this.child.kill(signal);
        return this.over;
    }
}
