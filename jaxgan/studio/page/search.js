// Find a code whose image is like a picture: the nearest of some seeds, then an evolution strategy, which needs no gradients.
// Ros and Hansen 2008, A simple modification in CMA-ES achieving linear time and space complexity (sep-CMA-ES).
import { gauss } from './random.js';

export const BATCH = 16;

// The nearest of `count` seeds from `first` on. `told(done, best)` after each batch; a batch is the unit in which it stops.
export async function nearest(engine, model, count, first, labelOf, told, stopped) {
  let best = { loss: Infinity };
  for (let done = 0; done < count && !stopped(); done += BATCH) {
    const seeds = Array.from({ length: BATCH }, (_, i) => first + done + i);
    const labels = seeds.map(labelOf);
    const flat = await engine.encode(seeds, labels);
    const codes = seeds.map((_, i) => flat.slice(i * model.space.size, (i + 1) * model.space.size));
    const losses = await engine.score(codes, labels);
    losses.forEach((loss, i) => {
      if (loss < best.loss) best = { loss, code: codes[i], seed: seeds[i], label: labels[i] };
    });
    await told(Math.min(done + BATCH, count), best);
  }
  return best;
}

// What the search moves: z, or one style for all layers and later a style for each.
function freedoms(model) {
  const { space } = model;
  if (space.name === 'z') {
    return [{ share: 1, n: space.size, deviation: () => 1, place: (start, x) => start.map((v, i) => v + x[i]) }];
  }
  const width = space.size / space.layers;
  const deviation = (i) => space.deviation[i % width];
  return [
    { share: 0.5, n: width, deviation, place: (start, x) => start.map((v, i) => v + x[i % width]) },
    { share: 0.5, n: space.size, deviation, place: (start, x) => start.map((v, i) => v + x[i]) },
  ];
}

export async function refine(engine, model, start, generations, told, stopped) {
  let best = start;
  let done = 0;
  for (const freedom of freedoms(model)) {
    const rounds = Math.round(generations * freedom.share);
    best = await evolve(engine, best, freedom, rounds, async (found) => told((done += 1), found), stopped);
  }
  return best;
}

async function evolve(engine, start, { n, deviation, place }, rounds, told, stopped) {
  const parents = BATCH / 2;
  const raw = Array.from({ length: parents }, (_, i) => Math.log(parents + 0.5) - Math.log(i + 1));
  const weights = raw.map((w) => w / raw.reduce((a, b) => a + b));
  const mass = 1 / weights.reduce((sum, w) => sum + w * w, 0);
  const cs = (mass + 2) / (n + mass + 5);
  const cc = 4 / (n + 4);
  const c1 = (((n + 2) / 3) * 2) / ((n + 1.3) ** 2 + mass);
  const cm = Math.min(1 - c1, (((n + 2) / 3) * 2 * (mass - 2 + 1 / mass)) / ((n + 2) ** 2 + mass));
  const length = Math.sqrt(n) * (1 - 1 / (4 * n));
  const mean = new Float64Array(n);
  const spread = new Float64Array(n).fill(1); // the diagonal of the covariance
  const [step, path] = [new Float64Array(n), new Float64Array(n)];
  let sigma = 0.4;
  let best = start;
  for (let round = 0; round < rounds && !stopped(); round++) {
    const draws = Array.from({ length: BATCH }, () => Float64Array.from({ length: n }, (_, i) => Math.sqrt(spread[i]) * gauss()));
    const codes = draws.map((y) => place(start.code, y.map((value, i) => (mean[i] + sigma * value) * deviation(i))));
    const losses = await engine.score(codes, codes.map(() => start.label));
    const order = [...losses.keys()].sort((a, b) => losses[a] - losses[b]);
    if (losses[order[0]] < best.loss) best = { ...start, loss: losses[order[0]], code: codes[order[0]], refined: true };
    let norm = 0;
    for (let i = 0; i < n; i++) {
      const move = weights.reduce((sum, w, k) => sum + w * draws[order[k]][i], 0);
      mean[i] += sigma * move;
      step[i] = (1 - cs) * step[i] + Math.sqrt(cs * (2 - cs) * mass) * (move / Math.sqrt(spread[i]));
      path[i] = (1 - cc) * path[i] + Math.sqrt(cc * (2 - cc) * mass) * move;
      const around = weights.reduce((sum, w, k) => sum + w * draws[order[k]][i] ** 2, 0);
      spread[i] = (1 - c1 - cm) * spread[i] + c1 * path[i] ** 2 + cm * around;
      norm += step[i] ** 2;
    }
    sigma *= Math.exp(Math.min(1, (cs / (1 + cs)) * (Math.sqrt(norm) / length - 1)));
    await told(best);
  }
  return best;
}
