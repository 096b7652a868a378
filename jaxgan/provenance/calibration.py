"""How near is too near: thresholds of the ratios of copies, set on images that are none."""

from collections.abc import Sequence

import numpy as np

from jaxgan.data import shuffled_index
from jaxgan.errors import InputError
from jaxgan.metrics.copies import Index, find
from jaxgan.provenance.copyindex import RATES, Threshold

MOST = 5_000  # held-out images
LEFT_OUT = 2_000  # training images, where none are held out
FEWEST = 20  # of which a rate of 5 % can be told


def thresholds(ratios: np.ndarray, rates: Sequence[float] = RATES) -> tuple[Threshold, ...]:
    """Set a threshold for each rate that so many fresh images can tell.

    The k-th smallest of n ratios, ``k = floor(rate (n + 1))``: a further image of the same kind falls below it with probability
    at most ``k / (n + 1)``, whatever the distribution (conformal prediction). Rates with k = 0 are left out.

    Args:
        ratios: of images that are no copies, [n].
        rates: false-positive rates.

    References:
        Vovk, Gammerman and Shafer 2005, Algorithmic learning in a random world, section 2.2.

    >>> [one.ratio for one in thresholds(np.arange(1.0, 100.0), (0.001, 0.05))]
    [5.0]
    """
    ordered = np.sort(ratios)
    places = [(rate, int(np.floor(rate * (len(ordered) + 1) + 1e-9))) for rate in rates]
    return tuple(Threshold(rate, float(ordered[k - 1])) for rate, k in places if k)


def sample_of(count: int, most: int = MOST) -> np.ndarray:
    """Choose places among so many images: all, or the first of a fixed permutation."""
    return np.sort(np.asarray(shuffled_index(0, np.arange(min(count, most)), count)))


def leave_out(groups: np.ndarray) -> np.ndarray:
    """Choose training images to stand for held-out ones: a fifth, at most 2,000, none that has a duplicate.

    Args:
        groups: of duplicates, [n], as ``metrics.copies.Index`` has them.

    Returns:
        Their places, sorted.

    Raises:
        InputError: there are too few.
    """
    members = np.bincount(groups, minlength=len(groups))
    single = np.flatnonzero(members[groups] == 1)
    n = min(len(single) // 5, LEFT_OUT)
    if n < FEWEST:
        raise InputError(
            f'{len(groups)} training images, {len(single)} without a duplicate, are too few to set thresholds: '
            f'name a split that no training saw with --held-out (at least {FEWEST} images)'
        )
    return np.sort(single[np.asarray(shuffled_index(0, np.arange(n), len(single)))])


def without(index: Index, places: np.ndarray, own: np.ndarray) -> Index:
    """Leave images out of an index; ``own`` are the distances of those that stay, among themselves."""
    stay = np.setdiff1d(np.arange(len(index.own)), places)
    return Index(index.features[stay], own, np.arange(len(stay)))


def ratios_of(images: np.ndarray, index: Index) -> np.ndarray:
    """Compute the ratio of each image to its nearest training image, [n]."""
    return find(images, index).ratios[:, 0]
