"""How many planted copies ``jaxgan attribute`` names and ``sample --reject-copies`` drops, and how often either is wrong.

    python docs/scripts/attribution.py DATA [--images 10000] [--plants 400] [--held-out 4000]

DATA is the name of a data set that has a split test (``cifar10``, ``npz:PATH``, ``pixel_avatars``). Thresholds are set on one half of the
test images, and false positives counted on the other half; test images that look the same as training images are left out. A plant is
a training image that was changed; it is named if the nearest training image is that one or looks the same (a duplicate of it), and
found if its ratio is below the threshold, too.
"""

import argparse
import dataclasses
import io
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from jaxgan.copyindex.index import search_in
from jaxgan.data import DataConfig, open_source
from jaxgan.metrics import copies
from jaxgan.metrics.copyrate import calibrate
from jaxgan.realimages import read_bytes

RATES = (0.001, 0.01, 0.05)
CHUNK = 32  # images that sample makes at once


def picture(pixels: np.ndarray) -> Image.Image:
    """Make a Pillow image."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def back(image: Image.Image, like: np.ndarray) -> np.ndarray:
    """Resize an image to the size of another."""
    side = like.shape[0]
    resized = image if image.width == side else image.resize((side, side), Image.Resampling.LANCZOS)
    return np.asarray(resized).reshape(like.shape)


def shifted(x: np.ndarray, dy: int, dx: int) -> np.ndarray:
    """Shift by pixels; the border is repeated."""
    side = x.shape[0]
    padded = np.pad(x, ((4, 4), (4, 4), (0, 0)), mode='edge')
    return padded[4 - dy : 4 - dy + side, 4 - dx : 4 - dx + side]


def jpeg(x: np.ndarray, quality: int) -> np.ndarray:
    """Store as JPEG and read again."""
    buffer = io.BytesIO()
    picture(x).save(buffer, 'JPEG', quality=quality)
    return back(Image.open(buffer), x)


def cropped(x: np.ndarray, share: float) -> np.ndarray:
    """Cut out the middle of an enlarged image, and reduce it."""
    side = 8 * x.shape[0]
    edge = round(side * share)
    start = (side - edge) // 2
    large = picture(x).resize((side, side), Image.Resampling.BICUBIC)
    return back(large.crop((start, start, start + edge, start + edge)), x)


def resized(x: np.ndarray, factor: float) -> np.ndarray:
    """Change the size, and back."""
    side = round(x.shape[0] * factor)
    return back(picture(x).resize((side, side), Image.Resampling.BICUBIC), x)


def changed(x: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Change values as floats."""
    return np.clip(np.rint(change(x.astype(np.float32))), 0, 255).astype(np.uint8)


def offsets(random: np.random.Generator, most: int) -> tuple[int, int]:
    """Draw a shift of at most so many pixels, and of at least one."""
    while not any(found := random.integers(-most, most + 1, 2).tolist()):
        pass
    return found[0], found[1]


def plants(random: np.random.Generator) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """List what is done to training images."""
    return {
        'exact': lambda x: x,
        'mirrored': lambda x: x[:, ::-1],
        'shifted by 1 to 2 px': lambda x: shifted(x, *offsets(random, 2)),
        'mirrored and shifted': lambda x: shifted(x[:, ::-1], *offsets(random, 2)),
        'enlarged 3 times, reduced': lambda x: resized(x, 3),
        'halved, enlarged': lambda x: resized(x, 0.5),
        'JPEG 75': lambda x: jpeg(x, 75),
        'JPEG 50': lambda x: jpeg(x, 50),
        'crop of 0.9': lambda x: cropped(x, 0.9),
        'crop of 0.8': lambda x: cropped(x, 0.8),
        'crop of 0.7': lambda x: cropped(x, 0.7),
        'brighter by 1.2': lambda x: changed(x, lambda y: y * 1.2),
        'noise of 8 levels': lambda x: changed(x, lambda y: y + random.normal(0, 8, y.shape)),
        'grey': lambda x: changed(x, lambda y: np.broadcast_to(y.mean(-1, keepdims=True), y.shape)),
        'red and blue exchanged': lambda x: x[..., ::-1],
        'turned by a quarter': lambda x: np.rot90(x),
        'inverted': lambda x: 255 - x,
    }


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument('data')
    parser.add_argument('--images', type=int, default=10_000)
    parser.add_argument('--plants', type=int, default=400)
    parser.add_argument('--held-out', type=int, default=4_000)
    options = parser.parse_args()
    config = DataConfig(options.data)
    train, test = open_source(config), open_source(dataclasses.replace(config, split='test'))
    images, _ = read_bytes(train, np.arange(min(options.images, len(train))))
    held, _ = read_bytes(test, np.arange(len(test)))
    start = time.process_time()
    index = copies.build(copies.features(images))
    print(
        f'{options.data}: {len(images):,} images of {images.shape[1]} px, built in {time.process_time() - start:.1f} s of CPU'
    )
    search = search_in(index)
    held = held[: options.held_out]
    found = search(held)
    same = found.distances[:, 0] < index.near
    ratios = found.ratios[~same, 0]
    print(f'{same.sum()} of {len(held):,} test images look the same as training images, and are left out')
    limits = {
        rate: calibrate(ratios[::2], rate).value for rate in RATES if (len(ratios[::2]) + 1) * rate >= 1
    }
    told = ', '.join(f'{rate:.1%}: {np.mean(ratios[1::2] < limit):.2%}' for rate, limit in limits.items())
    print(
        f'thresholds of {len(ratios[::2]):,} images: {", ".join(f"{limit:.3f}" for limit in limits.values())}'
    )
    print(f'false positives among {len(ratios[1::2]):,} others, for the rate {told}')
    start = time.process_time()
    for i in range(0, 2048, CHUNK):
        search(np.take(held, np.arange(i, i + CHUNK), axis=0, mode='wrap'))
    print(f'{(time.process_time() - start) / 2.048:.2f} ms of CPU for an image, in parts of {CHUNK}')
    random = np.random.default_rng(0)
    places = random.choice(len(images), min(options.plants, len(images)), replace=False)
    print(f'{"plant":28} {"named":>6} ' + ' '.join(f'{f"at {rate:.1%}":>8}' for rate in limits))
    for name, change in plants(random).items():
        found = search(np.stack([change(images[i]) for i in places]))
        named = index.groups[found.indices[:, 0]] == index.groups[places]
        shares = ' '.join(f'{np.mean(found.ratios[:, 0] < limit):8.3f}' for limit in limits.values())
        print(f'{name:28} {np.mean(named):6.3f} {shares}')


if __name__ == '__main__':
    main()
