// The sliders: truncation or temperature, directions and attributes.
import { byId, onSlide } from './draw.js';

const REACH = 3; // standard deviations to each side

// 'eyes=variant07' is said as "eyes: variant 7", 'hair_color=#009bbd' as "hair color:", the colour and its number; '3' as "Direction 3".
function labelOf(direction) {
  const label = document.createElement('label');
  const [what, value] = direction.name.replace(/^\d+$/, 'Direction $&').replaceAll('_', ' ').split('=');
  const colour = value && /^#[0-9a-f]{6}$/i.test(value);
  label.textContent = value ? `${what}: ` : what;
  if (colour) {
    const swatch = document.createElement('span');
    swatch.className = 'swatch';
    swatch.style.background = value;
    label.append(swatch, ' ');
  }
  if (value) label.append(colour ? value : value.replace(/([a-z]) ?0*(\d+)$/i, '$1 $2'));
  return label;
}

export function openShape(studio) {
  const { model, state } = studio;
  const z = model.space.name === 'z';
  byId('psi-name').textContent = z ? 'Temperature' : 'Truncation (psi)';
  byId('psi-about').textContent = z ? 'Below 1: usual, more alike. Above: unusual, more errors.' : 'Below 1: nearer to the average image. Above: unusual, more errors.';
  const psi = onSlide('psi', (value) => value.toFixed(2), (value) => {
    state.psi = value;
    studio.changed('shape');
  });
  const sliders = model.directions.map((direction, i) => {
    const row = document.createElement('div');
    row.className = 'slider';
    const label = labelOf(direction);
    label.htmlFor = `direction-${i}`;
    const output = Object.assign(document.createElement('output'), { id: `direction-${i}-value` });
    const input = Object.assign(document.createElement('input'), { type: 'range', id: `direction-${i}`, min: -REACH, max: REACH, step: 0.1, value: 0 });
    row.append(label, output, input);
    byId('directions').append(row);
    return onSlide(input.id, (value) => (value > 0 ? '+' : '') + value.toFixed(1), (value) => {
      state.edits = { ...state.edits, [i]: value };
      studio.changed('shape');
    });
  });
  byId('directions').hidden = !sliders.length;
  studio.onChange((from) => {
    if (from === 'shape') return;
    psi.value = state.psi;
    sliders.forEach((slider, i) => {
      slider.value = state.edits[i] ?? 0;
    });
  });
  byId('reset').addEventListener('click', () => {
    studio.show(state.start, { quiet: true });
    studio.say('Changes undone.');
    byId('save').focus(); // this button is disabled now
  });
}
