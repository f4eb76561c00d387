// SPDX-License-Identifier: MIT
// YAML files with $ref between them, as a tree whose nodes know their file and pointer.
import fs from 'node:fs';
import path from 'node:path';
import { parseDocument } from 'yaml';

/** What is wrong with the contract, and where. */
export class ContractError extends Error {
  constructor(node, text) {
    super(`${node.where()}: ${text}`);
    this.name = 'ContractError';
  }
}

/** Reads each file once; file names are shown relative to `base`. */
export class Files {
  constructor(base) {
    this.base = base;
    this.seen = new Map();
  }

  root(file) {
    const full = path.resolve(this.base, file);
    if (!this.seen.has(full)) {
      const doc = parseDocument(fs.readFileSync(full, 'utf8'), { uniqueKeys: true });
      if (doc.errors.length) throw new Error(`${file}: ${doc.errors[0].message}`);
      this.seen.set(full, doc.toJS());
    }
    return new Node(this, full, [], this.seen.get(full));
  }
}

const escape = (token) => String(token).replaceAll('~', '~0').replaceAll('/', '~1');
const unescape = (token) => decodeURIComponent(token).replaceAll('~1', '/').replaceAll('~0', '~');

/** A value of a file. `origin` keeps, for merged members, the file that each came from. */
export class Node {
  constructor(files, file, tokens, value, origin = new Map()) {
    Object.assign(this, { files, file, tokens, value, origin });
  }

  where() {
    return `${path.relative(this.files.base, this.file)}#${this.tokens.map((t) => `/${escape(t)}`).join('')}`;
  }

  has(key) {
    return this.value !== null && typeof this.value === 'object' && Object.hasOwn(this.value, key);
  }

  keys() {
    return Object.keys(this.value);
  }

  get(key) {
    const from = this.origin.get(key) ?? this;
    return new Node(this.files, from.file, [...from.tokens, key], this.value[key]);
  }

  /** The node that $ref names, with the members beside $ref laid over it (OpenAPI 3.1). */
  deref() {
    if (!this.has('$ref')) return this;
    const target = this.target().deref();
    const beside = this.keys().filter((k) => k !== '$ref');
    if (beside.length === 0) return target;
    const origin = new Map(target.origin);
    for (const k of target.keys()) if (!origin.has(k)) origin.set(k, target);
    const value = { ...target.value };
    for (const k of beside) {
      value[k] = this.value[k];
      origin.set(k, this);
    }
    return new Node(this.files, target.file, target.tokens, value, origin);
  }

  /** The node that $ref names, itself not followed. */
  target() {
    const [file, pointer = ''] = this.value.$ref.split('#');
    const full = file === '' ? this.file : path.resolve(path.dirname(this.file), file);
    let node = this.files.root(full);
    for (const token of pointer.split('/').slice(1).map(unescape)) {
      if (!node.has(token)) throw new ContractError(this, `${this.value.$ref} leads nowhere`);
      node = node.get(token);
    }
    return node;
  }
}
