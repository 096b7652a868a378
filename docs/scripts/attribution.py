"""How many planted copies ``jaxgan attribute`` names and ``sample --reject-copies`` drops, and how often either is wrong.

    python docs/scripts/attribution.py DATA [--images 10000] [--plants 400] [--held-out 4000]

DATA is the name of a data set that has a split test (``cifar10``, ``npz:PATH``, ``pixel_avatars``). Thresholds are set on one half of the
test images, and false positives counted on the other half; test images that look the same as training images are left out. A plant is
a training image that was changed; it is named if the nearest training image is that one or looks the same (a duplicate of it), and
found if its ratio is below the threshold, too.
"""

import argparse
import dataclasses
import time
from collections.abc import Callable

import numpy as np

from jaxgan.copyindex.calibration import CONFIDENCE, ratios_of
from jaxgan.copyindex.index import RATES, search_in
from jaxgan.copyindex.separability import cropped, jpeg, resized, shifted
from jaxgan.data import DataConfig, open_source
from jaxgan.metrics import copies
from jaxgan.metrics.copyrate import calibrate, fewest
from jaxgan.metrics.copyscreen import Screen
from jaxgan.metrics.descriptors import unpacked
from jaxgan.realimages import read_bytes

CHUNK = 128  # images that sample compares at once
SPLITS = 200  # halves of the held-out images


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
        'enlarged 3 times, reduced': lambda x: resized(x, 3.0),
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
    ratios, same = ratios_of(held, index)
    print(f'{same.sum()} of {len(held):,} test images look the same as training images, and are left out')
    half = len(ratios) // 2
    confidence = CONFIDENCE if half >= fewest(max(RATES), CONFIDENCE) else 0.0
    rates = [rate for rate in RATES if half >= fewest(rate, confidence)]
    limits = {rate: calibrate(ratios[:half], rate, confidence=confidence).value for rate in rates}
    print(f'thresholds of {half:,} images: {", ".join(f"{limit:.3f}" for limit in limits.values())}')
    false_positives(ratios, rates, confidence)
    times(held, index, limits, search)
    leak(images, index)
    random = np.random.default_rng(0)
    places = random.choice(len(images), min(options.plants, len(images)), replace=False)
    print(f'{"plant":28} {"named":>6} ' + ' '.join(f'{f"at {rate:.1%}":>8}' for rate in limits))
    for name, change in plants(random).items():
        changed_ones = np.stack([change(images[i]) for i in places])
        found = search(changed_ones)
        ratios = Screen(index, max(limits.values()))(changed_ones).ratios
        named = index.groups[found.indices[:, 0]] == index.groups[places]
        shares = ' '.join(f'{np.mean(ratios < limit):8.3f}' for limit in limits.values())
        print(f'{name:28} {np.mean(named):6.3f} {shares}')


def false_positives(ratios: np.ndarray, rates: list[float], confidence: float) -> None:
    """Set thresholds on one half of held-out images, and count how many of the other half are below, in many splits."""
    for rate in rates:
        for sure in sorted({0.0, confidence}):
            counted = []
            for seed in range(SPLITS):
                order = np.random.default_rng(seed).permutation(ratios)
                limit = calibrate(order[: len(order) // 2], rate, confidence=sure).value
                counted.append(np.mean(order[len(order) // 2 :] < limit))
            print(
                f'false positives at {rate:.1%}, {f"confidence {sure:.0%}" if sure else "on average"}: '
                f'{np.mean(counted):.2%} in the mean of {SPLITS} splits, {np.quantile(counted, 0.95):.2%} in the 95th of 100'
            )


def times(held: np.ndarray, index: copies.Index, limits: dict[float, float], search: Callable) -> None:
    """Print what an image costs."""
    limit = limits[min(limits, key=lambda rate: abs(rate - 0.01))]
    screen = Screen(index, limit)
    screen(held[:CHUNK])
    for name, look in (('which are copies (sample)', screen), ('the nearest (attribute)', search)):
        start = time.process_time()
        for i in range(0, 1024, CHUNK):
            look(np.take(held, np.arange(i, i + CHUNK), axis=0, mode='wrap'))
        print(f'{(time.process_time() - start) / 1024 * 1e6:.0f} microseconds of CPU for an image: {name}')


def leak(images: np.ndarray, index: copies.Index) -> None:
    """Print how near to images their descriptions alone come: luma of cells, enlarged."""
    some = images[:500].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    luma, _ = unpacked(index.features[:500])
    side = some.shape[1]
    at = np.arange(side) * luma.shape[1] // side
    error = np.mean((luma[:, at][:, :, at] - some) ** 2, axis=(1, 2))
    print(
        f'luma from the index alone: {np.median(10 * np.log10(255**2 / np.maximum(error, 1e-2))):.1f} dB (median)'
    )


if __name__ == '__main__':
    main()
