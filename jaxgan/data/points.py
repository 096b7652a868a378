"""Points in the plane from mixtures of normal distributions: images of one pixel with two channels, x and y.

``ringN`` has N modes on a circle of radius 0.8, ``gridN`` (N a square) as many on a square grid from -0.8 to 0.8. Every
mode deviates by a standard deviation of 0.02 in x and in y. Training sees float32; what is written as a sample has 8
bits a coordinate, steps of 1/127.5 = 0.0078, which adds 0.6% to a mode's deviation.

``jaxgan.metrics.modes.point_modes`` counts those that samples cover.

References:
    Srivastava et al. 2017 (VEEGAN), arXiv 1705.07761, section 4.1: rings and grids.
"""

import math
import operator
import re
from typing import Any, SupportsIndex

import numpy as np

from jaxgan.data.config import DataConfig
from jaxgan.data.source import DataInfo
from jaxgan.data.splits import split_name, split_range
from jaxgan.errors import InputError, unknown

RADIUS = 0.8
SIGMA = 0.02
COUNTS = {'train': 100_000, 'test': 10_000}
_NAME = re.compile(r'points:(?P<shape>ring|grid)(?P<modes>[1-9]\d{0,3})')


class PointSource:
    """Points that are in memory; sample i belongs to mode i modulo the number of modes."""

    def __init__(self, points: np.ndarray, labels: np.ndarray, info: DataInfo):
        self._points, self._labels, self.info = points, labels, info

    def __len__(self) -> int:
        return len(self._points)

    def __getitem__(self, index: SupportsIndex) -> dict[str, Any]:
        place = operator.index(index)
        sample = {'image': self._points[place][None, None]}
        return sample | {'label': self._labels[place]} if self.info.classes else sample

    def labels(self) -> np.ndarray:
        """Read all labels, int32 [N]; [0] if there are none."""
        return self._labels if self.info.classes else np.zeros(0, np.int32)


def open_points(config: DataConfig) -> PointSource:
    """Open ``points:ringN`` or ``points:gridN``; the label is the mode.

    Raises:
        InputError: there is no such mixture or split, or an image's options are given to points.
    """
    modes = centres(config.name)
    split = split_name(config.split)
    if split not in COUNTS:
        raise unknown(f'split of {config.name}', split, COUNTS)
    _refuse_image_options(config)
    chosen = split_range(config.split, COUNTS[split])
    points, labels = draw(modes, split)
    info = DataInfo(
        name=config.name,
        split=config.split,
        count=len(chosen),
        size=1,
        channels=2,
        classes=() if config.label == 'none' else tuple(map(str, range(len(modes)))),
        licence='made here, free',
        origin=f'{len(modes)} normal modes, standard deviation {SIGMA}, jaxgan.data.points',
        dtype='float32',
    )
    here = slice(chosen.start, chosen.stop)
    return PointSource(points[here], labels[here], info)


def centres(name: str) -> np.ndarray:
    """Tell the modes' centres, float32 [modes, 2], in x and y.

    >>> centres('points:grid4').astype(float).round(1).tolist()
    [[-0.8, -0.8], [-0.8, 0.8], [0.8, -0.8], [0.8, 0.8]]

    Raises:
        InputError: there is no such mixture.
    """
    match = _NAME.fullmatch(name)
    modes = int(match['modes']) if match else 0
    side = math.isqrt(modes)
    if match is None or (match['shape'] == 'grid' and (side < 2 or side**2 != modes)):
        raise InputError(
            f'unknown points {name!r} (allowed: points:ringN, N from 1 to 9999, as in points:ring8 or points:ring25; '
            'points:gridN, N a square from 4 on, as in points:grid25)'
        )
    if match['shape'] == 'grid':
        line = np.linspace(-RADIUS, RADIUS, side)
        return np.stack(np.meshgrid(line, line, indexing='ij'), axis=-1).reshape(-1, 2).astype(np.float32)
    angles = 2 * np.pi * np.arange(modes) / modes
    return (RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)


def draw(modes: np.ndarray, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Draw a split's points, float32 [N, 2], and their modes, int32 [N]."""
    labels = np.arange(COUNTS[split], dtype=np.int32) % len(modes)
    random = np.random.RandomState(list(COUNTS).index(split))  # NumPy promises never to change its stream
    deviations = random.standard_normal((len(labels), 2)).astype(np.float32)
    return modes[labels] + np.float32(SIGMA) * deviations, labels


def _refuse_image_options(config: DataConfig) -> None:
    wrong = [
        ('size', config.size, config.size not in (None, 1)),
        ('channels', config.channels, config.channels is not None),
        ('crop', config.crop, config.crop != 'none'),
        ('flip', config.flip, config.flip),
        ('label', config.label, config.label not in (None, 'none')),
    ]
    for name, value, refused in wrong:
        if refused:
            raise InputError(f'data.{name} {value!r} means nothing to {config.name}: leave it out')
