// SPDX-License-Identifier: MIT
// A node in front of the real one that misbehaves on demand: what no dev chain can be made to do.
import { createServer } from 'node:http';

const answer = (id, body) => JSON.stringify({ jsonrpc: '2.0', id, ...body });

export class FaultyNode {
    /** @param {string} upstream the real node's URL */
    static async start(upstream) {
        const s = new FaultyNode();
        s.upstream = upstream;
        s.calls = [];
        s.rule = null;
        s.server = createServer((req, res) => s.serve(req, res));
        await new Promise((done) => s.server.listen(0, '127.0.0.1', done));
        s.url = `http://127.0.0.1:${s.server.address().port}`;
        return s;
    }

    /**
     * How it misbehaves; null: not at all. Called with {method, params, call}: call() asks the real node and gives its
     * {result} or {error}. May return such an object, or 'html', 'hang', 'reset', 'empty'.
     */
    misbehave(rule) {
        this.rule = rule;
    }

    count(method) {
        return this.calls.filter((c) => c === method).length;
    }

    async ask(method, params) {
        const res = await fetch(this.upstream, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) });
        const { result, error } = await res.json();
        return error ? { error } : { result };
    }

    async serve(req, res) {
        const chunks = [];
        for await (const c of req) {
            chunks.push(c);
        }
        const { id, method, params } = JSON.parse(Buffer.concat(chunks));
        this.calls.push(method);
        let out;
        try {
            const call = () => this.ask(method, params);
            out = (this.rule && await this.rule({ method, params, call })) ?? await call();
        } catch (e) {
            out = { error: { code: -32603, message: String(e) } };
        }
        switch (out) {
        case 'hang':
            return;
        case 'reset':
            req.socket.resetAndDestroy();
            return;
        case 'html':
            res.writeHead(502, { 'content-type': 'text/html' }).end('<html><body><h1>502 Bad Gateway</h1></body></html>');
            return;
        case 'empty':
            res.end();
            return;
        default:
            res.writeHead(200, { 'content-type': 'application/json' }).end(answer(id, out));
        }
    }

    stop() {
        this.server.closeAllConnections();
        return new Promise((done) => this.server.close(done));
    }
}

/** What clients say when they do not take a transaction, each in its own words. */
export const dialects = [
    ['geth', -32000, 'nonce too low: next nonce 7, tx nonce 6'],
    ['geth', -32000, 'already known'],
    ['geth', -32000, 'replacement transaction underpriced'],
    ['geth', -32000, 'transaction underpriced: tip needed 1000000000, tip permitted 1'],
    ['geth', -32000, 'insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1'],
    ['geth', -32000, 'max fee per gas less than block base fee: address 0x00, maxFeePerGas: 1, baseFee: 7'],
    ['geth', -32000, 'exceeds block gas limit'],
    ['geth', -32000, 'intrinsic gas too low: have 21000, want 53000'],
    ['nethermind', -32010, 'OldNonce, Current nonce: 7, nonce of rejected tx: 6'],
    ['nethermind', -32010, 'AlreadyKnown'],
    ['nethermind', -32010, 'ReplacementNotAllowed'],
    ['nethermind', -32010, 'FeeTooLow, MaxFeePerGas too low'],
    ['nethermind', -32010, 'InsufficientFunds, Balance is 0 less than sending value + gas'],
    ['nethermind', -32010, 'GasLimitExceeded, Gas limit: 60000000, gas limit of rejected tx: 90000000'],
    ['besu', -32001, 'Nonce too low'],
    ['besu', -32000, 'Known transaction'],
    ['besu', -32000, 'Replacement transaction underpriced'],
    ['besu', -32009, 'Gas price below configured minimum gas price'],
    ['besu', -32004, 'Upfront cost exceeds account balance'],
    ['besu', -32005, 'Transaction gas limit exceeds block gas limit'],
    ['besu', -32003, 'Intrinsic gas exceeds gas limit'],
    ['erigon', -32000, 'fee too low'],
    ['erigon', -32000, 'could not replace existing tx'],
    ['erigon', -32000, 'nonce too low'],
    ['reth', -32003, 'transaction underpriced'],
    ['reth', -32000, 'already known'],
    ['reth', -32003, 'nonce too low: next nonce 7, tx nonce 6'],
    ['a proxy', -32005, 'daily request count exceeded, request rate limited'],
    ['a proxy', 429, 'Too Many Requests'],
    ['nobody', -32099, ''],
];
