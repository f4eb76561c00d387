// SPDX-License-Identifier: MIT
// A prover that shares no code with ours: it follows docs/gpu-proof.md with node's own ChaCha20 and SHA-256.
import { createCipheriv, createHash } from 'node:crypto';

const sha = (...parts) => parts.reduce((h, p) => h.update(p), createHash('sha256')).digest();
const le = (n, bytes) => { const b = Buffer.alloc(bytes); b.writeUIntLE(n, 0, Math.min(bytes, 6)); return b; };

function expand(seed, matrix, row, n) {
    const cipher = createCipheriv('chacha20', seed, Buffer.concat([le(0, 4), le(matrix, 4), le(row, 8)]));
    const b = cipher.update(Buffer.alloc(n));
    return new Int8Array(b.buffer, b.byteOffset, n);
}

/** The rows of A B that `wanted` says yes to; the others are zero, as one leaves them who saves work. */
export function multiply(challenge, wanted = () => true) {
    const seed = Buffer.from(challenge.seed, 'hex');
    const { rows, inner, cols } = challenge;
    const b = Array.from({ length: inner }, (_, k) => expand(seed, 2, k, cols));
    return Array.from({ length: rows }, (_, i) => {
        const c = new Int32Array(cols);
        if (wanted(i)) {
            const a = expand(seed, 1, i, inner);
            for (let k = 0; k < inner; k++) {
                const [x, row] = [a[k], b[k]];
                for (let j = 0; j < cols; j++) {
                    c[j] += x * row[j];
                }
            }
        }
        return c;
    });
}

const bytes = (row) => Buffer.from(row.buffer, row.byteOffset, row.byteLength);

/** All levels of the tree, leaves first. */
export function tree(product) {
    const levels = [product.map((row, i) => sha('row\0', le(i, 4), bytes(row)))];
    while (levels.at(-1).length > 1) {
        const below = levels.at(-1);
        const level = [];
        for (let i = 0; i < below.length; i += 2) {
            level.push(i + 1 < below.length ? sha('node', below[i], below[i + 1]) : below[i]);
        }
        levels.push(level);
    }
    return levels;
}

export const root = (levels) => levels.at(-1)[0].toString('hex');

/** What `open` takes. */
export function open(product, levels, wanted) {
    return wanted.map((at) => {
        const path = [];
        for (let [i, l] = [at, 0]; levels[l].length > 1; i >>= 1, l++) {
            if ((i ^ 1) < levels[l].length) {
                path.push(levels[l][i ^ 1].toString('hex'));
            }
        }
        return { values: bytes(product[at]).toString('hex'), path };
    });
}
