// SPDX-License-Identifier: MIT
// Shapes, patterns and field tables as C constants. Equal ones are written once.

const number = (n) => (n === null ? 'INT64_MAX' : n > 2147483647 || n < -2147483648 ? `INT64_C(${n})` : String(n));

export function cString(s) {
  const bytes = [...Buffer.from(s, 'utf8')];
  const text = bytes.map((b) => {
    if (b === 0x22 || b === 0x5c) return `\\${String.fromCharCode(b)}`;
    // Octal escapes end by themselves, and ?? would begin a trigraph.
    return b < 32 || b > 126 || b === 0x3f ? `\\${b.toString(8).padStart(3, '0')}` : String.fromCharCode(b);
  }).join('');
  return `"${text}"`;
}

/** Numbers, twenty a line. */
export function cNumbers(list) {
  const lines = [];
  for (let i = 0; i < list.length; i += 20) lines.push(`    ${list.slice(i, i + 20).join(', ')},`);
  return lines.join('\n');
}

const PARSERS = {
  wei: 'parse_wei', address: 'parse_address', sha256: 'parse_digest', bytes65: 'parse_bytes65', uuid: 'parse_uuid',
};

export class Tables {
  constructor() {
    this.text = [];
    this.known = new Map();
  }

  /** Write `make(name)` unless the same was written; returns its name. */
  once(kind, key, make) {
    const full = `${kind} ${key}`;
    if (!this.known.has(full)) {
      const count = [...this.known.keys()].filter((k) => k.startsWith(`${kind} `)).length;
      const name = `${kind}_${count + 1}`;
      this.known.set(full, name);
      this.text.push(make(name));
    }
    return this.known.get(full);
  }

  pattern({ text, dfa }) {
    return this.once('pattern', text, (name) => [
      `static const uint8_t ${name}_class[128] = {\n${cNumbers(dfa.classOf)}\n};`,
      `static const uint16_t ${name}_next[] = {\n${cNumbers(dfa.next.flat())}\n};`,
      `static const uint8_t ${name}_accepts[] = {\n${cNumbers(dfa.accepts.map(Number))}\n};`,
      `static const struct pattern ${name} = {${cString(text)}, ${name}_class, ${name}_next, ${name}_accepts, ${dfa.nClasses}};`,
    ].join('\n'));
  }

  words(list) {
    const body = list.map(cString).join(', ');
    return this.once('words', body, (name) => `static const char *const ${name}[] = {${body}};`);
  }

  parser(shape) {
    if (shape.format !== 'typeid') return PARSERS[shape.format];
    return `parse_${shape.prefix}`;
  }

  shape(s) {
    const init = [`.kind = SHAPE_${s.kind}`];
    if (s.unique) init.push('.unique = true');
    if (s.line) init.push('.line = true');
    if (s.min !== undefined) init.push(`.min = ${number(s.min)}`, `.max = ${number(s.max)}`);
    if (s.pattern) init.push(`.pattern = &${this.pattern(s.pattern)}`);
    if (s.words) init.push(`.words = ${this.words(s.words)}`, `.n_words = ${s.words.length}`);
    if (s.format) {
      init.push(`.size = sizeof(${s.type})`, `.parse = ${this.parser(s)}`, `.what = ${cString(s.what)}`);
    }
    if (s.item) init.push(`.item = &${this.shape(s.item)}`);
    if (s.name) init.push(`.name = &${this.shape(s.name)}`);
    if (s.members) init.push(`.members = &${this.fields(s.members, null)}`);
    const body = init.join(', ');
    return this.once('shape', body, (name) => `static const struct shape ${name} = {${body}};`);
  }

  /** @param struct C struct whose members these are, or null for members that stay JSON */
  fields(members, struct) {
    const rows = members.map((m) => {
      const row = [`.name = ${cString(m.name)}`, `.shape = &${this.shape(m.shape)}`];
      if (m.required) row.push('.required = true');
      if (m.shape.fallback !== undefined) row.push('.has_fallback = true', `.fallback = ${number(m.shape.fallback)}`);
      row.push(struct ? `.offset = offsetof(struct ${struct}, ${m.name})` : '.offset = FIELD_NONE');
      row.push(struct && hasFlag(m) ? `.has = offsetof(struct ${struct}, has_${m.name})` : '.has = FIELD_NONE');
      return `    {${row.join(', ')}},`;
    });
    return this.once('fields', rows.join('\n'), (name) => rows.length === 0
      ? `static const struct fields ${name} = {NULL, 0};`
      : `static const struct field ${name}_rows[] = {\n${rows.join('\n')}\n};\n`
        + `static const struct fields ${name} = {${name}_rows, ${rows.length}};`);
  }
}

/** Optional without a default: the handler needs to know whether it was given. */
export const hasFlag = (m) => !m.required && m.shape.fallback === undefined;
