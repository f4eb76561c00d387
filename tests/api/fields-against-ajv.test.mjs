// SPDX-License-Identifier: MIT
// The generated field tables and ajv judge the same requests; they must agree on each one.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { before, test } from 'node:test';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Bodies, edges, mutated, seeded } from '../support/random_body.mjs';

const house = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const build = path.resolve(house, process.env.BUILD ?? 'build');
const { default: Ajv } = createRequire(path.join(house, 'tools/package.json'))('ajv/dist/2020.js');
const { readContract } = await import(path.join(house, 'tools/gen_api.mjs'));

const seed = Number(process.env.OGPU_SEED ?? Date.now() % 1e9);
const PER_SCHEMA = 1500;
const { model, document } = readContract(path.join(house, 'openapi'));

function validator() {
    const ajv = new Ajv({ strict: false, validateFormats: true });
    // The pattern beside each format already says the form; what it cannot say is the range.
    ajv.addFormat('wei', (s) => !/^\d+$/.test(s) || BigInt(s) < 2n ** 256n);
    for (const name of ['typeid', 'address', 'sha256', 'bytes65', 'uuid', 'date-time', 'uri-reference', 'binary', 'line']) {
        ajv.addFormat(name, true);
    }
    ajv.addSchema({ ...document, $id: 'contract' });
    return ajv;
}

function pointer(...tokens) {
    return tokens.map((t) => `/${encodeURIComponent(t.replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('');
}

/** Verdicts of the C program on `place TAB operation TAB JSON` lines. */
function judge(lines) {
    const options = { input: `${lines.join('\n')}\n`, maxBuffer: 1 << 28 };
    const out = execFileSync(path.join(build, 'tests/support/fields_driver'), options);
    return out.toString().trimEnd().split('\n').map((line) => JSON.parse(line));
}

let ajv;
before(() => {
    ajv = validator();
    console.log(`# OGPU_SEED=${seed}`);
});

for (const operation of model.operations.filter((o) => o.body.kind === 'JSON')) {
    test(`bodies of ${operation.id}`, () => {
        const method = operation.method.toLowerCase();
        const at = pointer('paths', operation.path, method, 'requestBody', 'content', 'application/json', 'schema');
        const fits = ajv.compile({ $ref: `contract#${at}` });
        const { schema, example } = document.paths[operation.path][method].requestBody.content['application/json'];
        const r = seeded(seed ^ operation.id.length * 7919);
        const bodies = new Bodies(document, r);
        const requests = [example, ...edges(bodies, schema)];
        while (requests.length < PER_SCHEMA) {
            let body = bodies.value(schema);
            for (let n = r.pick([0, 1, 1, 1, 2, 3]); n > 0; n--) body = mutated(body, r);
            requests.push(body);
        }
        const verdicts = judge(requests.map((b) => `body\t${operation.snake}\t${JSON.stringify(b)}`));
        assert.equal(verdicts.length, requests.length);
        assert.equal(verdicts[0].ok, true, `the contract's own example: ${JSON.stringify(verdicts[0])}`);
        const count = { true: 0, false: 0 };
        requests.forEach((body, i) => {
            const wanted = fits(body);
            const shown = JSON.stringify(body).slice(0, 400);
            const reasons = `C: ${JSON.stringify(verdicts[i])}\najv: ${JSON.stringify(fits.errors)}`;
            assert.equal(verdicts[i].ok, wanted, `${shown}\n${reasons}`);
            assert.ok(wanted || verdicts[i].errors.length > 0, `no reason given for ${shown}`);
            assert.ok(verdicts[i].errors.length <= 16);
            count[wanted]++;
        });
        // A generator that only makes good or only bad requests would prove nothing.
        assert.ok(count.false > PER_SCHEMA / 10, `${count.false} of ${PER_SCHEMA} refused`);
        const least = operation.body.members.length ? PER_SCHEMA / 20 : 1;
        assert.ok(count.true >= least, `${count.true} of ${PER_SCHEMA} taken`);
    });
}

/** A parameter's text as JSON Schema sees it, or undefined for text that is no such value. */
function typed(text, schema) {
    if (schema.type === 'integer') return /^(0|-?[1-9][0-9]{0,17})$/.test(text) ? Number(text) : undefined;
    return text;
}

for (const operation of model.operations.filter((o) => o.fields.query.length + o.fields.path.length > 0)) {
    test(`parameters of ${operation.id}`, () => {
        const r = seeded(seed ^ operation.id.length * 104729);
        const bodies = new Bodies(document, r);
        const raw = document.paths[operation.path][operation.method.toLowerCase()].parameters;
        const parameters = raw.map((p) => (p.$ref ? bodies.resolve(p) : p)).filter((p) => p.in !== 'header');
        const requests = Array.from({ length: 400 }, () => {
            const place = r.pick(['query', 'path'].filter((w) => operation.fields[w].length));
            const pairs = parameters.filter((p) => p.in === place && (p.required || r.chance(0.7))).map((p) => {
                const value = String(bodies.value(p.schema));
                return [p.name, r.chance(0.4) ? String(mutated({ value }, r)?.value ?? '') : value];
            });
            return { place, pairs: pairs.map(([k, v]) => [k, v.replaceAll('\n', ' ')]) };
        });
        const lines = requests.map(({ place, pairs }) => `${place}\t${operation.snake}\t${JSON.stringify(pairs)}`);
        judge(lines).forEach((verdict, i) => {
            const wanted = requests[i].pairs.every(([name, text]) => {
                const { schema } = parameters.find((p) => p.name === name);
                const value = typed(text, bodies.resolve(schema));
                const whole = { ...schema, ...(schema.$ref && { $ref: `contract${schema.$ref}` }) };
                return value !== undefined && ajv.validate(whole, value);
            });
            assert.equal(verdict.ok, wanted, `${lines[i]}\n${JSON.stringify(verdict)}`);
        });
    });
}
