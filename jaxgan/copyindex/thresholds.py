"""On which images the thresholds of an index are set: held-out ones, or training images that are left out."""

import numpy as np

from jaxgan.copyindex.index import RATES, Threshold
from jaxgan.data import shuffled_index
from jaxgan.errors import InputError
from jaxgan.metrics import copies
from jaxgan.metrics.copyrate import calibrate

MOST = 5_000  # held-out images
LEFT_OUT = 2_000  # training images, where none are held out
FEWEST = 19  # images by which a rate of 5 % can be told


def thresholds(ratios: np.ndarray) -> tuple[Threshold, ...]:
    """Set a threshold for each rate that so many images can tell (``metrics.copyrate.calibrate``).

    Args:
        ratios: of images that are no copies, [n].

    Raises:
        InputError: they are too few for any.
    """
    if len(ratios) < FEWEST:
        raise InputError(
            f'{len(ratios)} held-out images are too few to set thresholds: at least {FEWEST} are needed'
        )
    told = [rate for rate in RATES if (len(ratios) + 1) * rate >= 1 - 1e-9]
    return tuple(Threshold(rate, calibrate(ratios, rate).value) for rate in told)


def places_of(count: int, most: int = MOST) -> np.ndarray:
    """Choose places among so many images: all, or the first of a fixed permutation."""
    return np.sort(np.asarray(shuffled_index(0, np.arange(min(count, most)), count)))


def left_out(groups: np.ndarray) -> np.ndarray:
    """Choose training images to stand for held-out ones: a fifth, at most 2,000, none that has a duplicate.

    Args:
        groups: of duplicates, [n], as ``metrics.copies.Index`` has them.

    Returns:
        Their places, sorted.

    Raises:
        InputError: there are too few.
    """
    single = np.flatnonzero(np.bincount(groups, minlength=len(groups))[groups] == 1)
    n = min(len(single) // 5, LEFT_OUT)
    if n < FEWEST:
        raise InputError(
            f'{len(groups)} training images, {len(single)} of them without a duplicate, are too few to set thresholds: '
            f'name a split that no training saw with --held-out (at least {FEWEST} images)'
        )
    return np.sort(single[places_of(len(single), n)])


def rest_of(index: copies.Index, places: np.ndarray) -> copies.Index:
    """Build the index of the images that stay when some are left out."""
    return copies.build(np.delete(index.features, places, axis=0))
