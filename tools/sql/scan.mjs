// SPDX-License-Identifier: MIT
// A lexer just deep enough to find $n and ; outside of strings, quoted names and comments.

const TOKEN = new RegExp(
    [
        /--[^\n]*/, // comment to the end of the line
        /\/\*[\s\S]*?\*\//,
        /[eE]'(?:[^'\\]|''|\\[\s\S])*'/, // string with escapes
        /'(?:[^']|'')*'/,
        /"(?:[^"]|"")*"/,
        /(?<![A-Za-z0-9_$])(\$[A-Za-z_]*\$)[\s\S]*?\1/, // dollar-quoted
        /(?<![A-Za-z0-9_])\$[0-9]+/,
        /;/,
    ]
        .map((r) => `(?:${r.source})`)
        .join('|'),
    'g',
);

/**
 * One section as the server gets it: without comments and the closing semicolon, its parameters
 * renumbered from $1 so that a lock section is not sent columns it does not read.
 */
export function scanSection(stmt, section, SqlError) {
    const source = section.lines.map((l) => l.text).join('\n');
    const lineOf = (index) => {
        const n = source.slice(0, index).split('\n').length;
        return section.lines[n - 1]?.at ?? section.line;
    };
    const params = [];
    let ended = -1;
    const text = source.replace(TOKEN, (token, ...rest) => {
        const index = rest[rest.length - 2];
        if (token.startsWith('--') || token.startsWith('/*')) {
            return ' ';
        }
        if (token === ';') {
            if (ended >= 0) {
                throw new SqlError(stmt.file, lineOf(index), `"${stmt.name}": a section is one SQL statement`);
            }
            ended = index;
            return ';';
        }
        if (!/^\$[0-9]+$/.test(token)) {
            return token;
        }
        const n = Number(token.slice(1));
        if (n < 1 || n > stmt.params.length) {
            const have = stmt.params.length;
            throw new SqlError(stmt.file, lineOf(index), `"${stmt.name}": ${token}, but it has ${have} parameters`);
        }
        if (!params.includes(n - 1)) {
            params.push(n - 1);
        }
        return `$${params.indexOf(n - 1) + 1}`;
    });
    const end = text.lastIndexOf(';');
    const trimmed = (ended >= 0 ? text.slice(0, end) : text).trim();
    if (trimmed === '') {
        throw new SqlError(stmt.file, section.line, `"${stmt.name}": the ${section.kind} section is empty`);
    }
    if (ended < 0 || text.slice(end + 1).trim() !== '') {
        throw new SqlError(stmt.file, lineOf(Math.max(ended, 0)), `"${stmt.name}": the ${section.kind} section must end in one ";"`);
    }
    const clean = trimmed
        .split('\n')
        .map((l) => l.trimEnd())
        .filter((l) => l !== '')
        .join('\n');
    return { text: clean, params };
}
