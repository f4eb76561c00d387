// SPDX-License-Identifier: MIT
// Finds processes that a suite left behind: each inherits OGPU_TEST_TMP, the suite's own folder.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

function belongs(pid, mark) {
    try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
        if (!environment.includes(mark)) return false;
        return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    } catch {
        return false; // gone, or another user's
    }
}

function find(folder) {
    const mark = `OGPU_TEST_TMP=${folder}`;
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids.filter((pid) => belongs(pid, mark)).map(Number);
}

function name_of(pid) {
    try {
        return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
    } catch {
        return '?';
    }
}

/**
 * Ends what still runs on behalf of `folder`, after two seconds of grace.
 *
 * @returns names of the processes that had to be ended
 */
export async function end_leftovers(folder) {
    for (let i = 0; i < 20 && find(folder).length > 0; i++) await sleep(100);
    const left = find(folder);
    const names = left.map(name_of);
    for (const pid of left) {
        try {
            process.kill(pid, 'SIGKILL');
        } catch {
            // it ended by itself meanwhile
        }
    }
    return names;
}
