// SPDX-License-Identifier: MIT
// Reads the TAP of our three kinds of suites: cmocka, node:test (through reporter.mjs) and
// programs that print it themselves.

const RESULT = /^(not )?ok\b(?:\s+\d+)?(?:\s*-)?\s*(.*)$/;
const DIRECTIVE = /^(.*?)\s*#\s*(SKIP|TODO)\b\s*(.*)$/i;

/**
 * One line of TAP as a result, or null.
 *
 * @returns {{name: string, state: 'passed'|'failed'|'skipped', reason: string} | null}
 */
export function parse_line(line) {
    const match = RESULT.exec(line);
    if (!match) return null;
    const directive = DIRECTIVE.exec(match[2]);
    const failed = match[1] !== undefined;
    if (!directive) return { name: match[2], state: failed ? 'failed' : 'passed', reason: '' };
    // cmocka puts the name behind the word SKIP, everyone else before it.
    const name = directive[1] || directive[3];
    const skip = directive[2].toUpperCase() === 'SKIP';
    // cmocka says "not ok" to a skip. A TODO does not hold yet: not a pass, whatever it reports.
    return { name, state: skip ? 'skipped' : 'failed', reason: directive[3] };
}

/** Plans of a TAP text: how many results were promised in all, or null when none was. */
export function planned(lines) {
    const plans = lines.map((line) => /^1\.\.(\d+)/.exec(line)).filter(Boolean);
    return plans.length === 0 ? null : plans.reduce((sum, plan) => sum + Number(plan[1]), 0);
}

/** The permitted skips of tests/SKIPS: `suite: name` a line, `#` begins a remark. */
export function read_skips(text) {
    return text.split('\n').map((line) => line.replace(/(^|\s)#.*$/, '').trim()).filter(Boolean);
}

/** True when `suite: name` is listed; a name that ends in `*` stands for all that begin so. */
export function may_skip(skips, suite, name) {
    const key = `${suite}: ${name}`;
    return skips.some((entry) => (
        entry.endsWith('*') ? key.startsWith(entry.slice(0, -1)) : key === entry));
}
