// SPDX-License-Identifier: MIT
// A port for a server that cannot be told to take any and say which.
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below the range that the kernel takes outgoing connections' ports from: one of those may come between this and the server's start. */
const FROM = 10_000;
const BELOW = 32_768;

const takes = (port) => new Promise((done) => {
    const server = createServer().once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
});

/** @returns {Promise<number>} a TCP port of loopback that nobody listens at */
export async function freePort() {
    for (;;) {
        const port = randomInt(FROM, BELOW);
        if (await takes(port)) {
            return port;
        }
    }
}
