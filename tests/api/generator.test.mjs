// SPDX-License-Identifier: MIT
// What the contract generator refuses, and what it hands on.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { REFUSED } from '../support/refused_contracts.mjs';

const house = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const build = path.resolve(house, process.env.BUILD ?? 'build');
const require = createRequire(path.join(house, 'tools/package.json'));
const { parse, stringify } = require('yaml');
const { readContract, readRegistry } = await import(path.join(house, 'tools/gen_api.mjs'));

/** A folder of its own that is gone after the test. */
function scratch(t) {
    const folder = fs.mkdtempSync(path.join(process.env.OGPU_TEST_TMP ?? os.tmpdir(), 'contract-'));
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    return folder;
}

/** A copy of the contract with one file changed. */
function changedContract(t, file, change) {
    const contract = path.join(scratch(t), 'openapi');
    fs.cpSync(path.join(house, 'openapi'), contract, { recursive: true });
    const full = path.join(contract, file);
    const document = parse(fs.readFileSync(full, 'utf8'));
    change(document);
    fs.writeFileSync(full, stringify(document));
    return contract;
}

/** The program itself, as make calls it. */
function generate(t, contract) {
    const out = path.join(scratch(t), 'out');
    const args = [path.join(house, 'tools/gen_api.mjs'), out, ...contract];
    return { ...spawnSync(process.execPath, args, { encoding: 'utf8' }), out };
}

for (const [what, file, change, ...words] of REFUSED) {
    test(`refuses ${what}`, (t) => {
        const contract = changedContract(t, file, change);
        assert.throws(() => readContract(contract), (e) => {
            for (const word of words) assert.ok(e.message.includes(word), `${word} is not in: ${e.message}`);
            return true;
        });
    });
}

test('a refused contract fails the build and writes nothing', (t) => {
    const [, file, change, ...words] = REFUSED[0];
    const run = generate(t, [changedContract(t, file, change)]);
    assert.equal(run.status, 1, run.stderr);
    for (const word of words) assert.ok(run.stderr.includes(word), run.stderr);
    assert.equal(fs.existsSync(run.out), false);
});

test('an unchanged contract generates, and the same twice', (t) => {
    const a = generate(t, []);
    const b = generate(t, []);
    assert.equal(a.status, 0, a.stderr);
    for (const name of ['api.h', 'api.c', 'openapi.json', 'openapi.yaml']) {
        assert.ok(fs.readFileSync(path.join(a.out, name)).equals(fs.readFileSync(path.join(b.out, name))), name);
    }
});

test('JSON and YAML bundles are one document, with every reference inside', (t) => {
    const { out } = generate(t, []);
    const json = JSON.parse(fs.readFileSync(path.join(out, 'openapi.json'), 'utf8'));
    assert.deepEqual(parse(fs.readFileSync(path.join(out, 'openapi.yaml'), 'utf8')), json);
    let seen = 0;
    (function walk(node) {
        if (node === null || typeof node !== 'object') return;
        if (typeof node.$ref === 'string') {
            seen++;
            const keys = node.$ref.slice(2).split('/');
            assert.ok(node.$ref.startsWith('#/components/') && keys.reduce((n, k) => n?.[k], json), node.$ref);
        }
        Object.values(node).forEach(walk);
    }(json));
    assert.ok(seen > 100);
});

test('every operation has examples for what it takes and answers', () => {
    const { document } = readContract(path.join(house, 'openapi'));
    const resolve = (x) => (x?.$ref ? x.$ref.slice(2).split('/').reduce((n, k) => n[k], document) : x);
    for (const [where, item] of Object.entries(document.paths)) {
        for (const [method, op] of Object.entries(item)) {
            const good = Object.keys(op.responses).filter((s) => s < '300').map((s) => op.responses[s]);
            for (const body of [op.requestBody, ...good]) {
                const json = resolve(body)?.content?.['application/json'];
                if (json) assert.ok('example' in json || resolve(json.schema).examples, `${method} ${where}`);
            }
        }
    }
});

test('every code of the registry is read', () => {
    const text = fs.readFileSync(path.join(house, 'lib/error.def'), 'utf8');
    assert.equal(readRegistry(path.join(house, 'lib/error.def')).size, text.match(/^ERR\(/gm).length);
});

/** Link the route table with a handler for each operation but `absent`. */
function link(t, absent) {
    const folder = scratch(t);
    const main = path.join(folder, 'main.c');
    const { model } = readContract(path.join(house, 'openapi'));
    const handlers = model.operations.filter((o) => o.id !== absent).map((o) => `const int op_${o.snake} = 1;`);
    const uses = 'extern const char api_routes[];\nint main(void) { return api_routes[0]; }\n';
    fs.writeFileSync(main, `${handlers.join('\n')}\n${uses}`);
    const libs = ['core', 'eth', 'lib'].map((f) => path.join(build, `lib${f}.a`));
    const system = '-lsecp256k1 -lnettle -lgmp -lcurl -ljansson -lssl -lcrypto -lz -lm'.split(' ');
    const objects = [main, path.join(build, 'obj/gen/api.o'), ...libs];
    const args = ['-pie', '-o', path.join(folder, 'a.out'), ...objects, ...system];
    return spawnSync('gcc', args, { encoding: 'utf8' });
}

test('an operation without a handler does not link', (t) => {
    assert.doesNotMatch(link(t, null).stderr, /undefined reference to `op_/);
    const without = link(t, 'cancelTask');
    assert.notEqual(without.status, 0);
    const missing = [...without.stderr.matchAll(/undefined reference to `(op_\w+)'/g)].map((m) => m[1]);
    assert.deepEqual([...new Set(missing)], ['op_cancel_task']);
});

test('the generated sources are up to date in the build', (t) => {
    const { out } = generate(t, []);
    for (const name of ['api.h', 'api.c']) {
        const built = path.join(build, 'gen', name);
        assert.ok(fs.readFileSync(built).equals(fs.readFileSync(path.join(out, name))), `${built} is stale`);
    }
    assert.ok(execFileSync('nm', [path.join(build, 'obj/gen/api.o')], { encoding: 'utf8' }).includes('api_routes'));
});
