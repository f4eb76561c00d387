// SPDX-License-Identifier: MIT
// Random values that fit a JSON schema of the contract, and changes that may make them unfit.
import { compilePattern } from '../../tools/gen/pattern.mjs';

/** mulberry32: small, seeded, good enough to choose test cases. */
export function seeded(seed) {
    let a = seed >>> 0;
    const next = () => {
        a = (a + 0x6d2b79f5) >>> 0;
        let t = Math.imul(a ^ (a >>> 15), a | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    const below = (n) => Math.floor(next() * n);
    return { next, below, pick: (list) => list[below(list.length)], chance: (p) => next() < p };
}

const compiled = new Map();

function automaton(pattern) {
    if (!compiled.has(pattern)) {
        const dfa = compilePattern(pattern);
        // How far each state is from an end: the walk must be able to come home.
        const home = dfa.accepts.map((a) => (a ? 0 : Infinity));
        for (let changed = true; changed;) {
            changed = false;
            dfa.next.forEach((row, i) => row.forEach((to) => {
                if (home[to] + 1 < home[i]) {
                    home[i] = home[to] + 1;
                    changed = true;
                }
            }));
        }
        const members = dfa.next[0].map(() => []);
        dfa.classOf.forEach((k, i) => members[k].push(String.fromCharCode(i)));
        compiled.set(pattern, { dfa, home, members });
    }
    return compiled.get(pattern);
}

/** A text that the pattern accepts, of at most `max` characters when there is one, of about `wanted`. */
export function textOf(pattern, max, r, wanted = r.below(Math.min(max, 40) + 1)) {
    const { dfa, home, members } = automaton(pattern);
    let state = 1;
    let out = '';
    for (;;) {
        if (dfa.accepts[state] && out.length >= wanted) return out;
        const fits = (to) => home[to] + out.length + 1 <= max;
        const steps = dfa.next[state].flatMap((to, k) => (k > 0 && fits(to) ? [[to, k]] : []));
        if (steps.length === 0) return out;
        const hurry = out.length >= wanted;
        const [to, k] = hurry ? steps.reduce((a, b) => (home[b[0]] < home[a[0]] ? b : a)) : r.pick(steps);
        out += r.pick(members[k]);
        state = to;
    }
}

const LETTERS = [...'abcXYZ019 _-./:@"\\<ä€😀\u2028'];
const NO_LINE = [...'\n\u007f\u0085\u2029\u202e\u2066'];

function plain(schema, r) {
    const min = schema.minLength ?? 0;
    const n = min + r.below(Math.min(schema.maxLength ?? 30, min + 30) - min + 1);
    return Array.from({ length: n }, () => r.pick(LETTERS)).join('');
}

/** Mostly one that is good. */
function line(schema, r) {
    const text = plain(schema, r).replaceAll('\u2028', 'x');
    return r.chance(0.95) ? text : `${r.pick(NO_LINE)}${[...text].slice(1).join('')}`;
}

function anything(r, depth) {
    switch (r.below(depth > 3 ? 4 : 6)) {
        case 0: return r.below(1000) - 500;
        case 1: return plain({ maxLength: 8 }, r);
        case 2: return r.pick([true, false, null, 0.25, -1e-7, 1e21]);
        case 3: return r.pick([[], {}]);
        case 4: return Array.from({ length: r.below(4) }, () => anything(r, depth + 1));
        default: return freeForm(r, depth + 1);
    }
}

function freeForm(r, depth = 0) {
    return Object.fromEntries(Array.from({ length: r.below(4) }, (_, i) => [`k${i}`, anything(r, depth)]));
}

function integer(schema, r) {
    const { minimum: lo, maximum: hi } = schema;
    return r.pick([lo, hi, Math.min(hi, lo + r.below(1000)), lo + Math.floor(r.next() * (hi - lo))]);
}

/** A generator for the schemas of one document. */
export class Bodies {
    constructor(document, r) {
        Object.assign(this, { document, r });
    }

    resolve(schema) {
        if (!schema.$ref) return schema;
        const target = schema.$ref.slice(2).split('/').reduce((node, key) => node[key], this.document);
        return { ...this.resolve(target), ...schema, $ref: undefined };
    }

    value(given) {
        const schema = this.resolve(given);
        const { r } = this;
        if (schema.enum) return r.pick(schema.enum);
        switch (schema.type) {
            case 'boolean': return r.chance(0.5);
            case 'integer': return integer(schema, r);
            case 'string':
                if (schema.format === 'line') return line(schema, r);
                return schema.pattern ? textOf(schema.pattern, schema.maxLength ?? 200, r) : plain(schema, r);
            case 'array': return this.array(schema);
            default: return this.object(schema);
        }
    }

    array(schema) {
        const { r } = this;
        const min = schema.minItems ?? 0;
        const n = min + r.below(Math.min(schema.maxItems, min + 4) - min + 1);
        const list = Array.from({ length: n }, () => this.value(schema.items));
        return schema.uniqueItems && r.chance(0.95) ? [...new Set(list)] : list;
    }

    object(schema) {
        const { r } = this;
        if (schema.properties) {
            const wanted = Object.keys(schema.properties)
                .filter((k) => schema.required?.includes(k) || r.chance(0.6));
            return Object.fromEntries(wanted.map((k) => [k, this.value(schema.properties[k])]));
        }
        if (schema.additionalProperties === true) return freeForm(r);
        if (!schema.additionalProperties) return {};
        return Object.fromEntries(Array.from({ length: r.below(4) },
            () => [this.value(schema.propertyNames), this.value(schema.additionalProperties)]));
    }
}

/** What lies on and just beyond the bounds that a schema names for the value itself. */
function brims(bodies, schema) {
    const { r } = bodies;
    const around = (...bounds) => bounds.filter((n) => n !== undefined).flatMap((n) => [n - 1, n, n + 1]);
    const texts = schema.pattern && schema.format !== 'line'
        ? (n) => textOf(schema.pattern, n, r, n)
        : (n) => Array.from({ length: n }, () => r.pick(['a', 'ä', '😀'])).join('');
    const sized = (lo, hi, make) => around(lo, hi).filter((n) => n >= 0).map(make);
    switch (schema.enum ? 'enum' : schema.type) {
        case 'integer': return around(schema.minimum, schema.maximum);
        case 'string': return sized(schema.minLength, schema.maxLength, texts);
        case 'array':
            return sized(schema.minItems, schema.maxItems, (n) => {
                const list = new Set();
                for (let i = 0; i < 1000 && list.size < n; i++) list.add(bodies.value(schema.items));
                return [...list];
            });
        case 'object': {
            const names = (n) => Array.from({ length: n }, (_, i) => [`k${i}`, 'x']);
            return schema.properties ? [] : sized(schema.minProperties, schema.maxProperties, (n) => Object.fromEntries(names(n)));
        }
        default: return [];
    }
}

/** Values of a schema with one part, however deep, on or just beyond one of its bounds. */
export function edges(bodies, given, wrap = (v) => v) {
    const schema = bodies.resolve(given);
    const out = brims(bodies, schema).map(wrap);
    if (schema.items) out.push(...edges(bodies, schema.items, (v) => wrap([v])));
    if (schema.type === 'object' && typeof schema.additionalProperties === 'object') {
        out.push(...edges(bodies, schema.additionalProperties, (v) => wrap({ k: v })));
        if (schema.propertyNames) out.push(...edges(bodies, schema.propertyNames, (v) => wrap({ [v]: 'x' })));
    }
    for (const [name, inner] of Object.entries(schema.properties ?? {})) {
        const rest = bodies.value(given);
        out.push(...edges(bodies, inner, (v) => wrap({ ...rest, [name]: v })));
    }
    return out;
}

function places(value, path = []) {
    if (value === null || typeof value !== 'object') return [path];
    return [path, ...Object.keys(value).flatMap((k) => places(value[k], [...path, k]))];
}

const ODD = [String(2n ** 256n - 1n), String(2n ** 256n),
    null, true, false, 0, 1, -1, 1.5, 2.0, 1e300, 4294967296, 9007199254740992, '', 'x', '0', [], {}, [null],
    'ä'.repeat(40), '😀', 'A'.repeat(5000), '01', '-0', ' 1', {}];

function changedText(s, r) {
    const at = r.below(s.length + 1);
    return r.pick([
        () => s.slice(0, at) + r.pick(LETTERS) + s.slice(at),
        () => s.slice(0, Math.max(0, at - 1)) + s.slice(at),
        () => s + s,
        () => s.toUpperCase(),
        () => `${s}\n`,
        () => ` ${s}`,
    ])().toWellFormed();
}

function changed(value, r) {
    if (typeof value === 'string' && r.chance(0.6)) return changedText(value, r);
    if (typeof value === 'number' && r.chance(0.6)) {
        return r.pick([value + 1, value - 1, -value, value + 0.5, String(value), value * 1000]);
    }
    if (Array.isArray(value) && r.chance(0.7)) {
        const twin = value.length ? r.pick(value) : null;
        const full = (n) => Array.from({ length: n }, () => twin);
        return r.pick([[...value, twin], value.slice(1), [...value, 7], full(64), full(65)]);
    }
    return r.pick(ODD);
}

/** The body with one place changed, or a member lost, added or renamed. */
export function mutated(body, r) {
    const copy = structuredClone(body);
    const path = r.pick(places(copy));
    if (path.length === 0) {
        const whole = copy === null || typeof copy !== 'object' || r.chance(0.2);
        return whole ? r.pick(ODD) : { ...copy, [r.pick(['extra', 'Input', 'x/y', '~'])]: r.pick(ODD) };
    }
    const last = path.at(-1);
    const holder = path.slice(0, -1).reduce((node, key) => node[key], copy);
    if (!Array.isArray(holder) && r.chance(0.3)) {
        const value = holder[last];
        delete holder[last];
        if (r.chance(0.3)) holder[`${last}${r.pick(LETTERS)}`.toWellFormed()] = value;
    } else if (!Array.isArray(holder) && r.chance(0.15)) holder.extra = r.pick(ODD);
    else holder[last] = changed(holder[last], r);
    return copy;
}
