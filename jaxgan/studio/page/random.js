// The random numbers of JAX's default generator, and with them the latents of `jaxgan sample`: the same seed is the same image.
// Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3 (threefry 2x32, 20 rounds); JAX's partitionable form of it.

const ROTATIONS = [[13, 15, 26, 6], [17, 29, 16, 24]];
const PARITY = 0x1bd11bda;

// Encrypt the counter [high, low] with a key of two words.
export function threefry([k0, k1], [c0, c1]) {
  const keys = [k0 >>> 0, k1 >>> 0, (k0 ^ k1 ^ PARITY) >>> 0];
  let x = (c0 + keys[0]) >>> 0;
  let y = (c1 + keys[1]) >>> 0;
  for (let i = 0; i < 5; i++) {
    for (const turn of ROTATIONS[i % 2]) {
      x = (x + y) >>> 0;
      y = (((y << turn) | (y >>> (32 - turn))) ^ x) >>> 0;
    }
    x = (x + keys[(i + 1) % 3]) >>> 0;
    y = (y + keys[(i + 2) % 3] + i + 1) >>> 0;
  }
  return [x, y];
}

export const keyOf = (seed) => [0, seed >>> 0]; // jax.random.key(seed)
export const foldIn = (key, data) => threefry(key, [0, data >>> 0]); // jax.random.fold_in
export const first = (key) => threefry(key, [0, 0]); // jax.random.split(key, n)[0]

// jax.random.bits(key, (n,)), of which narrower ones keep the low bits
function word(key, i) {
  const [high, low] = threefry(key, [0, i]);
  return (high ^ low) >>> 0;
}

// The whole table of normal quantiles from its upper half.
export function unfold(upper) {
  const n = upper.length;
  const table = new Float32Array(2 * n);
  for (let i = 0; i < n; i++) {
    table[n + i] = upper[i];
    table[n - 1 - i] = -upper[i];
  }
  return table;
}

// The latent of a seed: `dim - signs` normal values, then `signs` values of -1 or 1 (jaxgan.latents).
export function latentOf(seed, dim, signs, table) {
  const own = first(keyOf(seed));
  const drawn = signs ? first(own) : own; // `with_signs` draws its normal part by one more split
  const z = new Float32Array(dim);
  for (let i = 0; i < dim - signs; i++) z[i] = table[word(drawn, i) & 0xffff];
  const chance = foldIn(own, 1);
  for (let i = 0; i < signs; i++) z[dim - signs + i] = (word(chance, i) & 0xff) < 128 ? 1 : -1;
  return z;
}

// Normal deviates for what is not tied to a seed: variations and the search.
export function gauss() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

export const freshSeed = () => crypto.getRandomValues(new Uint32Array(1))[0];
