// Variations of the current image.
import { near } from './codes.js';
import { byId, onSlide } from './draw.js';
import { labelsFor } from './engine.js';
import { Tiles } from './tiles.js';

const COUNT = 12;

export function openVary(studio) {
  const { engine, model, state } = studio;
  const box = byId('variations');
  const tiles = new Tiles(box, (item) => studio.show(item.start, { from: 'vary' }));
  const radius = onSlide('radius', (value) => value.toFixed(2));
  studio.onChange((who) => who === 'vary' || tiles.mark(null));
  byId('make').addEventListener('click', async () => {
    try {
      const origin = state.baked();
      const how = { ...origin.how, variation: String(radius.value) };
      const codes = Array.from({ length: COUNT }, () => near(origin.code, radius.value, model.space));
      const pixels = await engine.paint(codes, labelsFor(codes.map(() => origin.label)));
      tiles.clear();
      box.hidden = false;
      codes.forEach((code, i) => {
        const { seed, ...rest } = origin;
        const item = { name: `Variation ${i + 1} of ${origin.name}`, start: { ...rest, code, how, name: `Variation of ${origin.name.replace(/^(Variation of )+/, '')}` } };
        tiles.add(item, model.shape);
        tiles.draw(item, pixels[i]);
      });
      studio.say(`${COUNT} variations of ${origin.name}.`);
    } catch (error) {
      studio.trouble(error);
    }
  });
}
