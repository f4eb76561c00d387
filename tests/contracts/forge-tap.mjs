// SPDX-License-Identifier: MIT
// Turns forge's --json result into TAP: forge-tap.mjs RESULT ERRORS. No result means forge could
// not compile or run; then its own words are shown.
import { readFileSync } from 'node:fs';

const [result, errors] = process.argv.slice(2).map((path) => readFileSync(path, 'utf8'));

/** One line a test; a failed one is followed by forge's reason and its counterexample. */
function tap(suites) {
    const lines = [];
    let failed = 0;
    for (const [suite, { test_results }] of Object.entries(suites)) {
        for (const [name, test] of Object.entries(test_results)) {
            const ok = test.status === 'Success';
            const words = name.replace(/\(.*/, '').replaceAll('_', ' ');
            const title = `${suite.split(':')[1]}: ${words}`;
            lines.push(`${ok ? 'ok' : 'not ok'} ${lines.length + 1} - ${title}`);
            if (ok) continue;
            failed += 1;
            const why = [test.reason, test.counterexample && JSON.stringify(test.counterexample)];
            lines[lines.length - 1] += why.filter(Boolean).map((w) => `\n# ${w}`).join('');
        }
    }
    return { lines, failed };
}

let suites;
try {
    suites = JSON.parse(result);
} catch {
    console.error(`run-forge: forge gave no result\n${errors}\n${result}`.slice(0, 8000));
    process.exit(1);
}
const { lines, failed } = tap(suites);
console.log(['TAP version 13', `1..${lines.length}`, ...lines].join('\n'));
process.exit(failed > 0 || lines.length === 0 ? 1 : 0);
