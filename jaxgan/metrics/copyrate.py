"""How near is too near, and how often: a threshold from held-out images, and a rate with an exact interval.

References:
    Vovk, Gammerman and Shafer 2005, Algorithmic learning in a random world (conformal p-values); Clopper and Pearson
    1934, The use of confidence or fiducial limits illustrated in the case of the binomial, Biometrika 26.
"""

import math
from typing import NamedTuple

import numpy as np

from jaxgan.errors import InputError


class Interval(NamedTuple):
    """Bounds of a probability."""

    low: float
    high: float


class Threshold(NamedTuple):
    """Below ``value`` a query counts as a copy; of fresh images that happens to at most ``fpr``."""

    value: float
    fpr: float
    """The bound that was asked for."""
    rank: int
    """How many held-out images are at or above the place of the threshold: ``floor((n + 1) fpr)``."""
    held_out: int


class CopyRate(NamedTuple):
    """The share of generated images that count as copies."""

    copies: int
    images: int
    raw: float
    interval: Interval
    """Of ``raw``: Clopper and Pearson's, exact."""
    corrected: float
    """``raw`` less what the false positive rate explains: ``max(0, (raw - fpr) / (1 - fpr))``."""
    corrected_interval: Interval


def calibrate(ratios: np.ndarray, fpr: float) -> Threshold:
    """Find the ratio that a fresh image falls below with a probability of at most ``fpr``: a conformal quantile.

    With the ratios of n held-out images in order, the threshold is the one of rank ``floor((n + 1) fpr)``; a query
    below it counts. If the held-out images and a fresh one are exchangeable, whatever their distribution, the fresh one
    counts with a probability of at most ``rank / (n + 1)``.

    Args:
        ratios: of held-out real images to the training images, [n].
        fpr: above 0, below 1.

    Raises:
        InputError: there are fewer than ``1 / fpr - 1`` held-out images, or values are not finite.

    >>> calibrate(np.arange(1.0, 100.0), 0.02)
    Threshold(value=2.0, fpr=0.02, rank=2, held_out=99)
    """
    if not 0 < fpr < 1:
        raise InputError(f'the false positive rate must be above 0 and below 1, not {fpr}')
    if np.ndim(ratios) != 1 or not np.all(np.isfinite(ratios)):
        raise InputError('the ratios of held-out images must be finite numbers')
    rank = math.floor((len(ratios) + 1) * fpr * (1 + 1e-12))
    if rank < 1:
        raise InputError(
            f'{len(ratios)} held-out images are too few for a false positive rate of {fpr:g}: '
            f'at least {math.ceil(1 / fpr - 1e-9) - 1:,} are needed'
        )
    return Threshold(float(np.sort(ratios)[rank - 1]), fpr, rank, len(ratios))


def p_values(ratios: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """Compute how probable a ratio as small is for a fresh image: ``(1 + #{held-out <= ratio}) / (n + 1)``."""
    below = np.searchsorted(np.sort(held_out), ratios, side='right')
    return (1 + below) / (len(held_out) + 1)


def clopper_pearson(count: int, total: int, confidence: float = 0.95) -> Interval:
    """Bound a probability from ``count`` of ``total``: covers it with at least ``confidence``, whatever it is.

    Args:
        count: successes.
        total: trials, at least 1.
        confidence: of the two-sided interval.

    >>> [round(x, 4) for x in clopper_pearson(0, 10)]
    [0.0, 0.3085]
    """
    from scipy.stats import beta  # jax depends on scipy

    if not 0 <= count <= total or total < 1:
        raise InputError(f'{count} of {total} is no share')
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, count, total - count + 1)) if count else 0.0
    high = float(beta.ppf(1 - tail, count + 1, total - count)) if count < total else 1.0
    return Interval(low, high)


def copy_rate(ratios: np.ndarray, threshold: Threshold, confidence: float = 0.95) -> CopyRate:
    """Count the generated images below the threshold, with an exact interval, and less what false positives explain.

    Args:
        ratios: of generated images to the training images, [m].
        threshold: of ``calibrate``.
        confidence: of the intervals.
    """
    copies = int(np.sum(ratios < threshold.value))
    interval = clopper_pearson(copies, len(ratios), confidence)
    less = [max(0.0, (x - threshold.fpr) / (1 - threshold.fpr)) for x in (copies / len(ratios), *interval)]
    return CopyRate(copies, len(ratios), copies / len(ratios), interval, less[0], Interval(*less[1:]))
