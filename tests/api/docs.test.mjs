// SPDX-License-Identifier: MIT
// The documentation page as built: complete, and silent towards the outside.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const house = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const docs = path.resolve(house, process.env.BUILD ?? 'build', 'docs');
const read = (name) => fs.readFileSync(path.join(docs, name), 'utf8');

test('the page loads only files that lie beside it, and no inline script', () => {
    const html = read('index.html');
    const loaded = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map((m) => m[1]);
    assert.ok(loaded.length >= 3);
    for (const name of loaded) assert.ok(fs.statSync(path.join(docs, name)).size > 0, name);
    assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)/);
    assert.doesNotMatch(html, /\son[a-z]+=|style=|https?:/);
});

test('its policy lets nothing else load, whoever serves it', () => {
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(read('index.html'))[1];
    const rules = new Map(policy.split(';').map((r) => r.trim().split(/\s+/)).map(([k, ...v]) => [k, v]));
    assert.deepEqual(rules.get('default-src'), ["'none'"]);
    assert.deepEqual(rules.get('script-src'), ["'self'"]);
    assert.deepEqual(rules.get('connect-src'), ["'self'"]);
    for (const [name, values] of rules) {
        for (const v of values) assert.match(v, /^('self'|'none'|'unsafe-inline'|data:)$/, name);
        if (values.includes("'unsafe-inline'")) assert.equal(name, 'style-src');
    }
});

test('it shows our contract and asks no validator', () => {
    const script = read('start.js');
    assert.match(script, /url: '(\.\.)?\/openapi\.json'/);
    assert.match(script, /validatorUrl: null/);
});

test('Swagger UI is the pinned one, with its licence', () => {
    const source = path.join(house, 'tools/node_modules/swagger-ui-dist');
    const pinned = JSON.parse(fs.readFileSync(path.join(house, 'tools/package.json'), 'utf8')).dependencies['swagger-ui-dist'];
    assert.equal(JSON.parse(fs.readFileSync(path.join(source, 'package.json'), 'utf8')).version, pinned);
    for (const [ours, theirs] of [['swagger-ui-bundle.js'], ['swagger-ui.css'], ['LICENSE.txt', 'LICENSE'], ['NOTICE.txt', 'NOTICE']]) {
        const copy = fs.readFileSync(path.join(docs, ours));
        assert.ok(copy.equals(fs.readFileSync(path.join(source, theirs ?? ours))), ours);
    }
});
