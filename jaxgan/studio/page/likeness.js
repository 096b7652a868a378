// How unlike images are: the mean squared difference at several sizes, so that forms count as much as pixels do.

function halve(values, [height, width, channels]) {
  const [h, w] = [height >> 1, width >> 1];
  const half = new Float32Array(h * w * channels);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      for (let c = 0; c < channels; c++) {
        const at = (dy, dx) => values[((2 * y + dy) * width + 2 * x + dx) * channels + c];
        half[(y * w + x) * channels + c] = (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4;
      }
    }
  }
  return [half, [h, w, channels]];
}

// An image and its halves, while a side has at least eight pixels.
export function toPyramid(values, shape) {
  const levels = [values];
  while (Math.min(shape[0], shape[1]) >= 8) {
    [values, shape] = halve(values, shape);
    levels.push(values);
  }
  return levels;
}

// Images [n, h, w, c] against a pyramid: [n].
export function distances(images, target, shape) {
  const size = shape[0] * shape[1] * shape[2];
  return Float32Array.from({ length: images.length / size }, (_, i) => {
    const levels = toPyramid(images.subarray(i * size, (i + 1) * size), shape);
    const means = levels.map((level, k) => {
      let sum = 0;
      for (let j = 0; j < level.length; j++) sum += (level[j] - target[k][j]) ** 2;
      return sum / level.length;
    });
    return means.reduce((sum, mean) => sum + mean, 0) / means.length;
  });
}
