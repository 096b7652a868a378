"""When a training is fed which image: computed from the order of the data, for nothing of it is ever written down."""

import math
from typing import NamedTuple

import numpy as np

from jaxgan.data.order import NONE_EXCLUDED, place_of, shuffled_index


class Order(NamedTuple):
    """On what alone the order of the images depends."""

    seed: int
    count: int
    """Images of the source, excluded ones as well."""
    excluded: np.ndarray = NONE_EXCLUDED
    """Images that may not come, int32 [n], sorted."""


def uses(order: Order, images: np.ndarray, places: int) -> list[np.ndarray]:
    """List the places at which images come, of the first so many of the stream.

    Each comes once an epoch at a place of its own, and now and then instead of an excluded one. The costs do not depend on the
    length of the training but for its epochs: one inverse permutation for each image and epoch, and one more for each excluded one.

    Args:
        order: of the training.
        images: indices [n].
        places: images that the training has taken so far, so that the stream's places 0 .. places - 1 count.

    Returns:
        For each image its places, int64, ascending.

    >>> [found.tolist() for found in uses(Order(0, 3), np.array([2]), 9)]
    [[0, 3, 7]]
    """
    own = _first(order, images, places)
    instead = np.unique(_first(order, order.excluded, places))
    instead = instead[instead < places]
    taken = shuffled_index(order.seed, instead, order.count, order.excluded)
    barred = np.isin(images, order.excluded)
    return [
        np.sort(np.concatenate([row[row < places][: 0 if out else None], instead[taken == image]]))
        for image, row, out in zip(images, own, barred, strict=True)
    ]


def parting(one: Order, other: Order, places: int) -> int:
    """Tell the first place at which two orders that exclude other images have different ones.

    Args:
        one: an order.
        other: another one, of the same seed and count.
        places: how far to look.

    Returns:
        The place; ``places``, if there is none before.
    """
    moved = np.unique(_first(one, np.union1d(one.excluded, other.excluded), places))
    moved = moved[moved < places]
    differ = shuffled_index(*one[:1], moved, *one[1:]) != shuffled_index(*other[:1], moved, *other[1:])
    return int(moved[differ].min(initial=places))


def _first(order: Order, images: np.ndarray, places: int) -> np.ndarray:
    """Compute the own places of images in all epochs that the first so many places touch: int64 [n, epochs]."""
    epochs = np.arange(math.ceil(places / order.count))
    return place_of(order.seed, np.asarray(images)[:, None], epochs[None], order.count)
