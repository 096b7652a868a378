"""Counting modes, where the real distribution is known: labelled ones (stacked digits, attributes) and points in a plane.

References:
    Lin et al. 2018 (PacGAN), arXiv 1712.04086, section 4.1 (stacked digits: modes and KL); Srivastava et al. 2017
    (VEEGAN), arXiv 1705.07761, section 4.1 (points).
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxgan.errors import InputError
from jaxgan.metrics.checks import whole


class LabelModes(NamedTuple):
    """Which modes samples show."""

    covered: int
    """How many of the modes occur."""
    kl: float
    """``KL(samples || known)`` in nats; infinite if there are no samples, or some in modes of probability 0."""


class PointModes(NamedTuple):
    """Which modes points lie on."""

    covered: int
    """How many of the modes have enough near points."""
    quality: float
    """The share of the points that lie near a mode."""
    kl: float
    """``KL(near points || uniform over the modes)`` in nats; infinite if no point is near."""


def label_modes(modes: Any, count: int, known: Any = None) -> LabelModes:
    """Count the modes that occur, and compute ``KL(samples || known) = sum_m q_m log(q_m / known_m)``.

    >>> label_modes(np.array([0, 1, 2, 3]), 4)
    LabelModes(covered=4, kl=0.0)

    Args:
        modes: which mode each sample shows, integers [N]; negative: none, and it does not count.
        count: of modes.
        known: the modes' probabilities, [count]; counts will do. None: all alike.

    Raises:
        InputError: a mode is not below ``count``, or ``known`` has another shape, or is no distribution.

    References:
        Lin et al. 2018, arXiv 1712.04086, section 4.1.
    """
    modes = np.asarray(modes)
    if modes.ndim != 1 or not np.issubdtype(modes.dtype, np.integer):
        raise InputError(f'modes of shape {modes.shape} and {modes.dtype} (allowed: integers [N])')
    if modes.size and modes.max() >= count:
        raise InputError(f'mode {modes.max()} of {count} (allowed: below {count}; negative for none)')
    found = np.bincount(modes[modes >= 0], minlength=count)
    return LabelModes(int(np.count_nonzero(found)), _kl(found, _probabilities(known, count)))


def stacked_modes(samples: Any, classifier: Callable, classes: int = 10) -> np.ndarray:
    """Say which mode each sample of stacked images shows: the classes of its channels as one number, the first first.

    Args:
        samples: floats [N, H, W, C].
        classifier: ``(images [N, H, W]) -> classes [N]``.
        classes: how many there are.

    Returns:
        Integers [N] below ``classes^C``, the labels of ``data.stacked``; -1 where a sample is no image, not being finite.
    """
    samples = np.asarray(samples)
    finite = np.isfinite(samples).all(axis=(1, 2, 3))
    clean = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    number = np.zeros(len(samples), np.int64)
    for channel in range(samples.shape[-1]):
        number = number * classes + np.asarray(classifier(clean[..., channel]))
    return np.where(finite, number, -1)


def point_modes(points: Any, centres: Any, sigma: float, least: int = 1, sigmas: float = 3.0) -> PointModes:
    """Measure which modes points cover, and how many points lie near one.

    A point belongs to the nearest centre, and is near it up to ``sigmas`` standard deviations (it is of high quality); a
    mode is covered by ``least`` such points. Of a mixture in the plane ``1 - exp(-sigmas^2 / 2)`` lie near: 98.9%.

    >>> point_modes(np.array([[0.0, 0.1], [5.0, 5.0]]), np.array([[0.0, 0.0], [1.0, 0.0]]), sigma=0.05)
    PointModes(covered=1, quality=0.5, kl=0.6931471805599453)

    Args:
        points: [N, 2], or images [N, 1, 1, 2]: floats, or uint8 as ``jaxgan sample`` writes them.
        centres: of the modes, [modes, 2].
        sigma: the standard deviation of a mode, in x and in y.
        least: near points that a mode needs; 1 in the paper.
        sigmas: how far a near point may lie; 3 in the paper.

    Raises:
        InputError: there are no points, or they are not of two coordinates.

    References:
        Srivastava et al. 2017 (VEEGAN), arXiv 1705.07761, section 4.1, with 2,500 samples.
    """
    points, centres = np.asarray(points), np.asarray(centres)
    if not points.size or points.shape[-1] != 2 or centres.ndim != 2 or centres.shape[1] != 2:
        raise InputError(
            f'points of shape {points.shape} and centres of {centres.shape} (allowed: [..., 2] and [modes, 2])'
        )
    whole('least', least, 1, max(1, points.size // 2), f'of {points.size // 2} points')
    points = (points / 127.5 - 1 if points.dtype == np.uint8 else points).reshape(-1, 2)
    distances = np.linalg.norm(points[:, None] - centres, axis=-1)
    near = distances.min(axis=1) <= sigmas * sigma
    counts = np.bincount(distances.argmin(axis=1)[near], minlength=len(centres))
    covered = int(np.count_nonzero(counts >= least))
    return PointModes(covered, float(np.mean(near)), _kl(counts, _probabilities(None, len(centres))))


def _probabilities(known: Any, count: int) -> np.ndarray:
    if known is None:
        return np.full(count, 1.0 / count)
    known = np.asarray(known, np.float64)
    if known.shape != (count,) or not np.isfinite(known).all() or known.min() < 0 or known.sum() <= 0:
        raise InputError(f'known {known.tolist()} (allowed: {count} probabilities or counts, not all 0)')
    return known / known.sum()


def _kl(counts: np.ndarray, known: np.ndarray) -> float:
    found = counts > 0
    if not found.any() or (known[found] == 0).any():
        return math.inf
    q = counts[found] / counts.sum()
    return float(np.sum(q * np.log(q / known[found])))
