// SPDX-License-Identifier: MIT
// openapi/ → openapi.json, openapi.yaml, api.h and api.c.
//
//   node tools/gen_api.mjs OUT_FOLDER [CONTRACT_FOLDER]
//
// api.c holds the route table, which names every handler: an operation without one does not link.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { bundle } from './gen/bundle.mjs';
import { emitHeader, emitSource } from './gen/emit_c.mjs';
import { readOperations } from './gen/operations.mjs';
import { Files } from './gen/tree.mjs';

const house = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** Wire code → HTTP status of every row of lib/error.def. */
export function readRegistry(file) {
  const rows = fs.readFileSync(file, 'utf8').matchAll(/^ERR\(\w+,\s*"\w+",\s*"(\w+)",\s*(\d+),/gm);
  return new Map([...rows].map((m) => [m[1], Number(m[2])]));
}

/** @returns {{model: object, document: object}} the operations, and the bundled document */
export function readContract(folder) {
  const root = new Files(folder).root('openapi.yaml');
  const model = readOperations(root, readRegistry(path.join(house, 'lib/error.def')));
  return { model, document: bundle(root) };
}

// Untouched when nothing changed, so that make does not compile everything again.
function write(file, text) {
  if (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== text) fs.writeFileSync(file, text);
  else fs.utimesSync(file, new Date(), new Date());
}

function main([out, folder = path.join(house, 'openapi')]) {
  if (!out) throw new Error('usage: gen_api.mjs OUT_FOLDER [CONTRACT_FOLDER]');
  const { model, document } = readContract(folder);
  const json = JSON.stringify(document);
  const yaml = stringify(document, { aliasDuplicateObjects: false, lineWidth: 0 });
  fs.mkdirSync(out, { recursive: true });
  write(path.join(out, 'openapi.json'), json);
  write(path.join(out, 'openapi.yaml'), yaml);
  write(path.join(out, 'api.h'), emitHeader(model));
  write(path.join(out, 'api.c'), emitSource(model, { json, yaml }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    main(process.argv.slice(2));
  } catch (e) {
    console.error(`gen_api: ${e.message}`);
    process.exitCode = 1;
  }
}
