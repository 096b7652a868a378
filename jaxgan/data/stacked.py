"""Stacked data sets: three images at random of a labelled grey set as the channels of one, a thousand modes of ten.

``stacked:NAME`` stacks three images of any grey data set NAME (``stacked:mnist``, ``stacked:npz:PATH``), ``stacked2:``
two and ``stacked1:`` one. There are as many stacks as NAME has images: channel k of stack i is image
``shuffled_index(SEED + k, i, count)``, so each channel goes once through all images in an order of its own.

References:
    Metz et al. 2016 (unrolled GAN), arXiv 1611.02163, section 3.3; Srivastava et al. 2017 (VEEGAN), arXiv 1705.07761.
"""

import dataclasses
import functools
import itertools
import operator
import re
import threading
from typing import Any, SupportsIndex

import numpy as np
from PIL import Image

from jaxgan.data.config import DataConfig
from jaxgan.data.order import shuffled_index
from jaxgan.data.pixels import to_pixels
from jaxgan.data.source import DataInfo, ImageSource, open_source, read_all
from jaxgan.data.splits import split_name, split_range
from jaxgan.errors import InputError

SEED = 0x57AC
MOST_CLASSES = 10_000
_NAME = re.compile(r'stacked(?P<depth>[123])?:(?P<name>(?!stacked[123]?:).+)')


class StackedSource:
    """Images stacked as channels; the first tells most of the label, as a number's first digit does."""

    def __init__(self, inner: ImageSource, members: np.ndarray, info: DataInfo, config: DataConfig):
        self._inner, self._members, self.info, self._config = inner, members, info, config
        self._reading = threading.Lock()

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, index: SupportsIndex) -> dict[str, Any]:
        place = operator.index(index)
        with self._reading:  # threads that come first would each read everything
            layers = self._layers
        sample: dict[str, Any] = {'image': np.moveaxis(layers[self._members[place]], 0, -1)}
        return sample | {'label': self._labels[place]} if self.info.classes else sample

    def labels(self) -> np.ndarray:
        """Read all labels, int32 [N]; [0] if there are none."""
        return self._labels if self.info.classes else np.zeros(0, np.int32)

    @functools.cached_property
    def _layers(self) -> np.ndarray:
        """Read all images, once: uint8 [N, side, side], padded and resized."""
        images = read_all(self._inner)['image'][..., 0]
        before = (padded_side(images.shape[1]) - images.shape[1]) // 2
        after = padded_side(images.shape[1]) - images.shape[1] - before
        images = np.pad(images, ((0, 0), (before, after), (before, after)))
        side = self.info.size
        if side == images.shape[1]:
            return images
        options = dataclasses.replace(self._config, size=side)
        return np.stack(
            [to_pixels(Image.fromarray(image), options, side, 1, self.info.name)[..., 0] for image in images]
        )

    @functools.cached_property
    def _labels(self) -> np.ndarray:
        digits = self._inner.labels()[self._members]
        return functools.reduce(
            lambda number, digit: number * len(self._inner.info.classes) + digit, digits.T
        ).astype(np.int32)


def open_stacked(config: DataConfig) -> StackedSource:
    """Open ``stacked:NAME``: zeros around each image up to the next power of two, then ``data.size``, if given.

    Raises:
        InputError: NAME is no grey data set with labels, or has too many classes, or cannot be opened.
    """
    match = _NAME.fullmatch(config.name)
    if match is None:
        raise InputError(
            f'unknown data set {config.name!r} (allowed: stacked:NAME, stacked2:NAME and stacked1:NAME, NAME a grey '
            'data set with labels, as in stacked:mnist or stacked:npz:PATH)'
        )
    depth, name = int(match['depth'] or 3), match['name']
    inner = open_source(
        dataclasses.replace(config, name=name, split=split_name(config.split), size=None, subset=None)
    )
    found = inner.info
    if found.channels != 1:
        raise InputError(
            f'{config.name} needs grey images, and those of {name} have {found.channels} channels; '
            'data.channels 1 makes them grey'
        )
    chosen = split_range(config.split, len(inner))
    places = np.arange(chosen.start, chosen.stop)
    members = np.stack([shuffled_index(SEED + k, places, len(inner)) for k in range(depth)], axis=1)
    full = padded_side(found.size)
    size = config.size or full
    padded = '' if full == found.size else f', zeros around them to {full} pixels'
    resized = '' if size == full else f', resized to {size} pixels ({config.resize})'
    info = dataclasses.replace(
        found,
        name=config.name,
        split=config.split,
        count=len(members),
        size=size,
        channels=depth,
        classes=_classes(config, found, depth),
        resize=f'{depth} of {name} at random as channels: {found.resize}{padded}{resized}',
    )
    return StackedSource(inner, members, info, config)


def padded_side(side: int) -> int:
    """Tell the smallest power of two that is at least ``side``.

    >>> padded_side(28), padded_side(32)
    (32, 32)
    """
    return 1 << (side - 1).bit_length()


def _classes(config: DataConfig, found: DataInfo, depth: int) -> tuple[str, ...]:
    """Name the stacks' classes: '042' of ten classes with names of one letter, else 'cat-dog-cat'."""
    if config.label == 'none':
        return ()
    if not found.classes:
        raise InputError(
            f"{config.name} needs labels, and {found.name} has none; data.label 'none' does without"
        )
    if len(found.classes) ** depth > MOST_CLASSES:
        raise InputError(
            f'{config.name} would have {len(found.classes)}^{depth} classes, more than {MOST_CLASSES:,}; '
            "stack fewer, or do without labels: data.label 'none'"
        )
    between = '' if all(len(name) == 1 for name in found.classes) else '-'
    return tuple(map(between.join, itertools.product(found.classes, repeat=depth)))
