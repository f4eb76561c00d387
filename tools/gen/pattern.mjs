// SPDX-License-Identifier: MIT
// Regular expressions of the contract into automata, by derivatives (Brzozowski 1964). The subset is what ECMA-262 and
// a byte-wise matcher read alike: ^…$ around all, ASCII literals, [a-z] classes, groups, | ? * + {m,n}. No dot, no
// negated class, no look-around, no escapes but of punctuation.

const STATES_MAX = 2000;

// Equal expressions are one object, so that comparing and remembering them costs nothing.
const interned = new Map();

function node(key, make) {
  if (!interned.has(key)) interned.set(key, { id: interned.size, derived: new Map(), ...make() });
  return interned.get(key);
}

const EMPTY = node('empty', () => ({ k: 'empty', nullable: true }));
const NONE = node('none', () => ({ k: 'none', nullable: false }));

const set = (chars) => node(`set ${chars}`, () => ({ k: 'set', chars, nullable: false }));

function cat(a, b) {
  if (a === NONE || b === NONE) return NONE;
  if (a === EMPTY) return b;
  if (b === EMPTY) return a;
  if (a.k === 'cat') return cat(a.a, cat(a.b, b));
  return node(`cat ${a.id} ${b.id}`, () => ({ k: 'cat', a, b, nullable: a.nullable && b.nullable }));
}

function alt(list) {
  const flat = new Set(list.flatMap((x) => (x.k === 'alt' ? x.list : [x])));
  flat.delete(NONE);
  const sorted = [...flat].sort((x, y) => x.id - y.id);
  if (sorted.length < 2) return sorted[0] ?? NONE;
  const key = `alt ${sorted.map((x) => x.id).join(' ')}`;
  return node(key, () => ({ k: 'alt', list: sorted, nullable: sorted.some((x) => x.nullable) }));
}

/** r{min,max}; max null is without end. */
function repeat(r, min, max) {
  if (max === 0 || r === EMPTY) return EMPTY;
  if (r === NONE) return min === 0 ? EMPTY : NONE;
  if (min === 1 && max === 1) return r;
  return node(`rep ${r.id} ${min} ${max}`, () => ({ k: 'rep', r, min, max, nullable: min === 0 || r.nullable }));
}

/** What may follow after the character `c`. */
function derive(r, c) {
  if (!r.derived.has(c)) r.derived.set(c, deriveNew(r, c));
  return r.derived.get(c);
}

function deriveNew(r, c) {
  switch (r.k) {
    case 'set':
      return r.chars.includes(c) ? EMPTY : NONE;
    case 'cat': {
      const first = cat(derive(r.a, c), r.b);
      return r.a.nullable ? alt([first, derive(r.b, c)]) : first;
    }
    case 'alt':
      return alt(r.list.map((x) => derive(x, c)));
    case 'rep':
      return cat(derive(r.r, c), repeat(r.r, Math.max(0, r.min - 1), r.max === null ? null : r.max - 1));
    default:
      return NONE;
  }
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  fail(why) {
    throw new Error(`pattern ${this.text}: ${why} at ${this.at}`);
  }

  peek() {
    return this.text[this.at];
  }

  take() {
    const c = this.text[this.at++];
    if (c === undefined) this.fail('it ends too early');
    if (c.charCodeAt(0) < 32 || c.charCodeAt(0) > 126) this.fail('only printable ASCII is read');
    return c;
  }

  escaped() {
    const c = this.take();
    if (!/[^\w\s]/.test(c)) this.fail(`\\${c} is not in the subset`);
    return c;
  }

  alternatives() {
    const list = [this.sequence()];
    while (this.peek() === '|') {
      this.take();
      list.push(this.sequence());
    }
    return alt(list);
  }

  sequence() {
    let r = EMPTY;
    while (this.peek() !== undefined && !'|)'.includes(this.peek())) r = cat(r, this.counted());
    return r;
  }

  counted() {
    let r = this.atom();
    for (;;) {
      const c = this.peek();
      if (c === '?') r = repeat(r, 0, 1);
      else if (c === '*') r = repeat(r, 0, null);
      else if (c === '+') r = cat(r, repeat(r, 0, null));
      else if (c === '{') {
        const m = /^\{(\d+)(,(\d*))?\}/.exec(this.text.slice(this.at));
        if (!m) this.fail('{ without a count');
        this.at += m[0].length - 1;
        const max = m[2] === undefined ? Number(m[1]) : m[3] === '' ? null : Number(m[3]);
        if (r.nullable) this.fail('a count of what may be empty');
        if (max !== null && max < Number(m[1])) this.fail('a count that runs backwards');
        r = repeat(r, Number(m[1]), max);
      } else return r;
      this.at++;
      if ('?*+{'.includes(this.peek() ?? ' ')) this.fail('two counts in a row');
    }
  }

  atom() {
    const c = this.take();
    if (c === '[') return this.charset();
    if (c === '(') {
      if (this.peek() === '?') this.fail('(? is not in the subset');
      const r = this.alternatives();
      if (this.take() !== ')') this.fail('a group is not closed');
      return r;
    }
    if (c === '\\') return set(this.escaped());
    if ('.^$?*+{}])'.includes(c)) this.fail(`${c} is not in the subset here`);
    return set(c);
  }

  charset() {
    const chars = new Set();
    if (this.peek() === '^') this.fail('a negated class is not in the subset');
    while (this.peek() !== ']') {
      let from = this.take();
      if (from === '[') this.fail('[ in a class');
      if (from === '\\') from = this.escaped();
      let to = from;
      if (this.peek() === '-' && this.text[this.at + 1] !== ']') {
        this.take();
        to = this.take();
        if (to === '\\') to = this.escaped();
      }
      if (to < from) this.fail('a range that runs backwards');
      for (let x = from.charCodeAt(0); x <= to.charCodeAt(0); x++) chars.add(String.fromCharCode(x));
    }
    this.take();
    if (chars.size === 0) this.fail('an empty class');
    return set([...chars].sort().join(''));
  }
}

