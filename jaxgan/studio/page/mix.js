// A mixture of two images: a way from one to the other, and where there are styles, coarse layers of one with fine ones of the other.
import { between, splice } from './codes.js';
import { byId, draw, onSlide } from './draw.js';
import { joinStarts } from './state.js';

export function openMix(studio) {
  const { model, state } = studio;
  const { space } = model;
  const sides = { a: null, b: null };
  const share = onSlide('between', (value) => `${Math.round(100 * value)} %`, (t) => {
    mixed(between(sides.a.code, sides.b.code, t, space), `${Math.round(100 * t)} % of the way`, { mix: `${t} of the way` });
  });
  byId('layer-field').hidden = space.layers < 2;
  byId('layer').max = space.layers - 1;
  byId('layer').value = Math.max(1, space.layers >> 1);
  const layer = onSlide('layer', String, (from) => {
    mixed(splice(sides.a.code, sides.b.code, from, space), `coarse of A, fine of B from layer ${from}`, { mix: `second's layers from ${from}` });
  });

  function mixed(code, told, how) {
    const { a, b } = sides;
    studio.show(joinStarts(a, b, code, `Mix of ${a.name} and ${b.name}, ${told}`, { ...a.how, ...b.how, ...how }), { from: 'mix', quiet: true });
    studio.say(`Mixture: ${told}.`);
  }

  for (const side of ['a', 'b']) {
    byId(`take-${side}`).addEventListener('click', () => {
      if (!studio.pixels) return;
      const start = state.baked();
      sides[side] = { ...start, name: start.name.replace(/^Mix of .*/, 'a mixture') };
      draw(byId(`mix-${side}`), studio.pixels);
      byId(`mix-${side}`).hidden = false;
      byId(`blank-${side}`).hidden = true;
      byId(`mix-${side}`).setAttribute('aria-label', `${side.toUpperCase()}: ${state.name}`);
      const whole = Boolean(sides.a && sides.b);
      byId('mix-controls').disabled = !whole;
      studio.say(`${state.name} is ${side.toUpperCase()}. ${whole ? 'Move the slider to mix.' : `Choose another image for ${side === 'a' ? 'B' : 'A'}.`}`);
    });
  }
  return { share, layer };
}
