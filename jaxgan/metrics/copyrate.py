"""How near is too near, and how often: a threshold from held-out images, and a rate with an interval that knows of their draw.

References:
    Vovk, Gammerman and Shafer 2005, Algorithmic learning in a random world (conformal p-values); Clopper and Pearson
    1934, The use of confidence or fiducial limits illustrated in the case of the binomial, Biometrika 26; Vovk 2012,
    Conditional validity of inductive conformal predictors, arXiv 1209.2673 (the actual rate of one calibration is Beta).
"""

import functools
import math
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq  # jax depends on scipy
from scipy.special import betainc, betaincinv, betaln

from jaxgan.errors import InputError

NODES = 64  # of the quadrature over false positive rates


class Interval(NamedTuple):
    """Bounds of a probability."""

    low: float
    high: float


class Threshold(NamedTuple):
    """A query whose ratio is below ``value`` counts as a copy."""

    value: float
    asked: float
    """A fresh image that is no twin counts with at most this probability, the draw of held-out images included."""
    rank: int
    """The threshold is the held-out ratio of this rank, twins included."""
    held_out: int
    twins: int = 0
    """Held-out images that are near duplicates of training images."""

    @property
    def fpr(self) -> float:
        """The probability by which a fresh image counts, twins included: ``rank / (n + 1)``."""
        return self.rank / (self.held_out + 1)

    def actual(self, confidence: float = 0.975) -> Interval:
        """Bound the probability by which a fresh image counts given these held-out images: quantiles of Beta(rank, n + 1 - rank)."""
        tail, others = (1 - confidence) / 2, self.held_out + 1 - self.rank
        low, high = (float(betaincinv(self.rank, others, p)) for p in (tail, 1 - tail))
        return Interval(low, high)

    def likely(self, nodes: int = NODES) -> tuple[np.ndarray, np.ndarray]:
        """List false positive rates that this threshold may have, and their weights: a quadrature over Beta(rank, n + 1 - rank)."""
        quantiles, weights = _quadrature(nodes)
        return betaincinv(self.rank, self.held_out + 1 - self.rank, quantiles), weights


