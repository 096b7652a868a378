// Where the generator runs: latents of seeds, codes, images. Off the page's thread, so that the page never waits.
import * as ort from './runtime/ort.wasm.bundle.min.mjs';
import { latentOf, unfold } from './random.js';
import { distances, toPyramid } from './likeness.js';

ort.env.wasm.numThreads = 1; // more would need headers that a plain server does not send
ort.env.wasm.wasmPaths = { wasm: new URL('./runtime/ort-wasm-simd-threaded.wasm', import.meta.url).href };
ort.env.logLevel = 'error';

let model;
let table;
let sessions;
let target = null;

async function fetched(name) {
  const answer = await fetch(new URL(`./${name}`, import.meta.url));
  if (!answer.ok) throw new Error(`${name} is missing (${answer.status})`);
  return answer;
}

async function start() {
  const open = async (name) =>
    ort.InferenceSession.create(await (await fetched(name)).arrayBuffer(), { executionProviders: ['wasm'], graphOptimizationLevel: 'disabled' }); // they are simplified already
  const quantiles = fetched('quantiles.bin').then((answer) => answer.arrayBuffer());
  model = await (await fetched('model.json')).json();
  const styles = model.space.name !== 'z';
  const [encode, decode] = await Promise.all([styles && open('mapping.onnx'), open(styles ? 'synthesis.onnx' : 'generator.onnx')]);
  sessions = { encode, decode };
  table = unfold(new Float32Array(await quantiles));
}

async function run(session, values, shape, labels) {
  const names = session.inputNames;
  const feeds = { [names[0]]: new ort.Tensor('float32', values, shape) };
  if (names.length > 1) feeds[names[1]] = new ort.Tensor('int32', Int32Array.from(labels), [labels.length]);
  const found = await session.run(feeds);
  return found[session.outputNames[0]].data;
}

async function encode({ seeds, labels }) {
  const { dim, signs } = model.latents;
  const z = new Float32Array(seeds.length * dim);
  seeds.forEach((seed, i) => z.set(latentOf(seed, dim, signs, table), i * dim));
  return sessions.encode ? run(sessions.encode, z, [seeds.length, dim], labels) : z;
}

function decode({ codes, labels }) {
  const { size, layers, name } = model.space;
  const n = codes.length / size;
  return run(sessions.decode, codes, name === 'z' ? [n, size] : [n, layers, size / layers], labels);
}

// Images as the canvas takes them: clip(round((x + 1) 127.5)), grey spread over three channels, two shown as red and green.
async function paint(request) {
  const values = await decode(request);
  const channels = model.shape[2];
  const pixels = new Uint8ClampedArray((values.length / channels) * 4);
  for (let i = 0, j = 0; i < values.length; i += channels, j += 4) {
    for (let c = 0; c < 3; c++) {
      const value = channels === 1 ? values[i] : c < channels ? values[i + c] : -1;
      pixels[j + c] = Math.round((value + 1) * 127.5);
    }
    pixels[j + 3] = 255;
  }
  return pixels;
}

async function score(request) {
  return distances(await decode(request), target, model.shape);
}

function aim({ values }) {
  target = toPyramid(values, model.shape);
}

const ready = start();
const answers = { ready: () => null, encode, paint, score, aim };
let last = ready.catch(() => {}); // one after the other: a session runs one batch at a time

onmessage = ({ data: { id, kind, request } }) => {
  last = last.then(async () => {
    try {
      await ready;
      postMessage({ id, result: await answers[kind](request) });
    } catch (error) {
      postMessage({ id, error: String(error?.message ?? error) });
    }
  });
};
