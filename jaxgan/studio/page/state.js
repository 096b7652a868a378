// The current image: where it started, what was changed of it, and how a link and a credit say so.
import { edit, fromText, toText, truncate } from './codes.js';

// A start is a plain object: {code, label, name, seeds, seed?, how?, source?, rights?}. `seed` is there where the start is a seed's image itself;
// `how` tells what else was done, for the credit: {mix, variation, walk, nearest, ...}.
export class State {
  constructor(model) {
    this.model = model;
    this.set({ code: new Float32Array(model.space.size), label: null, name: '', seeds: '' });
  }

  set(start, psi = 1, edits = {}) {
    Object.assign(this, { start, psi, edits });
  }

  get changed() {
    return this.psi !== 1 || Object.values(this.edits).some(Boolean);
  }

  get code() {
    const { space, directions } = this.model;
    return edit(truncate(this.start.code, this.psi, space), this.edits, directions);
  }

  get label() {
    return this.start.label;
  }

  // What is seen now as a start of its own, such as one side of a mixture.
  baked() {
    const { seed, ...rest } = this.start;
    return this.changed ? { ...rest, code: this.code, how: this.details() } : { ...this.start };
  }

  get name() {
    return this.changed ? `${this.start.name}, changed` : this.start.name;
  }

  details() {
    const { directions, labels, space } = this.model;
    const edits = Object.entries(this.edits).filter(([, amount]) => amount);
    const told = edits.map(([number, amount]) => `${directions[number].name}:${amount}`);
    return {
      ...this.start.how,
      ...(this.psi === 1 ? {} : { [space.name === 'z' ? 'temperature' : 'psi']: String(this.psi) }),
      ...(told.length ? { edits: told.join(', ') } : {}),
      ...(this.label === null ? {} : { label: labels[this.label] }),
    };
  }

  // The fields of jaxgan.credentials.Credit.
  credit() {
    const { model, data, version } = this.model;
    const { seeds, source, rights } = this.start;
    return { model, data: data.name, seeds, version, ...this.details(), source, rights };
  }

  toHash() {
    const { start } = this;
    const parts = new URLSearchParams({ model: this.model.model.slice(0, 8) });
    if (start.seed !== undefined) parts.set('seed', start.seed);
    else {
      parts.set('code', toText(start.code));
      for (const key of ['name', 'seeds', 'source', 'rights']) if (start[key]) parts.set(key, start[key]);
      if (start.how) parts.set('how', JSON.stringify(start.how));
    }
    if (start.label !== null) parts.set('label', start.label);
    if (this.psi !== 1) parts.set('psi', this.psi);
    const edits = Object.entries(this.edits).filter(([, amount]) => amount);
    if (edits.length) parts.set('edits', edits.map((pair) => pair.join(':')).join(','));
    return `#${parts}`;
  }

  // Read a link. `start` has no code yet where it is a seed. Throws where the link is none of this model's.
  fromHash(hash) {
    const parts = new URLSearchParams(hash.replace(/^#/, ''));
    const { model, labels, directions, space } = this.model;
    if (parts.get('model') !== model.slice(0, 8)) throw new Error('the link belongs to another generator');
    const start = { label: labels.length ? whole(parts.get('label'), labels.length - 1) : null };
    if (parts.has('seed')) Object.assign(start, seedStart(whole(parts.get('seed'), 2 ** 32 - 1)));
    else {
      start.code = fromText(parts.get('code') ?? '', space);
      if (!start.code) throw new Error('its code is damaged');
      start.name = parts.get('name') ?? 'From a link';
      start.seeds = parts.get('seeds') ?? '';
      for (const key of ['source', 'rights']) if (parts.get(key)) start[key] = parts.get(key);
      start.how = strings(JSON.parse(parts.get('how') ?? '{}'));
    }
    const psi = parts.has('psi') ? inside(parts.get('psi'), 0, 1.5) : 1;
    const pairs = (parts.get('edits') ?? '').split(',').filter(Boolean).map((pair) => pair.split(':'));
    const edits = pairs.map(([number, amount]) => [whole(number, directions.length - 1), inside(amount, -4, 4)]);
    return { start, psi, edits: Object.fromEntries(edits) };
  }
}

export const seedStart = (seed) => ({ seed, name: `Seed ${seed}`, seeds: String(seed) });

// One start of two: whoever looks at the file learns of both.
export function joinStarts(a, b, code, name, how) {
  const both = (key, mark) => [...new Set([a[key], b[key]].filter(Boolean))].join(mark);
  const made = { code, label: a.label, name, seeds: both('seeds', ','), how };
  for (const [key, mark] of [['source', ','], ['rights', '; ']]) if (both(key, mark)) made[key] = both(key, mark);
  return made;
}

function whole(text, most) {
  if (!/^\d{1,10}$/.test(text ?? '') || Number(text) > most) throw new Error(`${text} is not a number from 0 to ${most}`);
  return Number(text);
}

function inside(text, low, high) {
  const value = Number(text);
  if (!(value >= low && value <= high)) throw new Error(`${text} is not a number from ${low} to ${high}`);
  return value;
}

function strings(found) {
  const pairs = Object.entries(found).filter(([name, value]) => /^[a-z][a-z0-9_]*$/.test(name) && typeof value === 'string');
  return Object.fromEntries(pairs);
}
