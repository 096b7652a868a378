
// The slider over the grids. All pictures are in the page; one is shown.
const slider = document.getElementById('slider');
const grids = [...document.querySelectorAll('#grids .stage img')];

function showGrid(index) {
  grids.forEach((image, i) => { image.hidden = i !== index; });
  slider.value = index;
  const seen = grids[index].dataset.imagesSeen;
  slider.setAttribute('aria-valuetext', `${seen} images seen`);
  document.getElementById('caption').textContent = seen;
  document.getElementById('position').textContent = index + 1;
  sharpen();
}

if (slider) {
  const play = document.getElementById('play');
  let timer = 0;
  const stop = () => { clearInterval(timer); timer = 0; play.textContent = 'Play'; };
  const next = () => {
    const index = Number(slider.value) + 1;
    if (index < grids.length) showGrid(index);
    if (index >= grids.length - 1) stop();
  };
  slider.addEventListener('input', () => { stop(); showGrid(Number(slider.value)); });
  play.addEventListener('click', () => {
    if (timer) return stop();
    if (Number(slider.value) === grids.length - 1) showGrid(0);
    play.textContent = 'Stop';
    timer = setInterval(next, Math.max(150, Math.min(700, 8000 / grids.length)));
  });
  showGrid(grids.length - 1);
}

// Pixels stay square where a picture is shown larger than it is; where it is smaller, the browser should average.
function sharpen() {
  for (const image of document.querySelectorAll('.stage img:not([hidden]), .pair img')) {
    image.classList.toggle('pixelated', image.clientWidth * devicePixelRatio >= image.naturalWidth);
  }
}
addEventListener('resize', sharpen);
addEventListener('load', sharpen);
addEventListener('beforeprint', () => { for (const details of document.querySelectorAll('details')) details.open = true; });
