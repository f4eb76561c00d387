// SPDX-License-Identifier: MIT
// What one core pays to check a device's proof of matrix work. Adds the key `proof` to $BUILD/bench.json.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const build = resolve(process.env.BUILD || 'build');
const lines = execFileSync(join(build, 'bench/gpu_proof'), { encoding: 'utf8' }).trim().split('\n');
const proof = lines.map((line) => JSON.parse(line));
for (const p of proof) {
    console.log(`proof: ${p.memory_mb} MB, ${p.rows} rows: checked in ${p.check_s} s of one core; the device has ${p.window_s} s`);
}
const file = join(build, 'bench.json');
const before = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
writeFileSync(file, `${JSON.stringify({ ...before, proof }, null, 2)}\n`);
