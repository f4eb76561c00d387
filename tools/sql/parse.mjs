// SPDX-License-Identifier: MIT
// The form of db/sql/*.sql: header comments (name, class, params, returns), lock sections, work.
// "returns: like NAME" is for statements with the columns of an earlier one: they share its row.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { scanSection } from './scan.mjs';

export const TYPES = ['uuid', 'int4', 'int8', 'bool', 'text', 'bytea', 'wei', 'time'];
const CLASSES = ['read', 'write', 'slow'];
// DESIGN 7: every statement takes its row locks in this order; other labels are free.
const LOCK_ORDER = ['task', 'attempt', 'balance'];
const KEYS = ['name', 'class', 'params', 'returns', 'lock', 'work'];
const IDENT = /^[a-z][a-z0-9_]*$/;
const C_WORDS = new Set(
    ('auto break case char const continue default do double else enum extern float for goto if ' +
        'inline int long register restrict return short signed sizeof static struct switch ' +
        'typedef union unsigned void volatile while bool true false asm typeof').split(' '),
);

/** A mistake in a .sql file, told as file:line. */
export class SqlError extends Error {
    constructor(file, line, what) {
        super(`${file}:${line}: ${what}`);
    }
}

function parseFields(file, line, text, what) {
    if (text === '' || text === 'none') {
        return [];
    }
    const fields = text.split(',').map((part) => {
        const m = /^(\S+)\s+(\S+?)(\?)?$/.exec(part.trim());
        if (!m) {
            throw new SqlError(file, line, `${what}: "${part.trim()}" is not "<name> <type>"`);
        }
        const [, name, type, nullable] = m;
        if (!IDENT.test(name) || C_WORDS.has(name)) {
            throw new SqlError(file, line, `${what}: "${name}" cannot be a C member`);
        }
        if (!TYPES.includes(type)) {
            const known = TYPES.join(' ');
            throw new SqlError(file, line, `${what}: "${name}" has type "${type}", not one of ${known}`);
        }
        return { name, type, nullable: Boolean(nullable) };
    });
    const names = new Set();
    for (const f of fields) {
        if (names.has(f.name) || names.has(`has_${f.name}`)) {
            throw new SqlError(file, line, `${what}: "${f.name}" is named twice`);
        }
        names.add(f.name);
    }
    if (fields.length > 200) {
        throw new SqlError(file, line, `${what}: more than 200 fields`);
    }
    return fields;
}

function setOnce(s, file, line, key, value) {
    if (s[key] !== undefined) {
        throw new SqlError(file, line, `"${s.name}" has a second "-- ${key}:"`);
    }
    if (s.sections.length > 0) {
        throw new SqlError(file, line, `"-- ${key}:" must come before the first lock or work section`);
    }
    s[key] = value;
}

function startStatement(file, line, value) {
    if (!IDENT.test(value)) {
        throw new SqlError(file, line, `name "${value}" is not snake_case`);
    }
    return { name: value, file, line, doc: [], sections: [] };
}

function startSection(s, file, line, key, value) {
    if (s.sections.some((x) => x.kind === 'work')) {
        throw new SqlError(file, line, `"${s.name}": nothing may follow "-- work:"`);
    }
    if (key === 'lock' && !IDENT.test(value)) {
        throw new SqlError(file, line, `"${s.name}": "-- lock:" needs the name of what it locks`);
    }
    if (key === 'work' && value !== '') {
        throw new SqlError(file, line, `"${s.name}": "-- work:" takes nothing behind the colon`);
    }
    s.sections.push({ kind: key, label: value, line, lines: [] });
}

/** The columns, and the name of the statement whose row struct they have. */
function parseReturns(s, file, line, value, known) {
    const like = /^like\s+(\S+)$/.exec(value)?.[1];
    if (like && !known.has(like)) {
        throw new SqlError(file, line, `"${s.name}" returns like "${like}", which is no earlier statement`);
    }
    s.row = like ? known.get(like).row : s.name;
    return like ? known.get(like).returns : parseFields(file, line, value, `${s.name} returns`);
}

function headerLine(s, file, line, key, value, known) {
    if (key === 'class') {
        if (!CLASSES.includes(value)) {
            throw new SqlError(file, line, `class "${value}" is not one of ${CLASSES.join(' ')}`);
        }
        setOnce(s, file, line, key, value);
    } else if (key === 'params') {
        setOnce(s, file, line, key, parseFields(file, line, value, `${s.name} ${key}`));
    } else if (key === 'returns') {
        setOnce(s, file, line, key, parseReturns(s, file, line, value, known));
    } else {
        startSection(s, file, line, key, value);
    }
}

