// SPDX-License-Identifier: MIT
// A private PostgreSQL with the project's schema, through the stack's own shell functions.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './sql.mjs';

function stack(run, script) {
    const text = `set -u; . tools/stack/lib.sh; . tools/stack/services.sh; stack_init "$1"; ${script}`;
    return execFileSync('bash', ['-c', text, 'stack', run], { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

/** @returns {{url: string, stop: () => void}} */
export async function withPostgres() {
    const run = mkdtempSync(join(tmpdir(), 'ogpu-test-'));
    chmodSync(run, 0o755);
    const url = stack(run, 'start_postgres; migrate; printf "%s" "$DATABASE_URL"').trim();
    return {
        url,
        stop: () => {
            stack(run, 'stop_all');
            rmSync(run, { recursive: true, force: true });
        },
    };
}