function sets(r, out, seen = new Set()) {
  if (seen.has(r)) return out;
  seen.add(r);
  if (r.k === 'set') out.add(r.chars);
  for (const x of [r.a, r.b, r.r, ...(r.list ?? [])]) if (x) sets(x, out, seen);
  return out;
}

/** Characters that no set tells apart share a class; class 0 is for those in no set. */
function classes(r) {
  const all = [...sets(r, new Set())];
  const bySignature = new Map([['0'.repeat(all.length), 0]]);
  const classOf = [];
  const sample = [null];
  for (let c = 0; c < 128; c++) {
    const ch = String.fromCharCode(c);
    const signature = all.map((s) => (s.includes(ch) ? '1' : '0')).join('');
    if (!bySignature.has(signature)) {
      bySignature.set(signature, bySignature.size);
      sample.push(ch);
    }
    classOf.push(bySignature.get(signature));
  }
  return { classOf, sample };
}

/**
 * @returns {{classOf: number[], nClasses: number, next: number[][], accepts: boolean[]}} state 0 dead, 1 start
 * @throws when the pattern is outside of the subset
 */
export function compilePattern(text) {
  if (!text.startsWith('^') || !text.endsWith('$')) throw new Error(`pattern ${text}: it must be ^…$`);
  const reader = new Reader(text.slice(1, -1));
  const start = reader.alternatives();
  if (reader.at !== reader.text.length) reader.fail('something is left over');
  // ^a|b$ means (^a)|(b$) to ECMA-262, so a bare alternation at the top would not be what it looks like.
  if (topAlternation(reader.text)) throw new Error(`pattern ${text}: put a group around the alternatives`);

  const { classOf, sample } = classes(start);
  const states = [NONE, start];
  const index = new Map([[NONE, 0], [start, 1]]);
  const next = [];
  for (let i = 0; i < states.length; i++) {
    next.push(sample.map((ch) => {
      const d = ch === null ? NONE : derive(states[i], ch);
      if (!index.has(d)) {
        index.set(d, states.length);
        states.push(d);
        if (states.length > STATES_MAX) throw new Error(`pattern ${text}: more than ${STATES_MAX} states`);
      }
      return index.get(d);
    }));
  }
  return { classOf, nClasses: sample.length, next, accepts: states.map((x) => x.nullable) };
}

function topAlternation(text) {
  let depth = 0;
  let inSet = false;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (inSet) inSet = text[i] !== ']';
    else if (text[i] === '[') inSet = true;
    else if (text[i] === '(') depth++;
    else if (text[i] === ')') depth--;
    else if (text[i] === '|' && depth === 0) return true;
  }
  return false;
}

/** The automaton run in JavaScript, for tests. */
export function matches(dfa, text) {
  let state = 1;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c > 127) return false;
    state = dfa.next[state][dfa.classOf[c]];
  }
  return dfa.accepts[state];
}
