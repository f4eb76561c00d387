// SPDX-License-Identifier: MIT
// Makes secp256k1 private key files (64 hex digits and a newline, mode 0600) unless they exist, and
// prints their addresses, one a line: node keyfile.mjs FILE…
import { readFileSync, writeFileSync } from 'node:fs';
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts';

for (const file of process.argv.slice(2)) {
    try {
        writeFileSync(file, `${generatePrivateKey().slice(2)}\n`, { mode: 0o600, flag: 'wx' });
    } catch (error) {
        if (error.code !== 'EEXIST') throw error;
    }
    console.log(privateKeyToAddress(`0x${readFileSync(file, 'utf8').trim()}`));
}