@functools.cache
def _quadrature(count: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


class CopyRate(NamedTuple):
    """The share of generated images that count as copies."""

    copies: int
    images: int
    raw: float
    interval: Interval
    """Of 95%, of the share to be expected over all draws of held-out images (``rate_interval``): what ``raw`` estimates."""
    corrected: float
    """``raw`` less what false positives explain: ``max(0, (raw - fpr) / (1 - fpr))``."""
    corrected_interval: Interval
    """From what false positives cannot explain, to all that count (a generator may have fewer false positives than real
    images); of 95%, for the raw rate and the actual false positive rate are bounded with 97.5% each."""
    p_value: float
    """How probable so many are of a generator whose images are like the held-out ones."""


def smallest_fpr(held_out: int) -> float:
    """Compute the smallest false positive rate that so many held-out images can calibrate: ``1 / (n + 1)``."""
    return 1 / (held_out + 1)


def calibrate(
    ratios: np.ndarray, fpr: float, twins: np.ndarray | None = None, confidence: float = 0.0
) -> Threshold:
    """Find the ratio below which a fresh image falls with a probability of at most ``fpr``: a conformal quantile.

    It is the one of rank ``floor((n + 1) fpr)`` among those of n held-out images. Where held-out images and a fresh one
    are exchangeable, however they are distributed, the fresh one counts with a probability of at most
    ``rank / (n + 1)``: on average over draws of held-out images, for the rate of one draw is distributed as
    Beta(rank, n + 1 - rank). With a confidence, the rank is the largest for which this rate is at most ``fpr`` with that
    probability.

    Args:
        ratios: of held-out real images to the training images, [n].
        fpr: above 0, below 1.
        twins: which of them are near duplicates of training images, bool [n]: they set no threshold.
        confidence: in [0, 1); 0: on average.

    Raises:
        InputError: there are fewer than ``fewest(fpr, confidence)`` held-out images, or values are not finite.

    >>> calibrate(np.arange(1.0, 100.0), 0.02)
    Threshold(value=2.0, asked=0.02, rank=2, held_out=99, twins=0)
    """
    if not 0 < fpr < 1:
        raise InputError(f'the false positive rate must be above 0 and below 1, not {fpr}')
    if np.ndim(ratios) != 1 or not np.all(np.isfinite(ratios)):
        raise InputError('the ratios of held-out images must be finite numbers')
    fresh = np.sort(ratios if twins is None else ratios[~twins])
    if len(fresh) < fewest(fpr, confidence):
        raise InputError(
            f'{len(fresh):,} held-out images are too few for a false positive rate of {fpr:g}: '
            f'at least {fewest(fpr, confidence):,} are needed'
        )
    rank = math.floor((len(fresh) + 1) * fpr * (1 + 1e-12))  # 1000 x 0.001 is 1, not a little less
    if confidence:
        ranks = np.arange(1, rank + 1)
        rank = max(1, int(np.sum(betainc(ranks, len(fresh) + 1 - ranks, fpr) >= confidence)))
    value = float(fresh[rank - 1])
    return Threshold(value, fpr, int(np.sum(ratios < value)) + 1, len(ratios), len(ratios) - len(fresh))


def fewest(fpr: float, confidence: float = 0.0) -> int:
    """Count the held-out images that a false positive rate needs: the smallest n with ``1 - (1 - fpr)^n >= confidence``.

    On average (a confidence of 0) it is the smallest n with ``1 / (n + 1) <= fpr``.

    >>> fewest(0.01), fewest(0.01, 0.95)
    (99, 299)
    """
    on_average = math.ceil(1 / fpr - 1e-9) - 1
    return max(on_average, math.ceil(math.log1p(-confidence) / math.log1p(-fpr)))


def p_values(ratios: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """Compute how probable a ratio as small is for a fresh image: ``(1 + #{held-out <= ratio}) / (n + 1)``.

    >>> p_values(np.array([0.5, 2.0]), np.array([1.0, 2.0, 3.0])).tolist()
    [0.25, 0.75]
    """
    below = np.searchsorted(np.sort(held_out), ratios, side='right')
    return (1 + below) / (len(held_out) + 1)


def clopper_pearson(count: int, total: int, confidence: float = 0.95) -> Interval:
    """Bound a probability from ``count`` of ``total``: covers it with at least ``confidence``, whatever it is.

    Args:
        count: successes.
        total: trials, at least 1.
        confidence: of the two-sided interval.

    Raises:
        InputError: ``count`` is no part of ``total``.

    >>> [round(x, 4) for x in clopper_pearson(0, 10)]
    [0.0, 0.3085]
    """
    if not 0 <= count <= total or total < 1:
        raise InputError(f'{count} of {total} is no share')
    tail = (1 - confidence) / 2
    low = float(betaincinv(count, total - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, total - count, 1 - tail)) if count < total else 1.0
    return Interval(low, high)


def copy_rate(ratios: np.ndarray, threshold: Threshold) -> CopyRate:
    """Count the generated images below the threshold; how surely they are more than false positives.

    The corrected interval's lower end is the lower bound of the raw rate less the upper bound of the false positive rate
    that this threshold has: a threshold from n held-out images is itself random. The p-value is exact where no
    held-out image is a twin (with twins the rank is an estimate, too): of n + m
    exchangeable images, the number of the m below the one of rank r of the n is beta-binomial (m, r, n + 1 - r).

    Args:
        ratios: of generated images to the training images, [m].
        threshold: of ``calibrate``.
    """
    copies, images = int(np.sum(ratios < threshold.value)), len(ratios)
    wide, actual = clopper_pearson(copies, images, 0.975), threshold.actual()
    bounds = Interval(_less(wide.low, actual.high), wide.high)
    return CopyRate(
        copies,
        images,
        copies / images,
        rate_interval(copies, images, threshold),
        _less(copies / images, threshold.fpr),
        bounds,
        _at_least(copies, images, threshold.rank, threshold.held_out + 1 - threshold.rank),
    )


def rate_interval(copies: int, images: int, threshold: Threshold, confidence: float = 0.95) -> Interval:
    """Bound the share of images that count, over all draws of generated *and* of held-out images.

    The actual false positive rate of a threshold of rank r among n held-out images is a draw of B ~ Beta(r, n + 1 - r),
    whatever the distribution of the ratios. A generator counts with probability ``c + (1 - c) B``, c of its images being copies
    and the others like held-out ones, or, with fewer false positives than these, with ``s B``. Either family is
    one of its mean, the rate; the bounds are the rates at which so many copies or more, or so many or fewer, have the
    probability of half of ``1 - confidence`` (Clopper and Pearson's way with a mixture instead of the binomial distribution). Of
    images like the held-out ones it contains the nominal rate ``r / (n + 1)`` with at least ``confidence``, exactly.

    Args:
        copies: how many count.
        images: of so many, at least 1.
        threshold: by which they count.
        confidence: of the two-sided interval.

    Raises:
        InputError: ``copies`` is no part of ``images``.

    >>> threshold = Threshold(0.2, 0.01, 10, 999)
    >>> [round(x, 4) for x in rate_interval(16, 1000, threshold)], [round(x, 4) for x in clopper_pearson(16, 1000)]
    ([0.0074, 0.0273], [0.0092, 0.0259])
    """
    if not 0 <= copies <= images or images < 1:
        raise InputError(f'{copies} of {images} is no share')
    likely, weights = threshold.likely()
    tail, fpr = (1 - confidence) / 2, threshold.fpr

    def at_least(count: int, rate: float) -> float:
        chance = likely * (rate / fpr) if rate < fpr else likely + (1 - likely) * _less(rate, fpr)
        return float(weights @ betainc(count, images - count + 1, np.minimum(chance, 1)))

    def reach(count: int, chance: float) -> float:
        found = brentq(lambda rate: at_least(count, rate) - chance, 0, 1, xtol=1e-9)
        return float(found)  # pyright: ignore[reportArgumentType]

    low = reach(copies, tail) if copies else 0.0
    high = reach(copies + 1, 1 - tail) if copies < images else 1.0
    return Interval(low, high)


def _at_least(count: int, total: int, a: int, b: int) -> float:
    """Compute the probability of at least ``count`` of ``total`` under the beta-binomial distribution."""
    j = np.arange(count, total + 1)
    log = betaln(j + a, total - j + b) - betaln(a, b) - betaln(j + 1, total - j + 1) - np.log(total + 1)
    return min(1.0, float(np.exp(log).sum()))


def _less(rate: float, fpr: float) -> float:
    return max(0.0, (rate - fpr) / (1 - fpr))
