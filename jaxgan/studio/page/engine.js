// The page's side of the worker: questions that are answered in their order.

export class Engine {
  constructor() {
    this.worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
    this.waiting = new Map();
    this.count = 0;
    this.worker.onmessage = ({ data }) => {
      const { resolve, reject } = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if (data.error === undefined) resolve(data.result);
      else reject(new Error(data.error));
    };
    this.worker.onerror = (event) => this.fail(event.message || 'the worker could not start');
  }

  fail(message) {
    for (const { reject } of this.waiting.values()) reject(new Error(message));
    this.waiting.clear();
  }

  ask(kind, request) {
    return new Promise((resolve, reject) => {
      const id = (this.count += 1);
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, kind, request });
    });
  }

  encode(seeds, labels) {
    return this.ask('encode', { seeds, labels });
  }

  // codes: a list of Float32Arrays; returns RGBA of each
  async paint(codes, labels) {
    const pixels = await this.ask('paint', { codes: joined(codes), labels });
    const size = pixels.length / codes.length;
    return codes.map((_, i) => pixels.subarray(i * size, (i + 1) * size));
  }

  aim(values) {
    return this.ask('aim', { values });
  }

  score(codes, labels) {
    return this.ask('score', { codes: joined(codes), labels });
  }
}

// Labels as graphs take them: an unconditional generator has none, and is asked for none.
export const labelsFor = (labels) => labels.map((label) => label ?? 0);

function joined(codes) {
  const all = new Float32Array(codes.length * codes[0].length);
  codes.forEach((code, i) => all.set(code, i * code.length));
  return all;
}
