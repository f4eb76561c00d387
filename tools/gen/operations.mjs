// SPDX-License-Identifier: MIT
// The paths of the contract as rows for the route table.
import { readShape } from './shape.mjs';
import { ContractError } from './tree.mjs';

const METHODS = ['get', 'put', 'post', 'delete', 'patch'];
const OPERATION_KEYS = [
  'operationId', 'tags', 'summary', 'description', 'security', 'parameters', 'requestBody', 'responses',
  'x-scopes', 'x-max-body-bytes', 'x-error-codes', 'x-quiet',
];
const PARAMETER_KEYS = ['name', 'in', 'required', 'description', 'schema', 'example'];
/** Headers that the server reads for every operation; they are not members of the operation's struct. */
const SERVER_HEADERS = ['Idempotency-Key', 'If-None-Match', 'Range'];
const JSON_BODY_MAX = 65536;
const C_WORDS = ['default', 'register', 'int', 'long', 'short', 'char', 'void', 'for', 'if', 'do', 'auto', 'static', 'case'];
/** The 404 of a path parameter, by what it is. */
const MISSING = {
  src: 'SOURCE_NOT_FOUND', tsk: 'TASK_NOT_FOUND', prv: 'PROVIDER_NOT_FOUND', att: 'ATTEMPT_NOT_FOUND',
  bat: 'BATCH_NOT_FOUND', chl: 'CHALLENGE_NOT_FOUND', sha256: 'BLOB_NOT_FOUND', address: 'PROOF_NOT_FOUND',
};

