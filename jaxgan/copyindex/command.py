"""``jaxgan index``: the index of a run's training images, with thresholds set on images that are no copies."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track

from jaxgan.choices import open_held_out
from jaxgan.configjson import read_config
from jaxgan.copyindex import calibration, separability
from jaxgan.copyindex.file import save_index
from jaxgan.copyindex.index import (
    FORMAT_VERSION,
    NAME,
    PROTOCOL,
    RATE,
    About,
    CopyIndex,
    prefix,
)
from jaxgan.credentials import without_folders
from jaxgan.data import ImageSource
from jaxgan.errors import InputError
from jaxgan.generatorfolder import CONFIG
from jaxgan.metrics import copies
from jaxgan.realimages import read_bytes
from jaxgan.run.rundata import RunData, open_run_data
from jaxgan.version import __version__

BLOCK = 1024  # images that are read at once
SMALLEST = 8  # pixels a side: smaller images have nothing by which a copy is told


class Fresh(NamedTuple):
    """What the ratios of images that are no copies are."""

    ratios: np.ndarray
    told: str
    """Which images these are."""
    same: int
    """How many more look the same as training images (``copies.Index.near``), and set no threshold: splits that were cut at random
    through a set with near duplicates hold them on both sides, and thresholds set on them would let copies pass."""


def index_command(
    run: str, out: str | None, data: str | None, data_dir: str | None, held_out: str | None
) -> int:
    """Write the index of a run's training images."""
    folder = Path(run)
    path = Path(out) if out is not None else folder / NAME
    if path.is_dir() or path.suffix != '.safetensors':
        raise InputError(f'out {path} must be a file that ends in .safetensors')
    found = open_run_data(folder, data, data_dir)
    console = Console(stderr=True)
    index, same = build_index(found, held_out, console)
    save_index(path, index)
    print(f'wrote {path}: {index.count:,} images, {index.bytes_per_image} bytes each')
    print(f'thresholds, set on {index.about.held_out}:')
    sure = f'with {index.about.confidence:.0%} confidence' if index.about.confidence else 'on average'
    for one in index.about.thresholds:
        print(f'  ratio below {one.ratio:.4g}: at most {one.fpr:.1%} of images that are no copies ({sure})')
    print(
        f'below {index.threshold(index.rate()):.4g}, {separability.told(index.about.planted, index.place(index.rate()))}'
    )
    if same:
        print(
            f'{same:,} further ones look the same as training images: copies for all that can be seen, and left out here'
        )
    if index.rate() != RATE:
        print(f'too few to tell {RATE:.0%}: another --held-out, such as none, may have more')
    if read_config(folder / CONFIG).dp.asked:
        print(
            f'{path.name} holds thumbnails of the training images, and the training was private: do not publish it; jaxgan export leaves it out'
        )
    return 0


def build_index(found: RunData, held_out: str | None, console: Console) -> tuple[CopyIndex, int]:
    """Build an index.

    Args:
        found: the data.
        held_out: the split on which thresholds are set; None: 'test' where there is one; 'none': training images that are left out.
        console: where the progress is shown.

    Returns:
        The index, and how many held-out images look the same as training images and set no threshold.

    Raises:
        InputError: the data are no pictures, or too few.
    """
    info = found.source.info
    if info.size < SMALLEST or info.channels not in (1, 3):
        raise InputError(
            f'{info.name} holds images of {info.size}x{info.size} with {info.channels} channels: copies are told of pictures '
            f'of at least {SMALLEST}x{SMALLEST}, grey or in colour'
        )
    places = np.setdiff1d(np.arange(len(found.source)), found.excluded)
    features, pixels = describe(found.source, places, console)
    index = copies.build(features)
    other = open_held_out(found.config, held_out)
    fresh = (
        _left_out(index, found.source, places)
        if other is None
        else _held_out(index, other, held_out_told(found, other, held_out))
    )
    confidence, thresholds = calibration.thresholds(fresh.ratios)
    about = About(
        format_version=FORMAT_VERSION,
        jaxgan=__version__,
        finder=PROTOCOL,
        data=without_folders(info.name),
        split=info.split,
        fingerprint_of=found.fingerprint['of'],
        fingerprint=found.fingerprint['sha256'],
        size=info.size,
        channels=info.channels,
        held_out=fresh.told,
        held_out_count=len(fresh.ratios),
        thresholds=thresholds,
        licence=info.licence,
        resize=found.config.resize,
        confidence=confidence,
        planted=separability.measure(
            lambda rows: read_bytes(found.source, places[rows])[0], len(places), index, thresholds
        ),
    )
    own = index.own.astype(np.float32)
    return CopyIndex(index.features, own, pixels, about, found.excluded), fresh.same


def describe(source: ImageSource, places: np.ndarray, console: Console) -> tuple[np.ndarray, np.ndarray]:
    """Describe images of a source, a block at a time: their features, and the first bytes of their pixels' SHA-256."""
    features, pixels = [], []
    starts = range(0, len(places), BLOCK)
    for start in track(starts, 'images', console=console, transient=True, disable=not console.is_terminal):
        block, _ = read_bytes(source, places[start : start + BLOCK])
        features.append(copies.features(block))
        pixels.append(np.frombuffer(b''.join(map(prefix, block)), np.uint8).reshape(len(block), -1))
    return np.concatenate(features), np.concatenate(pixels)


def held_out_told(found: RunData, other: ImageSource, held_out: str | None) -> str:
    """Name held-out images as ``open_held_out`` chose them."""
    own = held_out in (None, 'rest') and found.config.subset is not None
    rest = ' that data.subset leaves out' if own and other.info.split == found.source.info.split else ''
    return f'images of the split {other.info.split}{rest}'


def _held_out(index: copies.Index, source: ImageSource, told: str) -> Fresh:
    """Compare held-out images with the training images."""
    places = calibration.places_of(len(source))
    images, _ = read_bytes(source, places)
    return _fresh(images, index, told)


def _left_out(index: copies.Index, source: ImageSource, places: np.ndarray) -> Fresh:
    """Compare some training images with the others."""
    rows = calibration.left_out(index.groups)
    images, _ = read_bytes(source, places[rows])
    return _fresh(images, calibration.rest_of(index, rows), 'training images, compared with the others')


def _fresh(images: np.ndarray, index: copies.Index, told: str) -> Fresh:
    ratios, same = calibration.ratios_of(images, index)
    return Fresh(ratios, f'{len(ratios):,} {told}', int(same.sum()))
