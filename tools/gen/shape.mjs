// SPDX-License-Identifier: MIT
// Request schemas into the shapes that lib/fields.c interprets. What is not named here is refused: a keyword that the C
// side would not check must not look as if it were.
import { compilePattern } from './pattern.mjs';
import { ContractError } from './tree.mjs';

const PROSE = ['title', 'description', 'examples', 'example', 'deprecated'];
const KEYWORDS = {
  string: ['type', 'enum', 'format', 'x-prefix', 'pattern', 'minLength', 'maxLength', 'default'],
  integer: ['type', 'minimum', 'maximum', 'default'],
  boolean: ['type', 'default'],
  array: ['type', 'items', 'minItems', 'maxItems', 'uniqueItems'],
  object: ['type', 'properties', 'required', 'additionalProperties', 'propertyNames', 'minProperties', 'maxProperties'],
};
const UNIQUE_ITEMS_MAX = 64;

/** TypeID prefixes of core/id.h. */
export const PREFIXES = {
  src: { kind: 'ID_SOURCE', what: 'a source id (src_…)' },
  tsk: { kind: 'ID_TASK', what: 'a task id (tsk_…)' },
  prv: { kind: 'ID_PROVIDER', what: 'a provider id (prv_…)' },
  att: { kind: 'ID_ATTEMPT', what: 'an attempt id (att_…)' },
  rsp: { kind: 'ID_RESPONSE', what: 'a response id (rsp_…)' },
  bat: { kind: 'ID_BATCH', what: 'a settlement batch id (bat_…)' },
  whk: { kind: 'ID_WEBHOOK', what: 'a webhook id (whk_…)' },
  key: { kind: 'ID_KEY', what: 'a key id (key_…)' },
  chl: { kind: 'ID_CHALLENGE', what: 'a challenge id (chl_…)' },
  wdr: { kind: 'ID_WITHDRAWAL', what: 'a withdrawal id (wdr_…)' },
};

/** Formats that a parser reads into a C type; their `pattern` is for other readers, the parser is as strict. */
export const FORMATS = {
  typeid: { type: 'struct uuid' },
  wei: { type: 'struct wei', what: 'an amount in wei: decimal digits, less than 2^256' },
  address: { type: 'struct address', what: 'an address: 0x and 40 hex digits' },
  sha256: { type: 'struct digest', what: 'a SHA-256: 64 lower-case hex digits' },
  bytes65: { type: 'struct bytes', what: 'a signature: 0x and 130 hex digits' },
  uuid: { type: 'struct uuid', what: 'a UUID: 8-4-4-4-12 hex digits' },
};

function count(schema, key, fallback) {
  if (!schema.has(key)) return fallback;
  const n = schema.get(key).value;
  if (!Number.isSafeInteger(n)) throw new ContractError(schema.get(key), 'it must be an integer');
  return n;
}

/** What lib/utf8.h's utf8_line() takes. */
const LINE = '^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]*$';

/** One readable line: the pattern is for other readers, C has a function of its own. */
function lineShape(schema) {
  if (!schema.has('pattern') || schema.get('pattern').value !== LINE) throw new ContractError(schema, `format line needs the pattern ${LINE}`);
  return { ...textShape(schema, false), line: true };
}

function textShape(schema, compiled = true) {
  if (!schema.has('maxLength')) throw new ContractError(schema, 'a string needs maxLength, enum or a known format');
  const shape = { kind: 'TEXT', type: 'struct text', min: count(schema, 'minLength', 0), max: count(schema, 'maxLength') };
  if (compiled && schema.has('pattern')) {
    const text = schema.get('pattern').value;
    try {
      shape.pattern = { text, dfa: compilePattern(text) };
    } catch (e) {
      throw new ContractError(schema.get('pattern'), e.message);
    }
  }
  return shape;
}

function stringShape(schema) {
  if (schema.has('enum')) {
    for (const k of ['format', 'pattern', 'minLength', 'maxLength']) {
      if (schema.has(k)) throw new ContractError(schema.get(k), 'it says nothing beside enum');
    }
    const words = schema.get('enum').value;
    if (!Array.isArray(words) || words.length === 0 || words.some((w) => !/^[a-z][a-z0-9_]*$/.test(w))) {
      throw new ContractError(schema.get('enum'), 'enum takes lower-case words');
    }
    return { kind: 'ENUM', type: 'int32_t', words };
  }
  if (!schema.has('format')) return textShape(schema);
  const format = schema.get('format').value;
  if (format === 'line') return lineShape(schema);
  if (!Object.hasOwn(FORMATS, format)) throw new ContractError(schema.get('format'), `format ${format} is not supported`);
  if (format !== 'typeid') return { kind: 'PARSED', type: FORMATS[format].type, format, what: FORMATS[format].what };
  const prefix = schema.has('x-prefix') ? schema.get('x-prefix').value : '';
  if (!Object.hasOwn(PREFIXES, prefix)) throw new ContractError(schema, 'format typeid needs a known x-prefix');
  return { kind: 'PARSED', type: 'struct uuid', format, prefix, what: PREFIXES[prefix].what };
}

