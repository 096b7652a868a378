// The page: reads the model, starts the worker, and lets the rooms work on one current image.
import { byId, draw, setSize } from './draw.js';
import { Engine, labelsFor } from './engine.js';
import { State } from './state.js';
import { openWall } from './wall.js';
import { openShape } from './shape.js';
import { openVary } from './vary.js';
import { openMix } from './mix.js';
import { openWalk } from './walk.js';
import { openDrop } from './drop.js';
import { openSave } from './save.js';

class Studio {
  constructor(model, engine) {
    this.model = model;
    this.engine = engine;
    this.state = new State(model);
    this.listeners = [];
    this.wanted = null; // what is to be painted next; only the newest counts
    this.painting = false;
  }

  say(text) {
    byId('status').textContent = text;
  }

  trouble(error) {
    this.say(`That did not work: ${error.message ?? error}.`);
  }

  // call(studio): after the current image became another one
  onChange(call) {
    this.listeners.push(call);
  }

  // Take another image as the current one. `from`: who did, for those who must not answer themselves.
  show(start, { psi = 1, edits = {}, from = '', quiet = false } = {}) {
    this.state.set(start, psi, edits);
    this.changed(from);
    if (!quiet) this.say(`${start.name} is the current image.`);
  }

  changed(from = '') {
    byId('told').textContent = this.state.name;
    byId('reset').disabled = !this.state.changed;
    for (const call of this.listeners) call(from);
    return this.paint(this.state.code, this.state.label, `Current image: ${this.state.name}`);
  }

  // Draw a code large; while one is being painted, only the newest of the others waits.
  async paint(code, label, name) {
    this.wanted = { code, label, name };
    if (this.painting) return;
    this.painting = true;
    try {
      while (this.wanted) {
        const { code: next, label: of, name: told } = this.wanted;
        this.wanted = null;
        const [pixels] = await this.engine.paint([next], labelsFor([of]));
        this.pixels = pixels;
        draw(byId('current'), pixels);
        byId('current').setAttribute('aria-label', told);
        if (!performance.getEntriesByName('first image').length) performance.mark('first image');
      }
    } catch (error) {
      this.trouble(error);
    } finally {
      this.painting = false;
    }
  }
}

function cardOf(documents) {
  if (!documents.includes('MODEL_CARD.md')) return 'This generator comes without a data card.';
  const link = document.createElement('a');
  link.href = 'MODEL_CARD.md';
  link.textContent = 'Its model and data card';
  return link;
}

function introduce(model) {
  const { data, kind, shape, images_seen: seen } = model;
  const name = data.name.replace(/^(stacked\d*:)?(npz|folder):/, '').replace(/\.npz$/, '').split('/')[0].replaceAll('_', ' ');
  byId('title').textContent = name;
  document.title = `${name} · studio · jaxgan`;
  const licence = data.licence && data.licence !== 'not stated' ? `Licence of the data: ${data.licence.replace(/ \(https?:.*\)$/, '')}.` : 'The licence of the data is not stated.';
  byId('statement').textContent =
    `The images here are generated, ${shape[1]}×${shape[0]} pixels each, by a generator (${kind}) that jaxgan trained on ${name} ` +
    `(${seen.toLocaleString('en')} images seen); nobody photographed or drew them. ${licence}`;
  byId('colophon').textContent =
    `Model ${model.model.slice(0, 8)}, jaxgan ${model.version}. It runs in this browser by onnxruntime-web; nothing is fetched from elsewhere, and nothing is sent. `;
  byId('colophon').append(cardOf(model.documents ?? []));
}

async function start() {
  const engine = new Engine(); // begins to load the generator at once
  const answer = await fetch('model.json');
  if (!answer.ok) throw new Error(`model.json is missing (${answer.status})`);
  const model = await answer.json();
  setSize(model.shape);
  introduce(model);
  byId('notice').hidden = true;
  byId('studio').hidden = false;
  const studio = new Studio(model, engine);
  studio.say('Loading the generator …');
  openSave(studio);
  openShape(studio);
  openVary(studio);
  openMix(studio);
  openWalk(studio);
  openDrop(studio);
  await openWall(studio);
}

start().catch((error) => {
  byId('notice').hidden = false;
  byId('notice').querySelector('h2').textContent = `The studio cannot start: ${error.message}`;
});
