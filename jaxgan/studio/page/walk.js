// A walk that ends where it began: from the current image through others, a spherical way in z, a straight one between styles.
import { between } from './codes.js';
import { byId, onSlide } from './draw.js';
import { freshSeed } from './random.js';

const STOPS = 6;
const CALM = 4; // images on the way between two stops where a visitor wants no motion

export function openWalk(studio) {
  const { model, state } = studio;
  const [play, elsewhere] = [byId('play'), byId('elsewhere')];
  const speed = onSlide('speed', (value) => value.toFixed(1));
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  let stops = [];
  let place = 0; // in stops, with a fraction
  let turn = 0; // counts starts, so that an older loop ends

  const told = () => {
    byId('walk-about').textContent = still.matches
      ? 'From the current image through six others and back. You asked for little motion: it goes in steps, one a second.'
      : 'From the current image through six others and back, without end.';
  };
  still.addEventListener('change', told);
  told();

  async function plan() {
    const first = state.baked();
    const seeds = Array.from({ length: STOPS }, freshSeed);
    const others = await Promise.all(seeds.map((seed) => studio.startOf(seed, first.label)));
    stops = [first, ...others];
    place = 0;
  }

  function here() {
    const at = Math.floor(place);
    const [a, b] = [stops[at], stops[(at + 1) % stops.length]];
    const ease = (t) => t * t * (3 - 2 * t); // slower where it arrives
    return { a, b, code: between(a.code, b.code, ease(place - at), model.space) };
  }

  async function loop(own) {
    let before = performance.now();
    while (own === turn) {
      await studio.paint(here().code, stops[0].label, 'Current image: a walk');
      if (still.matches) await new Promise((resolve) => setTimeout(resolve, 1000));
      else await new Promise(requestAnimationFrame);
      const now = performance.now();
      place += still.matches ? 1 / CALM : Math.min(0.25, (now - before) / 1000 / speed.value);
      place %= stops.length;
      before = now;
    }
  }

  // What was reached becomes the current image, with all seeds on either side of it.
  function rest() {
    turn += 1;
    play.textContent = 'Start';
    play.setAttribute('aria-pressed', 'false');
    elsewhere.disabled = true;
  }

  function stop() {
    const { a, b, code } = here();
    rest();
    const [from, to] = [a.seeds, b.seeds];
    const { source, rights } = stops[0];
    const whole = a === stops[0] || b === stops[0]; // only there a picture's own code takes part
    studio.show(
      { code, label: stops[0].label, name: 'Place on a walk', seeds: [...new Set([from, to].filter(Boolean))].join(','), how: { ...stops[0].how, walk: place.toFixed(2) }, ...(source && whole ? { source, rights } : {}) },
      { from: 'walk' },
    );
  }

  async function begin() {
    turn += 1;
    const own = turn;
    play.textContent = 'Stop';
    play.setAttribute('aria-pressed', 'true');
    elsewhere.disabled = false;
    studio.say('Walking.');
    try {
      await plan();
      await loop(own);
    } catch (error) {
      rest();
      studio.trouble(error);
    }
  }

  const walking = () => play.getAttribute('aria-pressed') === 'true';
  play.addEventListener('click', () => (walking() && stops.length ? stop() : begin()));
  elsewhere.addEventListener('click', begin);
  studio.onChange((from) => from !== 'walk' && walking() && rest()); // another image was chosen
}