function integerShape(schema) {
  for (const k of ['minimum', 'maximum']) {
    if (!schema.has(k)) throw new ContractError(schema, `an integer needs ${k}`);
  }
  return { kind: 'INT', type: 'int64_t', min: count(schema, 'minimum'), max: count(schema, 'maximum') };
}

function arrayShape(schema, depth) {
  for (const k of ['items', 'maxItems']) {
    if (!schema.has(k)) throw new ContractError(schema, `an array needs ${k}`);
  }
  const item = readShape(schema.get('items'), depth + 1);
  const shape = { kind: 'ARRAY', type: 'json_t *', min: count(schema, 'minItems', 0), max: count(schema, 'maxItems'), item };
  if (schema.has('uniqueItems') && schema.get('uniqueItems').value === true) {
    if (shape.max > UNIQUE_ITEMS_MAX || !['TEXT', 'ENUM', 'PARSED'].includes(item.kind)) {
      throw new ContractError(schema.get('uniqueItems'), `uniqueItems takes strings, at most ${UNIQUE_ITEMS_MAX}`);
    }
    shape.unique = true;
  }
  return shape;
}

function objectShape(schema, depth) {
  if (!schema.has('additionalProperties')) throw new ContractError(schema, 'an object must say additionalProperties');
  const extra = schema.get('additionalProperties');
  const min = count(schema, 'minProperties', 0);
  const max = count(schema, 'maxProperties', null);
  const named = schema.has('properties');
  if (extra.value === false) {
    if (schema.has('propertyNames')) throw new ContractError(schema.get('propertyNames'), 'it says nothing here');
    return { kind: 'OBJECT', type: 'json_t *', min, max, members: readMembers(schema, depth) };
  }
  if (named || schema.has('required')) {
    throw new ContractError(extra, 'an object has either named properties or additional ones');
  }
  if (extra.value === true) {
    if (schema.has('propertyNames')) throw new ContractError(schema.get('propertyNames'), 'not with free-form objects');
    return { kind: 'ANY', type: 'json_t *', min, max };
  }
  const shape = { kind: 'MAP', type: 'json_t *', min, max, item: readShape(extra, depth + 1) };
  if (schema.has('propertyNames')) {
    shape.name = readShape(schema.get('propertyNames'), depth + 1);
    if (shape.name.kind !== 'TEXT') throw new ContractError(schema.get('propertyNames'), 'names are plain strings');
  }
  return shape;
}

function readDefault(schema, shape, depth) {
  const node = schema.get('default');
  if (depth > 0) throw new ContractError(node, 'only members of the body itself are filled in');
  const { value } = node;
  if (shape.kind === 'ENUM' && shape.words.includes(value)) return shape.words.indexOf(value);
  if (shape.kind === 'BOOL' && typeof value === 'boolean') return Number(value);
  if (shape.kind === 'INT' && Number.isSafeInteger(value) && value >= shape.min && value <= shape.max) return value;
  throw new ContractError(node, 'not a value of this schema, or a type that takes no default');
}

/** @returns the members of an object schema, in order */
function readMembers(schema, depth) {
  const required = schema.has('required') ? schema.get('required').value : [];
  const properties = schema.has('properties') ? schema.get('properties') : null;
  for (const name of required) {
    if (!properties?.has(name)) throw new ContractError(schema.get('required'), `${name} is not among the properties`);
  }
  return (properties?.keys() ?? []).map((name) => {
    const node = properties.get(name);
    return { name, node, required: required.includes(name), shape: readShape(node, depth) };
  });
}

/**
 * @param depth 0 for a parameter or a member of the body itself
 * @returns {{kind: string, type: string}} with what else the kind has; `fallback` when there is a default
 */
export function readShape(node, depth) {
  if (depth > 12) throw new ContractError(node, 'nested too deeply, or without end');
  const schema = node.deref();
  if (schema.value === null || typeof schema.value !== 'object') throw new ContractError(node, 'a schema is an object');
  const type = schema.has('type') ? schema.get('type').value : undefined;
  if (typeof type !== 'string' || !Object.hasOwn(KEYWORDS, type)) {
    throw new ContractError(schema, `type must be one of ${Object.keys(KEYWORDS).join(', ')}`);
  }
  for (const key of schema.keys()) {
    if (!PROSE.includes(key) && !KEYWORDS[type].includes(key)) {
      throw new ContractError(schema.get(key), `keyword ${key} is not supported for ${type} in requests`);
    }
  }
  const shape = {
    string: () => stringShape(schema),
    integer: () => integerShape(schema),
    boolean: () => ({ kind: 'BOOL', type: 'bool' }),
    array: () => arrayShape(schema, depth),
    object: () => objectShape(schema, depth + 1),
  }[type]();
  if (schema.has('default')) shape.fallback = readDefault(schema, shape, depth);
  return shape;
}
