// Downloads that say what they are, and links that lead back.
import { byId } from './draw.js';
import { toXmp, withPacket } from './credit.js';

const LARGEST = 2048; // pixels of a side

export function openSave(studio) {
  const [height, width] = studio.model.shape;
  const scale = byId('scale');
  for (let times = 1; Math.max(height, width) * times <= LARGEST; times *= 2) scale.append(new Option(`${width * times} px`, times));
  scale.value = String(2 ** Math.max(0, Math.min(scale.length - 1, Math.ceil(Math.log2(256 / width)))));

  byId('save').addEventListener('click', async () => {
    try {
      const bytes = await toFile(studio, Number(scale.value));
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob([bytes], { type: 'image/png' }));
      link.download = `${fileName(studio.state.name)}.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
      studio.say(`${link.download} says of itself that it is generated, and by what.`);
    } catch (error) {
      studio.trouble(error);
    }
  });

  byId('link').addEventListener('click', async () => {
    const address = location.href.replace(/#.*/, '') + studio.state.toHash();
    history.replaceState(null, '', address);
    try {
      await navigator.clipboard.writeText(address);
      studio.say('The link to this image is copied.');
    } catch {
      studio.say("The link to this image is in the browser's address line.");
    }
  });
}

const fileName = (name) => name.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '').slice(0, 60) || 'image';

// The current image as PNG bytes, each pixel a square of `times` by `times`, with its credit.
export async function toFile(studio, times) {
  const { state, engine, model } = studio;
  const [height, width] = model.shape;
  const credit = state.credit(); // of the same moment as the code
  const [pixels] = await engine.paint([state.code], [state.label ?? 0]);
  const small = new OffscreenCanvas(width, height);
  small.getContext('2d').putImageData(new ImageData(new Uint8ClampedArray(pixels), width, height), 0, 0);
  const large = new OffscreenCanvas(width * times, height * times);
  const pen = large.getContext('2d');
  pen.imageSmoothingEnabled = false;
  pen.drawImage(small, 0, 0, width * times, height * times);
  const blob = await large.convertToBlob({ type: 'image/png' });
  return withPacket(new Uint8Array(await blob.arrayBuffer()), toXmp(credit));
}
