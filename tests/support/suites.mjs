// SPDX-License-Identifier: MIT
// Finds the suites: cmocka programs that are built, tests/<area>/run-* (print TAP), *.test.mjs.
import { accessSync, constants, existsSync, globSync } from 'node:fs';
import { join, relative } from 'node:path';

function executable(path) {
    try {
        accessSync(path, constants.X_OK);
        return true;
    } catch {
        return false;
    }
}

function units(root, build) {
    return globSync('tests/unit/*/test_*.c', { cwd: root }).sort().map((source) => {
        const name = source.replace(/^tests\//, '').replace(/\.c$/, '');
        return { name, kind: 'unit', command: [join(build, 'tests', name)] };
    });
}

function programs(root) {
    return globSync('tests/*/run-*', { cwd: root }).sort()
        .filter((path) => executable(join(root, path)))
        .map((path) => ({
            name: relative('tests', path), kind: 'program', command: [join(root, path)],
        }));
}

function scripts(root) {
    const reporter = join(root, 'tests/support/reporter.mjs');
    const flags = [`--test-reporter=${reporter}`, '--test-reporter-destination=stdout'];
    return globSync('tests/**/*.test.mjs', { cwd: root }).sort().map((path) => ({
        name: relative('tests', path),
        kind: 'script',
        command: [join(root, 'tools/bin/node'), ...flags, join(root, path)],
    }));
}

/**
 * All suites in the order in which they run: what is small and deep first.
 *
 * @param words keep suites whose name contains one of them; none keeps all
 */
export function find_suites(root, build, words) {
    const all = [...units(root, build), ...programs(root), ...scripts(root)];
    const wanted = (suite) => words.length === 0 || words.some((w) => suite.name.includes(w));
    const kept = all.filter(wanted);
    for (const suite of kept) {
        const program = suite.command[0];
        suite.missing = existsSync(program) ? '' : `${program} is not built: run make`;
    }
    return kept;
}