export const snake = (name) => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`).replaceAll('-', '_');

function only(node, keys) {
  for (const k of node.keys()) if (!keys.includes(k)) throw new ContractError(node.get(k), `${k} is not supported`);
}

function list(node, key) {
  return node.has(key) ? node.get(key).value.map((_, i) => node.get(key).get(i)) : [];
}

function readParameters(op, pathText) {
  const fields = { path: [], query: [] };
  let idempotent = false;
  for (const ref of list(op, 'parameters')) {
    const p = ref.deref();
    only(p, PARAMETER_KEYS);
    const name = p.get('name').value;
    const place = p.get('in').value;
    if (place === 'header') {
      if (!SERVER_HEADERS.includes(name)) throw new ContractError(p, `header ${name} is not read by the server`);
      idempotent ||= name === 'Idempotency-Key';
    } else if (place === 'path' || place === 'query') {
      const shape = readShape(p.get('schema'), 0);
      if (['ARRAY', 'OBJECT', 'MAP', 'ANY'].includes(shape.kind)) throw new ContractError(p, 'a parameter is one value');
      fields[place].push({ name, node: p, required: p.has('required') && p.get('required').value === true, shape });
    } else throw new ContractError(p, `parameters in ${place} are not supported`);
  }
  const inPath = [...pathText.matchAll(/\{([^}]*)\}/g)].map((m) => m[1]);
  const named = fields.path.map((f) => f.name);
  if (inPath.join() !== named.join()) throw new ContractError(op, `path names ${inPath}, parameters name ${named}`);
  if (fields.path.some((f) => !f.required)) throw new ContractError(op, 'path parameters are required');
  return { fields, idempotent };
}

function readBody(op) {
  const max = op.has('x-max-body-bytes') ? op.get('x-max-body-bytes').value : null;
  if (!op.has('requestBody')) return { kind: 'NONE', max: 0, optional: false, members: [] };
  const body = op.get('requestBody').deref();
  only(body, ['required', 'content', 'description']);
  const media = body.get('content').keys();
  if (media.length !== 1) throw new ContractError(body, 'one media type a body');
  if (media[0] === 'application/octet-stream') {
    if (max === null) throw new ContractError(op, 'a stream needs x-max-body-bytes');
    return { kind: 'STREAM', max, optional: false, members: [] };
  }
  if (media[0] !== 'application/json') throw new ContractError(body, `media type ${media[0]} is not supported`);
  const schema = body.get('content').get(media[0]).get('schema');
  // Members of the body are depth 0: they have a place in the C struct and may have a default.
  const shape = readShape(schema, -1);
  if (shape.kind !== 'OBJECT') throw new ContractError(schema, 'a body is an object with named members');
  const optional = !(body.has('required') && body.get('required').value === true);
  if (optional && shape.members.some((m) => m.required)) throw new ContractError(body, 'required members need a body');
  if (shape.min !== 0 || shape.max !== null) throw new ContractError(schema, 'no member counts on the body itself');
  return { kind: 'JSON', max: max ?? JSON_BODY_MAX, optional, members: shape.members };
}

function readAuth(op, schemes) {
  const auth = new Set();
  if (!op.has('security')) throw new ContractError(op, 'an operation says its security, [] for public');
  for (const entry of list(op, 'security')) {
    if (entry.keys().length !== 1) throw new ContractError(entry, 'one scheme an entry');
    const scheme = entry.keys()[0];
    if (!schemes.has(scheme)) throw new ContractError(entry, `security scheme ${scheme} is not defined`);
    auth.add(scheme === 'providerToken' ? 'PROVIDER' : 'KEY');
  }
  const known = schemes.get('apiKey').get('x-scopes').value;
  const scopes = list(op, 'x-scopes').map((s) => {
    if (!known.includes(s.value)) throw new ContractError(s, `scope ${s.value} is not known`);
    return s.value;
  });
  if (auth.has('KEY') !== scopes.length > 0) throw new ContractError(op, 'x-scopes and an API key belong together');
  return { auth: [...auth], scopes };
}

function checkCodes(op, registry) {
  for (const code of list(op, 'x-error-codes')) {
    const http = registry.get(code.value);
    if (http === undefined) throw new ContractError(code, `${code.value} is not in lib/error.def`);
    if (!op.get('responses').has(String(http))) throw new ContractError(code, `${code.value} is ${http}, which is not documented`);
  }
}

/** Of several, the innermost says what is not there, if the operation documents that. */
function missingCode(op, fields) {
  if (fields.path.length === 0) return 'NOT_FOUND';
  const { shape } = fields.path.at(-1);
  const code = MISSING[shape.prefix ?? shape.format] ?? 'NOT_FOUND';
  return fields.path.length === 1 || list(op, 'x-error-codes').some((c) => c.value === code) ? code : 'NOT_FOUND';
}

function checkNames(operation) {
  const seen = new Set();
  for (const f of [...operation.fields.path, ...operation.fields.query, ...operation.fields.body]) {
    if (!/^[a-z][a-z0-9_]*$/.test(f.name) || C_WORDS.includes(f.name)) throw new ContractError(f.node, `${f.name} is no C name`);
    if (seen.has(f.name)) throw new ContractError(f.node, `${f.name} occurs twice in ${operation.id}`);
    seen.add(f.name);
  }
}

function readOperation(node, method, path, schemes, registry) {
  only(node, OPERATION_KEYS);
  const id = node.has('operationId') ? node.get('operationId').value : '';
  if (!/^[a-z][A-Za-z]*$/.test(id)) throw new ContractError(node, 'operationId must be camelCase');
  if (list(node, 'tags').length !== 1) throw new ContractError(node, 'one tag an operation');
  const { fields, idempotent } = readParameters(node, path);
  const body = readBody(node);
  const operation = {
    id,
    snake: snake(id),
    method: method.toUpperCase(),
    path,
    summary: node.get('summary').value,
    idempotent,
    quiet: node.has('x-quiet') && node.get('x-quiet').value === true,
    missing: missingCode(node, fields),
    body,
    fields: { ...fields, body: body.members },
    ...readAuth(node, schemes),
  };
  checkNames(operation);
  checkCodes(node, registry);
  return operation;
}

/**
 * @param registry Map of wire code to HTTP status, from lib/error.def
 * @returns {{operations: object[], scopes: string[]}}
 */
export function readOperations(root, registry) {
  const schemes = root.get('components').get('securitySchemes');
  const paths = root.get('paths');
  const operations = [];
  for (const path of paths.keys()) {
    if (!/^(\/[A-Za-z0-9._-]+|\/\{[a-z0-9_]+\})*\/?$/.test(path)) throw new ContractError(paths.get(path), 'no such path');
    const item = paths.get(path).deref();
    only(item, METHODS);
    for (const method of item.keys()) {
      const operation = readOperation(item.get(method), method, path, schemes, registry);
      if (operations.some((o) => o.id === operation.id)) throw new ContractError(item.get(method), `${operation.id} twice`);
      operations.push(operation);
    }
  }
  return { operations, scopes: schemes.get('apiKey').get('x-scopes').value };
}
