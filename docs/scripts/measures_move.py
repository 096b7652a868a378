"""Do measures move the right way? Alter real images, measure them as if a generator had made them: a table of docs/metrics.md.

    python docs/scripts/measures_move.py                             # pixel_avatars, which come with jaxgan
    python docs/scripts/measures_move.py --data npz:cifar10.npz      # x_train, y_train, x_test, y_test, classes

N training images are what a generator would have been trained on; N others of the same split are altered; N of the test split
are the held-out ones of C_T. All numbers come from ``jaxgan.evaluate``, by the protocol of ``jaxgan evaluate``.
"""

import argparse
import dataclasses
import io
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from jaxgan import kernels
from jaxgan.data import DataConfig, open_source, read_all, shuffled_index
from jaxgan.data.npz import ArraySource
from jaxgan.errors import InputError, unknown
from jaxgan.evaluate import Fakes, measure, plan
from jaxgan.metrics.extractors import load
from jaxgan.metrics.protocol import Measurement
from jaxgan.metrics.types import Extractor
from jaxgan.realimages import Reals, order, read_bytes

AVATARS = 'pixel_avatars/hair_color'
COLUMNS = ('FD', 'KID', 'precision', 'recall', 'density', 'coverage', 'C_T', 'MS-SSIM')
RESULTS = Path(__file__).parent.parent / 'results' / 'measures.json'


class Trial(NamedTuple):
    """Real images by their part, each n of them but the others."""

    training: Reals
    held_out: ArraySource
    images: np.ndarray
    """Of training, uint8 [n, H, W, C]."""
    others: np.ndarray
    """The rest of the training split, likewise: no generator saw them."""
    labels: np.ndarray
    """Of the others."""


def open_trial(data: str, n: int) -> Trial:
    """Open a data set that has labels and the splits 'train' and 'test'; shuffled, for files may be sorted by class."""
    train, test = (open_source(DataConfig(data, split)) for split in ('train', 'test'))
    if min(len(train) - n, len(test)) < n or n % 10 or not train.info.classes:
        raise InputError(
            f'n {n} of {len(train)} and {len(test)} images (allowed: multiples of 10 that leave as many, with labels)'
        )
    reals, held_out = Reals(train, n), dataclasses.replace(test.info, split=f'{n} of test', count=n)
    all_train = read_all(train)
    chosen, places = order(reals), np.asarray(shuffled_index(0, np.arange(n, len(train)), len(train)))
    pixels, labels = read_bytes(test, order(Reals(test, n)))
    assert labels is not None
    return Trial(
        reals,
        ArraySource(pixels, labels, held_out, DataConfig(data)),
        all_train['image'][chosen],
        all_train['image'][places],
        all_train['label'][places],
    )


