// The wall of new images, by seed; and which image a link, or the model's first seed, makes the current one.
import { byId } from './draw.js';
import { freshSeed } from './random.js';
import { seedStart } from './state.js';
import { labelsFor } from './engine.js';
import { Tiles } from './tiles.js';

const MAX_SEED = 2 ** 32 - 1;
const BATCH = 8;

export async function openWall(studio) {
  const { model, engine } = studio;
  const tiles = new Tiles(byId('tiles'), (item) => studio.show(item.start, { from: 'wall' }));
  const label = byId('label');
  let from = 0; // the first seed
  let count = 0;
  let turn = 0; // a newer wall makes an older one stop

  for (const [i, name] of model.labels.entries()) label.append(new Option(name, i));
  if (model.labels.length) {
    label.prepend(new Option('each in turn', ''));
    label.value = '';
    byId('label-field').hidden = false;
  }
  const labelOf = (seed) => {
    if (!model.labels.length) return null;
    return label.value === '' ? seed % model.labels.length : Number(label.value);
  };
  studio.labelOf = labelOf;

  studio.startOf = async (seed, chosen = labelOf(seed)) => {
    const code = await engine.encode([seed], labelsFor([chosen]));
    return { ...seedStart(seed), code, label: chosen };
  };

  async function grow(own) {
    const seeds = Array.from({ length: model.count }, (_, i) => from + count + i).filter((seed) => seed <= MAX_SEED);
    count += seeds.length;
    const items = seeds.map((seed) => {
      const of = labelOf(seed);
      return { name: of === null ? `Seed ${seed}` : `Seed ${seed}, ${model.labels[of]}`, seed, label: of };
    });
    for (const item of items) tiles.add(item, model.shape);
    for (let i = 0; i < items.length && own === turn; i += BATCH) {
      const part = items.slice(i, i + BATCH);
      const labels = labelsFor(part.map((item) => item.label));
      const flat = await engine.encode(part.map((item) => item.seed), labels);
      const codes = part.map((_, k) => flat.slice(k * model.space.size, (k + 1) * model.space.size));
      const pixels = await engine.paint(codes, labels);
      if (own !== turn) return;
      part.forEach((item, k) => {
        item.start = { ...seedStart(item.seed), code: codes[k], label: item.label };
        tiles.draw(item, pixels[k]);
      });
    }
  }

  async function rebuild() {
    turn += 1;
    count = 0;
    tiles.clear();
    await grow(turn);
  }

  studio.onChange((who) => who === 'wall' || tiles.mark(null));
  byId('more').addEventListener('click', async () => {
    const first = tiles.items.length;
    const done = grow(turn);
    tiles.items[first]?.button.focus();
    studio.say(`${tiles.items.length - first} more images.`);
    await done.catch((error) => studio.trouble(error));
  });
  label.addEventListener('change', () => rebuild().catch((error) => studio.trouble(error)));
  byId('seed').addEventListener('change', (event) => {
    const seed = Number(event.target.value);
    if (!Number.isInteger(seed) || seed < 0 || seed > MAX_SEED) return studio.say(`A seed is a whole number from 0 to ${MAX_SEED}.`);
    from = seed;
    return rebuild().catch((error) => studio.trouble(error));
  });
  byId('shuffle').addEventListener('click', async () => {
    from = freshSeed();
    byId('seed').value = from;
    await rebuild().catch((error) => studio.trouble(error));
    if (tiles.items[0]?.start) tiles.select(tiles.items[0]);
  });

  async function follow() {
    const { start, psi, edits } = studio.state.fromHash(location.hash);
    const whole = start.code ? start : await studio.startOf(start.seed, start.label);
    studio.show(whole, { psi, edits, from: 'link' });
  }
  addEventListener('hashchange', () => follow().catch((error) => studio.say(`This link cannot be followed: ${error.message}.`)));

  await begin(studio, follow);
  await grow(turn);
  document.documentElement.dataset.ready = 'true';
}

async function begin(studio, follow) {
  if (location.hash) {
    try {
      return await follow();
    } catch (error) {
      studio.show(await studio.startOf(studio.model.first), { quiet: true });
      return studio.say(`This link cannot be followed: ${error.message}.`);
    }
  }
  studio.show(await studio.startOf(studio.model.first), { quiet: true });
  return studio.say('Choose an image to change, mix or vary it.');
}
