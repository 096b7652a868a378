"""The watermark in pixels; ``pictures`` and ``animation`` write nothing without it, and programs that are exported have it inside."""

import functools
from typing import Any, NamedTuple

import numpy as np

from jaxgan import watermark
from jaxgan.credentials import Credit

SMALLEST = 8  # pixels of a side: one block
CHANNELS = (1, 3, 4)


class Marked(NamedTuple):
    """Pixels that carry the watermark, if they can."""

    pixels: np.ndarray
    """uint8 [..., h, w, c]."""
    layers: tuple[str, ...]
    """('watermark',), or ()."""


def mark(images: np.ndarray, credit: Credit) -> Marked:
    """Put the watermark into images, of which each is marked on its own.

    Args:
        images: uint8 [..., h, w, c].
        credit: whose model and secret make the key.

    Returns:
        Images of the same shape; as they were where they shall have no marks, have less than 8 pixels a side, or other channels than
        grey, colour, or colour and transparency.
    """
    images = np.asarray(images)
    if credit.marks.unmarked or not carries(images.shape[-3:]):
        return Marked(images, ())
    height, width = images.shape[-3:-1]
    pattern = pattern_of(credit.model, credit.marks.secret, height, width)
    return Marked(watermark.embed(images, pattern), ('watermark',))


def carries(shape: tuple[int, ...]) -> bool:
    """Say whether an image [h, w, c] has room for the watermark.

    >>> carries((8, 8, 3)), carries((7, 64, 3)), carries((64, 64, 2))
    (True, False, False)
    """
    height, width, channels = shape
    return min(height, width) >= SMALLEST and channels in CHANNELS


@functools.lru_cache(maxsize=4)
def pattern_of(model: str, secret: bytes, height: int, width: int) -> Any:
    """Make the watermark's pattern for images of one size of one model, once."""
    return watermark.make_pattern(watermark.model_key(model, secret), height, width)
