// Small helpers of the page: elements by their id, pixels on a canvas.

export const byId = (id) => document.getElementById(id);

let size; // [height, width] of the generator's images

export function setSize([height, width]) {
  size = [height, width];
}

// RGBA of one image onto a canvas, which takes its size. Pixels stay square where they are shown larger.
export function draw(canvas, pixels) {
  const [height, width] = size;
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  canvas.getContext('2d').putImageData(new ImageData(new Uint8ClampedArray(pixels), width, height), 0, 0);
  canvas.classList.toggle('smooth', width >= 128);
  canvas.style.aspectRatio = `${width} / ${height}`;
}

// Let a slider show its value, and call after it.
export function onSlide(id, format, call = () => {}) {
  const [input, output] = [byId(id), byId(`${id}-value`)];
  const show = () => {
    output.textContent = format(Number(input.value));
    input.setAttribute('aria-valuetext', output.textContent);
  };
  input.addEventListener('input', () => {
    show();
    call(Number(input.value));
  });
  show();
  return {
    get value() {
      return Number(input.value);
    },
    set value(value) {
      input.value = value;
      show();
    },
  };
}