def altered(trial: Trial, n: int, only: str) -> Iterator[tuple[str, np.ndarray]]:
    """Make sets of n images, uint8 [n, H, W, C]: the same other images as they are, and altered in each way.

    Args:
        trial: real images.
        n: of each set.
        only: the class of which one set consists.
    """
    classes = trial.training.source.info.classes
    if only not in classes:
        raise unknown('class', only, classes)
    one_class = trial.others[trial.labels == classes.index(only)]
    if len(one_class) < n:
        raise InputError(
            f'n {n} (allowed: up to {len(one_class)}, the images of {only!r} that are not for training)'
        )
    fresh = trial.others[:n]
    yield 'as they are', fresh
    yield 'noise, sigma 8', noisy(fresh, 8)
    yield 'noise, sigma 24', noisy(fresh, 24)
    yield 'blur, radius 0.5', by_pillow(fresh, lambda image: image.filter(ImageFilter.GaussianBlur(0.5)))
    yield 'blur, radius 1', by_pillow(fresh, lambda image: image.filter(ImageFilter.GaussianBlur(1)))
    yield 'JPEG, quality 30', by_pillow(fresh, compressed)
    yield 'half of them grey', np.concatenate([by_pillow(fresh[: n // 2], grey), fresh[n // 2 :]])
    yield f'only {only}', one_class[:n]
    yield 'a tenth, each 10 times', np.repeat(fresh[: n // 10], 10, axis=0)
    yield 'training images', trial.images


def noisy(images: np.ndarray, sigma: float) -> np.ndarray:
    """Add Gaussian noise of a standard deviation in bytes."""
    noise = np.random.default_rng(0).normal(0.0, sigma, images.shape)
    return np.clip(np.round(images + noise), 0, 255).astype(np.uint8)


def by_pillow(images: np.ndarray, change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    """Change colour images one by one."""
    return np.stack([np.asarray(change(Image.fromarray(image))) for image in images])


def compressed(image: Image.Image) -> Image.Image:
    """Compress by JPEG at quality 30, with Pillow's usual halved colours."""
    file = io.BytesIO()
    image.save(file, 'jpeg', quality=30)
    return Image.open(file)


def grey(image: Image.Image) -> Image.Image:
    """Take the colours away."""
    return image.convert('L').convert('RGB')


def measured(
    extractor: Extractor, trial: Trial, images: np.ndarray, names: Sequence[str] | None = None
) -> list[Measurement]:
    """Measure images as ``jaxgan evaluate`` measures a file of them: by the measures named, or all usual ones."""
    count, size, _, channels = images.shape
    fakes = Fakes(lambda numbers, labels: images[numbers], count, size, channels, 0, 'files')
    made = plan(extractor, trial.training, fakes, trial.held_out, names)
    return measure(made, fakes).measurements


def row(name: str, found: list[Measurement], extractor: Extractor) -> str:
    """Write a line of the table."""
    values = {one.metric.removesuffix(f'-{extractor.label}'): one.value for one in found}
    return f'| {name} | {" | ".join(f"{values[column]:.3g}" for column in COLUMNS)} |'


def sheet(path: Path, sets: dict[str, np.ndarray], columns: int = 20) -> None:
    """Write a picture for people: a row of images of each set, enlarged."""
    rows = [np.concatenate(list(images[:columns]), axis=1) for images in sets.values()]
    Image.fromarray(np.concatenate(rows).repeat(3, axis=0).repeat(3, axis=1)).save(path)


def keep(path: Path, key: str, entry: dict) -> None:
    """Put an entry into a file of JSON, beside what others put there."""
    known = json.loads(path.read_text('utf-8')) if path.exists() else {}
    path.write_text(json.dumps(known | {key: entry}, indent=1) + '\n', 'utf-8')


def main() -> None:
    """Alter, measure, print the table, and keep the numbers."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').partition('\n')[0])
    parser.add_argument('--data', default=AVATARS)
    parser.add_argument('--extractor', help='default: pixel_avatars for those, else vgg16-64')
    parser.add_argument('--only', help='a class; default: cat, or the first hair colour')
    parser.add_argument('--n', type=int, default=1000)
    parser.add_argument('--out', type=Path, default=RESULTS)
    parser.add_argument('--sheet', type=Path, help='writes some images of each set, and measures nothing')
    options = parser.parse_args()
    avatars = options.data.startswith('pixel_avatars')
    trial = open_trial(options.data, options.n)
    only = options.only or (trial.training.source.info.classes[0] if avatars else 'cat')
    sets = dict(altered(trial, options.n, only))
    if options.sheet:
        sheet(options.sheet, sets)
        return
    kernels.enable()
    extractor = load(options.extractor or ('pixel_avatars' if avatars else 'vgg16-64'))
    keep(
        options.out, f'{options.data} by {extractor.name}', {'n': options.n, **table(extractor, trial, sets)}
    )


def table(extractor: Extractor, trial: Trial, sets: dict[str, np.ndarray]) -> dict[str, Any]:
    """Measure all sets, print a table, and return its numbers."""
    start, own = time.perf_counter(), time.process_time()
    print(f'| images | {" | ".join(COLUMNS)} |\n|---|{"--:|" * len(COLUMNS)}')
    values: dict[str, dict[str, float]] = {}
    found: list[Measurement] = []
    for name, images in sets.items():
        found = measured(extractor, trial, images)
        values[name] = {one.metric: float(f'{one.value:.6g}') for one in found}
        print(row(name, found, extractor), flush=True)
    cost = {
        'seconds': round(time.perf_counter() - start),
        'processor_seconds': round(time.process_time() - own),
        'load_over_15_minutes': round(os.getloadavg()[2], 1),
    }
    print(cost)
    return cost | {'values': values, 'protocols': {one.metric: str(one.protocol) for one in found}}


if __name__ == '__main__':
    main()
