// SPDX-License-Identifier: MIT
// Names of the packages that these packages need, themselves first: closure.mjs NAME…
import { readFileSync } from 'node:fs';

const seen = new Set();
function visit(name) {
    if (seen.has(name)) return;
    seen.add(name);
    const url = new URL(`../../tools/node_modules/${name}/package.json`, import.meta.url);
    for (const next of Object.keys(JSON.parse(readFileSync(url, 'utf8')).dependencies ?? {})) visit(next);
}
process.argv.slice(2).forEach(visit);
console.log([...seen].join('\n'));
