// SPDX-License-Identifier: MIT
// One document out of many files: references to schemas/ and components/ become components, all others are laid in.
import path from 'node:path';
import { ContractError } from './tree.mjs';

/** "schemas/task.yaml" → "schemas", "components/headers.yaml" → "headers", else null. */
function section(node) {
  const parts = path.relative(node.files.base, node.file).split(path.sep);
  if (parts.length !== 2 || node.tokens.length !== 1) return null;
  if (parts[0] === 'schemas') return 'schemas';
  return parts[0] === 'components' ? path.basename(parts[1], '.yaml') : null;
}

/** @returns the bundled document as a plain object; members keep the order of the files */
export function bundle(root) {
  const components = new Map();

  function hoist(ref) {
    const target = ref.target();
    const where = section(target);
    if (where === null) return null;
    const name = target.tokens[0];
    const key = `${where}/${name}`;
    const known = components.get(key);
    if (known && known.where !== target.where()) {
      throw new ContractError(ref, `${key} is also defined at ${known.where}`);
    }
    if (!known) {
      const slot = { where: target.where(), value: null };
      components.set(key, slot);
      slot.value = copy(target);
    }
    return `#/components/${key}`;
  }

  function copy(node) {
    const { value } = node;
    if (Array.isArray(value)) return value.map((_, i) => copy(node.get(i)));
    if (value === null || typeof value !== 'object') return value;
    if (typeof value.$ref === 'string') {
      const to = hoist(node);
      if (to === null) return copy(node.target());
      const out = { $ref: to };
      for (const k of node.keys()) if (k !== '$ref') out[k] = copy(node.get(k));
      return out;
    }
    return Object.fromEntries(node.keys().map((k) => [k, copy(node.get(k))]));
  }

  const doc = copy(root);
  doc.components ??= {};
  for (const [key, { value }] of [...components].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [where, name] = key.split('/');
    doc.components[where] ??= {};
    doc.components[where][name] = value;
  }
  return doc;
}