function checkLockOrder(s) {
    let last = -1;
    for (const x of s.sections) {
        const at = LOCK_ORDER.indexOf(x.label);
        if (at >= 0 && at < last) {
            const order = LOCK_ORDER.join(' → ');
            throw new SqlError(s.file, x.line, `"${s.name}" locks ${x.label} after ${LOCK_ORDER[last]}; the order is ${order}`);
        }
        last = Math.max(last, at);
    }
}

function finish(s) {
    for (const key of ['class', 'params', 'returns']) {
        if (s[key] === undefined) {
            throw new SqlError(s.file, s.line, `"${s.name}" has no "-- ${key}:"`);
        }
    }
    if (s.sections.at(-1)?.kind !== 'work') {
        throw new SqlError(s.file, s.line, `"${s.name}" has no "-- work:" section`);
    }
    if (s.class === 'read' && s.sections.length > 1) {
        throw new SqlError(s.file, s.line, `"${s.name}" is a read: it cannot lock`);
    }
    s.call = s.returns.findIndex((f) => f.name === 'call');
    const call = s.returns[s.call];
    if (s.class !== 'read' && (call?.type !== 'int4' || call.nullable)) {
        throw new SqlError(s.file, s.line, `"${s.name}" must return "call int4": the 0-based index of the call`);
    }
    if (s.returns.length === 0) {
        throw new SqlError(s.file, s.line, `"${s.name}" returns nothing`);
    }
    checkLockOrder(s);
    const used = new Set();
    for (const x of s.sections) {
        Object.assign(x, scanSection(s, x, SqlError));
        x.params.forEach((p) => used.add(p));
    }
    s.params.forEach((p, i) => {
        if (!used.has(i)) {
            throw new SqlError(s.file, s.line, `"${s.name}" never uses $${i + 1} (${p.name})`);
        }
    });
    return s;
}

/** All statements of one file; `known` are those of earlier files by name, to which it adds its own. */
export function parseFile(file, text, known = new Map()) {
    const done = [];
    const end = (stmt) => {
        done.push(finish(stmt));
        known.set(stmt.name, stmt);
    };
    let s = null;
    let open = null; // a params or returns list that goes on in the next comment line
    const lines = text.split('\n');
    for (let i = 0; i < lines.length; i++) {
        const at = i + 1;
        const comment = /^--\s?(.*)$/.exec(lines[i].trimEnd());
        const head = comment && /^([a-z]+):\s*(.*)$/.exec(comment[1]);
        if (open) {
            if (!comment) {
                throw new SqlError(file, at, 'a list that ends in a comma goes on in the next comment line');
            }
            open.value += ` ${comment[1].trim()}`;
        } else if (head && KEYS.includes(head[1])) {
            open = { key: head[1], value: head[2].trim(), line: at };
        }
        if (open) {
            if (['params', 'returns'].includes(open.key) && open.value.endsWith(',')) {
                continue;
            }
            const { key, value, line } = open;
            open = null;
            if (key === 'name') {
                s && end(s);
                s = startStatement(file, line, value);
            } else if (!s) {
                throw new SqlError(file, at, `"-- ${key}:" before any "-- name:"`);
            } else {
                headerLine(s, file, line, key, value, known);
            }
        } else if (s && s.sections.length > 0) {
            s.sections.at(-1).lines.push({ at, text: lines[i].trimEnd() });
        } else if (comment) {
            s && s.doc.push(comment[1].trim());
        } else if (s?.class === 'read' && lines[i].trim() !== '') {
            // A read has nothing but its work: the marker may be left out.
            startSection(s, file, at, 'work', '');
            s.sections.at(-1).lines.push({ at, text: lines[i].trimEnd() });
        } else if (lines[i].trim() !== '') {
            throw new SqlError(file, at, 'SQL outside a "-- lock:" or "-- work:" section');
        }
    }
    s && end(s);
    return done;
}

function filesOf(path) {
    if (!statSync(path).isDirectory()) {
        return [path];
    }
    return readdirSync(path)
        .filter((f) => f.endsWith('.sql'))
        .sort()
        .map((f) => join(path, f));
}

/** All statements of files and of folders of files. */
export function parseAll(...paths) {
    const known = new Map();
    return paths.flatMap(filesOf).flatMap((f) => parseFile(f, readFileSync(f, 'utf8'), known));
}
