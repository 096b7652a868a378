"""On which images the thresholds of an index are set: held-out ones, or training images that are left out."""

import numpy as np

from jaxgan.copyindex.index import RATES, Threshold, search_in
from jaxgan.data import shuffled_index
from jaxgan.errors import InputError
from jaxgan.metrics import copies
from jaxgan.metrics.copyrate import calibrate, fewest
from jaxgan.metrics.copyscreen import Screen

MOST = 5_000  # held-out images
LEFT_OUT = 2_000  # training images, where none are held out
FEWEST = 19  # images by which a rate of 5 % can be told on average
CONFIDENCE = 0.95  # with which a rate is kept, whatever images were held out


def thresholds(ratios: np.ndarray) -> tuple[float, tuple[Threshold, ...]]:
    """Set a threshold for each rate that so many images can tell (``metrics.copyrate.calibrate``).

    Args:
        ratios: of images that are no copies, [n].

    Returns:
        The confidence with which the rates are kept: 0.95, or 0 (on average) where images are too few for that; thresholds.

    Raises:
        InputError: they are too few for any.
    """
    if len(ratios) < FEWEST:
        raise InputError(
            f'{len(ratios)} held-out images are too few to set thresholds: at least {FEWEST} are needed'
        )
    confidence = CONFIDENCE if len(ratios) >= fewest(max(RATES), CONFIDENCE) else 0.0
    told = [rate for rate in RATES if len(ratios) >= fewest(rate, confidence)]
    found = (Threshold(rate, calibrate(ratios, rate, confidence=confidence).value) for rate in told)
    return confidence, tuple(found)


def ratios_of(images: np.ndarray, index: copies.Index) -> tuple[np.ndarray, np.ndarray]:
    """Compute the ratios of images that are no copies, to set thresholds on.

    All that are low enough to matter are exact (``metrics.copyscreen``), as they are where thresholds are used.

    Args:
        images: uint8 [n, h, w, c].
        index: of the training images.

    Returns:
        The ratios, [m]; and which of the images look the same as training images, bool [n]: these have none.
    """
    found = search_in(index)(images)
    same = found.distances[:, 0] < index.near
    ratios = found.ratios[~same, 0]
    if len(ratios):
        rank = min(len(ratios), int(len(ratios) * max(RATES)) + 1)
        below = Screen(index, float(np.sort(ratios)[rank - 1]))(images[~same])
        ratios = np.minimum(ratios, below.ratios)
    return ratios, same


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
