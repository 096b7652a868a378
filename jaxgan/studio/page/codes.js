// Codes of images: z, or w+ (a style for each layer), as flat Float32Arrays. Pure functions; `space` is model.json's.
import { gauss } from './random.js';

const map = (code, change) => code.map((value, i) => change(value, i));

// Signs among the latents are choices: they are never scaled, and a mixture has those of the nearer side.
const isSign = (space, i) => space.name === 'z' && i >= space.size - space.signs;

const center = (space, i) => (space.center ? space.center[i % space.center.length] : 0);

export function truncate(code, psi, space) {
  if (psi === 1) return code;
  return map(code, (value, i) => (isSign(space, i) ? value : center(space, i) + psi * (value - center(space, i))));
}

// edits: amounts by the directions' numbers, in units of their scale
export function edit(code, edits, directions) {
  let found = code;
  for (const [number, amount] of Object.entries(edits)) {
    const { vector, scale } = directions[number];
    if (amount) found = map(found, (value, i) => value + amount * scale * vector[i % vector.length]);
  }
  return found;
}

export const lerp = (a, b, t) => map(a, (value, i) => value + t * (b[i] - value));

// Along a great circle: what lies between two normal latents is as long as they are (Shoemake 1985; White 2016, arXiv 1609.04468).
export function slerp(a, b, t) {
  const dot = (p, q) => p.reduce((sum, value, i) => sum + value * q[i], 0);
  const cosine = dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  if (!(angle > 1e-4) || angle > Math.PI - 1e-4) return lerp(a, b, t);
  const left = Math.sin((1 - t) * angle) / Math.sin(angle);
  const right = Math.sin(t * angle) / Math.sin(angle);
  return map(a, (value, i) => left * value + right * b[i]);
}

export function between(a, b, t, space) {
  if (t <= 0 || t >= 1) return t <= 0 ? a : b;
  if (space.name !== 'z') return lerp(a, b, t);
  const normal = space.size - space.signs;
  const mixed = new Float32Array(t < 0.5 ? a : b);
  mixed.set(slerp(a.subarray(0, normal), b.subarray(0, normal), t));
  return mixed;
}

// The coarse layers of one image with the fine layers of another: those from `layer` on are b's.
export function splice(a, b, layer, space) {
  const mixed = new Float32Array(a);
  const width = space.size / space.layers;
  mixed.set(b.subarray(layer * width), layer * width);
  return mixed;
}

// A variation: radius 0 is the image itself, 1 is as far as another image. In w+ all layers move alike.
export function near(code, radius, space) {
  if (space.name === 'z') {
    const keep = Math.sqrt(1 - radius * radius);
    return map(code, (value, i) => (isSign(space, i) ? value : keep * value + radius * gauss()));
  }
  const moves = space.deviation.map((deviation) => radius * deviation * gauss());
  return map(code, (value, i) => value + moves[i % moves.length]);
}

// A code as text for a link, and back; null if it is none of this space.
export function toText(code) {
  const bytes = new Uint8Array(code.buffer, code.byteOffset, code.byteLength);
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

export function fromText(text, space) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
  } catch {
    return null;
  }
  if (bytes.length !== 4 * space.size) return null;
  const code = new Float32Array(bytes.buffer);
  return code.every((value) => Number.isFinite(value) && Math.abs(value) < 1e4) ? code : null;
}
