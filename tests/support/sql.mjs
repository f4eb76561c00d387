// SPDX-License-Identifier: MIT
// Runs the named statements of db/sql the way the lanes do (BEGIN, locks, work, COMMIT; arrays in, one row out per call),
// so that what they decide can be tested without the engine.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRequire } from 'node:module';
import { parseAll } from '../../tools/sql/parse.mjs';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const require = createRequire(join(root, 'tools', 'package.json'));
const pg = require('pg');
pg.types.setTypeParser(20, (v) => BigInt(v)); // int8: times and ids do not fit a double

function statements() {
    return new Map(parseAll(join(root, 'db', 'sql')).map((s) => [s.name, s]));
}

const valuesOf = (section, params, values) => section.params.map((i) => values[params[i].name] ?? null);

export class Sql {
    constructor(client) {
        this.client = client;
        this.all = statements();
    }

    static async open(url) {
        const client = new pg.Client({ connectionString: url });
        await client.connect();
        return new Sql(client);
    }

    close() {
        return this.client.end();
    }

    async query(text, values) {
        return (await this.client.query(text, values)).rows;
    }

    /** A write or slow statement over `calls` (objects by parameter name); rows in call order. */
    async write(name, ...calls) {
        const s = this.all.get(name);
        const arrays = Object.fromEntries(s.params.map((p) => [p.name, calls.map((c) => c[p.name] ?? null)]));
        await this.client.query('BEGIN');
        try {
            let rows = [];
            for (const section of s.sections) {
                rows = (await this.client.query(section.text, valuesOf(section, s.params, arrays))).rows;
            }
            await this.client.query('COMMIT');
            return rows.sort((a, b) => a.call - b.call);
        } catch (e) {
            await this.client.query('ROLLBACK');
            throw new Error(`${name}: ${e.message}${e.position ? ` at ${e.position}` : ''}`);
        }
    }

    async read(name, params = {}) {
        const s = this.all.get(name);
        const work = s.sections.at(-1);
        return (await this.client.query(work.text, valuesOf(work, s.params, params))).rows;
    }
}
