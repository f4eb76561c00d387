// SPDX-License-Identifier: MIT
// Raw sockets against the real server with toy operations.
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';

export const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

/** Starts the server; arguments are name=value, see tests/support/http_server.c. */
export async function start(...args) {
    const program = join(process.env.BUILD ?? 'build', 'tests/support/http_server');
    const child = spawn(program, ['lame_ms=100', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const server = { child, log: '' };
    child.stderr.setEncoding('utf8').on('data', (text) => { server.log += text; });
    server.ended = new Promise((done) => {
        child.on('exit', (code, signal) => done(signal ?? code));
    });
    server.port = await new Promise((done, fail) => {
        child.stdout.setEncoding('utf8').on('data', (text) => done(Number(text.split(' ')[1])));
        child.on('exit', () => fail(new Error(`the server ended: ${server.log}`)));
    });
    server.stop = async () => {
        child.kill('SIGTERM');
        const end = await server.ended;
        if (end !== 0) throw new Error(`the server ended with ${end}: ${server.log.slice(-4000)}`);
    };
    return server;
}

/** An open connection that collects what comes. */
export class Probe {
    constructor(port) {
        this.text = '';
        this.closed = false;
        this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
        this.socket.setEncoding('latin1').on('data', (text) => { this.text += text; });
        this.socket.on('end', () => this.over());
        this.socket.on('error', () => this.over());
        this.socket.on('close', () => this.over());
        this.opened = new Promise((done) => {
            this.socket.on('connect', done);
            this.socket.on('error', done);
        });
        this.end = new Promise((done) => { this.tell = done; });
    }

    over() {
        this.closed = true;
        this.tell();
    }

    send(text) {
        if (!this.closed) this.socket.write(Buffer.from(text, 'latin1'));
    }

    /** Waits for `n` complete replies, the end of the connection, or `ms`. */
    async replies(n, ms = 3000) {
        const until = Date.now() + ms;
        while (parse(this.text).length < n && !this.closed && Date.now() < until) await sleep(5);
        return parse(this.text);
    }

    /** Waits until the server has closed; false after `ms`. */
    async closes(ms = 3000) {
        await Promise.race([this.end, sleep(ms)]);
        return this.closed;
    }

    drop() {
        this.socket.destroy();
    }
}

/** Replies in `text`: status, headers (lower case), body. Interim ones are kept apart. */
export function parse(text, method = 'GET') {
    const replies = [];
    let rest = text;
    for (;;) {
        const end = rest.indexOf('\r\n\r\n');
        if (end < 0 || !rest.startsWith('HTTP/1.')) return replies;
        const [first, ...lines] = rest.slice(0, end).split('\r\n');
        const status = Number(first.split(' ')[1]);
        const headers = Object.fromEntries(lines.map((line) => {
            const at = line.indexOf(':');
            return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
        }));
        const bare = status < 200 || status === 204 || status === 304 || method === 'HEAD';
        const length = bare ? 0 : Number(headers['content-length'] ?? 0);
        const body = rest.slice(end + 4, end + 4 + length);
        if (body.length < length) return replies;
        if (status >= 200) replies.push({ status, headers, body });
        rest = rest.slice(end + 4 + length);
    }
}

/** Sends bytes on a fresh connection and waits for one reply. */
export async function ask(port, text, ms = 3000) {
    const probe = new Probe(port);
    probe.send(text);
    const [reply] = await probe.replies(1, ms);
    const open = !probe.closed;
    probe.drop();
    return reply ? { ...reply, open } : { status: 0, headers: {}, body: '', open };
}

/** Waits for a server that is on its way. */
export async function answers(port, ms = 30_000) {
    for (const end = Date.now() + ms; (await ask(port, request('GET /livez'), 1000)).status !== 200; await sleep(50)) {
        if (Date.now() > end) throw new Error(`nobody answers at port ${port}`);
    }
}

/** A request with Host, other headers as given, and a body with its length. */
export function request(line, headers = '', body = null) {
    const length = body === null ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
    return `${line} HTTP/1.1\r\nHost: a\r\n${headers}${length}\r\n${body ?? ''}`;
}

export const json = 'Content-Type: application/json\r\n';

/** The toys' counters. */
export async function counters(port) {
    return JSON.parse((await ask(port, request('GET /counters'))).body);
}
