// A visitor's picture: the nearest image of some seeds, made more like it by a search. It never leaves the browser.
import { sha256 } from './credit.js';
import { byId, draw } from './draw.js';
import { labelsFor } from './engine.js';
import { freshSeed } from './random.js';
import { nearest, refine } from './search.js';

const SEEDS = 256;
const ROUNDS = 160;

export function openDrop(studio) {
  const zone = byId('zone');
  const rights = byId('rights');
  let turn = 0;
  let enough = false;

  const hold = (event) => event.preventDefault();
  for (const name of ['dragenter', 'dragover']) {
    zone.addEventListener(name, (event) => {
      hold(event);
      zone.classList.add('over');
    });
  }
  zone.addEventListener('dragleave', () => zone.classList.remove('over'));
  for (const name of ['dragover', 'drop']) addEventListener(name, hold); // a picture dropped beside the zone does not replace the page
  zone.addEventListener('drop', (event) => {
    zone.classList.remove('over');
    take(event.dataTransfer.files[0]);
  });
  byId('file').addEventListener('change', (event) => {
    take(event.target.files[0]);
    event.target.value = ''; // the same file may be chosen again
  });
  byId('stop').addEventListener('click', () => {
    enough = true;
  });

  async function take(file) {
    if (!file) return;
    const stated = rights.value.trim();
    rights.setAttribute('aria-invalid', String(!stated));
    if (!stated) {
      rights.focus();
      studio.say('First say what your rights in the picture are, then choose it again.');
      return;
    }
    turn += 1;
    const own = turn;
    enough = false;
    try {
      const source = await sha256(await file.arrayBuffer());
      const picture = await fitted(file, studio.model.shape);
      draw(byId('picture'), picture.pixels);
      byId('search').hidden = false;
      byId('stop').disabled = false;
      const found = await look(studio, picture.values, () => enough || own !== turn);
      if (own !== turn) return;
      finish(studio, found, { source, rights: stated });
    } catch (error) {
      studio.say(`${file.name} cannot be used: ${error.message ?? error}.`);
    }
  }
}

// What a picture is to the generator: its middle square, at the generator's size, on white; RGBA and floats in [-1, 1].
async function fitted(file, [height, width, channels]) {
  let image;
  try {
    image = await createImageBitmap(file);
  } catch {
    throw new Error('this browser cannot read it as a picture');
  }
  const share = Math.min(image.width / width, image.height / height);
  const [w, h] = [share * width, share * height];
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext('2d');
  pen.fillStyle = 'white';
  pen.fillRect(0, 0, width, height);
  pen.imageSmoothingQuality = 'high';
  pen.imageSmoothingEnabled = share !== 1;
  pen.drawImage(image, (image.width - w) / 2, (image.height - h) / 2, w, h, 0, 0, width, height);
  const { data: pixels } = pen.getImageData(0, 0, width, height);
  const values = new Float32Array(height * width * channels);
  for (let i = 0; i < height * width; i++) {
    const [r, g, b] = pixels.subarray(4 * i, 4 * i + 3);
    const shown = channels === 1 ? [0.299 * r + 0.587 * g + 0.114 * b] : [r, g, b];
    for (let c = 0; c < channels; c++) values[i * channels + c] = shown[c] / 127.5 - 1;
  }
  return { pixels, values };
}

async function look(studio, values, stopped) {
  const { engine, model } = studio;
  const progress = byId('progress');
  let seen = Infinity;
  const told = async (done, best) => {
    progress.value = done;
    if (best.loss >= seen) return;
    seen = best.loss;
    const [pixels] = await engine.paint([best.code], labelsFor([best.label]));
    draw(byId('found'), pixels);
    byId('likeness').textContent = `Found, ${decibels(best.loss)}`;
  };
  await engine.aim(values);
  studio.say(`Looking at ${SEEDS} images for one like yours …`);
  const first = freshSeed() % (2 ** 32 - SEEDS);
  const near = await nearest(engine, model, SEEDS, first, (seed) => studio.labelOf(seed) ?? 0, (done, best) => told((0.25 * done) / SEEDS, best), stopped);
  studio.say(`Nearest: seed ${near.seed}. Now making it more like yours …`);
  return refine(engine, model, near, ROUNDS, (done, best) => told(0.25 + (0.75 * done) / ROUNDS, best), stopped);
}

const decibels = (loss) => `${(10 * Math.log10(4 / Math.max(loss, 1e-9))).toFixed(1)} dB`;

function finish(studio, found, credit) {
  byId('progress').value = 1;
  byId('stop').disabled = true;
  const label = studio.model.labels.length ? found.label : null;
  const how = { nearest: String(found.seed) };
  studio.show({ code: found.code, label, name: 'Like your picture', seeds: '', how, ...credit }, { from: 'drop' });
  studio.say(`The most similar image found is the current one: ${decibels(found.loss)} from yours. Change it, or make variations.`);
  byId('make').click();
}
