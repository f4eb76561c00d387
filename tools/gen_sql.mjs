// SPDX-License-Identifier: MIT
// db/sql/*.sql → sql.h and sql.c: one struct per statement for its parameters, one for its rows, and
// the tables the engine runs on. A malformed section stops the build with file:line.
//
// usage: gen_sql.mjs OUT_DIR FILE_OR_DIR...
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { emitHeader, emitSource } from './sql/emit.mjs';
import { parseAll, SqlError } from './sql/parse.mjs';

function refuseTwins(stmts) {
    const seen = new Map();
    for (const s of stmts) {
        // A row struct is named <name>_row, so x and x_row cannot both be statements.
        for (const struct of [s.name, `${s.name}_row`]) {
            if (seen.has(struct)) {
                throw new SqlError(s.file, s.line, `"${s.name}" collides with ${seen.get(struct)}`);
            }
            seen.set(struct, `${s.file}:${s.line}`);
        }
    }
}

function main([out, ...inputs]) {
    if (!out || inputs.length === 0) {
        console.error('usage: gen_sql.mjs OUT_DIR FILE_OR_DIR...');
        return 2;
    }
    try {
        const stmts = parseAll(...inputs);
        refuseTwins(stmts);
        if (stmts.length === 0) {
            throw new SqlError(inputs[0], 1, 'no statement found');
        }
        mkdirSync(out, { recursive: true });
        writeFileSync(join(out, 'sql.h'), emitHeader(stmts));
        writeFileSync(join(out, 'sql.c'), emitSource(stmts));
        return 0;
    } catch (e) {
        if (e instanceof SqlError) {
            console.error(e.message);
            return 1;
        }
        throw e;
    }
}

process.exitCode = main(process.argv.slice(2));
